//! Gateway nodes and the history of configurations.

use std::time::Duration;

use gatewright_model::page::{Page, PageRequest};
use gatewright_model::snapshot::Manifest;
use gatewright_store::{GatewayNode, SnapshotSummary};
use uuid::Uuid;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::tenants::require_platform;

/// A node that was silent for longer is not listed.
const SHOWN_FOR: Duration = Duration::from_secs(86_400);

/// Use cases of gateway nodes. Nodes and configurations are of all tenants at
/// once: only who runs the installation sees them.
#[derive(Debug, Clone, Copy)]
pub struct Nodes<'c>(pub(crate) &'c Control);

/// The nodes, and the change that they should have reached.
#[derive(Debug, Clone)]
pub struct NodeList {
    /// The newest change.
    pub head: i64,
    /// The nodes, the most recently seen first.
    pub nodes: Vec<GatewayNode>,
}

impl Control {
    /// Use cases of gateway nodes.
    #[must_use]
    pub const fn nodes(&self) -> Nodes<'_> {
        Nodes(self)
    }
}

impl Nodes<'_> {
    /// Every node that was seen in the last day.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(&self, caller: &Caller) -> Result<NodeList> {
        require_platform(caller)?;
        let mut tx = self.0.read_system().await?;
        let since = self.0.now().minus(SHOWN_FOR);
        Ok(NodeList {
            head: tx.head().await?,
            nodes: tx.nodes().seen_since(since).await?,
        })
    }

    /// One node.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: gatewright_model::id::NodeId) -> Result<GatewayNode> {
        require_platform(caller)?;
        let mut tx = self.0.read_system().await?;
        tx.nodes().find(id).await?.ok_or(Error::missing("node"))
    }

    /// The history of configurations, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn snapshots(&self, caller: &Caller, page: PageRequest) -> Result<Page<SnapshotSummary>> {
        require_platform(caller)?;
        let mut tx = self.0.read_system().await?;
        // Configurations are numbered, not named by time: the number travels in the cursor.
        let before = page
            .after
            .and_then(|cursor| i64::try_from(cursor.0.as_u128()).ok());
        let rows = tx.snapshots().list(before, page.size.get() + 1).await?;
        Ok(Page::cut(rows, page.size, |row| {
            Uuid::from_u128(u128::try_from(row.seq).unwrap_or(0))
        }))
    }

    /// The manifest of one configuration.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn snapshot(&self, caller: &Caller, seq: i64) -> Result<Manifest> {
        require_platform(caller)?;
        let mut tx = self.0.read_system().await?;
        let manifest = tx.snapshots().manifest(Some(seq)).await?;
        if manifest.seq == seq {
            Ok(manifest)
        } else {
            Err(Error::missing("snapshot"))
        }
    }
}
