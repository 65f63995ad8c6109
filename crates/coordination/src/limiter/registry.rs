//! Which limits and permits this node knows, and which it may forget.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gatewright_model::id::LimitId;
use gatewright_model::limit::{Limit, LimitKind, OnStoreFailure};
use hashbrown::HashTable;

use crate::authority::{LimitSpec, PartitionKey, PartitionTooLong};
use crate::gcra::{Nanos, Pace};
use crate::limiter::permits::Permits;
use crate::limiter::{Node, Wake, nanos};

/// Locks are short, so a few shards keep workers from meeting; and with a million
/// counters one is looked through in some milliseconds.
const SHARDS: usize = 32;
/// Permits that nobody asked for that long are forgotten.
const IDLE: Duration = Duration::from_secs(60);

/// What a limit says now.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) spec: Arc<LimitSpec>,
    pub(super) pace: Pace,
    pub(super) on_store_failure: OnStoreFailure,
    /// Counts the changes, so that what was learnt under another rule is known to be old.
    pub(super) version: u32,
}

impl Rule {
    fn new(limit: &Limit, version: u32) -> Self {
        let spec = LimitSpec::from(limit);
        Self {
            pace: Pace::new(spec.amount, spec.window.duration(), spec.burst),
            spec: Arc::new(spec),
            on_store_failure: limit.on_store_failure,
            version,
        }
    }

    /// This node's part of the rate while nobody can be asked.
    pub(super) fn share(&self, nodes: u32) -> Pace {
        let burst = (self.spec.burst / u64::from(nodes)).max(1);
        Pace::new(self.spec.amount, self.spec.window.duration() * nodes, burst)
    }

    pub(super) fn is_rate(&self) -> bool {
        self.spec.kind == LimitKind::Rate
    }
}

/// One limit.
#[derive(Debug)]
pub(super) struct LimitEntry {
    pub(super) id: LimitId,
    pub(super) node: Arc<Node>,
    pub(super) rule: ArcSwap<Rule>,
    counters: Arc<Counters>,
}

impl LimitEntry {
    pub(super) fn permits(self: &Arc<Self>, partition: &str) -> Result<Arc<Permits>, PartitionTooLong> {
        let hash = self.counters.hash(self.id, partition);
        let mut shard = self.counters.shard(hash);
        let is_it = |known: &Arc<Permits>| known.limit.id == self.id && known.partition.as_str() == partition;
        if let Some(known) = shard.find(hash, is_it) {
            return Ok(Arc::clone(known));
        }
        let key = PartitionKey::new(partition)?;
        if self.node.keys.load(Ordering::Relaxed) >= self.node.max_keys {
            self.counters.make_room(&mut shard, &self.node);
        }
        let permits = Arc::new(Permits::new(Arc::clone(self), key));
        shard.insert_unique(hash, Arc::clone(&permits), |known| self.counters.hash_of(known));
        self.node.keys.fetch_add(1, Ordering::Relaxed);
        Ok(permits)
    }
}

type Shard = HashTable<Arc<Permits>>;

/// The counters of all limits: most limits have few, some have a million. What
/// they are found by stands in the permits themselves.
#[derive(Debug, Default)]
struct Counters {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Counters {
    fn hash(&self, limit: LimitId, partition: &str) -> u64 {
        self.hasher.hash_one((limit, partition))
    }

    fn hash_of(&self, permits: &Permits) -> u64 {
        self.hash(permits.limit.id, permits.partition.as_str())
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // Other bits than those by which the table goes.
        let place = usize::try_from(hash >> 32).unwrap_or(0);
        // The remainder is always an index; the first shard is there for the type.
        let [first, ..] = &self.shards;
        let shard = self.shards.get(place % SHARDS).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// First what can go without loss; if nothing can, one whose burst starts
    /// anew. Permits in use stay, there are never more than are in use.
    fn make_room(&self, shard: &mut Shard, node: &Node) {
        let now = node.nanos(Instant::now());
        if forget(shard, node, now, 0) == 0
            && let Some(lone) = shard.iter().find(|permits| Arc::strong_count(permits) == 1)
        {
            let (hash, lone) = (self.hash_of(lone), Arc::as_ptr(lone));
            if let Ok(found) = shard.find_entry(hash, |permits| Arc::as_ptr(permits) == lone) {
                found.remove();
                node.keys.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Forgets what was idle for long, in the `round`th part of all.
    fn sweep(&self, node: &Node, now: Nanos, round: usize) {
        let Some(shard) = self.shards.get(round % SHARDS) else {
            return;
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        forget(&mut shard, node, now, nanos(IDLE));
        if shard.capacity() > shard.len().saturating_mul(4).max(64) {
            shard.shrink_to_fit(|known| self.hash_of(known));
        }
    }

    fn clear(&self) {
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }
}

fn forget(shard: &mut Shard, node: &Node, now: Nanos, idle: Nanos) -> usize {
    let before = shard.len();
    // New clones of a lone Arc can only come out of this shard, which is locked.
    shard.retain(|permits| Arc::strong_count(permits) > 1 || !permits.is_forgettable(now, idle));
    let gone = before - shard.len();
    node.keys.fetch_sub(gone, Ordering::Relaxed);
    gone
}

/// All limits of a node.
#[derive(Debug, Default)]
pub(super) struct Registry {
    limits: Mutex<HashMap<LimitId, Arc<LimitEntry>>>,
    counters: Arc<Counters>,
}

impl Registry {
    pub(super) fn limit(&self, node: &Arc<Node>, limit: &Limit) -> Arc<LimitEntry> {
        let mut limits = self.lock();
        let Some(entry) = limits.get(&limit.id) else {
            let entry = Arc::new(LimitEntry {
                id: limit.id,
                node: Arc::clone(node),
                rule: ArcSwap::from_pointee(Rule::new(limit, 0)),
                counters: Arc::clone(&self.counters),
            });
            limits.insert(limit.id, Arc::clone(&entry));
            return entry;
        };
        let rule = entry.rule.load();
        let next = Rule::new(limit, rule.version.wrapping_add(1));
        if next.spec != rule.spec {
            entry.rule.store(Arc::new(next));
            // Without its task the limiter is drained: nothing is held any more.
            drop(node.wake.send(Wake::Changed(Arc::clone(entry))));
        } else if next.on_store_failure != rule.on_store_failure {
            // The same spec, by identity: nothing that was leased under it is void.
            entry.rule.store(Arc::new(Rule {
                spec: Arc::clone(&rule.spec),
                version: rule.version,
                ..next
            }));
        }
        Arc::clone(entry)
    }

    /// Forgets what was idle for long, in the `round`th part of all counters, and
    /// limits of which nothing is left.
    pub(super) fn sweep(&self, node: &Node, now: Nanos, round: usize) {
        self.counters.sweep(node, now, round);
        // Permits hold their limit: one reference says that there are none.
        self.lock().retain(|_, entry| Arc::strong_count(entry) > 1);
    }

    /// Lets go of everything: limits and permits hold each other.
    pub(super) fn clear(&self) {
        self.lock().clear();
        self.counters.clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LimitId, Arc<LimitEntry>>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
