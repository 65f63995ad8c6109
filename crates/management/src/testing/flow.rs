//! The main job over the API: import, publish, subscribe, approve, issue,
//! rotate, revoke, deprecate; and what the audit trail says about it.

use http::StatusCode;
use serde_json::{Value, json};

use super::Fixture;

async fn plan(api: &Fixture, slug: &str, approval: &str) -> String {
    let limits = json!([{"kind": "quota", "amount": 500, "window": "1h"}]);
    let body =
        json!({"name": slug, "slug": slug, "security": "api_key", "approval": approval, "limits": limits});
    let plan = api
        .post("/apis/shop/plans", body)
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(
        (&plan["state"], &plan["limits"][0]["name"]),
        (&json!("draft"), &json!("quota-1h"))
    );
    let id = plan["id"].as_str().unwrap().to_owned();
    let published = api
        .verb(&format!("/plans/{id}/publish"))
        .await
        .expect(StatusCode::OK);
    assert_eq!(published["state"], "published");
    id
}

async fn publish(api: &Fixture) {
    let check = api
        .get("/apis/shop/versions/v1/publish-check")
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&check["ready"], &check["missing"][0]["code"]),
        (&json!(false), &json!("no_plan"))
    );
    assert_eq!(
        api.verb("/apis/shop/versions/v1/publish").await.refusal(),
        (409, "no_plan".to_owned())
    );
}

async fn keys(api: &Fixture, application: &str) -> Value {
    let path = format!("/applications/{application}/credentials");
    let issued = api.post(&path, json!({"kind": "api_key"})).await;
    assert!(issued.header("location").starts_with("/api/v1/credentials/key_"));
    let issued = issued.expect(StatusCode::CREATED);
    assert!(
        issued["secret"]
            .as_str()
            .unwrap()
            .starts_with(issued["prefix"].as_str().unwrap())
    );
    let id = issued["id"].as_str().unwrap();
    let shown = api
        .get(&format!("/credentials/{id}"))
        .await
        .expect(StatusCode::OK);
    assert!(shown.get("secret").is_none());
    let rotated = api
        .post(&format!("/credentials/{id}/rotate"), json!({"grace_seconds": 60}))
        .await;
    let rotated = rotated.expect(StatusCode::OK);
    assert!(rotated["secret"].is_string() && rotated["grace_until"].is_string());
    let old = api
        .get(&format!("/credentials/{id}"))
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&old["state"], &old["replaced_by"]),
        (&json!("rotating"), &rotated["id"])
    );
    let found = api
        .post("/credentials/find", json!({"key": issued["secret"]}))
        .await;
    let found = found.expect(StatusCode::OK);
    assert_eq!(
        (&found["items"][0]["id"], &found["items"][0].get("secret")),
        (&issued["id"], &None)
    );
    let short = api.post("/credentials/find", json!({"key": "gw_live_"})).await;
    assert_eq!(
        (short.status, &short.json()["errors"][0]["code"]),
        (422, &json!("key_too_short"))
    );
    let revoked = api
        .post(&format!("/credentials/{id}/revoke"), json!({"reason": "leaked"}))
        .await;
    let revoked = revoked.expect(StatusCode::OK);
    assert_eq!(
        (&revoked["state"], &revoked["revoked_reason"]),
        (&json!("revoked"), &json!("leaked"))
    );
    rotated
}

