//! Upstreams that fail, and several targets.

use gatewright_testkit::echo::Echo;
use gatewright_testkit::faulty::{Fault, nobody, upstream};
use serde_json::json;

use crate::world::{settles_at, shared};

#[tokio::test]
async fn each_failure_of_an_upstream_has_its_own_refusal() {
    let world = shared().await;
    let cases = [
        ("gone", nobody(), 502, "upstream_unreachable"),
        ("garbled", upstream(Fault::Garbage), 502, "upstream_invalid"),
        ("closing", upstream(Fault::Closes), 502, "upstream_invalid"),
    ];
    for (slug, target, status, code) in cases {
        let published = world.publish_to(&target, slug, json!({})).await;
        let consumer = world.consumer(&published).await;
        let gateway = world.gateway().with("x-api-key", &consumer.secret);
        let reply = gateway.get(&format!("/{slug}/v1/pets")).await;
        let problem = reply.expect_problem(status, code);
        assert!(
            !problem.to_string().contains("127.0.0.1"),
            "an upstream's address is not told: {problem}"
        );
    }
}

#[tokio::test]
async fn a_silent_upstream_ends_in_a_timeout() {
    let world = shared().await;
    let silent = upstream(Fault::Silent);
    let published = world.publish_to(&silent, "silent", json!({})).await;
    let settings = json!({"targets": [{"url": silent}], "timeouts": {"response_ms": 300}});
    world
        .admin
        .put("/apis/silent/versions/v1/upstream", &settings)
        .await
        .expect(200);
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, "/silent/v1/pets", 504)
        .await
        .expect_problem(504, "upstream_timeout");
}

#[tokio::test]
async fn a_truncated_answer_does_not_look_complete() {
    let world = shared().await;
    let published = world
        .publish_to(&upstream(Fault::Truncated), "cut", json!({}))
        .await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    if let Ok(reply) = gateway.attempt(http::Method::GET, "/cut/v1/pets", "").await {
        assert_eq!(reply.status, 502, "{reply}");
    }
}

#[tokio::test]
async fn weights_share_the_calls_between_targets() {
    let world = shared().await;
    let published = world.publish("balanced", json!({})).await;
    let consumer = world.consumer(&published).await;
    let (heavy, light) = (Echo::start(), Echo::start());
    let targets = json!({"targets": [{"url": heavy.url(), "weight": 3}, {"url": light.url(), "weight": 1}]});
    let upstream = world
        .admin
        .put("/apis/balanced/versions/v1/upstream", &targets)
        .await
        .expect(200);
    assert_eq!(
        upstream["targets"].as_array().map(Vec::len),
        Some(2),
        "{upstream}"
    );
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    crate::world::settles(&gateway, "/balanced/v1/pets", |_| !heavy.received().is_empty()).await;
    let (heavy_before, light_before) = (heavy.received().len(), light.received().len());
    for _ in 0..80 {
        gateway.get("/balanced/v1/pets").await.expect(200);
    }
    let shares = (
        heavy.received().len() - heavy_before,
        light.received().len() - light_before,
    );
    assert_eq!(shares.0 + shares.1, 80);
    assert!(
        (50..=70).contains(&shares.0),
        "three quarters go to the heavy one: {shares:?}"
    );
}

#[tokio::test]
async fn a_target_that_is_down_does_not_fail_calls_that_another_can_take() {
    let world = shared().await;
    let published = world.publish("half", json!({})).await;
    let consumer = world.consumer(&published).await;
    let targets = json!({"targets": [{"url": nobody()}, {"url": world.echo.url()}]});
    world
        .admin
        .put("/apis/half/versions/v1/upstream", &targets)
        .await
        .expect(200);
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for _ in 0..20 {
        gateway.get("/half/v1/pets").await.expect(200);
    }
}

#[tokio::test]
async fn metadata_addresses_and_our_own_listeners_are_no_upstreams() {
    let world = shared().await;
    world.import("guarded").await;
    let own = world.server.address("management").to_owned();
    for url in [
        "http://169.254.169.254/latest",
        "http://[fe80::1]/",
        "file:///etc/passwd",
        &own,
    ] {
        let targets = json!({"targets": [{"url": url}]});
        let reply = world
            .admin
            .put("/apis/guarded/versions/v1/upstream", &targets)
            .await;
        assert_eq!(reply.status, 422, "{url}: {reply}");
    }
}
