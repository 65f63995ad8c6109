//! Counters in memory that can be away, a Redis, and nodes on them.

use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::authority::{Authority, CounterKey};
use gatewright_coordination::limiter::permits::{Decision, Permits};
use gatewright_coordination::limiter::{Cluster, Limiter, LimiterSettings, Sources};
use gatewright_coordination::notice::Notices;
use gatewright_coordination::redis_authority::RedisAuthority;
use gatewright_coordination::stored::{CounterStore, CounterUpdate, StoredAuthority};
use gatewright_model::id::{EntityId, LimitId, NodeId, uuid_v7};
use gatewright_model::limit::{Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind};
use gatewright_model::time::{Clock, Entropy, SystemClock, SystemEntropy};
use gatewright_testkit::redis::Redis;
use tokio::runtime::Handle;

/// Rows in memory.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Mutex<BTreeMap<CounterKey, Vec<u8>>>,
    pub(crate) away: AtomicBool,
    pub(crate) transactions: AtomicU64,
}

/// A handle that a test keeps while the authority owns another.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedRows(pub(crate) Arc<Rows>);

impl SharedRows {
    pub(crate) fn authority(&self) -> Arc<dyn Authority> {
        Arc::new(StoredAuthority::new(self.clone()))
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.0.away.store(away, Ordering::Release);
    }

    pub(crate) fn transactions(&self) -> u64 {
        self.0.transactions.load(Ordering::Acquire)
    }
}

impl CounterStore for SharedRows {
    fn update(
        &self,
        keys: Vec<CounterKey>,
        mut apply: CounterUpdate,
    ) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>> {
        async move {
            if self.0.away.load(Ordering::Acquire) {
                return Err("switched off".into());
            }
            let mut rows = self.0.rows.lock().unwrap();
            self.0.transactions.fetch_add(1, Ordering::AcqRel);
            let states = keys.iter().map(|key| rows.get(key).cloned()).collect();
            for (key, counter) in keys.into_iter().zip(apply(SystemClock.now(), states)) {
                if let Some(counter) = counter {
                    rows.insert(key, counter.state);
                }
            }
            Ok(())
        }
        .boxed()
    }
}

/// The Redis of these tests: the one that is named, else one of their own.
pub(crate) enum TestRedis {
    Named(String),
    Own(Redis),
}

impl TestRedis {
    /// `None`, said aloud, when there is none and none is required.
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
    pub(crate) fn find() -> Option<Self> {
        if let Ok(url) = std::env::var("TEST_REDIS_URL") {
            return Some(Self::Named(url));
        }
        Self::own().map(Self::Own)
    }

    /// A Redis that nobody else uses, so that it can be stopped; `None`, said
    /// aloud, when none can be started and none is required.
    #[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
    pub(crate) fn own() -> Option<Redis> {
        if Redis::is_installed() {
            return Some(Redis::start());
        }
        let required = std::env::var("GATEWRIGHT_REQUIRE_REDIS").is_ok_and(|value| value == "1");
        assert!(!required, "redis-server is not installed, but required");
        println!("SKIPPED: redis-server is not installed");
        None
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Named(url) => url.clone(),
            Self::Own(redis) => redis.url(),
        }
    }

    pub(crate) fn authority(&self) -> Arc<dyn Authority> {
        Arc::new(RedisAuthority::new(&self.url()).unwrap())
    }
}

pub(crate) fn sources() -> Sources {
    Sources {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

pub(crate) fn fresh<I: EntityId>() -> I {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    I::from_uuid(uuid_v7(SystemClock.now(), random))
}

pub(crate) fn shared(nodes: u32) -> Cluster {
    Cluster::Shared {
        nodes: NonZeroU32::new(nodes).unwrap(),
    }
}

pub(crate) fn node(cluster: Cluster, authority: &Arc<dyn Authority>, notices: &Notices) -> Limiter {
    let mut settings = LimiterSettings::new(fresh::<NodeId>(), cluster);
    // A loaded machine is not an outage; the tests of outages set their own.
    settings.call_budget = std::time::Duration::from_secs(2);
    settings.wait = std::time::Duration::from_secs(5);
    start(settings, authority, notices)
}

pub(crate) fn start(settings: LimiterSettings, authority: &Arc<dyn Authority>, notices: &Notices) -> Limiter {
    Limiter::start(
        settings,
        Arc::clone(authority),
        notices.clone(),
        sources(),
        &Handle::current(),
    )
}

pub(crate) fn quota(amount: u64, window: &str) -> Limit {
    Limit {
        id: fresh::<LimitId>(),
        name: "test".parse().unwrap(),
        kind: LimitKind::Quota,
        unit: LimitUnit::Requests,
        amount,
        window: window.parse().unwrap(),
        burst: None,
        reset: ResetKind::Calendar,
        zone: "UTC".to_owned(),
        partition: Partition::Subscription,
        on_exceed: OnExceed::Reject,
        on_store_failure: OnStoreFailure::Closed,
    }
}

pub(crate) fn rate(amount: u64, window: &str) -> Limit {
    Limit {
        kind: LimitKind::Rate,
        ..quota(amount, window)
    }
}

pub(crate) async fn decide(permits: &Arc<Permits>) -> Decision {
    match permits.take(Instant::now()) {
        Some(decision) => decision,
        None => permits.wait().await,
    }
}

pub(crate) async fn admitted(permits: &Arc<Permits>) -> bool {
    matches!(decide(permits).await, Decision::Taken(_))
}

/// So many calls, some at a time; says how many were admitted.
pub(crate) async fn load(permits: &Arc<Permits>, calls: u64, at_once: usize) -> u64 {
    use futures_util::StreamExt;
    futures_util::stream::iter(0..calls)
        .map(|_| admitted(permits))
        .buffer_unordered(at_once)
        .fold(0, async |sum, admitted| sum + u64::from(admitted))
        .await
}
