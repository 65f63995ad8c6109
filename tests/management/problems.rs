//! Refusals of the management API are as exact as those of the gateway.

use gatewright_testkit::http::{Client, text};
use http::Method;
use serde_json::{Value, json};

use crate::documents;
use crate::world::{World, shared};

#[tokio::test]
async fn a_request_without_a_valid_token_learns_nothing() {
    let world = shared().await;
    let anonymous = world.server.management();
    for client in [
        anonymous.clone(),
        anonymous.bearer("gwm_nonsense"),
        anonymous.bearer("gw_live_x"),
    ] {
        for path in ["/apis", "/apis/no-such-api", "/audit-events"] {
            let refused = client.get(path).await;
            assert_eq!(refused.status, 401, "{refused}");
            assert!(
                refused
                    .must_have("content-type")
                    .starts_with("application/problem+json")
            );
            assert!(!refused.must_have("www-authenticate").is_empty());
        }
    }
}

#[tokio::test]
async fn a_place_that_two_want_at_the_same_time_goes_to_one_and_names_it_to_the_other() {
    for world in [Some(World::embedded()), World::cluster()].into_iter().flatten() {
        for round in 0..6 {
            let slug = format!("wanted-{round}");
            let body = json!({"name": "Wanted", "slug": slug});
            let document =
                json!({"document": documents::pets(), "slug": slug, "context_path": format!("/{slug}")});
            for (path, body) in [
                ("/teams", &body),
                ("/applications", &body),
                ("/apis/import", &document),
            ] {
                let asked = (0..6).map(|_| world.admin.post(path, body));
                let answers = futures_util::future::join_all(asked).await;
                let (made, refused): (Vec<_>, Vec<_>) =
                    answers.iter().partition(|answer| answer.status == 201);
                assert_eq!(made.len(), 1, "{path}");
                let made = made[0].json();
                let id = made.get("id").unwrap_or_else(|| &made["api"]["id"]);
                for refusal in refused {
                    // An API has two places: which one is seen first depends on who came when.
                    let code = match refusal.json()["code"].as_str() {
                        Some("context_path_taken") => "context_path_taken",
                        _ => "slug_taken",
                    };
                    let problem = refusal.expect_problem(409, code);
                    assert_eq!(&problem["existing"], id, "{path}: {problem}");
                }
            }
        }
    }
}

#[tokio::test]
async fn its_openapi_document_needs_no_token_and_covers_the_contract() {
    let world = shared().await;
    let document = world.server.management().get("/openapi.json").await.expect(200);
    assert!(
        text(&document, "openapi").starts_with("3.1"),
        "{}",
        document["openapi"]
    );
    let paths = document["paths"].as_object().unwrap();
    let known: Vec<String> = paths
        .keys()
        .map(|path| path.trim_start_matches("/api/v1").to_owned())
        .collect();
    for needed in [
        "/apis",
        "/apis/import",
        "/applications",
        "/approvals",
        "/usage",
        "/calls",
        "/audit-events",
        "/nodes",
        "/snapshots",
    ] {
        assert!(known.iter().any(|path| path == needed), "{needed} in {known:?}");
    }
    for verb in [
        "submit",
        "withdraw",
        "preview",
        "publish",
        "block",
        "unblock",
        "deprecate",
        "undeprecate",
        "retire",
        "unretire",
        "archive",
    ] {
        let end = format!("/{verb}");
        assert!(
            known
                .iter()
                .any(|path| path.contains("/versions/") && path.ends_with(&end)),
            "{verb} in {known:?}"
        );
    }
    let mut ids = Vec::new();
    for operation in paths.values().flat_map(|item| item.as_object().unwrap().values()) {
        ids.extend(operation["operationId"].as_str());
    }
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "operation ids are unique");
}

