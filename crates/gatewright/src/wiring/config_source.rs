//! Configuration for the gateway, read from the store.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::notice::{Notice, Notices, Subscription};
use gatewright_gateway::source::{Away, ConfigSource, DeltaPage};
use gatewright_model::snapshot::{Manifest, PartHash};
use gatewright_store::{Scope, Tx};
use tokio::sync::Mutex;

use crate::store_slot::StoreSlot;

/// Reads configuration from the store and hears of changes by notices.
#[derive(Debug)]
pub(crate) struct StoreSource {
    store: StoreSlot,
    /// One gateway listens; the lock only makes `&self` possible.
    notices: Mutex<Subscription>,
}

impl StoreSource {
    /// A source over the store that is or will be in the slot.
    pub(crate) fn new(store: StoreSlot, notices: &Notices) -> Self {
        Self {
            store,
            notices: Mutex::new(notices.subscribe()),
        }
    }

    async fn read(&self) -> Result<Tx, Away> {
        self.store.get()?.read(Scope::System).await.map_err(Away::because)
    }

    async fn next_change(&self) {
        let mut notices = self.notices.lock().await;
        loop {
            match notices.next().await {
                Some(Notice::Changed { .. } | Notice::Unknown) => return,
                Some(Notice::Recall { .. }) => {}
                // No notice will ever come again: polling has to do.
                None => return std::future::pending().await,
            }
        }
    }
}

impl ConfigSource for StoreSource {
    fn head(&self) -> BoxFuture<'_, Result<i64, Away>> {
        async move { self.read().await?.head().await.map_err(Away::because) }.boxed()
    }

    fn manifest(&self, after: i64) -> BoxFuture<'_, Result<Option<Manifest>, Away>> {
        async move {
            let mut tx = self.read().await?;
            if tx.snapshots().head().await.map_err(Away::because)? <= after {
                return Ok(None);
            }
            let manifest = tx.snapshots().manifest(None).await.map_err(Away::because)?;
            Ok(Some(manifest))
        }
        .boxed()
    }

    fn parts<'a>(&'a self, hashes: &'a [PartHash]) -> BoxFuture<'a, Result<Vec<(PartHash, Bytes)>, Away>> {
        async move {
            let mut tx = self.read().await?;
            let parts = tx.snapshots().parts(hashes).await.map_err(Away::because)?;
            Ok(parts
                .into_iter()
                .map(|(hash, body)| (hash, Bytes::from(body)))
                .collect())
        }
        .boxed()
    }

    fn deltas(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<DeltaPage, Away>> {
        async move {
            let mut tx = self.read().await?;
            let limit = u16::try_from(limit).unwrap_or(u16::MAX);
            let page = tx.deltas().since(after, limit).await.map_err(Away::because)?;
            Ok(DeltaPage {
                deltas: page.deltas,
                through: page.range.through,
                more: page.more,
            })
        }
        .boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.next_change().boxed()
    }
}
