//! What belongs to another tenant does not exist, on any route.

use gatewright_control::accounts::NewSignUp;
use gatewright_control::passwords::Password;
use gatewright_control::sessions::Client;
use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use gatewright_model::time::{Clock, SystemClock};
use gatewright_store::{GatewayNode, NodeState, Scope};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Fixture;

/// The ids of one thing of each kind in the tenant `default`, by parameter name.
async fn things(api: &Fixture) -> Vec<(&'static str, String)> {
    let id = |body: &Value| body["id"].as_str().unwrap().to_owned();
    let imported = api.import("shop").await;
    let plan = json!({"name": "p", "slug": "p", "approval": "manual"});
    let plan = id(&api
        .post("/apis/shop/plans", plan)
        .await
        .expect(StatusCode::CREATED));
    api.verb(&format!("/plans/{plan}/publish"))
        .await
        .expect(StatusCode::OK);
    api.verb("/apis/shop/versions/v1/publish")
        .await
        .expect(StatusCode::OK);
    let application = id(&api
        .post("/applications", json!({"name": "App"}))
        .await
        .expect(StatusCode::CREATED));
    let subscribe = api
        .post("/applications/app/subscriptions", json!({"plan_id": plan}))
        .await;
    let subscription = id(&subscribe.expect(StatusCode::CREATED));
    let credential = api
        .post("/applications/app/credentials", json!({"kind": "api_key"}))
        .await;
    let token = api
        .post("/tokens", json!({"name": "t"}))
        .await
        .expect(StatusCode::CREATED);
    let first = |body: Value| id(&body["items"][0]);
    vec![
        ("api", id(&imported["api"])),
        ("version", id(&imported["version"])),
        ("plan", plan),
        ("application", application),
        ("subscription", subscription),
        ("credential", id(&credential.expect(StatusCode::CREATED))),
        ("token", id(&token)),
        ("approval", first(api.get("/approvals").await.json())),
        ("event", first(api.get("/audit-events").await.json())),
        ("team", first(api.get("/teams").await.json())),
        ("user", first(api.get("/users").await.json())),
        ("member", first(api.get("/members").await.json())),
        ("tenant", first(api.get("/tenants").await.json())),
        ("session", session(api).await),
        ("sign_up", sign_up(api).await),
    ]
}

/// A session of the administrator.
async fn session(api: &Fixture) -> String {
    let tenant = api.control.tenant_of_portal(None, None).await.unwrap().unwrap();
    let password = SecretText::new("correct horse".to_owned());
    let sessions = api.control.sessions();
    let opened = sessions
        .sign_in(&tenant, "admin@example.com", password, Client::default())
        .await;
    opened.unwrap().view.id.to_string()
}

/// Somebody who waits for an account.
async fn sign_up(api: &Fixture) -> String {
    let tenant = api.control.tenant_of_portal(None, None).await.unwrap().unwrap();
    let new = NewSignUp {
        name: Name::parse("Ada").unwrap(),
        email: Email::parse("ada@example.com").unwrap(),
        password: Some(Password::parse("a few plain words").unwrap()),
    };
    let accounts = api.control.accounts();
    accounts.sign_up(&tenant, new, &Client::default()).await.unwrap();
    let waiting = api.get("/sign-ups").await.json();
    waiting["items"][0]["id"].as_str().unwrap().to_owned()
}

/// An owner of another tenant.
async fn stranger(api: &Fixture) -> String {
    api.post("/tenants", json!({"name": "Acme", "slug": "acme"}))
        .await
        .expect(StatusCode::CREATED);
    let inside = [("gatewright-tenant", "acme")];
    let user = Some(json!({"email": "eve@example.com", "name": "Eve", "password": "long enough"}));
    api.call(&api.admin, Method::POST, "/users", &inside, user)
        .await
        .expect(StatusCode::CREATED);
    let role = Some(json!({"user": "eve@example.com", "role": "owner"}));
    api.call(&api.admin, Method::POST, "/members", &inside, role)
        .await
        .expect(StatusCode::CREATED);
    let email = Email::parse("eve@example.com").unwrap();
    let name = Name::parse("t").unwrap();
    let tenant = gatewright_model::text::Slug::parse("acme").unwrap();
    let token = api
        .control
        .create_token_for(&tenant, &email, name, Vec::new(), None)
        .await
        .unwrap();
    token.expose().to_owned()
}

