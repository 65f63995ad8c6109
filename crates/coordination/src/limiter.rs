//! The node's side of limits: permits that workers take with a few atomic
//! operations, and one background task that leases them from the authority.
//!
//! - [`permits`]: what a worker touches. Start there; `pool` is the word it counts down.
//! - `book`: the account of the leases on one counter, without I/O.
//! - `exchange`: the task that talks to the authority.
//! - `registry`: which permits exist, and which may be forgotten.

mod book;
mod exchange;
pub mod permits;
mod pool;
mod registry;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatewright_model::id::NodeId;
use gatewright_model::limit::Limit;
use gatewright_model::time::{Clock, Entropy};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::atomics::AtomicBool;
use crate::authority::{Authority, PartitionTooLong};
use crate::gcra::Nanos;
use crate::limiter::exchange::Exchange;
use crate::limiter::permits::Permits;
use crate::limiter::registry::{LimitEntry, Registry};
use crate::notice::Notices;

/// Who shares the counters with this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cluster {
    /// Nobody, ever: the store belongs to this process. Rates are kept locally
    /// and exactly; quotas still live with the authority, which remembers them.
    Embedded,
    /// So many nodes now, this one included; more may come.
    Shared {
        /// How many.
        nodes: NonZeroU32,
    },
}

/// How a limiter behaves.
#[derive(Debug, Clone, Copy)]
pub struct LimiterSettings {
    /// This node.
    pub node: NodeId,
    /// Who else.
    pub cluster: Cluster,
    /// How long a call may wait for a decision at all.
    pub wait: Duration,
    /// How long one call to the authority may take.
    pub call_budget: Duration,
    /// How many counters are remembered here before idle ones have to go early.
    pub max_keys: usize,
}

impl LimiterSettings {
    /// The defaults: decisions within 100 ms, authority calls within 20 ms
    /// (security, R3), two million counters.
    #[must_use]
    pub fn new(node: NodeId, cluster: Cluster) -> Self {
        Self {
            node,
            cluster,
            wait: Duration::from_millis(100),
            call_budget: Duration::from_millis(20),
            max_keys: 2_000_000,
        }
    }
}

/// Where time and randomness of lease ids come from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The time in the ids.
    pub clock: Arc<dyn Clock>,
    /// The randomness in the ids.
    pub entropy: Arc<dyn Entropy>,
}

/// What a limiter counts about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimiterStats {
    /// Calls admitted while nobody could say what was left, since the start.
    pub unmetered: u64,
    /// Whether the authority is away now.
    pub authority_away: bool,
    /// How many counters are remembered.
    pub keys: usize,
}

/// The limits of one node.
#[derive(Debug)]
pub struct Limiter {
    node: Arc<Node>,
    registry: Arc<Registry>,
    task: Mutex<Option<Task>>,
}

#[derive(Debug)]
struct Task {
    stop: oneshot::Sender<()>,
    end: JoinHandle<()>,
}

impl Limiter {
    /// Starts the background task on `runtime`; workers on other runtimes only
    /// touch atomics and are woken by it.
    #[must_use]
    pub fn start(
        settings: LimiterSettings,
        authority: Arc<dyn Authority>,
        notices: Notices,
        sources: Sources,
        runtime: &Handle,
    ) -> Self {
        // Unbounded, yet at most one entry for each counter and one for each
        // changed limit: a counter is queued under its own flag.
        let (wake, woken) = mpsc::unbounded_channel();
        let node = Arc::new(Node::new(settings, wake));
        let registry = Arc::new(Registry::default());
        let exchange = Exchange::new(
            Arc::clone(&node),
            Arc::clone(&registry),
            authority,
            notices,
            sources,
        );
        let (stop, stopped) = oneshot::channel();
        let end = runtime.spawn(exchange.run(woken, stopped));
        Self {
            node,
            registry,
            task: Mutex::new(Some(Task { stop, end })),
        }
    }

    /// Tells how many nodes share the counters now.
    pub fn set_cluster(&self, cluster: Cluster) {
        self.node.set_cluster(cluster);
    }

