//! Lists come in pages that neither lose nor repeat anything.

use std::collections::BTreeSet;

use gatewright_testkit::http::text;
use serde_json::json;

use crate::world::{World, all_items};

both_stores!(pages_are_complete_while_things_are_added);

async fn pages_are_complete_while_things_are_added(world: World) {
    for number in 0..7 {
        let body =
            json!({"name": format!("App {number}"), "slug": format!("app-{number}"), "environment": "test"});
        world.admin.post("/applications", &body).await.expect(201);
    }
    let first = world.admin.get("/applications?limit=3").await.expect(200);
    assert_eq!(first["items"].as_array().map(Vec::len), Some(3), "{first}");
    assert!(first["next_cursor"].is_string(), "{first}");
    let all = all_items(&world.admin, "/applications?limit=3").await;
    let slugs: BTreeSet<&str> = all.iter().map(|item| text(item, "slug")).collect();
    assert_eq!((all.len(), slugs.len()), (7, 7), "{slugs:?}");
    let last = world.admin.get("/applications?limit=100").await.expect(200);
    assert!(last["next_cursor"].is_null(), "{last}");
    for wrong in ["limit=0", "limit=many", "cursor=forged"] {
        let reply = world.admin.get(&format!("/applications?{wrong}")).await;
        assert!(matches!(reply.status, 400 | 422), "{wrong}: {reply}");
    }
}
