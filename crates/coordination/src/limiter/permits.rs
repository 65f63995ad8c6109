//! What a worker touches: the permits of one counter, as a handful of atomics.
//!
//! Only the background task fills, closes and names prices; workers count the
//! pool down. The task writes `usable_until` before it adds to the pool and
//! empties the pool before it names a later end, so a worker that sees a permit
//! also sees an end that is not too late.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gatewright_model::limit::OnStoreFailure;
use tokio::time::timeout_at;

use crate::atomics::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Notify};
use crate::authority::{CounterKey, KnownUse, LeaseAnswer, PartitionKey};
use crate::gcra::{Gcra, Nanos, Pace, Refuse};
use crate::limiter::pool::{Pool, Round};
use crate::limiter::registry::{LimitEntry, Rule};
use crate::limiter::{Wake, nanos};
use crate::terms::Shape;

/// What was decided about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Taken(Taken),
    /// It may pass although nobody could be asked; it is counted in the stats.
    Unmetered(Taken),
    /// It is above the limit.
    Exhausted(Exhausted),
    /// Nobody can be asked, and the limit says to refuse then.
    AuthorityAway,
}

/// A permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many are left, as far as this node knows.
    pub remaining: u64,
    /// Until the quota starts anew, or the rate is idle again.
    pub reset_after: Duration,
    source: Source,
}

/// No permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// When it is worth to ask again.
    pub retry_after: Duration,
    /// Until the quota starts anew, or the rate is idle again.
    pub reset_after: Duration,
}

/// Where a permit came from, so that it can go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Pool(Round),
    Cell,
    Overdraft,
}

/// No period is known.
const NO_PERIOD: i64 = i64::MIN;
/// The time of the last use is written about once in this time, to keep the line of memory shared.
const TOUCH: Nanos = 1_000_000_000;

/// The permits of one counter on this node. What a call touches stands in front,
/// within two lines of memory: a node has many counters, and most are cold.
#[derive(Debug)]
#[repr(C)]
pub struct Permits {
    pub(super) limit: Arc<LimitEntry>,
    touched: AtomicI64,
    /// The rate where it is kept locally.
    cell: Gcra,
    /// Permits that were leased and not taken.
    pool: Pool,
    /// Until when the pool may be used.
    usable_until: AtomicI64,
    /// With fewer permits than this in the pool, more are asked for.
    low: AtomicU64,
    /// What the authority said was left for everybody.
    unleased: AtomicU64,
    reset_at: AtomicI64,
    waiting: AtomicU32,
    queued: AtomicBool,
    pub(super) partition: PartitionKey,
    /// What it said was used, and in which period.
    used: AtomicU64,
    period: AtomicI64,
    /// When the last answer says nothing any more.
    void_at: AtomicI64,
    /// Calls are refused without asking until then, if the rule is still this one.
    exhausted_until: AtomicI64,
    exhausted_rule: AtomicU32,
    retry_at: AtomicI64,
    /// When the authority last refused.
    refused_at: AtomicI64,
    /// Admitted without a lease and not reported.
    overdraft: AtomicU64,
    answered: Notify,
}

impl Permits {
    pub(super) fn new(limit: Arc<LimitEntry>, partition: PartitionKey) -> Self {
        let now = limit.node.nanos(Instant::now());
        Self {
            limit,
            partition,
            cell: Gcra::default(),
            pool: Pool::default(),
            usable_until: AtomicI64::new(0),
            low: AtomicU64::new(0),
            unleased: AtomicU64::new(0),
            used: AtomicU64::new(0),
            period: AtomicI64::new(NO_PERIOD),
            reset_at: AtomicI64::new(0),
            void_at: AtomicI64::new(0),
            exhausted_until: AtomicI64::new(0),
            exhausted_rule: AtomicU32::new(0),
            retry_at: AtomicI64::new(0),
            refused_at: AtomicI64::new(0),
            overdraft: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
            queued: AtomicBool::new(false),
            touched: AtomicI64::new(now),
            answered: Notify::new(),
        }
    }

