//! The lease protocol as data, and the trait of whoever keeps the counters.
//!
//! A node never asks for one request: it leases a batch of permits, spends
//! them by itself and reports what it spent with the next request. What a node
//! holds is taken out of the counter from the moment of the grant, so that a
//! node that dies can only cost permits, never over-admit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use gatewright_model::id::{LeaseId, LimitId, NodeId};
use gatewright_model::limit::{Limit, LimitKind, ResetKind, Window};
use jiff::tz::TimeZone;

/// Whose counter of a limit it is: a subscription, an application, an address.
///
/// Opaque here, at most [`PartitionKey::MAX_LEN`] bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey(Arc<str>);

/// A partition key above [`PartitionKey::MAX_LEN`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a partition key must have at most {} bytes", PartitionKey::MAX_LEN)]
pub struct PartitionTooLong;

impl PartitionKey {
    /// The longest key, in bytes: room for two typed ids or any address.
    pub const MAX_LEN: usize = 64;

    /// Takes a key.
    ///
    /// # Errors
    /// When it is longer than [`Self::MAX_LEN`] bytes.
    pub fn new(text: &str) -> Result<Self, PartitionTooLong> {
        if text.len() > Self::MAX_LEN {
            return Err(PartitionTooLong);
        }
        Ok(Self(Arc::from(text)))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One counter: a limit and whose share of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CounterKey {
    /// The limit; its id survives plan versions.
    pub limit: LimitId,
    /// Whose counter.
    pub partition: PartitionKey,
}

/// What an authority must know of a limit to keep its counters.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitSpec {
    /// Rate or quota.
    pub kind: LimitKind,
    /// How many in a window.
    pub amount: u64,
    /// The window.
    pub window: Window,
    /// How many at once, for a rate.
    pub burst: u64,
    /// When a quota starts anew.
    pub reset: ResetKind,
    /// The zone whose calendar counts.
    pub zone: TimeZone,
}

impl From<&Limit> for LimitSpec {
    fn from(limit: &Limit) -> Self {
        Self {
            kind: limit.kind,
            amount: limit.amount,
            window: limit.window,
            burst: limit.burst.unwrap_or(limit.amount),
            reset: limit.reset,
            zone: limit.time_zone(),
        }
    }
}

/// Whether a lease that is reported on goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseFate {
    /// The holder goes on spending it.
    Held,
    /// The holder will not touch it again: what is unspent comes back.
    Closed,
}

/// What a live holder says about one of its leases.
///
/// Reports are absolute, so hearing one twice changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseReport {
    /// Which lease.
    pub lease: LeaseId,
    /// How many of its permits were spent so far.
    pub spent: u64,
    /// Whether it goes on.
    pub fate: LeaseFate,
}

/// What a node knows about a counter from the last answer it got.
///
/// It seeds a counter that the authority lost (security, R4), and carries what
/// was admitted while the authority was away. Both apply only to the period
/// they belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KnownUse {
    /// [`LeaseAnswer::period`] of the last answer; absent before the first.
    pub period: Option<i64>,
    /// [`LeaseAnswer::used`] of the last answer.
    pub used: u64,
    /// Admitted by this node without a lease since, and not reported yet.
    pub overdraft: u64,
}

/// One node's request for one counter.
///
/// The same lease id must only be sent again with the same content: a retry.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// The id of the lease that is asked for. Asking twice gives one lease.
    pub lease: LeaseId,
    /// Who asks.
    pub node: NodeId,
    /// Which counter.
    pub key: CounterKey,
    /// The limit as this node knows it now.
    pub spec: Arc<LimitSpec>,
    /// How many permits the node would like. Zero asks for nothing: a report.
    pub want: u64,
    /// How many nodes share the counter, at least 1; it bounds the batch.
    pub nodes: u32,
    /// What happened to earlier leases on this counter.
    pub reports: Vec<LeaseReport>,
    /// What the node knows already.
    pub known: KnownUse,
}

/// The authority's answer to one request. Durations count from the moment the
/// request was SENT, on the holder's monotonic clock: that is never too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseAnswer {
    /// The lease that was asked for.
    pub lease: LeaseId,
    /// How many permits were granted; zero is a refusal.
    pub granted: u64,
    /// How many nobody has been granted yet.
    pub remaining: u64,
    /// How many were used or granted in this period, by all nodes. Zero for a rate.
    pub used: u64,
    /// Granted to other nodes and not yet reported as spent: a recall may free them.
    pub outstanding_elsewhere: u64,
    /// Names the period of a quota (its first millisecond); zero for others.
    pub period: i64,
    /// Until the counter starts anew: end of the period, the oldest use leaving
    /// a rolling window, the rate being idle again.
    pub reset_after: Duration,
    /// Until one more permit can be there; zero when one is there now.
    pub retry_after: Duration,
    /// How long the holder may spend the permits.
    pub usable_for: Duration,
    /// When the authority writes the lease off. For a quota 1 s after `usable_for`.
    pub lease_for: Duration,
}

/// Nobody can say what is left: the authority does not answer, or not in time.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityAway {
    /// Redis failed.
    #[error("redis is away")]
    Redis(#[from] redis::RedisError),
    /// The store failed.
    #[error("the store of the counters is away")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer within the budget of a call.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// An answer that does not fit the question.
    #[error("the authority answered something else: {0}")]
    Garbled(&'static str),
}

/// Whoever keeps the counters: Redis, or the store.
///
/// An implementation must keep these rules; [`crate::conformance`] checks them:
/// - answers come in the order of the requests, one each;
/// - what is granted is taken out of the counter at once;
/// - the same lease id again gives the same grant, and takes nothing again;
/// - a refusal that carries no news (reports, overdraft) writes nothing;
/// - an expired lease is written off: its permits do not come back;
/// - a report about an unknown lease is ignored;
/// - periods follow the authority's own clock.
pub trait Authority: Send + Sync + fmt::Debug {
    /// Answers a batch of requests. Either all of it was done, or it is unknown
    /// what was done: then the same batch may be sent again.
    fn lease(&self, batch: Vec<LeaseRequest>) -> BoxFuture<'_, Result<Vec<LeaseAnswer>, AuthorityAway>>;

    /// Does ahead what the first request would wait for.
    fn warm_up(&self) -> BoxFuture<'_, Result<(), AuthorityAway>> {
        future::ready(Ok(())).boxed()
    }
}