async fn subscription(api: &Fixture, application: &str, plan: &str) {
    let path = format!("/applications/{application}/subscriptions");
    let pending = api
        .post(&path, json!({"plan_id": plan, "reason": "for the shop"}))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(pending["state"], "pending");
    let again = api.post(&path, json!({"plan_id": plan})).await;
    assert_eq!(again.refusal(), (409, "subscription_exists".to_owned()));
    assert_eq!(again.json()["existing"], pending["id"]);
    let open = api.get("/approvals?state=open").await.expect(StatusCode::OK);
    let approval = open["items"][0]["id"].as_str().unwrap();
    assert_eq!(open["items"][0]["subject_id"], pending["id"]);
    let silent = api
        .post(&format!("/approvals/{approval}/reject"), json!({}))
        .await;
    assert_eq!(
        (silent.status, &silent.json()["errors"][0]["pointer"]),
        (422, &json!("/comment"))
    );
    let approved = api
        .post(
            &format!("/approvals/{approval}/approve"),
            json!({"comment": "welcome"}),
        )
        .await;
    assert_eq!(approved.expect(StatusCode::OK)["state"], "approved");
    let id = pending["id"].as_str().unwrap();
    assert_eq!(
        api.get(&format!("/subscriptions/{id}")).await.json()["state"],
        "active"
    );
    let suspended = api
        .post(
            &format!("/subscriptions/{id}/suspend"),
            json!({"reason": "unpaid"}),
        )
        .await;
    assert_eq!(suspended.expect(StatusCode::OK)["reason"], "unpaid");
    assert_eq!(
        api.verb(&format!("/subscriptions/{id}/resume")).await.json()["state"],
        "active"
    );
    let history = api.get(&format!("/subscriptions/{id}/history")).await.json();
    let events = history["items"].as_array().unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["action"].as_str().unwrap(), &event["comment"]))
        .collect();
    assert_eq!(
        told,
        [
            ("subscription.resume", &json!(null)),
            ("subscription.suspend", &json!("unpaid")),
            ("subscription.activate", &json!("welcome")),
            ("subscription.request", &json!("for the shop")),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_main_job_runs_over_the_api() {
    let api = Fixture::new().await;
    let imported = api.import("shop").await;
    assert_eq!(imported["version"]["label"], "v1");
    assert_eq!(imported["written"], true);
    publish(&api).await;
    let plan = plan(&api, "standard", "manual").await;
    let published = api
        .verb("/apis/shop/versions/v1/publish")
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&published["state"], &published["gateway_url"]),
        (&json!("published"), &json!("http://gw.test/shop/v1"))
    );

    let application = api
        .post("/applications", json!({"name": "My App", "environment": "live"}))
        .await;
    let application = application.expect(StatusCode::CREATED);
    assert_eq!(application["slug"], "my-app");
    subscription(&api, "my-app", &plan).await;
    let key = keys(&api, "my-app").await;
    assert_eq!(key["application_id"], application["id"]);

    rehearse(&api).await;
    deprecate(&api).await;
    audited(&api).await;
}

/// What the console shows before an end is announced.
async fn rehearse(api: &Fixture) {
    let path = "/apis/shop/versions/v1/deprecate?dry_run=true";
    let past = api.post(path, json!({"sunset_at": "2001-01-01T00:00:00Z"})).await;
    assert_eq!(
        (past.status, &past.json()["errors"][0]["pointer"]),
        (422, &json!("/sunset_at"))
    );
    let body = json!({"sunset_at": "2099-01-01T00:00:00Z", "message": "use v2"});
    let told = api.post(path, body).await.expect(StatusCode::OK);
    assert_eq!(
        (&told["state"], &told["message"]),
        (&json!("deprecated"), &json!("use v2"))
    );
    let kept = api.get("/apis/shop/versions/v1").await.json();
    assert_eq!(
        (&kept["state"], &kept["sunset_at"]),
        (&json!("published"), &json!(null))
    );
    let impact = api.get("/apis/shop/versions/v1/deprecation-impact").await;
    let impact = impact.expect(StatusCode::OK);
    assert_eq!(impact["anonymous_calls"], 0);
    let affected = &impact["applications"][0];
    assert_eq!(
        (&affected["name"], &affected["subscribed"], &affected["calls"]),
        (&json!("My App"), &json!(true), &json!(0))
    );
}

