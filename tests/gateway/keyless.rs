//! Plans without a key.

use serde_json::json;

use crate::world::{decided, limit, settles_at, shared};

#[tokio::test]
async fn a_keyless_plan_needs_no_key_and_still_limits() {
    let world = shared().await;
    let mut per_address = limit("quota", "daily", 3, "1mo");
    per_address["partition"] = json!("ip");
    let details = json!({"security": "keyless", "limits": [per_address]});
    world.publish("open", details).await;
    let gateway = world.gateway();
    let reply = settles_at(&gateway, "/open/v1/pets", 200).await;
    let seen = reply.json();
    assert!(seen["headers"].get("x-consumer-id").is_none(), "{seen}");
    for _ in 0..2 {
        decided(&gateway, "/open/v1/pets").await.expect(200);
    }
    decided(&gateway, "/open/v1/pets")
        .await
        .expect_problem(429, "quota_exceeded");
}
