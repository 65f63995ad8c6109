//! An upstream that takes calls and does not answer.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use gatewright_testkit::http::Client;
use gatewright_testkit::proxy::Proxy;
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::json;

use super::load::{Load, PATIENCE, all_answered, metric, p99, size, soak};
use crate::world::{World, settles_at};

/// How many calls may be under way at one target.
const CAP: usize = 4_096;
/// R10: from an excess call to its refusal.
const REFUSED: Duration = Duration::from_millis(10);

#[tokio::test]
async fn r10_a_silent_upstream_leaves_the_others_alone() {
    let world = World::embedded();
    let (proxy, through) = Proxy::before(&world.echo.url());
    let slow = world.publish_to(&through, "slow", json!({})).await;
    let patient = json!({"targets": [{"url": through}], "timeouts": {"response_ms": 300_000}});
    world
        .admin
        .put("/apis/slow/versions/v1/upstream", &patient)
        .await
        .expect(200);
    let consumer = world.consumer(&slow).await;
    let quick = world.publish("quick", json!({})).await;
    world.subscribe(&consumer.application, &quick.plan).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, "/slow/v1/pets", 200).await;
    settles_at(&gateway, "/quick/v1/pets", 200).await;

    let healthy = Load::start(std::slice::from_ref(&gateway), "/quick/v1/pets", 2);
    healthy.goes_on(size(200, 2_000)).await;
    let healthy = healthy.end();
    proxy.freeze();
    // The long form fills the target: a socket for each of these calls in three processes.
    let pending = size(300, CAP);
    let mut waiting: FuturesUnordered<_> = (0..pending)
        .map(|_| {
            let gateway = gateway.clone();
            tokio::spawn(async move {
                gateway
                    .attempt(Method::GET, "/slow/v1/pets", "")
                    .await
                    .map(|reply| reply.status)
            })
        })
        .collect();
    eventually(PATIENCE, "the calls are under way", || async {
        (metric(&world.server, "requests_in_flight").await >= pending as f64).then_some(())
    })
    .await;
    if soak() {
        excess(&gateway).await;
    }
    let before = world.server.resident();
    let load = Load::start(std::slice::from_ref(&gateway), "/quick/v1/pets", 2);
    load.goes_on(size(200, 2_000)).await;
    let meanwhile = load.end();
    all_answered(&meanwhile, 200);
    let grown = world.server.resident().saturating_sub(before);
    println!(
        "FIGURE: R10 with {pending} calls waiting for another API's upstream p99 {:?}, before {:?}; memory grew by {grown} KiB",
        p99(&meanwhile),
        p99(&healthy)
    );
    assert!(grown < 16 << 10, "memory is flat: {grown} KiB more");
    proxy.heal();
    while let Some(status) = waiting.next().await {
        assert_eq!(
            status.unwrap().unwrap(),
            200,
            "what waited is answered in the end"
        );
    }
    settles_at(&gateway, "/slow/v1/pets", 200).await;
}

/// Calls above the cap are refused at once.
async fn excess(gateway: &Client) {
    let mut best = Duration::MAX;
    for _ in 0..50 {
        let since = Instant::now();
        let reply = gateway.get("/slow/v1/pets").await;
        best = best.min(since.elapsed());
        reply.expect_problem(503, "overloaded");
        assert_eq!(reply.must_have("retry-after"), "1", "{reply}");
    }
    println!("FIGURE: R10 an excess call was refused after {best:?}");
    assert!(best <= REFUSED, "{best:?}");
}
