//! Lifecycle fields and what a deprecated version still allows.

use gatewright_testkit::http::text;
use serde_json::{Value, json};

use crate::documents;
use crate::world::{days_from_now, settles, settles_at, shared};

/// A time of an object as header fields write it.
fn http_date(object: &Value, member: &str) -> String {
    let time: jiff::Timestamp = text(object, member).parse().unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[tokio::test]
async fn a_deprecated_version_serves_old_subscriptions_and_takes_no_new_ones() {
    let world = shared().await;
    let published = world.publish("ageing", json!({})).await;
    let consumer = world.consumer(&published).await;
    let body = json!({"label": "v2", "document": documents::pets()});
    world.admin.post("/apis/ageing/versions", &body).await.expect(201);
    let upstream = json!({"targets": [{"url": world.echo.url()}]});
    world
        .admin
        .put("/apis/ageing/versions/v2/upstream", &upstream)
        .await
        .expect(200);
    world
        .admin
        .verb("/apis/ageing/versions/v2/publish")
        .await
        .expect(200);
    let body = json!({"sunset_at": days_from_now(200), "successor": "v2"});
    world
        .admin
        .post("/apis/ageing/versions/v1/deprecate", &body)
        .await
        .expect(200);
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles(&gateway, "/ageing/v1/pets", |reply| {
        reply.status == 200 && reply.header("sunset").is_some()
    })
    .await;
    let fresh = gateway.get("/ageing/v2/pets").await;
    fresh.expect(200);
    assert!(fresh.header("deprecation").is_none(), "{fresh}");

    let late = world.consumer_of(&published, "v2").await;
    let gateway = world.gateway().with("x-api-key", &late);
    gateway.get("/ageing/v2/pets").await.expect(200);
    gateway
        .get("/ageing/v1/pets")
        .await
        .expect_problem(403, "subscription_missing");

    let back = world
        .admin
        .verb("/apis/ageing/versions/v1/undeprecate")
        .await
        .expect(200);
    assert_eq!(text(&back, "state"), "published");
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles(&gateway, "/ageing/v1/pets", |reply| {
        reply.header("deprecation").is_none()
    })
    .await
    .expect(200);
}

#[tokio::test]
async fn a_retired_version_comes_back_when_it_is_unretired() {
    let world = shared().await;
    let published = world.publish("phoenix", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let sunset = json!({"sunset_at": days_from_now(200), "message": "Nothing replaces it."});
    world
        .admin
        .post("/apis/phoenix/versions/v1/deprecate", &sunset)
        .await
        .expect(200);
    let retired = world
        .admin
        .verb("/apis/phoenix/versions/v1/retire")
        .await
        .expect(200);
    let gone = settles_at(&gateway, "/phoenix/v1/pets", 410).await;
    gone.expect_problem(410, "version_retired");
    // It ended before its time: what was planned holds no more.
    assert_eq!(gone.must_have("sunset"), http_date(&retired, "retired_at"));
    let body = json!({"sunset_at": days_from_now(300)});
    let back = world
        .admin
        .post("/apis/phoenix/versions/v1/unretire", &body)
        .await
        .expect(200);
    assert_eq!(text(&back, "state"), "deprecated");
    settles(&gateway, "/phoenix/v1/pets", |reply| reply.status != 410).await;
}