async fn deprecate(api: &Fixture) {
    let illegal = api.verb("/apis/shop/versions/v1/retire").await;
    assert_eq!(illegal.refusal(), (409, "illegal_transition".to_owned()));
    assert_eq!(
        (&illegal.json()["state"], &illegal.json()["allowed"]),
        (&json!("published"), &json!(["blocked", "deprecated"]))
    );
    let body = json!({"sunset_at": "2099-01-01T00:00:00Z", "message": "use v2"});
    let deprecated = api
        .post("/apis/shop/versions/v1/deprecate", body)
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&deprecated["state"], &deprecated["sunset_at"]),
        (&json!("deprecated"), &json!("2099-01-01T00:00:00.000Z"))
    );
}

async fn audited(api: &Fixture) {
    let events = api.get("/audit-events?limit=200").await.expect(StatusCode::OK);
    let actions: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    for action in [
        "api.create",
        "version.import",
        "version.publish",
        "version.deprecate",
        "plan.publish",
        "subscription.request",
        "approval.approve",
        "credential.issue",
        "credential.rotate",
        "credential.revoke",
    ] {
        assert!(actions.contains(&action), "{action} is missing in {actions:?}");
    }
    let chain = api.get("/audit-chain").await.expect(StatusCode::OK);
    assert_eq!(chain["intact"], true);
    assert!(chain["checked"].as_u64().unwrap() >= events["items"].as_array().unwrap().len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_and_a_bad_document_write_nothing() {
    let api = Fixture::new().await;
    let body = json!({"document": super::document("Dry"), "slug": "dry"});
    let checked = api
        .post("/apis/import?dry_run=true", body.clone())
        .await
        .expect(StatusCode::OK);
    for unclear in ["/apis/import?dry_run", "/apis/import?dry_run="] {
        let refused = api.post(unclear, body.clone()).await.refusal();
        assert_eq!(refused, (422, "invalid_query".to_owned()), "{unclear}");
    }
    assert_eq!(
        (&checked["written"], &checked["api"]["slug"]),
        (&json!(false), &json!("dry"))
    );
    let bad = api
        .post(
            "/apis/import",
            json!({"document": {"openapi": "3.0.0", "info": {"title": "x", "version": "1"}}}),
        )
        .await;
    assert_eq!(bad.refusal(), (422, "document_invalid".to_owned()));
    let findings = bad.json()["findings"].clone();
    assert!(
        findings
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["code"] == "paths_missing"),
        "{findings}"
    );
    assert_eq!(api.get("/apis").await.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_come_as_objects_or_as_text_and_go_out_byte_for_byte() {
    let api = Fixture::new().await;
    let yaml = "openapi: 3.1.0\ninfo: {title: Yaml, version: '1'}\npaths:\n  /a:\n    get: {responses: {'200': {description: ok}}}\n";
    let imported = api
        .post("/apis/import", json!({"document": yaml}))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(imported["api"]["slug"], "yaml");
    let raw = api.get("/apis/yaml/versions/v1/document").await;
    assert_eq!((raw.status, raw.text.as_str()), (200, yaml));
    let operations = api.get("/apis/yaml/versions/v1/operations").await.json();
    assert_eq!(operations["items"][0]["template"], "/a");

    let next = json!({"document": super::document("Next")});
    let tried = api
        .post("/apis/yaml/versions/v1/import?dry_run=true", next.clone())
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        (&tried["written"], &tried["version"]["revision"]["number"]),
        (&json!(false), &json!(2))
    );
    let changes = &tried["changes"];
    assert_eq!(
        (&changes["added"][0]["key"], &changes["removed"][0]["template"]),
        (&json!("getPet"), &json!("/a")),
        "{changes}"
    );
    let kept = api.get("/apis/yaml/versions/v1").await.json();
    assert_eq!(kept["revision"]["number"], 1, "a dry run writes nothing");
    let again = api
        .post("/apis/yaml/versions/v1/import", next)
        .await
        .expect(StatusCode::OK);
    assert_eq!(again["version"]["revision"]["number"], 2);
    assert_eq!((&again["written"], &again["changes"]), (&json!(true), changes));
    let revisions = api.get("/apis/yaml/versions/v1/revisions").await.json();
    assert_eq!(revisions["items"].as_array().unwrap().len(), 2);

    let second = api
        .post("/apis/yaml/versions", json!({"label": "v2", "copy_from": "v1"}))
        .await;
    assert_eq!(
        second.header("location"),
        format!(
            "/api/v1/apis/{}/versions/v2",
            imported["api"]["id"].as_str().unwrap()
        )
    );
    let second = second.expect(StatusCode::CREATED);
    assert_eq!(
        (&second["label"], &second["findings"]),
        (&json!("v2"), &json!([]))
    );
    let both = api
        .post(
            "/apis/import",
            json!({"document": {}, "url": "http://example.com/"}),
        )
        .await;
    assert_eq!(both.json()["errors"][0]["code"], "document_or_url");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_teams_people_and_tokens_have_the_usual_verbs() {
    let api = Fixture::new().await;
    let me = api.get("/whoami").await.expect(StatusCode::OK);
    assert_eq!(
        (&me["tenant"], &me["platform_admin"]),
        (&json!("default"), &json!(true))
    );
    api.post("/teams", json!({"name": "Blue", "slug": "blue"}))
        .await
        .expect(StatusCode::CREATED);
    let user = json!({"email": "dev@example.com", "name": "Dev", "password": "long enough"});
    let user = api.post("/users", user).await.expect(StatusCode::CREATED);
    let member = api
        .post(
            "/teams/blue/members",
            json!({"user": "dev@example.com", "role": "developer"}),
        )
        .await;
    let member = member.expect(StatusCode::CREATED);
    assert_eq!(member["user_id"], user["id"]);
    let listed = api.get("/members?team=blue").await.json();
    assert_eq!(listed["items"][0]["id"], member["id"]);
    tokens(&api).await;
    settings_and_empty_lists(&api).await;
}

async fn tokens(api: &Fixture) {
    let token = api
        .post("/tokens", json!({"name": "ci", "scopes": ["apis:read"]}))
        .await
        .expect(StatusCode::CREATED);
    let secret = token["secret"].as_str().unwrap();
    let read = api.call(secret, http::Method::GET, "/apis", &[], None).await;
    assert_eq!(read.status, 200);
    let write = api
        .call(secret, http::Method::POST, "/apis", &[], Some(json!({})))
        .await;
    assert_eq!(write.refusal(), (403, "permission_missing".to_owned()));
    assert_eq!(write.json()["permission"], "apis:write");
    let gone = api
        .call(
            &api.admin,
            http::Method::DELETE,
            &format!("/tokens/{}", token["id"].as_str().unwrap()),
            &[],
            None,
        )
        .await;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    let after = api.call(secret, http::Method::GET, "/apis", &[], None).await;
    assert_eq!(after.refusal(), (401, "token_invalid".to_owned()));
}

async fn settings_and_empty_lists(api: &Fixture) {
    let roles = api.get("/roles/developer").await.expect(StatusCode::OK);
    assert!(
        roles["permissions"]
            .as_array()
            .unwrap()
            .contains(&json!("credentials:write"))
    );
    let tenant = api
        .call(
            &api.admin,
            http::Method::PATCH,
            "/tenants/default",
            &[],
            Some(json!({"settings": {"two_person_rule": true}})),
        )
        .await;
    let tenant = tenant.expect(StatusCode::OK);
    assert_eq!(
        (
            &tenant["settings"]["two_person_rule"],
            &tenant["settings"]["public_portal"]
        ),
        (&json!(true), &json!(true))
    );
    assert_eq!(
        api.get("/usage?step=1h").await.expect(StatusCode::OK)["items"],
        json!([])
    );
    assert_eq!(api.get("/nodes").await.expect(StatusCode::OK)["items"], json!([]));
    api.get("/calls").await.expect(StatusCode::OK);
    api.get("/snapshots").await.expect(StatusCode::OK);
}
