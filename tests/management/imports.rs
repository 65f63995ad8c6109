//! Documents of every kind come in whole or not at all.

use std::time::{Duration, Instant};

use gatewright_testkit::echo::Echo;
use gatewright_testkit::faulty::nobody;
use gatewright_testkit::http::{Reply, text};
use http::Method;
use serde_json::{Value, json};

use crate::documents;
use crate::world::{World, best_of_a_few, items, shared};

async fn import(world: &World, slug: &str, document: Value) -> Reply {
    let body = json!({
        "document": document, "slug": slug, "context_path": format!("/{slug}"), "upstream_url": world.echo.url(),
    });
    world.admin.post("/apis/import", &body).await
}

/// The refusal of a document: its findings, and nothing written.
async fn refused(world: &World, slug: &str, document: Value) -> Vec<Value> {
    let problem = import(world, slug, document).await.expect(422);
    world.admin.get(&format!("/apis/{slug}")).await.expect(404);
    let findings = problem
        .get("findings")
        .or(problem.get("errors"))
        .and_then(Value::as_array);
    let findings = findings
        .unwrap_or_else(|| panic!("no findings in {problem}"))
        .clone();
    assert!(!findings.is_empty(), "{problem}");
    for finding in &findings {
        assert!(
            finding["pointer"].is_string() && !text(finding, "code").is_empty(),
            "{finding}"
        );
        assert!(!text(finding, "message").is_empty(), "{finding}");
    }
    findings
}

both_stores!(every_version_of_openapi_comes_in);

