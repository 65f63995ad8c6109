//! A connection to an upstream while nothing is asked over it.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::BytesMut;

use super::io::Stream;
use super::target::Origin;
use crate::watchdog::Watchdog;
use crate::worker::memory::{Memory, READ};

/// Least room for which it is worth asking the system.
const MIN_ROOM: usize = READ / 2;
/// What of a body is read at once.
pub(super) const BODY_READ: usize = 32 * 1024;
/// Memory for heads of requests that an idle connection keeps.
const KEPT_OUT: usize = 1024;

/// A connection that can take a request.
#[derive(Debug)]
pub(crate) struct Line {
    /// Where it leads.
    pub(crate) origin: Arc<Origin>,
    pub(super) buffer: BytesMut,
    pub(super) stream: Stream,
    watchdog: Watchdog,
    out: Vec<u8>,
}

impl Line {
    /// A connection over which nothing was sent.
    pub(super) fn new(stream: Stream, origin: Arc<Origin>) -> Self {
        Self {
            origin,
            buffer: BytesMut::new(),
            stream,
            watchdog: Watchdog::default(),
            out: Vec::new(),
        }
    }

    /// Whether it can take a request, as far as the event loop knows: an
    /// upstream that closed it, or spoke unasked, has given it up.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.stream.poll_unasked(&mut cx).is_pending()
    }

    /// It waits for its next request: the memory goes.
    pub(super) fn rest(&mut self, memory: &Memory) {
        memory.give_back(std::mem::take(&mut self.buffer));
        self.out.shrink_to(KEPT_OUT);
    }

    /// It is used again: it gets memory for an answer, and gives the one for
    /// the head of a request, empty.
    pub(crate) fn wake(&mut self, memory: &Memory) -> Vec<u8> {
        self.buffer = memory.take_buffer();
        std::mem::take(&mut self.out)
    }

    /// Takes it back.
    pub(super) fn give_memory(&mut self, out: Vec<u8>) {
        self.out = out;
    }

    /// Reads more, `room` bytes at a time. `Ok(0)` is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() - self.buffer.len() < MIN_ROOM.min(room) {
            self.buffer.reserve(room);
        }
        self.stream.poll_read(cx, &mut self.buffer)
    }

    /// Ends at `deadline`, which may be another one each time.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        self.watchdog.poll(cx, deadline)
    }
}
