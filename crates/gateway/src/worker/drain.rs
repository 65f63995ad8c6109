//! How one worker tells its connections that they should end. Everything stays
//! on one thread, so that polling it costs a connection nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::server::IdleConnections;

/// Off, then on for good.
#[derive(Debug, Default)]
pub(crate) struct DrainSignal {
    on: Cell<Option<IdleConnections>>,
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, Waker>>,
}

impl DrainSignal {
    /// Whether it is on.
    pub(crate) fn is_on(&self) -> bool {
        self.on.get().is_some()
    }

    /// Whether it is on, and connections without a call end at once.
    pub(crate) fn ends_idle(&self) -> bool {
        self.on.get() == Some(IdleConnections::Close)
    }

    /// Turns it on and wakes everybody who waits.
    pub(crate) fn turn_on(&self, idle: IdleConnections) {
        self.on.set(Some(idle));
        for (_, waker) in self.waiting.borrow_mut().drain() {
            waker.wake();
        }
    }

    /// Ends when it is on.
    pub(crate) fn wait(&self) -> Drained<'_> {
        let ticket = self.next.get();
        self.next.set(ticket.wrapping_add(1));
        Drained {
            signal: self,
            ticket,
            registered: false,
        }
    }
}

/// See [`DrainSignal::wait`]. It stays in the task that polled it first.
#[derive(Debug)]
pub(crate) struct Drained<'a> {
    signal: &'a DrainSignal,
    ticket: u64,
    registered: bool,
}

impl Future for Drained<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.signal.is_on() {
            return Poll::Ready(());
        }
        if !self.registered {
            self.registered = true;
            let waker = cx.waker().clone();
            self.signal.waiting.borrow_mut().insert(self.ticket, waker);
        }
        Poll::Pending
    }
}

impl Drop for Drained<'_> {
    fn drop(&mut self) {
        if self.registered {
            self.signal.waiting.borrow_mut().remove(&self.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_and_whoever_left_is_forgotten() {
        let signal = DrainSignal::default();
        {
            let mut left = std::pin::pin!(signal.wait());
            let polled = futures_util::poll!(left.as_mut());
            assert!(polled.is_pending());
            assert_eq!(signal.waiting.borrow().len(), 1);
        }
        assert!(signal.waiting.borrow().is_empty());
        tokio::join!(signal.wait(), async { signal.turn_on(IdleConnections::Close) });
        signal.wait().await;
        assert!(signal.is_on());
    }
}