    /// The handle of a limit. When the limit is known already with another
    /// amount or window, the new ones hold from now on, for permits that were
    /// handed out too: so call it when a configuration becomes active.
    #[must_use]
    pub fn limit(&self, limit: &Limit) -> LimitHandle {
        LimitHandle {
            entry: self.registry.limit(&self.node, limit),
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> LimiterStats {
        LimiterStats {
            unmetered: self.node.unmetered.load(Ordering::Relaxed),
            authority_away: self.node.away.load(Ordering::Relaxed),
            keys: self.node.keys.load(Ordering::Relaxed),
        }
    }

    /// Gives every unspent permit back and ends the background task. Takes about
    /// a second at most when the authority is away. Calls that come later are
    /// decided as if it were away.
    pub async fn drain(&self) {
        let task = self.take_task();
        if let Some(Task { stop, end }) = task {
            if stop.send(()).is_err() {
                tracing::debug!("the limiter's task had ended before it was drained");
            }
            if let Err(error) = end.await {
                tracing::error!(%error, "the limiter's task failed");
            }
        }
    }

    fn take_task(&self) -> Option<Task> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        if let Some(task) = self.take_task() {
            task.end.abort();
        }
        self.registry.clear();
    }
}

/// One limit as this node knows it. Clones share everything.
#[derive(Debug, Clone)]
pub struct LimitHandle {
    entry: Arc<LimitEntry>,
}

impl LimitHandle {
    /// The permits of one partition. Takes a short lock: a worker should keep
    /// the result, in a cache with a bound, because what somebody holds is never
    /// forgotten.
    ///
    /// # Errors
    /// When the key is longer than 64 bytes.
    pub fn permits(&self, partition: &str) -> Result<Arc<Permits>, PartitionTooLong> {
        self.entry.permits(partition)
    }
}

/// What all permits of a node share.
#[derive(Debug)]
struct Node {
    id: NodeId,
    origin: Instant,
    /// Zero says embedded.
    nodes: AtomicU32,
    away: AtomicBool,
    unmetered: AtomicU64,
    keys: AtomicUsize,
    wait: Duration,
    call_budget: Duration,
    max_keys: usize,
    wake: mpsc::UnboundedSender<Wake>,
}

/// Why the background task is woken.
#[derive(Debug)]
enum Wake {
    /// These permits run out, or somebody waits for one.
    Refill(Arc<Permits>),
    /// This limit has another amount or window.
    Changed(Arc<LimitEntry>),
}

impl Node {
    fn new(settings: LimiterSettings, wake: mpsc::UnboundedSender<Wake>) -> Self {
        let node = Self {
            id: settings.node,
            origin: Instant::now(),
            nodes: AtomicU32::new(0),
            away: AtomicBool::new(false),
            unmetered: AtomicU64::new(0),
            keys: AtomicUsize::new(0),
            wait: settings.wait,
            call_budget: settings.call_budget,
            max_keys: settings.max_keys.max(1),
            wake,
        };
        node.set_cluster(settings.cluster);
        node
    }

    fn set_cluster(&self, cluster: Cluster) {
        let nodes = match cluster {
            Cluster::Embedded => 0,
            Cluster::Shared { nodes } => nodes.get(),
        };
        self.nodes.store(nodes, Ordering::Relaxed);
    }

    fn is_embedded(&self) -> bool {
        self.nodes.load(Ordering::Relaxed) == 0
    }

    /// How many nodes share the counters, at least 1.
    fn nodes(&self) -> u32 {
        self.nodes.load(Ordering::Relaxed).max(1)
    }

    fn nanos(&self, at: Instant) -> Nanos {
        nanos(at.saturating_duration_since(self.origin))
    }

    fn instant(&self, at: Nanos) -> Instant {
        self.origin + Duration::from_nanos(at.max(0).unsigned_abs())
    }
}

fn nanos(duration: Duration) -> Nanos {
    // Half the range leaves room for sums of two.
    i64::try_from(duration.as_nanos())
        .unwrap_or(i64::MAX)
        .min(i64::MAX / 2)
}
