//! tokio's [`Notify`](tokio::sync::Notify), each use of it one step. It takes a
//! lock, which loom does not see: the number stands for it.

use std::pin::Pin;
use std::task::{Context, Poll};

use loom::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::{Notify as Real, futures::Notified as RealNotified};

#[derive(Debug)]
pub(crate) struct Notify {
    real: Real,
    locked: AtomicU32,
}

impl Notify {
    pub(crate) fn new() -> Self {
        Self {
            real: Real::new(),
            locked: AtomicU32::new(0),
        }
    }

    pub(crate) fn notify_waiters(&self) {
        self.lock();
        self.real.notify_waiters();
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        self.lock();
        Notified {
            real: Box::pin(self.real.notified()),
            of: self,
        }
    }

    fn lock(&self) {
        self.locked.fetch_add(1, Ordering::AcqRel);
    }
}

#[derive(Debug)]
pub(crate) struct Notified<'a> {
    real: Pin<Box<RealNotified<'a>>>,
    of: &'a Notify,
}

impl Notified<'_> {
    pub(crate) fn enable(mut self: Pin<&mut Self>) -> bool {
        self.of.lock();
        self.real.as_mut().enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.of.lock();
        self.real.as_mut().poll(context)
    }
}
