//! What each limit does while its authority is away, and after it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_coordination::authority::Authority;
use gatewright_coordination::limiter::permits::Decision;
use gatewright_coordination::limiter::{Cluster, Limiter, LimiterSettings};
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_coordination::redis_authority::RedisAuthority;
use gatewright_model::limit::{Limit, OnStoreFailure};
use gatewright_testkit::redis::Redis;
use gatewright_testkit::wait::{Standstill, eventually};

use crate::support::{SharedRows, TestRedis, admitted, decide, fresh, load, quota, rate, shared, start};

const SOON: Duration = Duration::from_secs(20);

/// Who waits for decisions so long that a machine with much else to do is no outage.
fn limiter(cluster: Cluster, rows: &SharedRows) -> Limiter {
    waiting(cluster, rows, Duration::from_secs(10))
}

fn waiting(cluster: Cluster, rows: &SharedRows, wait: Duration) -> Limiter {
    let mut settings = LimiterSettings::new(fresh(), cluster);
    settings.call_budget = Duration::from_millis(500);
    settings.wait = wait;
    start(settings, &rows.authority(), &Notices::in_process(Loudness::Heard))
}

fn failing(on_store_failure: OnStoreFailure, limit: Limit) -> Limit {
    Limit {
        on_store_failure,
        ..limit
    }
}

async fn until_away(limiter: &Limiter, away: bool) {
    eventually(SOON, "the limiter knows of its authority", async || {
        (limiter.stats().authority_away == away).then_some(())
    })
    .await;
}

#[tokio::test]
async fn closed_refuses_and_open_admits_and_counts() {
    let rows = SharedRows::default();
    let limiter = limiter(shared(2), &rows);
    let closed = limiter
        .limit(&failing(OnStoreFailure::Closed, quota(5, "1w")))
        .permits("a")
        .unwrap();
    let open = limiter
        .limit(&failing(OnStoreFailure::Open, quota(5, "1w")))
        .permits("a")
        .unwrap();
    assert!(admitted(&open).await);
    rows.set_away(true);
    assert_eq!(decide(&closed).await, Decision::AuthorityAway);
    until_away(&limiter, true).await;
    let before = limiter.stats().unmetered;
    for _ in 0..40 {
        assert!(matches!(decide(&open).await, Decision::Unmetered(_)));
        assert_eq!(decide(&closed).await, Decision::AuthorityAway);
    }
    assert_eq!(limiter.stats().unmetered - before, 40);
    rows.set_away(false);
    until_away(&limiter, false).await;
    // What was admitted meanwhile is reported: nothing is left.
    eventually(SOON, "the overdraft is counted", async || {
        matches!(decide(&open).await, Decision::Exhausted(_)).then_some(())
    })
    .await;
    assert_eq!(load(&closed, 20, 1).await, 5);
}