#[tokio::test]
async fn malformed_json_and_bad_fields_are_different_things() {
    let world = shared().await;
    let malformed = world
        .admin
        .json()
        .send(Method::POST, "/apis", "{\"name\": ")
        .await;
    assert_eq!(malformed.status, 400, "{malformed}");
    let bad = json!({"name": "X", "slug": "Not A Slug", "context_path": "no-slash", "kind": "rest", "visibility": "public"});
    let refused = world.admin.post("/apis", &bad).await.expect(422);
    let pointers: Vec<&str> = refused["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| text(error, "pointer"))
        .collect();
    assert!(pointers.contains(&"/slug"), "{refused}");
    assert!(
        refused["errors"][0]["message"].is_string() && refused["errors"][0]["code"].is_string(),
        "{refused}"
    );
    let missing = world
        .admin
        .post("/apis", &json!({"slug": "nameless"}))
        .await
        .expect(422);
    assert!(missing["errors"].to_string().contains("name"), "{missing}");
    let unknown = json!({"name": "X", "slug": "extra", "context_path": "/extra", "kind": "rest", "visibility": "public", "tenant_id": "ten_x"});
    let refused = world.admin.post("/apis", &unknown).await;
    assert_eq!(refused.status, 422, "unknown fields are not swallowed: {refused}");
    world.admin.get("/apis/extra").await.expect(404);
}

#[tokio::test]
async fn a_created_object_is_found_at_its_location_by_id_and_by_slug() {
    let world = shared().await;
    let body = json!({"name": "Located", "slug": "located", "context_path": "/located", "kind": "rest", "visibility": "public"});
    let reply = world.admin.post("/apis", &body).await;
    let created = reply.expect(201);
    let location = reply.must_have("location");
    let path = location.split_once("/api/v1").map_or(location, |(_, rest)| rest);
    for path in [path, "/apis/located", &format!("/apis/{}", text(&created, "id"))] {
        let shown = world.admin.get(path).await.expect(200);
        assert_eq!(shown["id"], created["id"], "{path}");
    }
    assert!(text(&created, "created_at").ends_with('Z'), "{created}");
    let again = world.admin.post("/apis", &body).await.expect(409);
    assert!(
        again["existing"].to_string().contains(text(&created, "id")),
        "{again}"
    );
    let same_place = json!({"name": "Other", "slug": "other-place", "context_path": "/located", "kind": "rest", "visibility": "public"});
    world.admin.post("/apis", &same_place).await.expect(409);
    for reserved in ["/ai", "/mcp", "/t", "/.well-known"] {
        let body = json!({"name": "R", "slug": "reserved", "context_path": reserved, "kind": "rest", "visibility": "public"});
        let refused = world.admin.post("/apis", &body).await;
        assert_eq!(refused.status, 422, "{reserved}: {refused}");
    }
}

#[tokio::test]
async fn unknown_things_are_not_found() {
    let world = shared().await;
    let nothing = "00000000000000000000000000";
    let paths = [
        "/apis/never-made".to_owned(),
        format!("/apis/api_{nothing}"),
        format!("/plans/plan_{nothing}"),
        format!("/applications/app_{nothing}"),
        format!("/subscriptions/sub_{nothing}"),
        format!("/credentials/key_{nothing}"),
        format!("/approvals/apr_{nothing}"),
        format!("/calls/call_{nothing}"),
        "/no-such-collection".to_owned(),
    ];
    for path in paths {
        let reply = world.admin.get(&path).await;
        assert_eq!(reply.status, 404, "{reply}");
        assert!(
            reply
                .must_have("content-type")
                .starts_with("application/problem+json"),
            "{reply}"
        );
    }
    let wrong_kind = world.admin.get(&format!("/apis/plan_{nothing}")).await;
    assert_eq!(wrong_kind.status, 404, "{wrong_kind}");
    world.admin.send(Method::DELETE, "/usage", "").await.expect(405);
}

#[tokio::test]
async fn a_stale_change_is_refused_when_the_client_asks_for_it() {
    let world = shared().await;
    world.import("tagged").await;
    let shown = world.admin.get("/apis/tagged").await;
    let tag = shown.must_have("etag").to_owned();
    let change = |name: &str| json!({"name": name}).to_string();
    let patch = async |client: &Client, name: &str| {
        client
            .json()
            .send(Method::PATCH, "/apis/tagged", change(name))
            .await
    };
    let renamed: Value = patch(&world.admin.with("if-match", &tag), "First")
        .await
        .expect(200);
    assert_eq!(text(&renamed, "name"), "First");
    let stale = patch(&world.admin.with("if-match", &tag), "Second").await;
    assert_eq!(stale.status, 412, "{stale}");
    let shown = world.admin.get("/apis/tagged").await.expect(200);
    assert_eq!(text(&shown, "name"), "First");
    patch(&world.admin, "Third").await.expect(200);
}
