//! The open connections of one worker, so that those which idle longest can be
//! asked to make room.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::connection::ConnectionState;

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    next: Cell<u64>,
    open: RefCell<HashMap<u64, Rc<ConnectionState>>>,
}

/// A connection's place in the roster, left when it is dropped.
#[derive(Debug)]
pub(crate) struct Enlisted<'a> {
    roster: &'a Roster,
    number: u64,
}

impl Roster {
    /// Adds a connection.
    pub(crate) fn enlist(&self, state: Rc<ConnectionState>) -> Enlisted<'_> {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        self.open.borrow_mut().insert(number, state);
        Enlisted { roster: self, number }
    }

    /// How many connections have a call.
    pub(crate) fn busy(&self) -> usize {
        let open = self.open.borrow();
        open.values().filter(|state| state.idle_since().is_none()).count()
    }

    /// Asks the connections that have had no call for longest to end, at most
    /// `count`. How many were asked.
    pub(crate) fn end_idle(&self, count: usize) -> usize {
        let open = self.open.borrow();
        let mut idle: Vec<_> = open
            .values()
            .filter_map(|state| Some((state.idle_since()?, state)))
            .collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        let asked = idle.len().min(count);
        for (_, state) in idle.into_iter().take(count) {
            state.ask_to_end();
        }
        asked
    }
}

impl Drop for Enlisted<'_> {
    fn drop(&mut self) {
        self.roster.open.borrow_mut().remove(&self.number);
    }
}
