//! Another tenant's things do not exist, on any route.

use std::collections::BTreeMap;

use gatewright_testkit::http::{Client, Reply, text};
use http::Method;
use serde_json::{Map, Value, json};

use crate::documents;
use crate::world::{World, shared};

const MARK: &str = "Foreign secret";

/// Ids of another tenant, by the collection whose items they are.
type Foreign = BTreeMap<&'static str, String>;

#[tokio::test]
async fn no_route_shows_or_changes_another_tenants_things() {
    let world = World::embedded();
    let foreign = furnish(&world).await;
    let document = world.server.management().get("/openapi.json").await.expect(200);
    let (mut walked, mut unproven) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let Some((theirs, unknown)) = fill(path, &foreign) else {
                continue;
            };
            let body = body(&document, path, operation);
            let method: Method = method.to_uppercase().parse().unwrap();
            let reply = send(&world.admin, &method, &theirs, body.as_ref()).await;
            let blank = send(&world.admin, &method, &unknown, body.as_ref()).await;
            walked += 1;
            assert!(!reply.text().contains(MARK), "{method} {path}: {reply}");
            assert_eq!(
                (reply.status, text(&reply.json(), "code")),
                (blank.status, text(&blank.json(), "code")),
                "{method} {path} tells a foreign thing from none: {reply}"
            );
            if reply.status != 404 {
                unproven.push(format!("{method} {path}: {reply}"));
            }
        }
    }
    println!("FIGURE: {walked} routes with ids tell another tenant's things from none by nothing");
    assert!(walked >= 55, "{walked} routes");
    assert!(
        unproven.is_empty(),
        "refused before the id was looked at: {unproven:#?}"
    );
    unchanged(&world, &foreign).await;
}

#[tokio::test]
async fn lists_show_the_own_tenant_alone() {
    let world = World::embedded();
    let foreign = furnish(&world).await;
    let document = world.server.management().get("/openapi.json").await.expect(200);
    let mut lists = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if item.get("get").is_none() || path.contains('{') || path.ends_with("/openapi.json") {
            continue;
        }
        let path = path.trim_start_matches("/api/v1");
        let reply = world.admin.get(path).await;
        assert!(reply.status < 500, "{reply}");
        if path == "/tenants" {
            continue;
        }
        lists += 1;
        assert!(!reply.text().contains(MARK), "{reply}");
        for id in foreign.values() {
            assert!(!reply.text().contains(id.as_str()), "{path} shows {id}: {reply}");
        }
    }
    assert!(lists >= 8, "{lists} lists");
}

#[tokio::test]
async fn a_tenants_apis_stand_below_its_own_path() {
    let world = shared().await;
    let reply = world
        .admin
        .post("/tenants", &json!({"name": "North", "slug": "north"}))
        .await;
    reply.expect(201);
    let north = world.admin.with("gatewright-tenant", "north");
    let body = json!({"document": documents::pets(), "slug": "same", "context_path": "/same", "upstream_url": "https://api.example.com"});
    north.post("/apis/import", &body).await.expect(201);
    world.publish("same", json!({"security": "keyless"})).await;
    crate::world::settles_at(&world.gateway(), "/same/v1/pets", 200).await;
    world
        .gateway()
        .get("/t/north/same/v1/pets")
        .await
        .expect_problem(404, "no_route");
    let private = json!({"document": documents::pets(), "slug": "inside", "context_path": "/inside", "upstream_url": world.echo.url()});
    let refused = north.post("/apis/import", &private).await;
    assert_eq!(
        refused.status, 422,
        "other tenants reach private addresses only by an allow-list: {refused}"
    );
    let unknown = world
        .admin
        .with("gatewright-tenant", "nowhere")
        .get("/apis")
        .await;
    assert!(matches!(unknown.status, 403 | 404), "{unknown}");
}

/// A tenant with one of everything.
async fn furnish(world: &World) -> Foreign {
    world
        .admin
        .post("/tenants", &json!({"name": MARK, "slug": "foreign"}))
        .await
        .expect(201);
    let there = world.admin.with("gatewright-tenant", "foreign");
    let body = json!({
        "document": documents::pets(), "name": MARK, "slug": "theirs", "context_path": "/theirs",
        "upstream_url": "https://api.example.com",
    });
    let imported = there.post("/apis/import", &body).await.expect(201);
    let api = text(&imported["api"], "id").to_owned();
    let plan =
        json!({"name": MARK, "slug": "plan", "security": "api_key", "approval": "manual", "limits": []});
    let plan = there.post(&format!("/apis/{api}/plans"), &plan).await.expect(201);
    let plan = text(&plan, "id").to_owned();
    there.verb(&format!("/plans/{plan}/publish")).await.expect(200);
    there
        .verb(&format!("/apis/{api}/versions/v1/publish"))
        .await
        .expect(200);
    let application = there
        .post("/applications", &json!({"name": MARK, "environment": "live"}))
        .await
        .expect(201);
    let application = text(&application, "id").to_owned();
    let path = format!("/applications/{application}/subscriptions");
    let subscription = there.post(&path, &json!({"plan_id": plan})).await.expect(201);
    let path = format!("/applications/{application}/credentials");
    let credential = there.post(&path, &json!({"kind": "api_key"})).await.expect(201);
    let approvals = there.get("/approvals?state=open").await.expect(200);
    let events = there.get("/audit-events").await.expect(200);
    BTreeMap::from([
        ("apis", api),
        ("plans", plan),
        ("applications", application),
        ("subscriptions", text(&subscription, "id").to_owned()),
        ("credentials", text(&credential, "id").to_owned()),
        ("approvals", text(&approvals["items"][0], "id").to_owned()),
        ("audit-events", text(&events["items"][0], "id").to_owned()),
    ])
}

