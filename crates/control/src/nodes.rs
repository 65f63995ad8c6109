//! Gateway nodes and the history of configurations.

use std::time::Duration;

use gatewright_model::id::NodeId;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::snapshot::Manifest;
use gatewright_model::time::Timestamp;
use gatewright_store::{GatewayNode, NodeState, SnapshotSummary, Tx};
use uuid::Uuid;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::tenants::require_platform;

/// A node that was silent for longer is not listed.
const SHOWN_FOR: Duration = Duration::from_secs(86_400);

/// Use cases of gateway nodes. They serve all tenants at once: a tenant sees
/// whether they are in sync; who runs the installation sees all of it.
#[derive(Debug, Clone, Copy)]
pub struct Nodes<'c>(pub(crate) &'c Control);

/// The nodes, and the change that they should have reached.
#[derive(Debug, Clone)]
pub struct NodeList {
    /// The newest change.
    pub head: i64,
    /// The nodes, the most recently seen first.
    pub nodes: Vec<NodeView>,
}

/// A node as a tenant sees it.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// Its id.
    pub id: NodeId,
    /// What the process runs.
    pub roles: Vec<String>,
    /// Where it is in its life.
    pub state: NodeState,
    /// The configuration that it serves.
    pub applied_seq: i64,
    /// Whether it serves everything that was published and decided, and has no problem.
    pub in_sync: bool,
    /// When it last reported.
    pub last_seen_at: Timestamp,
    /// What only those see who run the installation.
    pub inside: Option<NodeInside>,
}

/// A node as those see it who run the installation.
#[derive(Debug, Clone)]
pub struct NodeInside {
    /// Its host name.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// The change up to which it knows applications, subscriptions and credentials.
    pub applied_delta_seq: i64,
    /// What is wrong with its newest configuration or its disk. It can name things of any tenant.
    pub problem: Option<String>,
    /// When the process started.
    pub started_at: Timestamp,
}

/// What a node has reached that is in sync.
#[derive(Debug, Clone, Copy)]
struct Newest {
    head: i64,
    snapshot: i64,
}

impl Newest {
    async fn read(tx: &mut Tx) -> Result<Self> {
        let newest = tx.snapshots().list(None, 1).await?;
        Ok(Self {
            head: tx.head().await?,
            snapshot: newest.first().map_or(0, |summary| summary.seq),
        })
    }

    fn view(self, node: GatewayNode, caller: &Caller) -> NodeView {
        let current = node.applied_delta_seq >= self.head && node.applied_seq >= self.snapshot;
        NodeView {
            id: node.id,
            roles: node.roles,
            state: node.state,
            applied_seq: node.applied_seq,
            in_sync: current && node.problem.is_none(),
            last_seen_at: node.last_seen_at,
            inside: require_platform(caller).is_ok().then_some(NodeInside {
                name: node.name,
                version: node.version,
                applied_delta_seq: node.applied_delta_seq,
                problem: node.problem,
                started_at: node.started_at,
            }),
        }
    }
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
        caller.require_anywhere(Permission::NodesRead)?;
        let mut tx = self.0.read_system().await?;
        let newest = Newest::read(&mut tx).await?;
        let nodes = tx.nodes().seen_since(self.0.now().minus(SHOWN_FOR)).await?;
        Ok(NodeList {
            head: newest.head,
            nodes: nodes.into_iter().map(|node| newest.view(node, caller)).collect(),
        })
    }

    /// One node.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: NodeId) -> Result<NodeView> {
        caller.require_anywhere(Permission::NodesRead)?;
        let mut tx = self.0.read_system().await?;
        let newest = Newest::read(&mut tx).await?;
        let node = tx.nodes().find(id).await?.ok_or(Error::missing("node"))?;
        Ok(newest.view(node, caller))
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
