//! What this node says about itself, written to the store; and how many nodes
//! there are, which the limiter wants to know.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_config::Roles;
use gatewright_coordination::limiter::{Cluster, Limiter};
use gatewright_gateway::source::{Away, NodeReport, NodeStatus};
use gatewright_model::id::NodeId;
use gatewright_model::time::{Clock, Timestamp};
use gatewright_store::{GatewayNode, NodeState, Scope, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::store_slot::StoreSlot;

/// A node that has not reported for this long does not count.
const LIVE_FOR: Duration = Duration::from_secs(15);
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// Whether other nodes may share the counters of limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// The store belongs to this process.
    Alone,
    /// Any number of nodes may come and go.
    WithOthers,
}

impl Sharing {
    /// What the limiter is told before anybody has been counted.
    pub(crate) const fn at_start(self) -> Cluster {
        match self {
            Self::Alone => Cluster::Embedded,
            Self::WithOthers => Cluster::Shared {
                nodes: NonZeroU32::MIN,
            },
        }
    }
}

/// Writes the rows of this node.
#[derive(Debug)]
pub(crate) struct NodeRows {
    store: StoreSlot,
    clock: Arc<dyn Clock>,
    limiter: Arc<Limiter>,
    sharing: Sharing,
    draining: CancellationToken,
    name: String,
    roles: Vec<String>,
    started_at: Timestamp,
    known: watch::Sender<i64>,
    /// Another process reports for this node.
    silent: AtomicBool,
}

impl NodeRows {
    /// Rows of a node that starts now and drains when the token says so; what
    /// it has is told to `known` before the store hears of it.
    pub(crate) fn new(
        store: StoreSlot,
        clock: Arc<dyn Clock>,
        limiter: Arc<Limiter>,
        sharing: Sharing,
        roles: Roles,
        draining: CancellationToken,
        known: watch::Sender<i64>,
    ) -> Self {
        let name = std::fs::read_to_string(HOST_NAME)
            .map_or_else(|_| "gateway".to_owned(), |name| name.trim().to_owned());
        Self {
            started_at: clock.now(),
            store,
            clock,
            limiter,
            sharing,
            draining,
            known,
            silent: AtomicBool::new(false),
            name,
            roles: roles.iter().map(|role| role.word().to_owned()).collect(),
        }
    }

    /// Whether another process speaks for this node, which it is taking over.
    pub(crate) fn leave_to_another(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// Says goodbye: the other nodes need not wait for the silence.
    pub(crate) async fn leave(&self, last: &NodeStatus) {
        let node = self.row(last, NodeState::Stopped);
        if let Err(error) = self.write(&node).await {
            tracing::debug!(%error, "the end of this node was not reported");
        }
    }

    fn row(&self, status: &NodeStatus, state: NodeState) -> GatewayNode {
        GatewayNode {
            id: status.node_id,
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            roles: self.roles.clone(),
            state,
            applied_seq: status.snapshot_seq,
            applied_delta_seq: status.delta_seq,
            problem: status.problem.clone(),
            started_at: self.started_at,
            last_seen_at: self.clock.now(),
        }
    }

    async fn write(&self, node: &GatewayNode) -> Result<(), Away> {
        if self.silent.load(Ordering::Relaxed) {
            return Ok(());
        }
        let store = self.store.get()?;
        let written: Result<(), StoreError> = async {
            let mut tx = store.begin(Scope::System).await?;
            tx.nodes().report(node).await?;
            tx.commit(self.clock.now()).await.map(drop)
        }
        .await;
        written.map_err(Away::because)
    }

    async fn count(&self, this: NodeId) -> Result<(), Away> {
        if self.sharing == Sharing::Alone {
            return Ok(());
        }
        let since = self.clock.now().minus(LIVE_FOR);
        let mut tx = self
            .store
            .get()?
            .read(Scope::System)
            .await
            .map_err(Away::because)?;
        let live = tx.nodes().seen_since(since).await.map_err(Away::because)?;
        let others = live
            .iter()
            .filter(|node| node.id != this && node.state == NodeState::Serving)
            .count();
        let nodes = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
        let nodes = NonZeroU32::new(nodes).unwrap_or(NonZeroU32::MIN);
        self.limiter.set_cluster(Cluster::Shared { nodes });
        Ok(())
    }
}

impl NodeReport for NodeRows {
    fn report<'a>(&'a self, status: &'a NodeStatus) -> BoxFuture<'a, Result<(), Away>> {
        self.known.send_replace(status.delta_seq);
        async move {
            let state = if self.draining.is_cancelled() {
                NodeState::Draining
            } else if status.snapshot_seq > 0 {
                NodeState::Serving
            } else {
                NodeState::Starting
            };
            self.write(&self.row(status, state)).await?;
            self.count(status.node_id).await
        }
        .boxed()
    }
}
