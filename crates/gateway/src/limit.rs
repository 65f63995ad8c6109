//! The limits of a plan, one call at a time: whose counter it is, whether there
//! is a permit, and what the answer says about it.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_coordination::limiter::Limiter;
use gatewright_coordination::limiter::permits::{Decision, Exhausted, Permits, Taken};
use gatewright_model::id::{ApplicationId, SubscriptionId};
use gatewright_model::limit::{LimitKind, Partition};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use crate::compiled::{CompiledApi, CompiledConfig, CompiledLimit, CompiledLimits};
use crate::http1::encode::decimal;
use crate::maps::FastMap;
use crate::rejection::{Exceeded, Rejection, seconds};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What an answer says about limits (IETF draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RateHeaders {
    policy: Option<HeaderValue>,
    state: Option<HeaderValue>,
}

impl RateHeaders {
    /// Sets the fields.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Some(policy) = &self.policy {
            headers.insert(RATE_LIMIT_POLICY, policy.clone());
        }
        if let Some(state) = &self.state {
            headers.insert(RATE_LIMIT, state.clone());
        }
    }

    fn of(limits: &CompiledLimits, state: Vec<u8>) -> Self {
        Self {
            policy: limits.policy.clone(),
            state: match state.is_empty() {
                true => None,
                false => HeaderValue::from_maybe_shared(Bytes::from(state)).ok(),
            },
        }
    }
}

/// Where permits come from.
#[derive(Debug)]
pub(crate) struct Limits {
    limiter: Arc<Limiter>,
}

impl Limits {
    pub(crate) const fn new(limiter: Arc<Limiter>) -> Self {
        Self { limiter }
    }

    /// Makes the limits of a configuration known, because it is about to serve.
    /// Changed terms count from now on, also for counters that are in use.
    pub(crate) fn activate(&self, config: &CompiledConfig) {
        for limit in config.apis().flat_map(CompiledApi::limits) {
            limit.handle.get_or_init(|| self.limiter.limit(&limit.limit));
        }
    }
}

/// Who is behind a call, as far as counters tell callers apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partitions {
    pub(crate) subscription: Option<SubscriptionId>,
    pub(crate) application: Option<ApplicationId>,
    pub(crate) client: IpAddr,
}

/// Whose counter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    Subscription(SubscriptionId),
    Application(ApplicationId),
    Client(IpAddr),
}

/// Who is counted under a set of limits: what none of them looks at is left out,
/// so that it makes no difference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    /// All of them count alike, as nearly always.
    One(Counted),
    /// They differ.
    Several(Box<[Counted]>),
}

impl Partitions {
    fn caller(&self, limits: &CompiledLimits) -> Option<Caller> {
        let mut counted = limits
            .limits
            .iter()
            .map(|limit| self.counted(limit.limit.partition));
        let first = counted.next()?;
        Some(match counted.all(|other| other == first) {
            true => Caller::One(first),
            false => {
                let all = limits
                    .limits
                    .iter()
                    .map(|limit| self.counted(limit.limit.partition));
                Caller::Several(all.collect())
            }
        })
    }

    /// Under a keyless plan there is no subscription: then the address counts.
    fn counted(&self, partition: Partition) -> Counted {
        let known = match partition {
            Partition::Subscription => self.subscription.map(Counted::Subscription),
            Partition::Application => self.application.map(Counted::Application),
            Partition::Ip => None,
        };
        known.unwrap_or_else(|| Counted::Client(household(self.client)))
    }
}

/// A household gets a /64 of IPv6 at least: counting single addresses of it would limit nobody.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subscription(id) => id.fmt(f),
            Self::Application(id) => id.fmt(f),
            Self::Client(address) => address.fmt(f),
        }
    }
}

/// Callers whose counters one worker keeps at hand, of either age at most so many.
const AT_HAND: usize = 32_768;

/// The counters of one caller under one set of limits, in the order of the limits.
type Counters = SmallVec<[Arc<Permits>; 2]>;
type ByCaller = FastMap<(u64, Caller), Counters>;

/// The permits that a worker has at hand, so that the shared registry is asked
/// only for counters that this worker has not seen for a while.
#[derive(Debug, Default)]
pub(crate) struct WorkerPermits {
    ages: RefCell<Ages>,
    jitter: Cell<u64>,
}

/// When `young` is full it becomes `old`, and what was old and not used since is let go.
#[derive(Debug, Default)]
struct Ages {
    young: ByCaller,
    old: ByCaller,
}

impl WorkerPermits {
    /// The permits of a caller; `None` when the limits were never put into service.
    fn of(&self, limits: &CompiledLimits, partitions: &Partitions) -> Option<Counters> {
        let key = (limits.number, partitions.caller(limits)?);
        let mut ages = self.ages.borrow_mut();
        if let Some(counters) = ages.young.get(&key) {
            return Some(counters.clone());
        }
        let counters: Counters = match ages.old.remove(&key) {
            Some(counters) => counters,
            None => {
                let permits = |limit: &CompiledLimit| {
                    let counted = partitions.counted(limit.limit.partition);
                    limit.handle.get()?.permits(&counted.to_string()).ok()
                };
                limits.limits.iter().map(permits).collect::<Option<_>>()?
            }
        };
        if ages.young.len() >= AT_HAND {
            ages.old = std::mem::take(&mut ages.young);
        }
        ages.young.insert(key, counters.clone());
        Some(counters)
    }

