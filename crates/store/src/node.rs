//! Gateway nodes: which processes serve, and which configuration they have applied.

use gatewright_model::id::{EntityId, NodeId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, OnConflict, Order};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Record, is, record};
use crate::tx::{insert_into, repository};

gatewright_model::words! {
    /// What a node does.
    NodeState {
        /// Has no configuration yet.
        Starting = "starting",
        /// Answers calls.
        Serving = "serving",
        /// Finishes what it has and takes nothing new.
        Draining = "draining",
        /// Said goodbye.
        Stopped = "stopped",
    }
}

/// A process that runs the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayNode {
    /// Its id, kept in its data directory.
    pub id: NodeId,
    /// Its host name.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// What the process runs.
    pub roles: Vec<String>,
    /// What it does.
    pub state: NodeState,
    /// The snapshot it serves.
    pub applied_seq: i64,
    /// The change up to which it knows applications, subscriptions and credentials.
    pub applied_delta_seq: i64,
    /// Why it refused the newest configuration.
    pub problem: Option<String>,
    /// When the process started.
    pub started_at: Timestamp,
    /// When it last reported.
    pub last_seen_at: Timestamp,
}

record! { GatewayNode in "gateway_node" owned by None => {
    id, name, version, roles, state, applied_seq, applied_delta_seq, problem, started_at, last_seen_at,
} }

repository! {
    /// Gateway nodes.
    Nodes via nodes
}

impl Nodes<'_> {
    /// Writes what a node says about itself. It is no change of the configuration: it takes no number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn report(self, node: &GatewayNode) -> Result<(), StoreError> {
        let columns = GatewayNode::COLUMNS;
        let mut insert = insert_into(GatewayNode::TABLE, columns, std::iter::once(node.values()));
        let changed = columns.iter().copied().filter(|column| *column != "id");
        insert.on_conflict(OnConflict::column("id").update_columns(changed).to_owned());
        self.0.conn.execute(&insert).await.map(drop)
    }

    /// The node with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: NodeId) -> Result<Option<GatewayNode>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// Nodes that reported since a time, by id; at most 1,000.
    ///
    /// # Errors
    /// As for every read.
    pub async fn seen_since(self, since: Timestamp) -> Result<Vec<GatewayNode>, StoreError> {
        let mut select = self.0.select::<GatewayNode>();
        select
            .and_where(Expr::col("last_seen_at").gte(since.value()))
            .order_by("id", Order::Asc)
            .limit(1_000);
        self.0.all(&select).await
    }

    /// How many nodes answer calls: they reported `serving` since a time.
    ///
    /// # Errors
    /// As for every read.
    pub async fn count_serving(self, since: Timestamp) -> Result<u64, StoreError> {
        let live = Expr::col("last_seen_at").gte(since.value());
        self.0
            .count::<GatewayNode>(live.and(is("state", &NodeState::Serving)))
            .await
    }

    /// Nodes, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, page: PageRequest) -> Result<Page<GatewayNode>, StoreError> {
        let select = self.0.select::<GatewayNode>();
        self.0
            .page(select, page, Order::Desc, |node: &GatewayNode| node.id.uuid())
            .await
    }

    /// Forgets nodes that have been silent since a time and says how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_silent(self, since: Timestamp) -> Result<u64, StoreError> {
        let silent = Expr::col("last_seen_at").lt(since.value());
        self.0.delete::<GatewayNode>(silent).await
    }
}
