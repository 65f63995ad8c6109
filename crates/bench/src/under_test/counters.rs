//! Counters of limits in memory, in the place of rows of the store.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::authority::CounterKey;
use gatewright_coordination::stored::{CounterStore, CounterUpdate};
use gatewright_model::time::Clock;

/// The rules are those of the store; what a database costs is left out, and said so.
#[derive(Debug)]
pub(super) struct CounterMap {
    rows: Mutex<HashMap<CounterKey, Vec<u8>>>,
    clock: Arc<dyn Clock>,
}

impl CounterMap {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            rows: Mutex::default(),
            clock,
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
            }
        }
        async { Ok(()) }.boxed()
    }
}
