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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stands_so_already_is_not_moved() {
    let api = Fixture::new().await;
    let made = json!({"name": "Blue", "slug": "blue"});
    api.post("/teams", made).await.expect(StatusCode::CREATED);
    api.post("/tenants", json!({"name": "Acme", "slug": "acme"}))
        .await
        .expect(StatusCode::CREATED);
    let user = json!({"name": "Bo", "email": "bo@example.com", "password": "correct horse"});
    let user = api.post("/users", user).await.expect(StatusCode::CREATED);
    let user = format!("/users/{}", user["id"].as_str().unwrap());
    for path in ["/teams/blue", "/tenants/acme", &user] {
        for (verb, state, allowed) in [
            ("activate", "active", "suspended"),
            ("suspend", "suspended", "active"),
        ] {
            if verb == "suspend" {
                let moved = api.verb(&format!("{path}/{verb}")).await;
                assert_eq!(moved.expect(StatusCode::OK)["state"], state);
            }
            let refused = api.verb(&format!("{path}/{verb}")).await;
            assert_eq!(
                refused.refusal(),
                (409, "illegal_transition".to_owned()),
                "{path}"
            );
            let told = refused.json();
            assert_eq!(
                (&told["state"], &told["allowed"]),
                (&json!(state), &json!([allowed])),
                "{path}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_come_in_pages() {
    let api = Fixture::new().await;
    let operation = json!({"responses": {"200": {"description": "ok"}}});
    let paths: serde_json::Map<String, Value> = (0..5)
        .map(|number| (format!("/things/{number}"), json!({"get": operation})))
        .collect();
    let document = json!({"openapi": "3.0.3", "info": {"title": "Many", "version": "1"}, "paths": paths});
    let body = json!({"document": document, "slug": "many"});
    api.post("/apis/import", body).await.expect(StatusCode::CREATED);
    let list = "/apis/many/versions/v1/operations";
    let whole = api.get(list).await.json();
    let whole = whole["items"].as_array().unwrap().clone();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{list}?limit=2{cursor}")).await.json();
        let items = page["items"].as_array().unwrap();
        assert!((1..=2).contains(&items.len()), "{page}");
        seen.extend(items.clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen), (5, whole));
    let refused = api.get(&format!("{list}?limit=0")).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_document_again_is_no_new_revision() {
    let api = Fixture::new().await;
    api.import("shop").await;
    let path = "/apis/shop/versions/v1";
    let before = api.get(path).await;
    let again = json!({"document": document("shop")});
    let answer = api.post(&format!("{path}/import"), again.clone()).await;
    assert_eq!(answer.header("etag"), before.header("etag"));
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(
        (&answer["written"], &answer["changes"]["unchanged"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(answer["version"], before.json());
    let revisions = api.get(&format!("{path}/revisions")).await.json();
    assert_eq!(revisions["items"].as_array().unwrap().len(), 1);
    // Another text with the same operations is another document.
    let other = json!({"document": document("Shop 2")});
    let answer = api.post(&format!("{path}/import"), other).await;
    let answer = answer.expect(StatusCode::OK);
    assert_eq!(
        (&answer["written"], &answer["version"]["revision"]["number"]),
        (&json!(true), &json!(2))
    );
    // What was live once is not live now.
    let answer = api.post(&format!("{path}/import"), again).await;
    assert_eq!(answer.expect(StatusCode::OK)["version"]["revision"]["number"], 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_that_cannot_be_kept_are_told_from_nonsense() {
    let api = Fixture::new().await;
    for (time, code) in [
        ("9999-12-31T23:59:59Z", "time_out_of_range"),
        ("2027-01-31T00:00:00.0000000001Z", "time_too_fine"),
        ("2027-02-31T00:00:00Z", "invalid_time"),
        ("soon", "invalid_time"),
    ] {
        let refused = api
            .post("/tokens", json!({"name": "t", "expires_at": time}))
            .await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        let told = refused.json();
        assert_eq!(pointer(&told), "/expires_at");
        assert_eq!(told["errors"][0]["code"], code, "{time}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_a_password_has_to_wait() {
    let api = Fixture::new().await;
    let me = api.get("/whoami").await.json();
    let path = format!("/users/{}/password", me["user_id"].as_str().unwrap());
    let guess = || json!({"current_password": "wrong horse", "new_password": "another horse"});
    for _ in 0..5 {
        let wrong = api.post(&path, guess()).await;
        assert_eq!(wrong.refusal(), (409, "wrong_password".to_owned()));
    }
    let refused = api.post(&path, guess()).await;
    assert_eq!(refused.refusal(), (429, "too_many_attempts".to_owned()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
}