/// A body that every route accepts far enough to look for its object.
fn body_for(path: &str) -> Value {
    let document = super::document("x");
    match path.rsplit('/').next().unwrap_or("") {
        "import" => json!({"document": document}),
        "versions" => json!({"label": "v9"}),
        "plans" => json!({"name": "n", "slug": "n"}),
        "upstream" => json!({"targets": [{"url": "https://example.com/"}]}),
        "block" => json!({"reason": "r"}),
        "deprecate" if path.contains("versions") => json!({"sunset_at": "2099-01-01T00:00:00Z"}),
        "unretire" => json!({"sunset_at": "2099-01-01T00:00:00Z"}),
        "reject" if !path.contains("sign-ups") => json!({"comment": "no"}),
        "password" => json!({"current_password": "long enough", "new_password": "longer than that"}),
        "email" => json!({"email": "somebody@example.com"}),
        "{application}" => json!({"name": "n"}),
        "subscriptions" => json!({"plan_id": "plan_01h2xcejqtf2nbrexx3vqjhp41"}),
        "members" => json!({"user": "eve@example.com", "role": "developer"}),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_things_do_not_exist_on_any_route() {
    let api = Fixture::new().await;
    let things = things(&api).await;
    let eve = stranger(&api).await;
    let mut walked = 0;
    for entry in crate::routes_with_access() {
        let template = entry.path.strip_prefix("/api/v1").unwrap();
        // Nodes, snapshots, roles and calls belong to no tenant, or are empty here.
        if !template.contains('{')
            || ["{node}", "{seq}", "{role}", "{call}"]
                .iter()
                .any(|own| template.contains(own))
        {
            continue;
        }
        let path = things.iter().fold(template.to_owned(), |path, (name, id)| {
            path.replace(&format!("{{{name}}}"), id)
        });
        assert!(!path.contains('{'), "no example for {template}");
        let body = (entry.method != Method::GET).then(|| body_for(template));
        let reply = api.call(&eve, entry.method.clone(), &path, &[], body).await;
        // Suspending tenants is asked of nobody but a platform admin: 403 before anything is looked up.
        let expected = if template.starts_with("/tenants/{tenant}/") {
            "permission_missing"
        } else {
            "not_found"
        };
        assert_eq!(reply.refusal().1, expected, "{} {template}", entry.method);
        walked += 1;
    }
    assert!(walked > 50, "only {walked} routes were walked");
    // Configurations are of all tenants at once.
    for path in ["/snapshots", "/snapshots/1"] {
        let reply = api.call(&eve, Method::GET, path, &[], None).await;
        assert_eq!(reply.refusal(), (403, "permission_missing".to_owned()), "{path}");
        api.get(path).await.expect(StatusCode::OK);
    }
    let manifest = api.get("/snapshots/1").await.json();
    let parts = manifest["parts"].as_array().unwrap();
    assert!(parts.iter().all(|part| {
        let prefix = match part["kind"].as_str().unwrap() {
            "tenant" => "ten_",
            "api" => "api_",
            _ => "ver_",
        };
        part["key"].as_str().unwrap().starts_with(prefix)
    }));
    let listed = api.call(&eve, Method::GET, "/apis", &[], None).await.json();
    assert_eq!(listed["items"], json!([]));
    let elsewhere = api
        .call(
            &eve,
            Method::GET,
            "/apis",
            &[("gatewright-tenant", "default")],
            None,
        )
        .await;
    assert_eq!(elsewhere.refusal(), (403, "permission_missing".to_owned()));
}

/// A token of somebody who publishes and uses APIs in a team of its own.
async fn member_of(api: &Fixture, team: &str) -> String {
    let body = json!({"name": team, "slug": team});
    api.post("/teams", body).await.expect(StatusCode::CREATED);
    let email = format!("{team}@example.com");
    let user = json!({"email": email, "name": team, "password": "long enough"});
    api.post("/users", user).await.expect(StatusCode::CREATED);
    for role in ["publisher", "developer"] {
        let member = json!({"user": email, "role": role});
        let path = format!("/teams/{team}/members");
        api.post(&path, member).await.expect(StatusCode::CREATED);
    }
    let email = Email::parse(&email).unwrap();
    let tenant = gatewright_model::text::Slug::parse("default").unwrap();
    let token = api
        .control
        .create_token_for(&tenant, &email, Name::parse("t").unwrap(), Vec::new(), None)
        .await
        .unwrap();
    token.expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_that_names_teams_does_not_exist_for_others() {
    let api = Fixture::new().await;
    let things = things(&api).await;
    let (mobile, others) = (member_of(&api, "mobile").await, member_of(&api, "others").await);
    let patch = |body| api.call(&api.admin, Method::PATCH, "/apis/shop", &[], Some(body));
    let unknown = patch(json!({"visibility": "teams", "visible_to": ["mobile", "nobody"]})).await;
    assert_eq!(
        (unknown.status, &unknown.json()["errors"][0]["pointer"]),
        (422, &json!("/visible_to/1"))
    );
    let unused = patch(json!({"visible_to": ["mobile"]})).await;
    assert_eq!(unused.json()["errors"][0]["code"], "not_by_teams");
    let named = patch(json!({"visibility": "teams", "visible_to": ["mobile", "mobile"]})).await;
    assert_eq!(named.expect(StatusCode::OK)["visible_to"], json!(["mobile"]));

    let mut walked = 0;
    for entry in crate::routes_with_access() {
        let template = entry.path.strip_prefix("/api/v1").unwrap();
        if !template.contains("{api}") && !template.contains("{plan}") {
            continue;
        }
        let path = things.iter().fold(template.to_owned(), |path, (name, id)| {
            path.replace(&format!("{{{name}}}"), id)
        });
        let body = (entry.method != Method::GET).then(|| body_for(template));
        let reply = api.call(&others, entry.method.clone(), &path, &[], body).await;
        assert_eq!(
            reply.refusal(),
            (404, "not_found".to_owned()),
            "{} {template}",
            entry.method
        );
        walked += 1;
    }
    assert!(walked > 25, "only {walked} routes were walked");
    for path in ["/usage?api=shop", "/calls?api=shop", "/subscriptions?api=shop"] {
        let reply = api.call(&others, Method::GET, path, &[], None).await;
        assert_eq!(reply.refusal(), (404, "not_found".to_owned()), "{path}");
    }
    asking(&api, &things, (&mobile, &others)).await;
}

/// Who is named finds the API and gets in; nobody else does either.
async fn asking(api: &Fixture, things: &[(&str, String)], (mobile, others): (&str, &str)) {
    let listed = |token| api.call(token, Method::GET, "/apis", &[], None);
    assert_eq!(listed(others).await.json()["items"], json!([]));
    let found = listed(mobile).await.json();
    assert_eq!(
        (&found["items"][0]["slug"], &found["items"][0]["visible_to"]),
        (&json!("shop"), &json!(["mobile"]))
    );
    let own = api.call(mobile, Method::DELETE, "/apis/shop", &[], None).await;
    assert_eq!(own.refusal(), (403, "permission_missing".to_owned()));
    let plan = &things.iter().find(|(name, _)| *name == "plan").unwrap().1;
    for (token, team, expected) in [(others, "others", 422), (mobile, "mobile", 201)] {
        let application = Some(json!({"name": team, "team": team}));
        let made = api
            .call(token, Method::POST, "/applications", &[], application)
            .await;
        made.expect(StatusCode::CREATED);
        let path = format!("/applications/{team}/subscriptions");
        let asked = Some(json!({"plan_id": plan}));
        let reply = api.call(token, Method::POST, &path, &[], asked).await;
        assert_eq!(reply.status, expected, "{team}: {}", reply.text);
    }
}

/// A node that serves the newest configuration; what it reports besides.
async fn report_node(api: &Fixture, behind: i64, problem: Option<&str>) -> GatewayNode {
    let mut tx = api.control.store().begin(Scope::System).await.unwrap();
    let node = GatewayNode {
        id: "node_00000000000000000000000001".parse().unwrap(),
        name: "host-1".to_owned(),
        version: "0.1.0".to_owned(),
        roles: vec!["gateway".to_owned()],
        state: NodeState::Serving,
        applied_seq: tx.snapshots().list(None, 1).await.unwrap()[0].seq,
        applied_delta_seq: tx.head().await.unwrap() - behind,
        problem: problem.map(str::to_owned),
        started_at: SystemClock.now(),
        last_seen_at: SystemClock.now(),
    };
    tx.nodes().report(&node).await.unwrap();
    tx.commit(SystemClock.now()).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_sees_whether_nodes_are_in_sync_and_nothing_more_of_them() {
    let api = Fixture::new().await;
    things(&api).await;
    let eve = stranger(&api).await;
    for (behind, problem, in_sync) in [
        (0, None, true),
        (1, None, false),
        (0, Some("version ver_of_another_tenant is left out"), false),
    ] {
        let node = report_node(&api, behind, problem).await;
        let all = api
            .get(&format!("/nodes/{}", node.id))
            .await
            .expect(StatusCode::OK);
        assert_eq!(
            (&all["name"], &all["in_sync"]),
            (&json!("host-1"), &json!(in_sync))
        );
        assert_eq!(all["problem"], json!(problem));
        let listed = api.call(&eve, Method::GET, "/nodes", &[], None).await;
        let seen = listed.expect(StatusCode::OK)["items"][0].clone();
        assert_eq!(seen["id"], all["id"]);
        for shown in ["roles", "state", "applied_seq", "in_sync", "last_seen_at"] {
            assert_eq!(seen[shown], all[shown], "{shown}");
        }
        for hidden in ["name", "version", "applied_delta_seq", "problem", "started_at"] {
            assert_eq!(seen[hidden], Value::Null, "{hidden}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_opens_without_a_token_but_the_description() {
    let api = Fixture::new().await;
    for entry in crate::routes_with_access() {
        let path = entry.path.replace(['{', '}'], "");
        let request = http::Request::builder().method(entry.method.clone()).uri(&path);
        let reply = api.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(
            reply.refusal(),
            (401, "token_missing".to_owned()),
            "{} {path}",
            entry.method
        );
    }
    let open = http::Request::builder()
        .uri("/api/v1/openapi.json")
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(api.send(open).await.expect(StatusCode::OK)["openapi"], "3.1.0");
}
