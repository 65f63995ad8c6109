//! Errors, paging, conditions and repeated requests.

use std::time::Duration;

use axum::body::Body;
use gatewright_webkit::body::BodyLimit;
use gatewright_webkit::rules::Bounds;
use http::{Method, Request, StatusCode};
use serde_json::json;

use super::Fixture;
use crate::ManagementSettings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_addresses_methods_and_tokens_are_refused_as_problems() {
    let api = Fixture::new().await;
    assert_eq!(
        api.get("/nothing").await.refusal(),
        (404, "no_such_path".to_owned())
    );
    let outside = Request::builder().uri("/else").body(Body::empty()).unwrap();
    assert_eq!(
        api.send(outside).await.refusal(),
        (404, "no_such_path".to_owned())
    );
    let wrong = api.call(&api.admin, Method::PUT, "/apis", &[], None).await;
    assert_eq!(wrong.refusal(), (405, "method_not_allowed".to_owned()));
    let mut allowed: Vec<_> = wrong.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    let anonymous = Request::builder()
        .uri("/api/v1/apis")
        .body(Body::empty())
        .unwrap();
    let anonymous = api.send(anonymous).await;
    assert_eq!(anonymous.refusal(), (401, "token_missing".to_owned()));
    assert!(anonymous.header("www-authenticate").starts_with("Bearer"));
    for token in ["gwm_x", "gw_live_abc", "nonsense"] {
        let refused = api.call(token, Method::GET, "/apis", &[], None).await;
        assert_eq!(refused.refusal(), (401, "token_invalid".to_owned()), "{token}");
    }
    assert_eq!(anonymous.header("cache-control"), "no-store");
    assert!(anonymous.header("x-request-id").starts_with("req_"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_refused_with_all_their_faults() {
    let api = Fixture::new().await;
    let bad = api
        .post(
            "/apis",
            json!({"name": "", "slug": "A", "context_path": "/ai", "kind": "rust", "colour": 1}),
        )
        .await;
    assert_eq!(bad.refusal(), (422, "invalid_fields".to_owned()));
    let body = bad.json();
    let told: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["/name", "/slug", "/context_path", "/kind", "/colour"]);
    api.import("shop").await;
    let plan = json!({"name": "p", "slug": "p", "security": "jwt", "limits": [{"kind": "rate", "amount": 0, "window": "soon"}, {"kind": "bandwidth", "amount": 1, "window": "1h"}]});
    let body = api.post("/apis/shop/plans", plan).await.json();
    let told: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["/security", "/limits/0/window", "/limits/1/kind"]);

    let send = |content_type: &str, text: &'static str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/apis")
            .header("content-type", content_type);
        let request = request.header("authorization", format!("Bearer {}", api.admin));
        request.body(Body::from(text)).unwrap()
    };
    let malformed = api.send(send("application/json", "{\"name\": }")).await;
    assert_eq!(malformed.refusal(), (400, "malformed_json".to_owned()));
    assert_eq!(malformed.json()["line"], 1);
    assert_eq!(
        api.send(send("text/plain", "{}")).await.refusal(),
        (415, "unsupported_media_type".to_owned())
    );
    let query = api.get("/apis?limit=0&colour=blue").await;
    assert_eq!(query.refusal(), (422, "invalid_query".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_and_slow_answers_are_bounded() {
    let small = Bounds {
        timeout: Duration::from_secs(60),
        body: BodyLimit(64),
    };
    let never = Bounds {
        timeout: Duration::ZERO,
        body: BodyLimit(1024 * 1024),
    };
    let api = Fixture::with(ManagementSettings {
        requests: small,
        imports: never,
        ..ManagementSettings::default()
    })
    .await;
    let large = api.post("/apis", json!({"name": "n".repeat(100)})).await;
    assert_eq!(large.refusal(), (413, "body_too_large".to_owned()));
    let late = api
        .post("/apis/import", json!({"document": super::document("late")}))
        .await;
    assert_eq!(late.refusal(), (503, "timeout".to_owned()));
    assert_eq!(late.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_paged_to_the_end() {
    let api = Fixture::new().await;
    for n in 0..5 {
        api.post("/teams", json!({"name": "t", "slug": format!("team-{n}")}))
            .await
            .expect(StatusCode::CREATED);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!("/teams?limit=2&cursor={cursor}"))
            .await
            .expect(StatusCode::OK);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        seen.extend(items.iter().map(|team| team["slug"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        ["default", "team-0", "team-1", "team-2", "team-3", "team-4"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_is_changed_under_the_tag_of_its_version() {
    let api = Fixture::new().await;
    api.import("shop").await;
    let path = "/apis/shop/versions/v1/upstream";
    let shown = api.get(path).await;
    let tag = shown.header("etag").to_owned();
    assert_eq!(tag, api.get("/apis/shop/versions/v1").await.header("etag"));
    let put = async |tag: String| {
        let body = json!({"targets": [{"url": "https://example.com/"}]});
        api.call(&api.admin, Method::PUT, path, &[("if-match", &tag)], Some(body))
            .await
    };
    assert_eq!(
        put(format!("W/{tag}")).await.refusal(),
        (412, "precondition_failed".to_owned())
    );
    let changed = put(tag.clone()).await;
    assert_eq!((changed.status, changed.header("etag") != tag), (200, true));
    assert_eq!(put(tag).await.refusal(), (412, "precondition_failed".to_owned()));
    assert_eq!(changed.header("etag"), api.get(path).await.header("etag"));
    assert_eq!(put("*".to_owned()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_found_under_its_api_and_under_no_other() {
    let api = Fixture::new().await;
    for slug in ["shop", "other"] {
        api.import(slug).await;
    }
    let body = json!({"name": "Free", "slug": "free"});
    let plan = api
        .post("/apis/shop/plans", body)
        .await
        .expect(StatusCode::CREATED);
    let id = plan["id"].as_str().unwrap();
    for name in ["free", id] {
        let found = api.get(&format!("/apis/shop/plans/{name}")).await;
        assert_ne!(found.header("etag"), "");
        assert_eq!(found.expect(StatusCode::OK), plan);
        let elsewhere = api.get(&format!("/apis/other/plans/{name}")).await;
        assert_eq!(elsewhere.refusal(), (404, "not_found".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_is_featured_by_a_change() {
    let api = Fixture::new().await;
    api.import("shop").await;
    assert_eq!(api.get("/apis/shop").await.json()["featured"], json!(false));
    let change = |body| api.call(&api.admin, Method::PATCH, "/apis/shop", &[], Some(body));
    let changed = change(json!({"featured": true})).await;
    assert_eq!((changed.status, &changed.json()["featured"]), (200, &json!(true)));
    // What is absent stays.
    assert_eq!(
        change(json!({"name": "Shop"})).await.json()["featured"],
        json!(true)
    );
    let refused = change(json!({"featured": "yes"})).await;
    assert_eq!(refused.status, 422);
    assert!(refused.json().to_string().contains("/featured"));
    let events = api.get("/audit-events?action=api.update").await.json();
    assert_eq!(
        events["items"][1]["details"]["after"]["featured"],
        json!(true),
        "{events}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_with_an_old_tag_is_refused() {
    let api = Fixture::new().await;
    api.import("shop").await;
    let tag = api.get("/apis/shop").await.header("etag").to_owned();
    let rename = |name: &str| Some(json!({"name": name}));
    let changed = api
        .call(
            &api.admin,
            Method::PATCH,
            "/apis/shop",
            &[("if-match", &tag)],
            rename("One"),
        )
        .await;
    assert_eq!((changed.status, changed.header("etag") != tag), (200, true));
    let stale = api
        .call(
            &api.admin,
            Method::PATCH,
            "/apis/shop",
            &[("if-match", &tag)],
            rename("Two"),
        )
        .await;
    assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    assert_eq!(api.get("/apis/shop").await.json()["name"], "One");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_post_has_one_effect_and_one_answer() {
    let api = Fixture::new().await;
    api.post("/applications", json!({"name": "App"}))
        .await
        .expect(StatusCode::CREATED);
    let key = [("idempotency-key", "order-7")];
    let path = "/applications/app/credentials";
    let issue = |name: &'static str| {
        api.call(
            &api.admin,
            Method::POST,
            path,
            &key,
            Some(json!({"name": name, "kind": "api_key"})),
        )
    };
    let first = issue("a").await;
    let second = issue("a").await;
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.text, second.text);
    for kept in ["location", "etag"] {
        assert_ne!(first.header(kept), "");
        assert_eq!(first.header(kept), second.header(kept));
    }
    assert_eq!(
        (
            first.header("idempotent-replayed"),
            second.header("idempotent-replayed")
        ),
        ("", "true")
    );
    assert_eq!(
        issue("b").await.refusal(),
        (422, "idempotency_key_reused".to_owned())
    );
    assert_eq!(api.get(path).await.json()["items"].as_array().unwrap().len(), 1);
    let refused = api
        .call(
            &api.admin,
            Method::POST,
            "/teams",
            &key,
            Some(json!({"name": "x"})),
        )
        .await;
    assert_eq!(refused.status, 422);
    let retried = api
        .call(
            &api.admin,
            Method::POST,
            "/teams",
            &key,
            Some(json!({"name": "x", "slug": "x"})),
        )
        .await;
    assert_eq!((retried.status, retried.header("idempotent-replayed")), (201, ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_said_and_the_description_stays() {
    let api = Fixture::new().await;
    api.control.store().close().await;
    for path in ["/apis", "/whoami"] {
        let away = api.get(path).await;
        assert_eq!(away.refusal(), (503, "store_unavailable".to_owned()), "{path}");
        assert_eq!(away.header("retry-after"), "5");
    }
    assert_eq!(api.get("/openapi.json").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_replayed_only_to_those_who_may_still_have_the_answer() {
    let api = Fixture::new().await;
    api.post("/applications", json!({"name": "App"}))
        .await
        .expect(StatusCode::CREATED);
    let narrow = api
        .post("/tokens", json!({"name": "t", "scopes": ["applications:read"]}))
        .await
        .json();
    let narrow = narrow["secret"].as_str().unwrap();
    let path = "/applications/app/credentials";
    let key = [("idempotency-key", "k")];
    let body = Some(json!({"kind": "api_key"}));
    let first = api.call(&api.admin, Method::POST, path, &key, body.clone()).await;
    assert_eq!(first.status, 201);
    let other = api.call(narrow, Method::POST, path, &key, body).await;
    assert_eq!(other.refusal(), (403, "permission_missing".to_owned()));
}
