//! Rules of the business that several objects share.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Fixture, document};

/// A published API with one published plan; the id of the plan.
async fn published(api: &Fixture, approval: &str) -> String {
    api.import("shop").await;
    let plan = json!({"name": "p", "slug": "p", "approval": approval});
    let plan = api
        .post("/apis/shop/plans", plan)
        .await
        .expect(StatusCode::CREATED);
    let id = plan["id"].as_str().unwrap().to_owned();
    api.verb(&format!("/plans/{id}/publish"))
        .await
        .expect(StatusCode::OK);
    api.verb("/apis/shop/versions/v1/publish")
        .await
        .expect(StatusCode::OK);
    id
}

async fn subscribed(api: &Fixture, plan: &str) -> String {
    api.post("/applications", json!({"name": "App"}))
        .await
        .expect(StatusCode::CREATED);
    let asked = api
        .post("/applications/app/subscriptions", json!({"plan_id": plan}))
        .await;
    let asked = asked.expect(StatusCode::CREATED);
    asked["id"].as_str().unwrap().to_owned()
}

fn pointer(body: &Value) -> &str {
    body["errors"][0]["pointer"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_tag_stops_every_change() {
    let api = Fixture::new().await;
    let plan = published(&api, "manual").await;
    subscribed(&api, &plan).await;
    let key = api
        .post("/applications/app/credentials", json!({"kind": "api_key"}))
        .await
        .expect(StatusCode::CREATED);
    let key = format!("/credentials/{}", key["id"].as_str().unwrap());
    let waiting = api.get("/approvals").await.json();
    let waiting = format!("/approvals/{}", waiting["items"][0]["id"].as_str().unwrap());
    api.post("/teams", json!({"name": "Blue", "slug": "blue"}))
        .await
        .expect(StatusCode::CREATED);
    api.post("/tenants", json!({"name": "Acme", "slug": "acme"}))
        .await
        .expect(StatusCode::CREATED);
    let changes = [
        (Method::DELETE, "/apis/shop".to_owned(), None),
        (Method::DELETE, format!("/plans/{plan}"), None),
        (Method::POST, format!("{key}/rotate"), Some(json!({}))),
        (Method::POST, format!("{key}/revoke"), Some(json!({}))),
        (Method::POST, format!("{key}/disable"), None),
        (Method::POST, format!("{key}/enable"), None),
        (Method::POST, format!("{waiting}/approve"), Some(json!({}))),
        (
            Method::POST,
            format!("{waiting}/reject"),
            Some(json!({"comment": "no"})),
        ),
        (Method::POST, "/teams/blue/suspend".to_owned(), None),
        (Method::POST, "/teams/blue/activate".to_owned(), None),
        (Method::POST, "/tenants/acme/suspend".to_owned(), None),
        (Method::POST, "/tenants/acme/activate".to_owned(), None),
    ];
    for (method, path, body) in changes {
        let stale = [("if-match", "\"99\"")];
        let reply = api.call(&api.admin, method, &path, &stale, body).await;
        assert_eq!(reply.refusal(), (412, "precondition_failed".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_comes_back_asks_again() {
    for (approval, expected) in [("auto", "active"), ("manual", "pending")] {
        let api = Fixture::new().await;
        let plan = published(&api, approval).await;
        let subscription = format!("/subscriptions/{}", subscribed(&api, &plan).await);
        if approval == "manual" {
            let paused = api.verb(&format!("{subscription}/pause")).await;
            assert_eq!(paused.refusal(), (409, "illegal_transition".to_owned()));
            let waiting = api.get("/approvals?state=open").await.json();
            let id = waiting["items"][0]["id"].as_str().unwrap().to_owned();
            api.post(&format!("/approvals/{id}/approve"), json!({}))
                .await
                .expect(StatusCode::OK);
        }
        api.verb("/applications/app/archive").await.expect(StatusCode::OK);
        assert_eq!(api.get(&subscription).await.json()["state"], "closed");
        let ended = api.verb(&format!("{subscription}/pause")).await.json();
        assert_eq!(
            (&ended["state"], &ended["allowed"]),
            (&json!("closed"), &json!([]))
        );
        api.verb("/applications/app/activate")
            .await
            .expect(StatusCode::OK);
        assert_eq!(api.get(&subscription).await.json()["state"], expected);
        let waiting = api.get("/approvals?state=open").await.json();
        let open = usize::from(approval == "manual");
        assert_eq!(waiting["items"].as_array().unwrap().len(), open);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_names_nothing_is_told_at_its_place() {
    let api = Fixture::new().await;
    api.import("shop").await;
    let keyless = json!({"name": "k", "slug": "k", "security": "keyless",
        "limits": [{"kind": "quota", "amount": 1, "window": "1d", "partition": "application"}]});
    let private = json!({"document": document("x"), "upstream_url": "ftp://example.com/"});
    let cases = [
        ("/applications", json!({"name": "a", "team": "none"}), "/team"),
        (
            "/apis/shop/versions",
            json!({"label": "v2", "copy_from": "v9"}),
            "/copy_from",
        ),
        (
            "/members",
            json!({"user": "a@example.com", "role": "developer"}),
            "/user",
        ),
        ("/apis/shop/plans", keyless, "/limits/0/partition"),
        ("/apis/import", private, "/upstream_url"),
    ];
    for (path, body, expected) in cases {
        let reply = api.post(path, body).await;
        assert_eq!(reply.refusal().0, 422, "{path}");
        assert_eq!(pointer(&reply.json()), expected, "{path}");
    }
    let long = api
        .post(
            "/apis/import",
            json!({"document": document(&"t".repeat(200)), "slug": "long"}),
        )
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(long["api"]["name"].as_str().unwrap().len(), 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_draft_of_a_plan_is_deleted_and_a_preview_is_not_published() {
    let api = Fixture::new().await;
    let plan = published(&api, "auto").await;
    let delete = |id: String| {
        let api = &api;
        async move {
            let path = format!("/plans/{id}");
            api.call(&api.admin, Method::DELETE, &path, &[], None).await
        }
    };
    let kept = delete(plan).await;
    assert_eq!(kept.refusal(), (409, "plan_in_use".to_owned()));
    assert_eq!(kept.json()["state"], "published");
    let limits = json!([{"kind": "quota", "amount": 1, "window": "1d"}]);
    let draft = json!({"name": "d", "slug": "d", "limits": limits});
    let draft = api
        .post("/apis/shop/plans", draft)
        .await
        .expect(StatusCode::CREATED);
    let id = draft["id"].as_str().unwrap().to_owned();
    assert_eq!(delete(id.clone()).await.status, 204);
    assert_eq!(api.get(&format!("/plans/{id}")).await.status, 404);

    api.post("/apis/shop/versions", json!({"label": "v2", "copy_from": "v1"}))
        .await
        .expect(StatusCode::CREATED);
    for (verb, state) in [("preview", "preview"), ("withdraw", "draft")] {
        let version = api.verb(&format!("/apis/shop/versions/v2/{verb}")).await;
        let version = version.expect(StatusCode::OK);
        assert_eq!(version["state"], state);
        assert!(version.get("published_at").is_none_or(Value::is_null));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_decides_and_publishes_but_gets_no_token() {
    let api = Fixture::new().await;
    api.post("/tenants", json!({"name": "Acme", "slug": "acme"}))
        .await
        .expect(StatusCode::CREATED);
    let inside = [("gatewright-tenant", "acme")];
    let visit = |path: String, body: Option<Value>| {
        let api = &api;
        async move { api.call(&api.admin, Method::POST, &path, &inside, body).await }
    };
    let token = visit("/tokens".to_owned(), Some(json!({"name": "t"}))).await;
    assert_eq!(token.refusal(), (409, "no_user".to_owned()));
    let body = json!({"document": document("shop"), "slug": "shop", "upstream_url": "https://example.com/"});
    let made = visit("/apis/import".to_owned(), Some(body)).await;
    made.expect(StatusCode::CREATED);
    let plan = json!({"name": "p", "slug": "p", "approval": "manual"});
    let plan = visit("/apis/shop/plans".to_owned(), Some(plan)).await;
    let plan = plan.expect(StatusCode::CREATED)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let application = visit("/applications".to_owned(), Some(json!({"name": "App"}))).await;
    application.expect(StatusCode::CREATED);
    for verb in ["submit", "withdraw", "publish"] {
        if verb == "publish" {
            visit(format!("/plans/{plan}/publish"), None)
                .await
                .expect(StatusCode::OK);
        }
        let moved = visit(format!("/apis/shop/versions/v1/{verb}"), None).await;
        moved.expect(StatusCode::OK);
    }
    let asked = visit(
        "/applications/app/subscriptions".to_owned(),
        Some(json!({"plan_id": plan})),
    );
    asked.await.expect(StatusCode::CREATED);
    let waiting = api
        .call(&api.admin, Method::GET, "/approvals?state=open", &inside, None)
        .await
        .json();
    let id = waiting["items"][0]["id"].as_str().unwrap().to_owned();
    let approved = visit(format!("/approvals/{id}/approve"), Some(json!({}))).await;
    assert_eq!(approved.expect(StatusCode::OK)["state"], "approved");
}
