//! Limits of plans, as consumers meet them.

use gatewright_testkit::http::text;
use serde_json::json;

use crate::world::{decided, limit, shared};

#[tokio::test]
async fn a_quota_belongs_to_the_subscription_and_not_to_the_key() {
    let world = shared().await;
    let limits = json!([limit("quota", "monthly", 4, "1mo")]);
    let published = world.publish("metered", json!({"limits": limits})).await;
    let first = world.consumer(&published).await;
    let second = world.consumer(&published).await;
    let (_, twin) = world.credential(&first.application).await;
    let call = async |secret: &str| {
        let gateway = world.gateway().with("x-api-key", secret);
        decided(&gateway, "/metered/v1/pets").await
    };
    for secret in [&first.secret, &first.secret] {
        call(secret).await.expect(200);
    }
    let twin_gateway = world.gateway().with("x-api-key", &twin);
    crate::world::settles_at(&twin_gateway, "/metered/v1/pets", 200).await;
    call(&twin).await.expect(200);
    call(&twin).await.expect_problem(429, "quota_exceeded");
    call(&first.secret).await.expect_problem(429, "quota_exceeded");
    call(&second.secret).await.expect(200);
}

#[tokio::test]
async fn the_tightest_of_several_limits_decides_and_all_are_announced() {
    let world = shared().await;
    let limits = json!([
        limit("quota", "monthly", 100, "1mo"),
        limit("rate", "hour", 2, "1h")
    ]);
    let published = world.publish("layered", json!({"limits": limits})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for _ in 0..2 {
        let reply = decided(&gateway, "/layered/v1/pets").await;
        reply.expect(200);
        let policy = reply.must_have("ratelimit-policy");
        assert!(
            policy.contains(r#""monthly";q=100"#) && policy.contains(r#""hour";q=2;w=3600"#),
            "{policy}"
        );
    }
    let problem = decided(&gateway, "/layered/v1/pets")
        .await
        .expect_problem(429, "rate_limited");
    assert!(problem["limit"].to_string().contains("hour"), "{problem}");
}

#[tokio::test]
async fn calls_that_are_refused_before_do_not_count() {
    let world = shared().await;
    let limits = json!([limit("quota", "monthly", 2, "1mo")]);
    let published = world.publish("fair", json!({"limits": limits})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for _ in 0..5 {
        gateway
            .get("/fair/v1/no-such-thing")
            .await
            .expect_problem(404, "no_operation");
    }
    for _ in 0..2 {
        decided(&gateway, "/fair/v1/pets").await.expect(200);
    }
    decided(&gateway, "/fair/v1/pets")
        .await
        .expect_problem(429, "quota_exceeded");
}

#[tokio::test]
async fn a_limit_is_checked_when_it_is_made() {
    let world = shared().await;
    let imported = world.import("strict-limits").await;
    let api = text(&imported["api"], "id");
    let wrong = [
        (
            json!({"kind": "rate", "unit": "requests", "amount": 0, "window": "1m"}),
            "/amount",
        ),
        (
            json!({"kind": "rate", "unit": "requests", "amount": 5, "window": "soon"}),
            "/window",
        ),
        (
            json!({"kind": "quota", "unit": "requests", "amount": 5, "window": "1d", "zone": "Mars/Base"}),
            "/zone",
        ),
        (
            json!({"kind": "magic", "unit": "requests", "amount": 5, "window": "1d"}),
            "/kind",
        ),
    ];
    for (limit, field) in wrong {
        let plan =
            json!({"name": "P", "slug": "p", "security": "api_key", "approval": "auto", "limits": [limit]});
        let refused = world
            .admin
            .post(&format!("/apis/{api}/plans"), &plan)
            .await
            .expect(422);
        assert_eq!(
            refused["errors"][0]["pointer"],
            format!("/limits/0{field}"),
            "{refused}"
        );
    }
    let plans = world.admin.get(&format!("/apis/{api}/plans")).await.expect(200);
    assert_eq!(plans["items"], json!([]), "nothing was made");
}
