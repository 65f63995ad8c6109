//! A repeated POST with the same key happens once.

use gatewright_testkit::http::text;
use serde_json::json;

use crate::world::{World, items};

both_stores!(a_repeated_post_happens_once);

async fn a_repeated_post_happens_once(world: World) {
    let client = world.admin.with("idempotency-key", "order-4711");
    let body = json!({"name": "Once", "slug": "once", "environment": "live"});
    let first = client.post("/applications", &body).await.expect(201);
    let replay = client.post("/applications", &body).await;
    assert_eq!(replay.expect(201)["id"], first["id"]);
    assert_eq!(replay.must_have("idempotent-replayed"), "true");
    let other = json!({"name": "Twice", "slug": "twice", "environment": "live"});
    let reused = client.post("/applications", &other).await;
    assert_eq!(reused.status, 422, "a key belongs to one body: {reused}");
    let all = items(&world.admin.get("/applications").await.expect(200));
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(text(&all[0], "slug"), "once");
}
