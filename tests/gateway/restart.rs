//! What a restart must not forget.

use gatewright_testkit::http::text;
use serde_json::json;

use crate::world::{World, code, decided, limit, settles, settles_at};

both_stores!(a_restart_remembers_keys_revocations_and_quotas);

async fn a_restart_remembers_keys_revocations_and_quotas(world: World) {
    let limits = json!([limit("quota", "monthly", 10, "1mo")]);
    let published = world.publish("memory", json!({"limits": limits})).await;
    let consumer = world.consumer(&published).await;
    // A key of somebody else: what is called to see it end is not of the quota that is counted.
    let other = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for _ in 0..5 {
        decided(&gateway, "/memory/v1/pets").await.expect(200);
    }
    let with_lost = world.gateway().with("x-api-key", &other.secret);
    settles_at(&with_lost, "/memory/v1/pets", 200).await;
    let revoked = world
        .admin
        .verb(&format!("/credentials/{}/revoke", other.credential))
        .await
        .expect(200);
    assert_eq!(text(&revoked, "state"), "revoked");
    // What a node was never told it cannot remember.
    settles_at(&with_lost, "/memory/v1/pets", 401).await;

    let world = world.restart();
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    world
        .gateway()
        .with("x-api-key", &other.secret)
        .get("/memory/v1/pets")
        .await
        .expect_problem(401, "key_invalid");
    let mut admitted = 0;
    for _ in 0..10 {
        let reply = decided(&gateway, "/memory/v1/pets").await;
        match reply.status {
            200 => admitted += 1,
            _ => assert_eq!(code(&reply), "quota_exceeded", "{reply}"),
        }
    }
    assert_eq!(admitted, 5, "five of ten were used before");
    settles(&gateway, "/memory/v1/pets", |reply| {
        code(reply) == "quota_exceeded"
    })
    .await
    .expect(429);
}