    /// Spreads the return of those that were refused in one moment: a tenth of
    /// the wait, 5 s at most.
    fn spread(&self, wait: Duration) -> Duration {
        let most = (seconds(wait) / 10).min(5);
        // Knuth's MMIX generator: nobody gains anything by guessing it.
        let next = self
            .jitter
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.jitter.set(next);
        wait + Duration::from_secs((next >> 33) % (most + 1))
    }
}

impl CompiledLimits {
    /// Takes a permit of every limit, or none of any.
    ///
    /// # Errors
    /// When a limit is used up, or cannot be checked and must not be passed unchecked.
    pub(crate) async fn admit(
        &self,
        permits: &WorkerPermits,
        partitions: &Partitions,
    ) -> Result<RateHeaders, (Rejection, RateHeaders)> {
        if self.limits.is_empty() {
            return Ok(RateHeaders::default());
        }
        let now = Instant::now();
        let mut state = Vec::with_capacity(48 * self.limits.len());
        let Some(counters) = permits.of(self, partitions) else {
            return Err((Rejection::LimitUnavailable, RateHeaders::default()));
        };
        // Nothing is allocated for the last limit, which is mostly the only one.
        let mut taken = Vec::new();
        for (limit, counter) in self.limits.iter().zip(&counters) {
            let decision = match counter.take(now) {
                Some(decision) => decision,
                None => counter.wait().await,
            };
            let rejection = match decision {
                Decision::Taken(permit) | Decision::Unmetered(permit) => {
                    let reset_after = limit.reset_after(permit.remaining, permit.reset_after);
                    push_state(&mut state, limit, permit.remaining, reset_after);
                    if taken.len() + 1 < self.limits.len() {
                        taken.push(permit);
                    }
                    continue;
                }
                Decision::Exhausted(exhausted) => {
                    let exceeded = limit.exceeded(&exhausted, permits);
                    push_state(&mut state, limit, 0, exceeded.reset_after);
                    limit.refusal(exceeded)
                }
                Decision::AuthorityAway => Rejection::LimitUnavailable,
            };
            refund(&counters, &taken);
            return Err((rejection, RateHeaders::of(self, state)));
        }
        Ok(RateHeaders::of(self, state))
    }
}

/// Gives back what was taken of other limits: a call that is refused counts nowhere.
fn refund(counters: &Counters, taken: &[Taken]) {
    for (counter, permit) in counters.iter().zip(taken) {
        counter.refund(permit);
    }
}

impl CompiledLimit {
    /// What an answer calls the reset: until the next call may pass when nothing
    /// is left of a rate, which comes back bit by bit; else until all of it is back.
    fn reset_after(&self, remaining: u64, full: Duration) -> Duration {
        if remaining > 0 || self.limit.kind == LimitKind::Quota {
            return full;
        }
        let window = self.limit.window.duration().as_nanos();
        let others = u128::from(self.limit.burst.unwrap_or(self.limit.amount).saturating_sub(1));
        let others = window.saturating_mul(others) / u128::from(self.limit.amount.max(1));
        full.saturating_sub(Duration::from_nanos(u64::try_from(others).unwrap_or(u64::MAX)))
    }

    fn exceeded(&self, exhausted: &Exhausted, permits: &WorkerPermits) -> Exceeded {
        Exceeded {
            limit: Arc::clone(&self.name),
            retry_after: permits.spread(exhausted.retry_after),
            reset_after: match self.limit.kind {
                LimitKind::Rate => exhausted.retry_after,
                LimitKind::Quota => exhausted.reset_after,
            },
        }
    }

    fn refusal(&self, exceeded: Exceeded) -> Rejection {
        match self.limit.kind {
            LimitKind::Rate => Rejection::RateLimited(exceeded),
            LimitKind::Quota => Rejection::QuotaExceeded(exceeded),
        }
    }
}

/// One item of a structured-field list (RFC 9651): `"name";r=9;t=60`.
fn push_state(state: &mut Vec<u8>, limit: &CompiledLimit, remaining: u64, reset_after: Duration) {
    let reset = reset_after.as_secs() + u64::from(reset_after.subsec_nanos() > 0);
    state.extend_from_slice(if state.is_empty() { b"\"" } else { b", \"" });
    state.extend_from_slice(limit.name.as_bytes());
    state.extend_from_slice(b"\";r=");
    decimal(state, remaining);
    state.extend_from_slice(b";t=");
    decimal(state, reset);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::id;

    #[test]
    fn a_call_is_counted_where_the_limit_says() {
        let partitions = Partitions {
            subscription: Some(id(1)),
            application: None,
            client: "2001:db8:1:2:3:4:5:6".parse().unwrap(),
        };
        let text = |partition| partitions.counted(partition).to_string();
        assert_eq!(text(Partition::Subscription), "sub_00000000000000000000000001");
        assert_eq!(text(Partition::Ip), "2001:db8:1:2::");
        // Nobody is recognised: the address counts.
        assert_eq!(text(Partition::Application), "2001:db8:1:2::");
    }

    #[test]
    fn one_host_is_one_counter_whichever_way_its_address_is_written() {
        let household = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(household("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(household("192.0.2.7"), "192.0.2.7");
        assert_eq!(household("2001:db8::1"), household("2001:db8::2"));
        assert_ne!(household("2001:db8::1"), household("2001:db8:0:1::1"));
    }

    #[test]
    fn the_refused_come_back_spread_and_never_early() {
        let permits = WorkerPermits::default();
        for _ in 0..100 {
            assert_eq!(permits.spread(Duration::from_secs(3)), Duration::from_secs(3));
            let spread = permits.spread(Duration::from_secs(600));
            assert!(spread >= Duration::from_secs(600) && spread <= Duration::from_secs(605));
        }
    }
}