    /// Decides about one call: atomics only, no lock, no allocation. `None` says
    /// that the authority has to be asked: go on with [`Self::wait`].
    pub fn take(self: &Arc<Self>, now: Instant) -> Option<Decision> {
        let now = self.limit.node.nanos(now);
        if now.saturating_sub(self.touched.load(Ordering::Relaxed)) > TOUCH {
            self.touched.store(now, Ordering::Relaxed);
        }
        let rule = self.limit.rule.load();
        if rule.is_rate() && self.limit.node.is_embedded() {
            return Some(match self.take_cell(rule.pace, now) {
                Ok(taken) => Decision::Taken(taken),
                Err(refuse) => Decision::Exhausted(refuse.into()),
            });
        }
        if let Some(taken) = self.take_leased(now) {
            return Some(Decision::Taken(taken));
        }
        if now < self.exhausted_until.load(Ordering::Acquire)
            && self.exhausted_rule.load(Ordering::Relaxed) == rule.version
        {
            return Some(Decision::Exhausted(self.exhausted(now)));
        }
        if self.limit.node.away.load(Ordering::Relaxed) {
            return Some(self.take_alone(&rule, now));
        }
        None
    }

    /// Decides about a call for which [`Self::take`] had no answer, within the
    /// time that the limiter allows. Works on any tokio runtime with timers.
    pub async fn wait(self: &Arc<Self>) -> Decision {
        let started = Instant::now();
        let deadline = tokio::time::Instant::from_std(started) + self.limit.node.wait;
        let waiting = Waiting::enter(self);
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // Registered before the look, or an answer in between would be missed.
            answered.as_mut().enable();
            if let Some(decision) = self.take(Instant::now()) {
                return decision;
            }
            self.enqueue();
            if timeout_at(deadline, answered).await.is_err() {
                break;
            }
        }
        drop(waiting);
        self.give_up(started)
    }

    /// Gives back a permit that was taken for a call which was then refused for
    /// another reason.
    pub fn refund(&self, taken: &Taken) {
        match taken.source {
            Source::Pool(round) => self.pool.put_back(round),
            Source::Cell => self.cell.refund(1),
            Source::Overdraft => {
                // What was reported in between stays counted.
                subtract(&self.overdraft, 1);
            }
        }
    }

    fn take_cell(&self, pace: Pace, now: Nanos) -> Result<Taken, Refuse> {
        self.cell.admit(pace, now, 1).map(|admit| Taken {
            remaining: admit.remaining,
            reset_after: admit.reset_after,
            source: Source::Cell,
        })
    }

    fn take_leased(self: &Arc<Self>, now: Nanos) -> Option<Taken> {
        let usable = || now < self.usable_until.load(Ordering::Acquire);
        let (round, left) = self.pool.take(usable)?;
        if left < self.low.load(Ordering::Relaxed) {
            self.enqueue();
        }
        Some(Taken {
            remaining: self.unleased.load(Ordering::Relaxed).saturating_add(left),
            reset_after: until(&self.reset_at, now),
            source: Source::Pool(round),
        })
    }

    fn exhausted(&self, now: Nanos) -> Exhausted {
        Exhausted {
            retry_after: until(&self.retry_at, now),
            reset_after: until(&self.reset_at, now),
        }
    }

    /// The wait is over without a permit.
    fn give_up(self: &Arc<Self>, started: Instant) -> Decision {
        let now = Instant::now();
        if let Some(decision) = self.take(now) {
            return decision;
        }
        let node = &self.limit.node;
        let now = node.nanos(now);
        if self.refused_at.load(Ordering::Acquire) >= node.nanos(started) {
            return Decision::Exhausted(self.exhausted(now));
        }
        self.take_alone(&self.limit.rule.load(), now)
    }

    fn take_alone(self: &Arc<Self>, rule: &Rule, now: Nanos) -> Decision {
        let node = &self.limit.node;
        let taken = match (rule.on_store_failure, rule.is_rate()) {
            (OnStoreFailure::Closed, _) => return Decision::AuthorityAway,
            (OnStoreFailure::Open, true) => Ok(self.overdrawn(0, now)),
            (OnStoreFailure::Open, false) => self.overdraw(rule, u64::MAX, now),
            (OnStoreFailure::Local, true) => self
                .take_cell(rule.share(node.nodes()), now)
                .map_err(Exhausted::from),
            (OnStoreFailure::Local, false) => self.overdraw(rule, node.nodes().into(), now),
        };
        match taken {
            Ok(taken) => {
                node.unmetered.fetch_add(1, Ordering::Relaxed);
                Decision::Unmetered(taken)
            }
            Err(exhausted) => Decision::Exhausted(exhausted),
        }
    }

    /// Takes from this node's share of what was last known to be left of a
    /// quota. `shares` is the number of nodes; `u64::MAX` says without a bound.
    fn overdraw(self: &Arc<Self>, rule: &Rule, shares: u64, now: Nanos) -> Result<Taken, Exhausted> {
        self.step_over_period(rule, now);
        let known = self.unleased.load(Ordering::Relaxed).min(rule.spec.amount);
        let share = match shares {
            u64::MAX => u64::MAX,
            nodes => known / nodes.max(1),
        };
        let more = |overdraft: u64| (overdraft < share).then(|| overdraft + 1);
        match self
            .overdraft
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        {
            Ok(before) => {
                if before == 0 {
                    // The task reports it as soon as there is somebody to hear.
                    self.enqueue();
                }
                Ok(self.overdrawn((share - before - 1).min(known), now))
            }
            Err(_) => Err(Exhausted {
                retry_after: until(&self.reset_at, now),
                reset_after: until(&self.reset_at, now),
            }),
        }
    }

    /// When what was known is from a period that is over (or nothing was), all
    /// of the quota counts as left from now on.
    fn step_over_period(&self, rule: &Rule, now: Nanos) {
        let void_at = self.void_at.load(Ordering::Relaxed);
        let next = now.saturating_add(nanos(rule.spec.window.duration()));
        if now >= void_at
            && self
                .void_at
                .compare_exchange(void_at, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.overdraft.store(0, Ordering::Relaxed);
            self.unleased.store(rule.spec.amount, Ordering::Relaxed);
            self.reset_at.store(next, Ordering::Relaxed);
            self.period.store(NO_PERIOD, Ordering::Relaxed);
        }
    }

    fn overdrawn(&self, remaining: u64, now: Nanos) -> Taken {
        Taken {
            remaining,
            reset_after: until(&self.reset_at, now),
            source: Source::Overdraft,
        }
    }

    fn enqueue(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            // Without the task nobody answers: waiters then decide as if it were away.
            drop(self.limit.node.wake.send(Wake::Refill(Arc::clone(self))));
        }
    }
}

