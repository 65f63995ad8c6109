//! What the gateway needs from outside: configuration in, records and reports
//! out. Whoever starts a gateway implements these traits over what it has.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use gatewright_model::id::NodeId;
use gatewright_model::snapshot::{Delta, Manifest, PartHash};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallRecord, RollupKey, RollupValue};
use uuid::Uuid;

/// The other side cannot be reached, or answered something that is no answer.
/// The gateway goes on with what it has and asks again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Away {
    /// What went wrong, for the log.
    pub reason: String,
}

impl Away {
    /// Takes anything that can be shown.
    pub fn because(reason: impl std::fmt::Display) -> Self {
        Self {
            reason: reason.to_string(),
        }
    }
}

/// Changes of applications, subscriptions and credentials, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeltaPage {
    /// The changes; never cut inside one number.
    pub deltas: Vec<Delta>,
    /// Every change up to this number is in this page or was in one before.
    pub through: i64,
    /// Whether there are further changes behind `through`.
    pub more: bool,
}

/// Where configuration comes from.
pub trait ConfigSource: Send + Sync {
    /// The number of the last committed change (`change_head`).
    fn head(&self) -> BoxFuture<'_, Result<i64, Away>>;

    /// The newest manifest, when its number is above `after`.
    fn manifest(&self, after: i64) -> BoxFuture<'_, Result<Option<Manifest>, Away>>;

    /// The bytes of these parts, in any order. A part that is not known is left out.
    fn parts<'a>(&'a self, hashes: &'a [PartHash]) -> BoxFuture<'a, Result<Vec<(PartHash, Bytes)>, Away>>;

    /// Changes above `after`, oldest first, about `limit` of them.
    fn deltas(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<DeltaPage, Away>>;

    /// Ends when something may have changed. It may end without a change, and a
    /// change may be missed: the gateway asks for the head by itself as well.
    fn changed(&self) -> BoxFuture<'_, ()>;
}

/// What one node has of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// Which node.
    pub node_id: NodeId,
    /// The manifest that serves; 0 before the first.
    pub snapshot_seq: i64,
    /// Every delta up to this number is applied and safe on disk.
    pub delta_seq: i64,
    /// When it was so.
    pub at: Timestamp,
    /// What is wrong with the newest configuration or with the disk.
    pub problem: Option<String>,
}

/// Where a node says what it has.
pub trait NodeReport: Send + Sync {
    /// Reports a change at once, and a sign of life every few seconds.
    fn report<'a>(&'a self, status: &'a NodeStatus) -> BoxFuture<'a, Result<(), Away>>;
}

/// Records of calls, and the rollups that they add up to.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordBatch {
    /// The same for every try: a batch that was written already changes nothing.
    pub id: Uuid,
    /// The calls. When the sink was away for long, fewer than the rollups count.
    pub calls: Vec<CallRecord>,
    /// To be added to what is there.
    pub rollups: Vec<(RollupKey, RollupValue)>,
}

/// Where records go.
pub trait RecordSink: Send + Sync {
    /// Writes a batch, whole or not at all.
    fn write<'a>(&'a self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<(), Away>>;
}
