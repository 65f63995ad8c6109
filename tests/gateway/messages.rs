//! What goes to the upstream and what comes back.

use gatewright_testkit::http::{Client, text};
use http::Method;
use serde_json::json;

use crate::world::{Consumer, World, shared};

async fn open(world: &World, slug: &str) -> (Client, Consumer) {
    let published = world.publish(slug, json!({})).await;
    let consumer = world.consumer(&published).await;
    (world.gateway().with("x-api-key", &consumer.secret), consumer)
}

#[tokio::test]
async fn identity_fields_are_ours_in_any_spelling() {
    let world = shared().await;
    let (gateway, consumer) = open(world, "identity").await;
    let spoofed = gateway
        .with("x-consumer-id", "app_spoofed")
        .with("x_consumer_id", "app_spoofed")
        .with("x-consumer-name", "spoofed")
        .with("x-subscription-id", "sub_spoofed")
        .with("x-plan", "spoofed")
        .with("x-request-id", "mine")
        .with("connection", "x-consumer-id, x-plan");
    let reply = spoofed.get("/identity/v1/pets?spoof").await;
    reply.expect(200);
    let seen = world.echo.received_with("?spoof").pop().unwrap();
    assert_eq!(seen.header("x-consumer-id"), Some(consumer.application.as_str()));
    assert_eq!(
        seen.header("x-subscription-id"),
        Some(consumer.subscription.as_str())
    );
    assert_eq!(seen.header("x-consumer-name"), Some("Shop front"));
    assert_eq!(seen.header("x-plan"), Some("standard"));
    assert_eq!(seen.header("x-correlation-id"), Some("mine"));
    assert_eq!(seen.header("x-request-id"), reply.header("x-request-id"));
    assert!(reply.must_have("x-request-id").starts_with("call_"), "{reply}");
    assert!(seen.header("x-api-key").is_none() && seen.header("authorization").is_none());
    for (name, value) in &seen.headers {
        assert!(!value.contains("spoofed"), "{name}: {value}");
    }
}

#[tokio::test]
async fn a_trace_is_continued_or_begun() {
    let world = shared().await;
    let (gateway, _) = open(world, "traced").await;
    gateway.get("/traced/v1/pets?begun").await.expect(200);
    let begun = world.echo.received_with("?begun").pop().unwrap();
    let parts: Vec<&str> = begun.header("traceparent").unwrap().split('-').collect();
    assert_eq!(
        parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
        [2, 32, 16, 2]
    );
    let mine = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    gateway
        .with("traceparent", mine)
        .get("/traced/v1/pets?continued")
        .await
        .expect(200);
    let continued = world.echo.received_with("?continued").pop().unwrap();
    let theirs = continued.header("traceparent").unwrap();
    assert!(
        theirs.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{theirs}"
    );
    assert_eq!(continued.count("traceparent"), 1);
}

#[tokio::test]
async fn hop_by_hop_fields_and_our_cookies_stop_at_the_gateway() {
    let world = shared().await;
    let (gateway, _) = open(world, "hops").await;
    let client = gateway
        .with("connection", "keep-alive, x-hop")
        .with("x-hop", "1")
        .with("keep-alive", "timeout=5")
        .with("proxy-authorization", "Basic eDp5")
        .with("te", "trailers")
        .with("cookie", "a=1; gw_session=stolen; __Host-gw_session=stolen; b=2")
        .with("x-kept", "yes");
    let target = "/hops/v1/pets?hops&echo_header=set-cookie:gw_session=evil&echo_header=set-cookie:theirs=1&echo_header=x-theirs:1&echo_header=connection:x-theirs-hop&echo_header=x-theirs-hop:1";
    let reply = client.get(target).await;
    reply.expect(200);
    let seen = world.echo.received_with("?hops").pop().unwrap();
    for name in ["x-hop", "keep-alive", "proxy-authorization"] {
        assert!(seen.header(name).is_none(), "{name} in {seen:?}");
    }
    assert_eq!(seen.header("x-kept"), Some("yes"));
    let cookie = seen.header("cookie").unwrap();
    assert!(
        cookie.contains("a=1") && cookie.contains("b=2") && !cookie.contains("stolen"),
        "{cookie}"
    );
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["theirs=1"]);
    assert_eq!(reply.header("x-theirs"), Some("1"));
    assert!(reply.header("x-theirs-hop").is_none(), "{reply}");
}

#[tokio::test]
async fn query_body_status_and_fields_pass_unchanged() {
    let world = shared().await;
    let (gateway, _) = open(world, "plain").await;
    let reply = gateway
        .post(
            "/plain/v1/pets?q=a%20b&q=2&plain&echo_status=418",
            &json!({"name": "ü"}),
        )
        .await;
    let seen = reply.expect(418);
    assert_eq!(text(&seen, "target"), "/pets?q=a%20b&q=2&plain&echo_status=418");
    assert_eq!(text(&seen, "body"), r#"{"name":"ü"}"#);
    assert_eq!(text(&seen["headers"], "content-type"), "application/json");
    let forwarded = text(&seen["headers"], "x-forwarded-for");
    assert!(forwarded.contains("127.0.0.1"), "{seen}");
    let large = gateway.get("/plain/v1/pets?echo_bytes=3000000").await;
    large.expect(200);
    assert_eq!(large.body.len(), 3_000_000);
    let head = gateway.send(Method::HEAD, "/plain/v1/pets", "").await;
    assert!(head.status == 200 && head.body.is_empty(), "{head}");
    let encoded = gateway.get("/plain/v1/pets/a%20b").await.expect(200);
    assert_eq!(text(&encoded, "target"), "/pets/a%20b");
}

#[tokio::test]
async fn the_rest_of_the_path_is_joined_to_the_target() {
    let world = shared().await;
    let base = format!("{}/base/", world.echo.url());
    let published = world.publish_to(&base, "joined", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let seen = gateway.get("/joined/v1/pets/7?x=1").await.expect(200);
    assert_eq!(text(&seen, "target"), "/base/pets/7?x=1");
}

#[tokio::test]
async fn cleartext_http2_is_served_on_the_same_port() {
    let world = shared().await;
    let (gateway, consumer) = open(world, "h2c").await;
    let seen = gateway.http2().get("/h2c/v1/pets?h2").await.expect(200);
    assert_eq!(text(&seen["headers"], "x-consumer-id"), consumer.application);
    let refused = world.gateway().http2().get("/h2c/v1/pets").await;
    refused.expect_problem(401, "key_missing");
}