/// The side of the background task.
impl Permits {
    pub(super) fn key(&self) -> CounterKey {
        CounterKey {
            limit: self.limit.id,
            partition: self.partition.clone(),
        }
    }

    /// It was taken from the queue, and may be queued again.
    pub(super) fn dequeued(&self) {
        // Also an acquire: whoever queued it meanwhile has taken its permit before the task looks.
        self.queued.swap(false, Ordering::AcqRel);
    }

    /// When a call last asked for one, to a second.
    pub(super) fn touched_at(&self) -> Nanos {
        self.touched.load(Ordering::Relaxed)
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Acquire).into()
    }

    /// As if so many waited.
    #[cfg(test)]
    pub(super) fn pretend_waiting(&self, waiting: u32) {
        self.waiting.store(waiting, Ordering::Release);
    }

    pub(super) fn wake(&self) {
        self.answered.notify_waiters();
    }

    pub(super) fn pool(&self) -> u64 {
        self.pool.permits()
    }

    /// Takes everything out and lets nobody take from it any more.
    pub(super) fn close_pool(&self) -> u64 {
        self.usable_until.store(0, Ordering::Release);
        self.low.store(0, Ordering::Relaxed);
        self.pool.close()
    }

    /// Takes up to so many out of the pool; says how many it got.
    pub(super) fn withdraw(&self, permits: u64) -> u64 {
        self.pool.withdraw(permits)
    }

    /// Puts granted permits into the pool; all of it may be used until `until`.
    pub(super) fn fill(&self, permits: u64, until: Nanos, low: u64) {
        self.usable_until.store(until, Ordering::Release);
        self.low.store(low, Ordering::Relaxed);
        self.exhausted_until.store(0, Ordering::Relaxed);
        self.pool.add(permits);
    }

    /// The end of the pool, when the lease that ended first is gone.
    pub(super) fn prolong(&self, until: Nanos) {
        self.usable_until.store(until, Ordering::Release);
    }

    /// Keeps what an answer to a request sent at `sent` says.
    pub(super) fn learn(&self, answer: &LeaseAnswer, shape: Shape, sent: Nanos, window: Duration) {
        let reset_at = sent.saturating_add(nanos(answer.reset_after));
        let void_at = match shape {
            Shape::Calendar => reset_at,
            Shape::Rolling | Shape::Rate => sent.saturating_add(nanos(window)),
        };
        self.unleased.store(answer.remaining, Ordering::Relaxed);
        self.used.store(answer.used, Ordering::Relaxed);
        self.period.store(answer.period, Ordering::Relaxed);
        self.reset_at.store(reset_at, Ordering::Relaxed);
        self.void_at.store(void_at, Ordering::Relaxed);
        self.retry_at
            .store(sent.saturating_add(nanos(answer.retry_after)), Ordering::Relaxed);
    }

    /// What the authority may want to hear again.
    pub(super) fn known(&self) -> KnownUse {
        let period = self.period.load(Ordering::Relaxed);
        KnownUse {
            period: (period != NO_PERIOD).then_some(period),
            used: self.used.load(Ordering::Relaxed),
            overdraft: self.overdraft.load(Ordering::Relaxed),
        }
    }

    /// The authority has counted so much of the overdraft.
    pub(super) fn overdraft_reported(&self, reported: u64) {
        subtract(&self.overdraft, reported);
    }

    /// The authority refused at `now`.
    pub(super) fn refused(&self, now: Nanos) {
        self.refused_at.store(now, Ordering::Release);
    }

    /// Calls are refused without asking until then, under this version of the rule.
    pub(super) fn exhaust(&self, until: Nanos, version: u32) {
        self.exhausted_rule.store(version, Ordering::Relaxed);
        self.exhausted_until.store(until, Ordering::Release);
    }

    /// Whether forgetting it loses nothing, when nobody asked for `idle`.
    pub(super) fn is_forgettable(&self, now: Nanos, idle: Nanos) -> bool {
        now.saturating_sub(self.touched.load(Ordering::Relaxed)) >= idle
            && self.cell.is_idle(now)
            && self.pool() == 0
            && (self.overdraft.load(Ordering::Relaxed) == 0 || now >= self.void_at.load(Ordering::Relaxed))
    }
}

impl From<Refuse> for Exhausted {
    fn from(refuse: Refuse) -> Self {
        Self {
            retry_after: refuse.retry_after,
            reset_after: refuse.reset_after,
        }
    }
}

/// Counts one who waits, for as long as it does.
struct Waiting<'a>(&'a Permits);

impl<'a> Waiting<'a> {
    fn enter(permits: &'a Permits) -> Self {
        permits.waiting.fetch_add(1, Ordering::AcqRel);
        Self(permits)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

fn until(at: &AtomicI64, now: Nanos) -> Duration {
    let left = at.load(Ordering::Relaxed).saturating_sub(now);
    Duration::from_nanos(left.max(0).unsigned_abs())
}

/// Takes off up to so many; says how many it got.
fn subtract(from: &AtomicU64, permits: u64) -> u64 {
    let less = |held: u64| Some(held.saturating_sub(permits));
    match from.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
        Ok(before) | Err(before) => before.min(permits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_counters_fit_into_a_gateway() {
        assert!(size_of::<Permits>() <= 224, "{}", size_of::<Permits>());
    }
}
