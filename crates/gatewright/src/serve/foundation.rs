//! What all roles of a process stand on.

use std::sync::Arc;

use gatewright_config::Config;
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::id::NodeId;
use gatewright_model::keys::MasterKey;
use gatewright_model::time::{Clock, Entropy, SystemClock, SystemEntropy};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::commands::session;
use crate::failure::Failure;
use crate::store_slot::StoreSlot;
use crate::wiring::node_id;
use crate::wiring::node_rows::Sharing;

/// What all roles of a process stand on.
#[derive(Debug)]
pub(crate) struct Foundation {
    /// As the process was started with.
    pub(crate) config: Config,
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Seals secrets and keys hashes.
    pub(crate) master_key: MasterKey,
    /// Which node this is.
    pub(crate) node_id: NodeId,
    /// The store, once it has been reached.
    pub(crate) store: StoreSlot,
    /// Announcements of changes.
    pub(crate) notices: Notices,
    /// The change up to which the gateway of this process knows everything.
    pub(crate) known: watch::Sender<i64>,
    /// Cancelled when the process takes no new work.
    pub(crate) draining: CancellationToken,
    /// Every task of the process; the end waits for them.
    pub(crate) tasks: TaskTracker,
}

impl Foundation {
    /// Reads or makes what is kept in the data directory.
    ///
    /// # Errors
    /// 64 when the master key or a file there cannot be used.
    pub(crate) fn lay(config: Config) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let master_key = config.store.master_key.load(entropy.as_ref())?;
        let node_id = node_id::load(&config.store.data_dir, clock.as_ref(), entropy.as_ref())?;
        let loudness = if config.running.mute_notices {
            Loudness::Muted
        } else {
            Loudness::Heard
        };
        let notices = session::notices(&config.store, loudness)?;
        Ok(Self {
            clock,
            entropy,
            master_key,
            node_id,
            store: StoreSlot::empty(),
            notices,
            known: watch::Sender::new(0),
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            config,
        })
    }

    /// Whether other nodes may share what this one counts.
    pub(crate) const fn sharing(&self) -> Sharing {
        if self.config.store.database.is_embedded() && self.config.store.redis.is_none() {
            Sharing::Alone
        } else {
            Sharing::WithOthers
        }
    }
}
