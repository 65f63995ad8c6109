//! Kept connections of one worker. The one used last is used first, so that
//! those which are not needed grow old and go.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::line::Line;
use super::target::Origin;
use crate::maps::FastMap;
use crate::worker::memory::Memory;

/// How many connections are kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Idle connections of one worker to one origin.
    pub per_origin: usize,
    /// Idle connections of one worker.
    pub total: usize,
    /// After this time without a call a connection is closed.
    pub idle: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            per_origin: 256,
            total: 2_048,
            idle: Duration::from_secs(30),
        }
    }
}

/// The kept connections.
#[derive(Debug)]
pub(crate) struct Pool {
    keep: Keep,
    idle: RefCell<FastMap<Arc<Origin>, Vec<Idle>>>,
    count: Cell<usize>,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    since: Instant,
}

impl Pool {
    /// An empty pool.
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            idle: RefCell::default(),
            count: Cell::new(0),
        }
    }

    /// A kept connection that still seems to be there.
    pub(crate) fn take(&self, origin: &Arc<Origin>) -> Option<Line> {
        let mut idle = self.idle.borrow_mut();
        let lines = idle.get_mut(origin)?;
        while let Some(mut candidate) = lines.pop() {
            self.count.set(self.count.get().saturating_sub(1));
            if candidate.since.elapsed() < self.keep.idle && candidate.line.is_usable() {
                return Some(candidate.line);
            }
        }
        None
    }

    /// Keeps a connection whose last answer has ended.
    pub(crate) fn put(&self, mut line: Line, memory: &Memory) {
        if self.count.get() >= self.keep.total {
            return;
        }
        line.rest(memory);
        let mut idle = self.idle.borrow_mut();
        if !idle.contains_key(&line.origin) {
            idle.insert(Arc::clone(&line.origin), Vec::new());
        }
        if let Some(lines) = idle.get_mut(&line.origin)
            && lines.len() < self.keep.per_origin
        {
            lines.push(Idle {
                line,
                since: Instant::now(),
            });
            self.count.set(self.count.get() + 1);
        }
    }

    /// Closes what is too old or was closed by the other side.
    pub(crate) fn sweep(&self) {
        let mut left = 0;
        self.idle.borrow_mut().retain(|_, lines| {
            lines.retain_mut(|idle| idle.since.elapsed() < self.keep.idle && idle.line.is_usable());
            left += lines.len();
            !lines.is_empty()
        });
        self.count.set(left);
    }

    /// Closes everything.
    pub(crate) fn clear(&self) {
        self.idle.borrow_mut().clear();
        self.count.set(0);
    }
}
