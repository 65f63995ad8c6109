//! Counters of limits in memory, in the place of rows of the store.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::authority::CounterKey;
use gatewright_coordination::stored::{CounterStore, CounterUpdate};
use gatewright_model::time::Clock;

/// How much the limits would have written to a store.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// Transactions.
    pub(super) transactions: AtomicU64,
    /// Rows in them.
    pub(super) rows: AtomicU64,
}

/// The rules are those of the store; what a database costs is left out, and said so.
#[derive(Debug)]
pub(super) struct CounterMap {
    rows: Mutex<HashMap<CounterKey, Vec<u8>>>,
    clock: Arc<dyn Clock>,
    written: Arc<Written>,
}

impl CounterMap {
    pub(super) fn new(clock: Arc<dyn Clock>, written: Arc<Written>) -> Self {
        Self {
            rows: Mutex::default(),
            clock,
            written,
        }
    }
}

impl CounterStore for CounterMap {
    fn update(
        &self,
        keys: Vec<CounterKey>,
        mut apply: CounterUpdate,
    ) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let states = keys.iter().map(|key| rows.get(key).cloned()).collect();
        for (key, counter) in keys.into_iter().zip(apply(self.clock.now(), states)) {
            if let Some(counter) = counter {
                rows.insert(key, counter.state);
                self.written.rows.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.written.transactions.fetch_add(1, Ordering::Relaxed);
        async { Ok(()) }.boxed()
    }
}
