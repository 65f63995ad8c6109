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

use crate::authority::{LimitSpec, PartitionKey, PartitionTooLong};
use crate::gcra::{Nanos, Pace};
use crate::limiter::permits::Permits;
use crate::limiter::{Node, Wake, nanos};

/// Locks are short, so a few shards keep workers from meeting.
const SHARDS: usize = 16;
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

type Shard = HashMap<PartitionKey, Arc<Permits>>;

/// One limit.
#[derive(Debug)]
pub(super) struct LimitEntry {
    pub(super) id: LimitId,
    pub(super) node: Arc<Node>,
    pub(super) rule: ArcSwap<Rule>,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl LimitEntry {
    fn new(node: &Arc<Node>, limit: &Limit) -> Self {
        Self {
            id: limit.id,
            node: Arc::clone(node),
            rule: ArcSwap::from_pointee(Rule::new(limit, 0)),
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    pub(super) fn permits(self: &Arc<Self>, partition: &str) -> Result<Arc<Permits>, PartitionTooLong> {
        let key = PartitionKey::new(partition)?;
        let mut shard = self.shard(&key);
        if let Some(known) = shard.get(&key) {
            return Ok(Arc::clone(known));
        }
        if self.node.keys.load(Ordering::Relaxed) >= self.node.max_keys {
            self.make_room(&mut shard);
        }
        let permits = Arc::new(Permits::new(Arc::clone(self), key.clone()));
        shard.insert(key, Arc::clone(&permits));
        self.node.keys.fetch_add(1, Ordering::Relaxed);
        Ok(permits)
    }

    fn shard(&self, key: &PartitionKey) -> MutexGuard<'_, Shard> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0);
        // The remainder is always an index; the first shard is there for the type.
        let [first, ..] = &self.shards;
        let shard = self.shards.get(hash % SHARDS).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// First what can go without loss; if nothing can, one whose burst starts
    /// anew. Permits in use stay, there are never more than are in use.
    fn make_room(&self, shard: &mut Shard) {
        let now = self.node.nanos(Instant::now());
        if self.forget(shard, now, 0) == 0
            && let Some(key) = shard
                .iter()
                .find(|(_, permits)| Arc::strong_count(permits) == 1)
                .map(|(key, _)| key.clone())
        {
            shard.remove(&key);
            self.node.keys.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn forget(&self, shard: &mut Shard, now: Nanos, idle: Nanos) -> usize {
        let before = shard.len();
        // New clones of a lone Arc can only come out of this shard, which is locked.
        shard.retain(|_, permits| Arc::strong_count(permits) > 1 || !permits.is_forgettable(now, idle));
        let gone = before - shard.len();
        self.node.keys.fetch_sub(gone, Ordering::Relaxed);
        gone
    }
}

/// All limits of a node.
#[derive(Debug, Default)]
pub(super) struct Registry {
    limits: Mutex<HashMap<LimitId, Arc<LimitEntry>>>,
}

impl Registry {
    pub(super) fn limit(&self, node: &Arc<Node>, limit: &Limit) -> Arc<LimitEntry> {
        let mut limits = self.lock();
        let Some(entry) = limits.get(&limit.id) else {
            let entry = Arc::new(LimitEntry::new(node, limit));
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

    /// Forgets what was idle for long, in the `round`th part of all shards, and
    /// limits of which nothing is left.
    pub(super) fn sweep(&self, now: Nanos, round: usize) {
        let entries: Vec<Arc<LimitEntry>> = self.lock().values().cloned().collect();
        for entry in entries {
            if let Some(shard) = entry.shards.get(round % SHARDS) {
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                entry.forget(&mut shard, now, nanos(IDLE));
                if shard.capacity() > shard.len().saturating_mul(4).max(64) {
                    shard.shrink_to_fit();
                }
            }
        }
        // Permits hold their limit: one reference says that there are none.
        self.lock().retain(|_, entry| Arc::strong_count(entry) > 1);
    }

    /// Lets go of everything: limits and permits hold each other.
    pub(super) fn clear(&self) {
        for (_, entry) in self.lock().drain() {
            for shard in &entry.shards {
                shard.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LimitId, Arc<LimitEntry>>> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
