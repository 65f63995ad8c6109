//! The store of this process, which may come later than the process: a gateway
//! with a snapshot on disk starts without it.

use std::sync::Arc;

use gatewright_gateway::source::Away;
use gatewright_store::Store;
use tokio::sync::watch;

/// Where the store will stand. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct StoreSlot(Arc<watch::Sender<Option<Store>>>);

impl StoreSlot {
    /// A slot with nothing in it.
    pub(crate) fn empty() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Puts the store in; it stays for the life of the process.
    pub(crate) fn fill(&self, store: Store) {
        self.0.send_replace(Some(store));
    }

    /// The store, when it is there.
    pub(crate) fn get(&self) -> Result<Store, Away> {
        let store = self.0.borrow().clone();
        store.ok_or_else(|| Away::because("the store has not been reached yet"))
    }
}