#[tokio::test]
async fn local_admits_the_share_of_this_node() {
    let rows = SharedRows::default();
    let limiter = limiter(shared(4), &rows);
    let limit = failing(OnStoreFailure::Local, quota(100, "1w"));
    let permits = limiter.limit(&limit).permits("a").unwrap();
    assert_eq!(load(&permits, 20, 1).await, 20);
    let unknown = limiter
        .limit(&failing(OnStoreFailure::Local, quota(40, "1w")))
        .permits("a")
        .unwrap();
    let pace = limiter
        .limit(&failing(OnStoreFailure::Local, rate(40, "1h")))
        .permits("a")
        .unwrap();
    rows.set_away(true);
    assert!(matches!(decide(&unknown).await, Decision::Unmetered(_)));
    until_away(&limiter, true).await;
    let mut counts = [0, 0, 0];
    for (count, permits) in counts.iter_mut().zip([&permits, &unknown, &pace]) {
        for _ in 0..200 {
            match decide(permits).await {
                Decision::Taken(_) | Decision::Unmetered(_) => *count += 1,
                Decision::Exhausted(_) => {}
                Decision::AuthorityAway => panic!("local never says that"),
            }
        }
    }
    // 80 or a few less were left, a quarter is ours, and what was leased before.
    assert!((15..=35).contains(&counts[0]), "{counts:?}");
    // One more was admitted before.
    assert_eq!(counts[1], 9);
    assert_eq!(counts[2], 10);
    rows.set_away(false);
    until_away(&limiter, false).await;
    eventually(SOON, "what was admitted alone is counted", async || {
        let Decision::Taken(taken) = decide(&permits).await else {
            return None;
        };
        permits.refund(&taken);
        (taken.remaining <= 100 - 20 - counts[0]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn waiting_ends_in_time_and_then_nobody_waits() {
    let rows = SharedRows::default();
    rows.set_away(true);
    let wait = Duration::from_millis(100);
    let limiter = waiting(shared(2), &rows, wait);
    let permits = limiter.limit(&quota(5, "1w")).permits("a").unwrap();
    let started = Instant::now();
    assert_eq!(decide(&permits).await, Decision::AuthorityAway);
    assert!(started.elapsed() >= wait);
    until_away(&limiter, true).await;
    // The decision is there without waiting.
    assert_eq!(permits.take(Instant::now()), Some(Decision::AuthorityAway));
}

#[tokio::test]
async fn leases_that_are_held_stay_valid() {
    let rows = SharedRows::default();
    let limiter = limiter(shared(1), &rows);
    let permits = limiter.limit(&quota(400, "1w")).permits("a").unwrap();
    // Many at once make a batch; refunded, it is all there.
    let taken = futures_util::future::join_all((0..50).map(|_| decide(&permits))).await;
    rows.set_away(true);
    for decision in &taken {
        let Decision::Taken(taken) = decision else {
            panic!("refused")
        };
        permits.refund(taken);
    }
    assert!(matches!(permits.take(Instant::now()), Some(Decision::Taken(_))));
}

/// One of two nodes on this Redis.
fn on_redis(redis: &Redis) -> Limiter {
    let authority: Arc<dyn Authority> = Arc::new(RedisAuthority::new(&redis.url()).unwrap());
    let mut settings = LimiterSettings::new(fresh(), shared(2));
    settings.call_budget = Duration::from_millis(500);
    settings.wait = Duration::from_secs(10);
    start(settings, &authority, &Notices::in_process(Loudness::Heard))
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_goes_and_comes_back() {
    let Some(mut redis) = TestRedis::own() else { return };
    let limiter = on_redis(&redis);
    let permits = limiter.limit(&quota(50, "1w")).permits("a").unwrap();
    assert_eq!(load(&permits, 30, 1).await, 30);
    // Idle permits have come back before it goes.
    eventually(SOON, "all is given back", async || {
        permits.take(Instant::now()).is_none().then_some(())
    })
    .await;
    redis.stop();
    assert_eq!(decide(&permits).await, Decision::AuthorityAway);
    until_away(&limiter, true).await;
    redis.start_again();
    let (back, standstill) = (Instant::now(), Standstill::watch());
    until_away(&limiter, false).await;
    let took = back.elapsed().saturating_sub(standstill.lost());
    assert!(took < Duration::from_secs(3), "{took:?}");
    let left = load(&permits, 100, 1).await;
    assert!(left <= 20, "{left}");
    limiter.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_local_share_admitted_counts_when_redis_is_back() {
    let Some(mut redis) = TestRedis::own() else { return };
    let limiter = on_redis(&redis);
    let limit = failing(OnStoreFailure::Local, quota(60, "1w"));
    let permits = limiter.limit(&limit).permits("a").unwrap();
    assert_eq!(load(&permits, 20, 1).await, 20);
    // Idle permits have come back before it goes.
    eventually(SOON, "all is given back", async || {
        match permits.take(Instant::now()) {
            Some(Decision::Taken(taken)) => {
                permits.refund(&taken);
                None
            }
            _ => Some(()),
        }
    })
    .await;
    redis.stop();
    assert!(matches!(decide(&permits).await, Decision::Unmetered(_)));
    until_away(&limiter, true).await;
    let mut alone = 1;
    while let Decision::Unmetered(_) = decide(&permits).await {
        alone += 1;
    }
    // At most this node's half of what was left.
    assert!((1..=20).contains(&alone), "{alone}");
    redis.start_again();
    until_away(&limiter, false).await;
    // Another node is told of them too: what is left is the quota without all of them.
    let other = on_redis(&redis);
    let there = other.limit(&limit).permits("a").unwrap();
    let left = 60 - 20 - alone;
    eventually(SOON, "the other node hears of the overdraft", async || {
        let Decision::Taken(taken) = decide(&there).await else {
            panic!("something is left");
        };
        there.refund(&taken);
        (taken.remaining + 1 == left).then_some(())
    })
    .await;
    assert_eq!(load(&there, 100, 1).await, left);
    assert_eq!(load(&permits, 100, 1).await, 0);
    other.drain().await;
    limiter.drain().await;
}

#[tokio::test]
async fn draining_ends_although_nobody_answers() {
    let rows = SharedRows::default();
    let limiter = limiter(shared(1), &rows);
    let permits = limiter.limit(&quota(400, "1w")).permits("a").unwrap();
    assert_eq!(load(&permits, 10, 10).await, 10);
    rows.set_away(true);
    let started = Instant::now();
    limiter.drain().await;
    assert!(started.elapsed() < SOON);
}
