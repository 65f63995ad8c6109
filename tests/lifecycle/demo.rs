//! The sample shop.

use gatewright_testkit::http::text;
use gatewright_testkit::server::Setup;
use serde_json::json;

use crate::world::{World, items, settles_at};

#[tokio::test]
async fn the_demo_is_a_shop_that_can_be_called() {
    let setup = Setup::embedded().demo();
    let world = World::from_server(setup.start());
    let apis = items(&world.admin.get("/apis").await.expect(200));
    let find = |slug: &str| apis.iter().find(|api| text(api, "slug") == slug).cloned();
    let catalog = find("catalog").unwrap_or_else(|| panic!("no catalog in {apis:?}"));
    assert!(find("orders").is_some(), "{apis:?}");
    let old = world.admin.get("/apis/catalog/versions/v1").await.expect(200);
    assert_eq!(text(&old, "state"), "deprecated");
    let open = world.admin.get("/approvals?state=open").await.expect(200);
    assert_eq!(items(&open).len(), 1, "{open}");

    let plans = items(
        &world
            .admin
            .get(&format!("/apis/{}/plans", text(&catalog, "id")))
            .await
            .expect(200),
    );
    let free = plans.iter().find(|plan| text(plan, "slug") == "free").unwrap();
    let application = world.application("Visitor", "test").await;
    let subscription = world.subscribe(&application, text(free, "id")).await;
    assert_eq!(text(&subscription, "state"), "active");
    let (_, secret) = world.credential(&application).await;
    let gateway = world.gateway().with("x-api-key", &secret);
    let products = settles_at(&gateway, "/catalog/v2/products", 200).await.json();
    assert!(products.to_string().contains("Lantern"), "{products}");
}

#[tokio::test]
async fn what_users_made_stays_when_the_samples_go() {
    let setup = Setup::embedded().demo();
    let world = World::from_server(setup.start());
    world
        .admin
        .post(
            "/applications",
            &json!({"name": "Mine", "slug": "mine", "environment": "live"}),
        )
        .await
        .expect(201);
    world.import("own-api").await;
    world.server.stop();
    let removed = setup.command(&["demo", "--remove"]);
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    let server = setup.clone().serve().start();
    let admin = server.management().bearer(&setup.token());
    admin.get("/apis/own-api").await.expect(200);
    admin.get("/applications/mine").await.expect(200);
    admin.get("/apis/catalog").await.expect(404);
}
