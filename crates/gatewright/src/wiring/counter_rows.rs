//! Counters of limits, kept as rows of the store.

use std::error::Error;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::authority::CounterKey;
use gatewright_coordination::stored::{CounterStore, CounterUpdate};
use gatewright_model::id::EntityId;
use gatewright_model::time::Clock;

use crate::store_slot::StoreSlot;

/// Counters in the store.
#[derive(Debug)]
pub(crate) struct CounterRows {
    store: StoreSlot,
    clock: Arc<dyn Clock>,
}

impl CounterRows {
    /// Counters over the store that is or will be in the slot.
    pub(crate) fn new(store: StoreSlot, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

impl CounterStore for CounterRows {
    fn update(
        &self,
        keys: Vec<CounterKey>,
        mut apply: CounterUpdate,
    ) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        async move {
            let store = self.store.get()?;
            let rows: Vec<_> = keys
                .iter()
                .map(|key| (key.limit.uuid(), key.partition.as_str().to_owned()))
                .collect();
            let decide = move |now, states| {
                let written = apply(now, states).into_iter();
                written
                    .map(|counter| counter.map(|counter| (counter.state, counter.expires_at)))
                    .collect()
            };
            store.update_counters(&rows, self.clock.now(), decide).await?;
            Ok(())
        }
        .boxed()
    }
}
