//! What the connections of one worker hold in memory, and where its bound is
//! (`security.md`, 3.10). Above nine tenths of it idle connections are closed,
//! above all of it calls are refused, so that the others go on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use bytes::BytesMut;

use crate::metrics::WorkerMetrics;

/// What is read at once into the buffer of a connection.
pub(crate) const READ: usize = 4 * 1024;
/// What an HTTP/1 connection is counted with from its beginning: its task, and one read.
pub(crate) const HTTP1_CONNECTION: usize = 12 * 1024;
/// What an HTTP/2 connection is counted with: its tables, and a stream or two.
pub(crate) const HTTP2_CONNECTION: usize = 96 * 1024;

/// Buffers that are kept for the next connection that has something to read.
const MAX_SPARE: usize = 256;

/// The memory of one worker's connections.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: Cell<usize>,
    spare: RefCell<Vec<BytesMut>>,
    metrics: Arc<WorkerMetrics>,
}

/// How much of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// Enough.
    None,
    /// Little: idle connections have to go.
    High,
    /// Nothing: whoever wants more is refused.
    Exhausted,
}

impl Memory {
    /// `limit` bytes.
    pub(crate) fn new(limit: usize, metrics: Arc<WorkerMetrics>) -> Self {
        Self {
            limit,
            used: Cell::new(0),
            spare: RefCell::default(),
            metrics,
        }
    }

    /// How much is left.
    pub(crate) fn pressure(&self) -> Pressure {
        let used = self.used.get();
        if used > self.limit {
            Pressure::Exhausted
        } else if used > self.limit / 10 * 9 {
            Pressure::High
        } else {
            Pressure::None
        }
    }

    /// Counts `bytes` until the charge is dropped.
    pub(crate) fn charge(self: &Rc<Self>, bytes: usize) -> Charge {
        let charge = Charge {
            memory: Rc::clone(self),
            bytes: Cell::new(0),
        };
        charge.set(bytes);
        charge
    }

    /// An empty buffer with room for one read. Connections that wait have none.
    pub(crate) fn take_buffer(&self) -> BytesMut {
        let spare = self.spare.borrow_mut().pop();
        spare.unwrap_or_else(|| BytesMut::with_capacity(READ))
    }

    /// Takes a buffer back, unless it grew or enough are there.
    pub(crate) fn give_back(&self, mut buffer: BytesMut) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < MAX_SPARE && buffer.capacity() <= READ {
            buffer.clear();
            spare.push(buffer);
        }
    }

    fn change(&self, from: usize, to: usize) {
        self.used.set(self.used.get().saturating_sub(from) + to);
        let signed = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.metrics.buffered.add(signed(to) - signed(from));
    }
}

/// Memory that somebody holds.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Rc<Memory>,
    bytes: Cell<usize>,
}

impl Charge {
    /// Now it is this much.
    pub(crate) fn set(&self, bytes: usize) {
        let before = self.bytes.replace(bytes);
        if before != bytes {
            self.memory.change(before, bytes);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_and_what_is_dropped_does_not() {
        let metrics = Arc::new(WorkerMetrics::default());
        let memory = Rc::new(Memory::new(100, Arc::clone(&metrics)));
        let first = memory.charge(50);
        assert_eq!(memory.pressure(), Pressure::None);
        let second = memory.charge(45);
        assert_eq!(memory.pressure(), Pressure::High);
        first.set(60);
        assert_eq!(
            (memory.pressure(), metrics.buffered.get()),
            (Pressure::Exhausted, 105)
        );
        drop(second);
        assert_eq!((memory.pressure(), metrics.buffered.get()), (Pressure::None, 60));
        drop(first);
        assert_eq!(metrics.buffered.get(), 0);
    }

    #[test]
    fn a_buffer_is_used_again_and_never_shows_what_was_in_it() {
        let memory = Memory::new(100, Arc::default());
        let mut buffer = memory.take_buffer();
        buffer.extend_from_slice(b"secret");
        memory.give_back(buffer);
        assert!(memory.take_buffer().is_empty());
        memory.give_back(BytesMut::with_capacity(READ * 2));
        assert!(memory.spare.borrow().is_empty());
    }
}