async fn every_version_of_openapi_comes_in(world: World) {
    let cases = [
        ("pets-20", documents::pets_2_0()),
        ("pets-30", documents::pets()),
        ("pets-31", documents::pets_3_1()),
        ("pets-yaml", Value::from(documents::PETS_YAML)),
        ("pets-text", Value::from(documents::pets().to_string())),
    ];
    for (slug, document) in cases {
        let imported = import(&world, slug, document).await.expect(201);
        assert_eq!(text(&imported["api"], "slug"), slug);
        assert_eq!(text(&imported["api"], "context_path"), format!("/{slug}"));
        assert!(
            text(&imported["api"], "name").starts_with("Petstore"),
            "the title is the name: {imported}"
        );
        assert_eq!(text(&imported["version"], "label"), "v1");
        let errors = imported["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|f| text(f, "severity") == "error")
            .count();
        assert_eq!(errors, 0, "{imported}");
        let api = text(&imported["api"], "id");
        world.plan(api, "free", json!({"security": "keyless"})).await;
        world
            .admin
            .verb(&format!("/apis/{slug}/versions/v1/publish"))
            .await
            .expect(200);
        let reply = crate::world::settles_at(&world.gateway(), &format!("/{slug}/v1/pets"), 200).await;
        assert_eq!(text(&reply.json(), "target"), "/pets", "{slug}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let world = shared().await;
    let body = json!({"document": documents::pets(), "slug": "dry", "context_path": "/dry"});
    let told = world.admin.post("/apis/import?dry_run=true", &body).await;
    assert!(matches!(told.status, 200 | 201), "{told}");
    assert!(told.json()["findings"].is_array(), "{told}");
    world.admin.get("/apis/dry").await.expect(404);
}

#[tokio::test]
async fn a_taken_slug_is_a_duplicate() {
    let world = shared().await;
    let first = world.import("taken").await;
    let again = import(world, "taken", documents::pets()).await.expect(409);
    assert!(
        again["existing"].to_string().contains(text(&first["api"], "id")),
        "{again}"
    );
}

#[tokio::test]
async fn without_an_upstream_the_first_server_of_the_document_counts() {
    let world = shared().await;
    let mut document = documents::pets();
    document["servers"][0]["url"] = json!(format!("{}/from-document", world.echo.url()));
    let body = json!({"document": document, "slug": "servers", "context_path": "/servers"});
    let imported = world.admin.post("/apis/import", &body).await.expect(201);
    world
        .plan(
            text(&imported["api"], "id"),
            "free",
            json!({"security": "keyless"}),
        )
        .await;
    world
        .admin
        .verb("/apis/servers/versions/v1/publish")
        .await
        .expect(200);
    let reply = crate::world::settles_at(&world.gateway(), "/servers/v1/pets", 200).await;
    assert_eq!(text(&reply.json(), "target"), "/from-document/pets");
}

#[tokio::test]
async fn cycles_stay_references() {
    let world = shared().await;
    let mut document = documents::pets();
    document["components"]["schemas"]["A"] = json!({"$ref": "#/components/schemas/B"});
    document["components"]["schemas"]["B"] = json!({"properties": {"a": {"$ref": "#/components/schemas/A"}}});
    import(world, "cyclic", document).await.expect(201);
}

#[tokio::test]
async fn a_reference_to_nowhere_in_the_document_is_told_and_comes_in() {
    let world = shared().await;
    let document = documents::pets_with_reference("#/components/parameters/Nowhere");
    let imported = import(world, "dangling", document).await.expect(201);
    let findings = imported["findings"].as_array().unwrap();
    let told = findings
        .iter()
        .find(|f| text(f, "pointer").starts_with(documents::REFERENCE_AT))
        .unwrap_or_else(|| panic!("no finding at the reference in {imported}"));
    assert_eq!(text(told, "severity"), "warning", "{told}");
    assert!(
        !text(told, "code").is_empty() && text(told, "message").contains("Nowhere"),
        "{told}"
    );
    world.admin.get("/apis/dangling").await.expect(200);
}

#[tokio::test]
async fn a_reference_to_a_document_that_cannot_be_had_is_refused() {
    let world = shared().await;
    let document = documents::pets_with_reference(&format!("{}/p.json", nobody()));
    let findings = refused(world, "unreachable", document).await;
    assert!(
        findings.iter().any(|f| {
            text(f, "severity") == "error" && text(f, "pointer").starts_with(documents::REFERENCE_AT)
        }),
        "{findings:?}"
    );
}

#[tokio::test]
async fn broken_documents_are_refused_with_where_and_why() {
    let world = shared().await;
    let mut wrong_type = documents::pets();
    wrong_type["paths"] = json!(["/pets"]);
    let findings = refused(world, "wrong-type", wrong_type).await;
    assert!(
        findings.iter().any(|f| text(f, "pointer") == "/paths"),
        "{findings:?}"
    );

    refused(world, "no-openapi", json!({"hello": "world"})).await;
    refused(world, "old-openapi", json!({"swagger": "1.2", "info": {}})).await;
    refused(world, "not-yaml", json!("openapi: 3.0.3\ninfo: [unclosed\n")).await;
    refused(world, "empty", json!("")).await;
    refused(
        world,
        "web-page",
        json!("<!doctype html><html><body>404</body></html>"),
    )
    .await;
}

#[tokio::test]
async fn the_line_is_told_where_it_is_known() {
    let world = shared().await;
    let text_document = "{\n  \"openapi\": \"3.0.3\",\n  \"info\": {\"title\": \"T\", \"version\": \"1\"},\n  \"paths\": 7\n}\n";
    let findings = refused(world, "lined", json!(text_document)).await;
    let about_paths = findings
        .iter()
        .find(|finding| text(finding, "pointer") == "/paths")
        .unwrap();
    assert_eq!(about_paths["line"], 4, "{about_paths}");
}

#[tokio::test]
async fn bombs_are_refused_quickly() {
    let world = shared().await;
    let bomb = documents::yaml_bomb();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let deep = format!(
        "{{\"openapi\":\"3.0.3\",\"info\":{{\"title\":\"T\",\"version\":\"1\"}},\"paths\":{{}},\"x\":{deep}}}"
    );
    let bar = Duration::from_secs(10);
    let took = best_of_a_few(bar, async |_| {
        let since = Instant::now();
        refused(world, "alias-bomb", json!(bomb)).await;
        refused(world, "deep", json!(deep)).await;
        since.elapsed()
    });
    let took = took.await;
    assert!(took < bar, "{took:?}");
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_without_harm() {
    let world = shared().await;
    let mut body = br#"{"slug":"huge","context_path":"/huge","document":""#.to_vec();
    body.resize(100 * 1024 * 1024, b'a');
    body.extend(br#""}"#);
    let reply = world
        .admin
        .json()
        .attempt(Method::POST, "/apis/import", body)
        .await;
    // A server may close before it has read all; then the answer can be lost on its way.
    if let Ok(reply) = reply {
        assert_eq!(reply.status, 413, "{reply}");
    }
    world.admin.get("/apis/huge").await.expect(404);

    let mut document = documents::pets().to_string();
    document.push_str(&" ".repeat(25 * 1024 * 1024));
    let reply = import(world, "large", Value::from(document)).await;
    assert!(
        matches!(reply.status, 413 | 422),
        "a document has at most 24 MiB: {reply}"
    );
    world.admin.get("/apis/large").await.expect(404);
}

#[tokio::test]
async fn documents_are_not_fetched_from_private_addresses() {
    let world = shared().await;
    let canary = Echo::start();
    let (_, port) = canary
        .url()
        .rsplit_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "169.254.169.254",
    ] {
        let body = json!({"url": format!("http://{host}:{port}/openapi.json"), "slug": "fetched", "context_path": "/fetched"});
        let reply = world.admin.post("/apis/import", &body).await;
        assert!(matches!(reply.status, 400 | 422), "{host}: {reply}");
    }
    assert!(canary.received().is_empty(), "{:?}", canary.received());
    world.admin.get("/apis/fetched").await.expect(404);
}

both_stores!(a_second_import_keeps_what_is_there_when_it_fails);

async fn a_second_import_keeps_what_is_there_when_it_fails(world: World) {
    let published = world.publish("renewed", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    crate::world::settles_at(&gateway, "/renewed/v1/pets", 200).await;
    let mut more = documents::pets();
    more["paths"]["/toys"] =
        json!({"get": {"operationId": "listToys", "responses": {"200": {"description": "Toys."}}}});
    let mut broken = more.clone();
    broken["paths"]["/pets"] = json!("gone");
    let path = format!("/apis/{}/versions/v1/import", published.api);
    world
        .admin
        .post(&path, &json!({"document": broken}))
        .await
        .expect(422);
    gateway.get("/renewed/v1/pets").await.expect(200);
    gateway
        .get("/renewed/v1/toys")
        .await
        .expect_problem(404, "no_operation");
    let renewed = world.admin.post(&path, &json!({"document": more})).await;
    assert!(matches!(renewed.status, 200 | 201), "{renewed}");
    crate::world::settles_at(&gateway, "/renewed/v1/toys", 200).await;
    let all = world.admin.get("/apis").await.expect(200);
    assert_eq!(items(&all).len(), 1, "{all}");
}
