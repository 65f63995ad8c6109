//! Every refusal has its status, code and fields.

use std::time::Duration;

use gatewright_testkit::http::text;
use http::Method;
use serde_json::json;

use crate::world::{SOON, World, code, limit, settles, settles_at, settles_within, shared};

#[tokio::test]
async fn keys_that_do_not_open_are_refused_alike() {
    let world = shared().await;
    let published = world.publish("locked", json!({})).await;
    let consumer = world.consumer(&published).await;
    let missing = world.gateway().get("/locked/v1/pets").await;
    missing.expect_problem(401, "key_missing");
    assert!(!missing.must_have("www-authenticate").is_empty());

    let body = consumer.secret.trim_start_matches("gw_live_");
    let other: String = body.chars().rev().collect();
    let (head, last) = consumer.secret.split_at(consumer.secret.len() - 1);
    let broken = format!("{head}{}", if last == "a" { "b" } else { "a" });
    let (revoked_id, revoked) = world.credential(&consumer.application).await;
    world
        .admin
        .verb(&format!("/credentials/{revoked_id}/revoke"))
        .await
        .expect(200);
    let (disabled_id, disabled) = world.credential(&consumer.application).await;
    world
        .admin
        .verb(&format!("/credentials/{disabled_id}/disable"))
        .await
        .expect(200);
    world.all_nodes_follow("locked").await;
    let wrong = [
        "nonsense".to_owned(),
        format!("gw_live_{other}"),
        broken,
        revoked,
        disabled.clone(),
    ];
    let mut bodies = Vec::new();
    for key in &wrong {
        let refused = world
            .gateway()
            .with("x-api-key", key)
            .get("/locked/v1/pets")
            .await;
        let mut problem = refused.expect_problem(401, "key_invalid");
        assert!(!refused.must_have("www-authenticate").is_empty());
        problem["instance"].take();
        bodies.push(problem);
    }
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "one body for all: {bodies:?}"
    );
    assert!(world.echo.received_with("locked").is_empty());

    world
        .admin
        .verb(&format!("/credentials/{disabled_id}/enable"))
        .await
        .expect(200);
    settles_at(
        &world.gateway().with("x-api-key", &disabled),
        "/locked/v1/pets",
        200,
    )
    .await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let world = shared().await;
    let published = world.publish("maze", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for path in ["/", "/no-such-api", "/maze", "/maze/v9/pets"] {
        gateway.get(path).await.expect_problem(404, "no_route");
    }
    for path in ["/maze/v1/cats", "/maze/v1/pets/1/toys", "/maze/v1"] {
        gateway.get(path).await.expect_problem(404, "no_operation");
    }
    let refused = gateway.send(Method::PUT, "/maze/v1/pets", "{}").await;
    assert_eq!(refused.status, 405, "{refused}");
    let mut allowed: Vec<&str> = refused.must_have("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    allowed.retain(|method| !matches!(*method, "HEAD" | "OPTIONS"));
    assert_eq!(allowed, ["GET", "POST"]);
}

#[tokio::test]
async fn the_state_of_a_subscription_decides() {
    let world = shared().await;
    let published = world.publish("club", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let subscription = format!("/subscriptions/{}", consumer.subscription);

    let suspended = world
        .admin
        .post(&format!("{subscription}/suspend"), &json!({"reason": "unpaid"}))
        .await;
    assert_eq!(text(&suspended.expect(200), "state"), "suspended");
    let refused = settles_at(&gateway, "/club/v1/pets", 403).await;
    refused.expect_problem(403, "subscription_suspended");
    let resumed = world
        .admin
        .verb(&format!("{subscription}/resume"))
        .await
        .expect(200);
    assert_eq!(text(&resumed, "state"), "active");
    settles_at(&gateway, "/club/v1/pets", 200).await;

    let other = world.publish("other-club", json!({"approval": "manual"})).await;
    settles(&gateway, "/other-club/v1/pets", |reply| {
        code(reply) == "subscription_missing"
    })
    .await
    .expect(403);
    world.subscribe(&consumer.application, &other.plan).await;
    settles(&gateway, "/other-club/v1/pets", |reply| {
        code(reply) == "subscription_pending"
    })
    .await
    .expect(403);

    let application = format!("/applications/{}", consumer.application);
    world
        .admin
        .verb(&format!("{application}/suspend"))
        .await
        .expect(200);
    let refused = settles(&gateway, "/club/v1/pets", |reply| reply.status != 200).await;
    assert!(matches!(refused.status, 401 | 403), "{refused}");
    world
        .admin
        .verb(&format!("{application}/activate"))
        .await
        .expect(200);
    settles_at(&gateway, "/club/v1/pets", 200).await;
}

#[tokio::test]
async fn a_rejected_subscription_opens_nothing_and_the_reason_is_kept() {
    let world = shared().await;
    let published = world.publish("picky", json!({"approval": "manual"})).await;
    let application = world.application("Hopeful", "test").await;
    let subscription = world.subscribe(&application, &published.plan).await;
    let id = text(&subscription, "id");
    let approval = world.approval_of(id).await;
    let silent = world.admin.verb(&format!("/approvals/{approval}/reject")).await;
    assert_eq!(silent.status, 422, "a rejection needs a comment: {silent}");
    let body = json!({"comment": "not this year"});
    let rejected = world
        .admin
        .post(&format!("/approvals/{approval}/reject"), &body)
        .await
        .expect(200);
    assert_eq!(text(&rejected, "state"), "rejected");
    assert!(rejected.to_string().contains("not this year"), "{rejected}");
    let subscription = world.admin.get(&format!("/subscriptions/{id}")).await.expect(200);
    assert_eq!(text(&subscription, "state"), "rejected");
    let (_, secret) = world.credential(&application).await;
    assert!(secret.starts_with("gw_test_"), "{secret}");
    let gateway = world.gateway().with("x-api-key", &secret);
    settles(&gateway, "/picky/v1/pets", |reply| {
        code(reply) == "subscription_missing"
    })
    .await
    .expect(403);
}

#[tokio::test]
async fn a_blocked_version_says_so_and_comes_back() {
    let world = shared().await;
    let published = world.publish("fragile", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let body = json!({"reason": "data loss in the upstream"});
    let blocked = world
        .admin
        .post("/apis/fragile/versions/v1/block", &body)
        .await
        .expect(200);
    assert_eq!(text(&blocked, "state"), "blocked");
    settles_at(&gateway, "/fragile/v1/pets", 503)
        .await
        .expect_problem(503, "version_blocked");
    world
        .admin
        .verb("/apis/fragile/versions/v1/unblock")
        .await
        .expect(200);
    settles_at(&gateway, "/fragile/v1/pets", 200).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let world = shared().await;
    let published = world.publish("heavy", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret).json();
    let body = vec![b' '; 11 * 1024 * 1024];
    let before = world.echo.received_with("/pets?heavy").len();
    match gateway.attempt(Method::POST, "/heavy/v1/pets?heavy", body).await {
        Ok(reply) => assert_eq!(reply.status, 413, "{reply}"),
        Err(closed) => panic!(
            "the refusal must arrive although the body was not read: {}",
            closed.0
        ),
    }
    assert_eq!(world.echo.received_with("/pets?heavy").len(), before);
}

#[tokio::test]
async fn rates_refuse_with_the_time_to_wait() {
    let world = shared().await;
    let limits = json!([limit("rate", "burst", 5, "1h")]);
    let published = world.publish("quick", json!({"limits": limits})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for left in (0..5).rev() {
        let reply = gateway.get("/quick/v1/pets").await;
        reply.expect(200);
        assert!(
            reply
                .must_have("ratelimit-policy")
                .contains(r#""burst";q=5;w=3600"#),
            "{reply}"
        );
        assert!(
            reply
                .must_have("ratelimit")
                .contains(&format!(r#""burst";r={left}"#)),
            "{reply}"
        );
    }
    let refused = gateway.get("/quick/v1/pets").await;
    refused.expect_problem(429, "rate_limited");
    let wait: u64 = refused.must_have("retry-after").parse().unwrap();
    assert!((1..=3_600).contains(&wait), "{refused}");
}

/// How long a brief key lives: long enough to be seen working at every node first.
const BRIEF: Duration = Duration::from_secs(20);

both_stores!(a_scheduled_key_waits_and_an_expired_one_is_over);

async fn a_scheduled_key_waits_and_an_expired_one_is_over(world: World) {
    let published = world.publish("timed", json!({})).await;
    let consumer = world.consumer(&published).await;
    let path = format!("/applications/{}/credentials", consumer.application);
    let later = json!({"kind": "api_key", "name": "later", "not_before": crate::world::days_from_now(1)});
    let later = world.admin.post(&path, &later).await.expect(201);
    assert_eq!(text(&later, "state"), "scheduled");
    let expires = now_ms() + i64::try_from(BRIEF.as_millis()).unwrap();
    let soon = jiff::Timestamp::from_millisecond(expires).unwrap().to_string();
    let brief = json!({"kind": "api_key", "name": "brief", "expires_at": soon});
    let brief = world.admin.post(&path, &brief).await.expect(201);
    let gateway = world.gateway();
    gateway
        .with("x-api-key", text(&later, "secret"))
        .get("/timed/v1/pets")
        .await
        .expect_problem(401, "key_invalid");
    let brief = gateway.with("x-api-key", text(&brief, "secret"));
    settles_at(&brief, "/timed/v1/pets", 200).await;
    let left = u64::try_from(expires - now_ms()).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(left.saturating_sub(1_000))).await;
    settles_within(BRIEF + SOON, &brief, "/timed/v1/pets", |reply| {
        reply.status == 401
    })
    .await
    .expect_problem(401, "key_invalid");
    assert!(now_ms() >= expires, "no key ends before its time");
}

fn now_ms() -> i64 {
    std::time::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis()
        .try_into()
        .unwrap()
}
