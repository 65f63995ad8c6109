//! Call records and rollups, written to the store, and with them when each
//! credential was last used.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_gateway::source::{Away, RecordBatch, RecordSink};
use gatewright_model::id::CredentialId;
use gatewright_model::time::{Clock, Timestamp};
use gatewright_store::{Scope, Store, StoreError};

use crate::store_slot::StoreSlot;
use crate::wiring::last_used::LastUsed;

/// Writes batches of the gateway to the store.
#[derive(Debug)]
pub(crate) struct StoreSink {
    store: StoreSlot,
    clock: Arc<dyn Clock>,
    last_used: LastUsed,
}

impl StoreSink {
    /// A sink over the store that is or will be in the slot.
    pub(crate) fn new(store: StoreSlot, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            last_used: LastUsed::default(),
        }
    }

    /// Notes the use of credentials. Calls are what must not be lost; a stamp
    /// that fails comes with a later batch.
    async fn stamp(&self, store: &Store, batch: &RecordBatch, now: Timestamp) {
        let stamps = self.last_used.due(&batch.calls);
        if stamps.is_empty() {
            return;
        }
        match write_stamps(store, &stamps, now).await {
            Ok(()) => self.last_used.taken(&stamps),
            Err(error) => tracing::debug!(%error, "the use of credentials could not be noted"),
        }
    }
}

async fn write_stamps(
    store: &Store,
    stamps: &[(CredentialId, Timestamp)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = store.begin(Scope::System).await?;
    tx.credentials().stamp_used(stamps).await?;
    tx.commit(now).await.map(drop)
}

impl RecordSink for StoreSink {
    fn write<'a>(&'a self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            let store = self.store.get()?;
            let now = self.clock.now();
            store
                .write_traffic(batch.id, &batch.calls, &batch.rollups, now)
                .await
                .map_err(Away::because)?;
            self.stamp(&store, batch, now).await;
            Ok(())
        }
        .boxed()
    }
}