/// The path with a foreign id, and the same with an id of nothing; none where it
/// names nothing that belongs to a tenant.
fn fill(path: &str, foreign: &Foreign) -> Option<(String, String)> {
    let (mut theirs, mut unknown) = (String::new(), String::new());
    let (mut collection, mut found) = ("", false);
    for segment in path.trim_start_matches("/api/v1").split('/').skip(1) {
        let (mine, blank) = if segment.starts_with('{') {
            match foreign.get(collection) {
                Some(id) => {
                    found = true;
                    let prefix = id.split('_').next().unwrap_or_default();
                    (id.clone(), format!("{prefix}_01h455vb4pex5vsknk084sn02q"))
                }
                None if collection == "versions" => ("v1".into(), "v1".into()),
                None => ("1".into(), "1".into()),
            }
        } else {
            (segment.to_owned(), segment.to_owned())
        };
        theirs = format!("{theirs}/{mine}");
        unknown = format!("{unknown}/{blank}");
        collection = segment;
    }
    found.then_some((theirs, unknown))
}

async fn send(client: &Client, method: &Method, path: &str, body: Option<&Value>) -> Reply {
    match body {
        Some(body) => client.json().send(method.clone(), path, body.to_string()).await,
        None => client.send(method.clone(), path, "").await,
    }
}

/// A body that the operation's schema accepts, so that the refusal is for the id.
fn body(document: &Value, path: &str, operation: &Value) -> Option<Value> {
    // One of two members, which no schema of ours says.
    if path.ends_with("/import") {
        return Some(json!({"document": documents::pets()}));
    }
    let schema = operation.pointer("/requestBody/content/application~1json/schema")?;
    Some(example(document, schema, "", 0))
}

fn example(document: &Value, schema: &Value, name: &str, depth: u8) -> Value {
    if depth > 8 {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let target = document
            .pointer(target.trim_start_matches('#'))
            .unwrap_or(&Value::Null);
        return example(document, target, name, depth + 1);
    }
    if let Some(given) = schema
        .get("example")
        .or(schema.pointer("/examples/0"))
        .or(schema.pointer("/enum/0"))
        .or(schema.get("const"))
    {
        return given.clone();
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let options = schema[choice].as_array().into_iter().flatten();
        let mut real = options.filter(|option| option["type"] != "null");
        if let Some(option) = real.next() {
            return example(document, option, name, depth + 1);
        }
    }
    let kind = schema["type"]
        .as_str()
        .or(schema.pointer("/type/0").and_then(Value::as_str))
        .unwrap_or("object");
    match kind {
        "array" => json!([]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(60)),
        "boolean" => json!(true),
        "string" => Value::from(word(schema, name)),
        _ => {
            let mut object = Map::new();
            for required in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                object.insert(
                    required.to_owned(),
                    example(document, &schema["properties"][required], required, depth + 1),
                );
            }
            Value::Object(object)
        }
    }
}

fn word(schema: &Value, name: &str) -> String {
    match (schema["format"].as_str(), name) {
        (Some("date-time"), _) => crate::world::days_from_now(200),
        (Some("uri"), _) | (_, "url") => "https://api.example.com".to_owned(),
        (Some("email"), _) | (_, "email") => "somebody@example.com".to_owned(),
        (_, "context_path") => "/somewhere".to_owned(),
        (_, "plan_id") => "plan_01h455vb4pex5vsknk084sn02q".to_owned(),
        _ => "word".to_owned(),
    }
}

/// After the walk everything is as it was.
async fn unchanged(world: &World, foreign: &Foreign) {
    let there = world.admin.with("gatewright-tenant", "foreign");
    for (collection, state) in [
        ("plans", "published"),
        ("applications", "active"),
        ("subscriptions", "pending"),
        ("credentials", "active"),
        ("approvals", "open"),
    ] {
        let shown = there
            .get(&format!("/{collection}/{}", foreign[collection]))
            .await
            .expect(200);
        assert_eq!(text(&shown, "state"), state, "{shown}");
    }
    let api = there.get(&format!("/apis/{}", foreign["apis"])).await.expect(200);
    assert_eq!(text(&api, "name"), MARK);
}
