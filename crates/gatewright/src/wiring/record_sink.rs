//! Call records and rollups, written to the store.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_gateway::source::{Away, RecordBatch, RecordSink};
use gatewright_model::time::Clock;

use crate::store_slot::StoreSlot;

/// Writes batches of the gateway to the store.
#[derive(Debug)]
pub(crate) struct StoreSink {
    store: StoreSlot,
    clock: Arc<dyn Clock>,
}

impl StoreSink {
    /// A sink over the store that is or will be in the slot.
    pub(crate) fn new(store: StoreSlot, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

impl RecordSink for StoreSink {
    fn write<'a>(&'a self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            let store = self.store.get()?;
            let now = self.clock.now();
            store
                .write_traffic(batch.id, &batch.calls, &batch.rollups, now)
                .await
                .map_err(Away::because)
        }
        .boxed()
    }
}
