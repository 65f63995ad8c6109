//! Management tokens and their scopes.

use gatewright_testkit::http::text;
use gatewright_testkit::server::ADMIN_EMAIL;
use serde_json::json;

use crate::world::{World, shared};

#[tokio::test]
async fn a_token_is_printed_alone_and_opens_no_more_than_its_scope() {
    let world = shared().await;
    let setup = world.server.setup();
    let whole = setup.command(&["token", "create", "--user", ADMIN_EMAIL, "--name", "whole"]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let token = whole.stdout.trim();
    assert!(
        token.starts_with("gwm_") && token.len() == 42 && whole.stdout.lines().count() == 1,
        "{}",
        whole.stdout
    );

    let scopes = world
        .server
        .management()
        .bearer(token)
        .get("/openapi.json")
        .await
        .expect(200);
    assert!(
        scopes["components"]["securitySchemes"].is_object(),
        "the document names its security"
    );
    let narrow = setup.command(&[
        "token",
        "create",
        "--user",
        ADMIN_EMAIL,
        "--name",
        "narrow",
        "--scope",
        "apis:read",
    ]);
    assert_eq!(narrow.code, 0, "{}", narrow.stderr);
    let narrow = world.server.management().bearer(narrow.stdout.trim());
    narrow.get("/apis").await.expect(200);
    let refused = narrow
        .post("/applications", &json!({"name": "X", "environment": "live"}))
        .await;
    assert_eq!(refused.status, 403, "{refused}");
    assert!(
        refused
            .must_have("content-type")
            .starts_with("application/problem+json")
    );
}

#[tokio::test]
async fn tokens_are_made_for_people_and_scopes_that_exist() {
    let setup = shared().await.server.setup();
    let unknown = setup.command(&[
        "token",
        "create",
        "--user",
        ADMIN_EMAIL,
        "--name",
        "odd",
        "--scope",
        "no:such",
    ]);
    assert_eq!(unknown.code, 64, "{}", unknown.stderr);
    let nobody = setup.command(&["token", "create", "--user", "nobody@example.com", "--name", "x"]);
    assert_ne!(nobody.code, 0);
    assert!(
        nobody.stdout.trim().is_empty() && nobody.stderr.contains("nobody@example.com"),
        "{}",
        nobody.stderr
    );
}

both_stores!(a_revoked_token_is_refused);

async fn a_revoked_token_is_refused(world: World) {
    let made = world
        .admin
        .post("/tokens", &json!({"name": "ci"}))
        .await
        .expect(201);
    let ci = world.server.management().bearer(text(&made, "secret"));
    ci.get("/apis").await.expect(200);
    let path = format!("/tokens/{}", text(&made, "id"));
    let shown = world.admin.get(&path).await.expect(200);
    assert!(!shown.to_string().contains(text(&made, "secret")), "{shown}");
    world.admin.verb(&format!("{path}/revoke")).await.expect(200);
    assert_eq!(ci.get("/apis").await.status, 401);
}
