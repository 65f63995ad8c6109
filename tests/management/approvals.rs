//! Requests that somebody has to decide.

use gatewright_testkit::http::text;
use serde_json::json;

use crate::world::{World, all_items, items, shared};

#[tokio::test]
async fn an_approval_is_decided_once() {
    let world = shared().await;
    let published = world.publish("decided", json!({"approval": "manual"})).await;
    let application = world.application("Asker", "live").await;
    let subscription = world.subscribe(&application, &published.plan).await;
    let approval = world.approval_of(text(&subscription, "id")).await;
    world
        .admin
        .verb(&format!("/approvals/{approval}/approve"))
        .await
        .expect(200);
    let again = world
        .admin
        .verb(&format!("/approvals/{approval}/approve"))
        .await
        .expect(409);
    assert_eq!(text(&again, "state"), "approved", "{again}");
    assert_eq!(again["allowed"], json!([]), "{again}");
    let shown = world
        .admin
        .get(&format!("/approvals/{approval}"))
        .await
        .expect(200);
    assert_eq!(text(&shown, "state"), "approved");
}

#[tokio::test]
async fn a_withdrawn_request_leaves_the_list_of_open_ones() {
    let world = shared().await;
    let published = world.publish("withdrawn", json!({"approval": "manual"})).await;
    let application = world.application("Doubter", "live").await;
    let subscription = world.subscribe(&application, &published.plan).await;
    let id = text(&subscription, "id");
    let approval = world.approval_of(id).await;
    let withdrawn = world
        .admin
        .verb(&format!("/subscriptions/{id}/withdraw"))
        .await
        .expect(200);
    assert_eq!(text(&withdrawn, "state"), "withdrawn");
    let open = all_items(&world.admin, "/approvals?state=open").await;
    assert!(open.iter().all(|other| text(other, "id") != approval), "{open:?}");
    let late = world
        .admin
        .verb(&format!("/approvals/{approval}/approve"))
        .await
        .expect(409);
    assert_eq!(text(&late, "state"), "cancelled", "{late}");
}

both_stores!(a_second_request_for_the_same_plan_is_a_duplicate);

async fn a_second_request_for_the_same_plan_is_a_duplicate(world: World) {
    let published = world.publish("once", json!({"approval": "manual"})).await;
    let application = world.application("Eager", "live").await;
    let first = world.subscribe(&application, &published.plan).await;
    let path = format!("/applications/{application}/subscriptions");
    let second = world
        .admin
        .post(&path, &json!({"plan_id": published.plan}))
        .await
        .expect(409);
    assert!(
        second["existing"].to_string().contains(text(&first, "id")),
        "{second}"
    );
    let all = world.admin.get(&path).await.expect(200);
    assert_eq!(items(&all).len(), 1, "{all}");
}
