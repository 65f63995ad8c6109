//! An answer on its way to the client, who may take its time, but not forever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::AsyncWrite;

use super::outbound::{Cut, Outbound, Outlet, WaitsFor, poll_write_slices};
use super::wire::Wire;
use crate::proxy::answer::AnswerBody;
use crate::watchdog::Watchdog;

impl Outlet for &Wire {
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        poll_write_slices(&mut *self.stream.borrow_mut(), cx, slices)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    /// Where it goes.
    pub(super) wire: &'a Wire,
    /// The connection's timer.
    pub(super) watchdog: &'a mut Watchdog,
    /// How long the client may take nothing.
    pub(super) patience: Duration,
    /// What goes.
    pub(super) answer: Outbound<AnswerBody>,
    /// When it began to take nothing, and what it had taken until then.
    pub(super) stalled: Option<(Instant, u64)>,
}

impl Sending<'_> {
    /// Ends when all of it was handed to the system.
    ///
    /// # Errors
    /// When it will never go out whole; the connection cannot be used again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        if let Poll::Ready(sent) = self.answer.poll(cx, &mut self.wire) {
            return Poll::Ready(sent);
        }
        match self.answer.waits_for() {
            WaitsFor::Body => {
                // The body will wake us. A client that leaves meanwhile shows only when it is read from.
                ready!(self.wire.poll_left(cx));
                Poll::Ready(Err(Cut::Socket(io::ErrorKind::ConnectionAborted.into())))
            }
            WaitsFor::Reader => {
                // It may read nothing until all of its request is gone.
                self.answer.body_mut().drive_upload(cx);
                let taken = self.answer.taken();
                let since = match self.stalled {
                    Some((since, before)) if before == taken => since,
                    _ => Instant::now(),
                };
                self.stalled = Some((since, taken));
                ready!(self.watchdog.poll(cx, since + self.patience));
                Poll::Ready(Err(Cut::Socket(io::ErrorKind::TimedOut.into())))
            }
        }
    }
}
