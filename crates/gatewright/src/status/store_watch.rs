//! Whether the store answers, and how far the configuration has come there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use gatewright_gateway::source::Away;
use gatewright_store::Scope;
use tokio_util::sync::CancellationToken;

use crate::store_slot::StoreSlot;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// What was seen last. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StoreWatch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: StoreSlot,
    up: AtomicBool,
    reached: AtomicBool,
    head: AtomicI64,
}

impl StoreWatch {
    /// Nothing seen yet.
    pub(crate) fn new(store: StoreSlot) -> Self {
        Self(Arc::new(Inner {
            store,
            up: AtomicBool::new(false),
            reached: AtomicBool::new(false),
            head: AtomicI64::new(0),
        }))
    }

    /// Whether the store answered the last time.
    pub(crate) fn is_up(&self) -> bool {
        self.0.up.load(Ordering::Relaxed)
    }

    /// Whether it has ever answered.
    pub(crate) fn was_reached(&self) -> bool {
        self.0.reached.load(Ordering::Relaxed)
    }

    /// The number of the newest change that was seen.
    pub(crate) fn head(&self) -> i64 {
        self.0.head.load(Ordering::Relaxed)
    }

    /// Looks once.
    pub(crate) async fn look(&self) {
        let seen = self.read().await;
        let was_up = self.0.up.swap(seen.is_ok(), Ordering::Relaxed);
        match seen {
            Ok(head) => {
                self.0.head.store(head, Ordering::Relaxed);
                let back = self.0.reached.swap(true, Ordering::Relaxed) && !was_up;
                if back {
                    tracing::info!("the store answers again");
                }
            }
            Err(error) if was_up => tracing::warn!(%error, "the store does not answer"),
            Err(_) => {}
        }
    }

    /// Looks until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            self.look().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn read(&self) -> Result<i64, Away> {
        let mut tx = self
            .0
            .store
            .get()?
            .read(Scope::System)
            .await
            .map_err(Away::because)?;
        tx.head().await.map_err(Away::because)
    }
}
