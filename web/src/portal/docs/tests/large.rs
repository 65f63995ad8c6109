//! Descriptions that are larger than anybody reads.

use gatewright_model::api::Visibility;
use gatewright_model::reference::Ref;
use gatewright_model::text::Slug;
use serde_json::{Value, json};

use super::{HOME, opened, publish, v1};
use crate::testing::TestPortal;

/// So many members, each with its number in the name.
fn many(most: usize, name: &str, value: &Value) -> Value {
    let members = (0..most).map(|n| (format!("{name}{n}"), value.clone()));
    members.collect::<serde_json::Map<_, _>>().into()
}

fn long_text() -> String {
    "- **a** `b` *c* [d](https://e.test)\n".repeat(30)
}

/// A value with every rule and mark there is.
fn scalar() -> Value {
    let values: Vec<String> = (0..60).map(|n| format!("value {n}")).collect();
    json!({
        "type": "string", "format": "uuid", "deprecated": true, "writeOnly": false, "enum": values,
        "description": long_text(), "default": "x", "pattern": "^x$", "minLength": 1, "maxLength": 9,
        "examples": ["x"],
    })
}

/// A body in thirty media types.
fn bodies() -> Value {
    let inner = many(20, "inner", &scalar());
    let property = json!({
        "type": "object", "title": "T", "description": long_text(), "required": ["inner0"], "properties": inner,
    });
    let shape = json!({"title": "S", "properties": inner});
    let schema = json!({
        "allOf": [{"properties": many(60, "p", &property)}, {"description": long_text()}],
        "oneOf": vec![shape; 20],
    });
    let numbers: Vec<usize> = (0..2_000).collect();
    let example = json!({"summary": long_text(), "value": numbers});
    let named = json!({"schema": {"$ref": "#/components/schemas/Much"}, "examples": many(20, "e", &example)});
    let mut bodies = json!({"application/json": {"schema": schema}});
    for (name, body) in many(30, "application/x", &named).as_object().unwrap() {
        bodies[name] = body.clone();
    }
    bodies
}

/// An operation with too much of everything that a description can have. What
/// occurs often is shared, or the description itself would be refused for its size.
fn excessive() -> Value {
    let text = long_text();
    let header = json!({"$ref": "#/components/headers/Much"});
    let link = json!({"operationId": "much", "parameters": many(60, "k", &json!("$url"))});
    let response = json!({
        "description": text, "headers": many(60, "X-H", &header), "content": bodies(), "links": many(60, "l", &link),
    });
    let responses = many(300, "2", &json!({"$ref": "#/components/responses/Much"}));
    let parameters: Vec<Value> = (0..400)
        .map(|n| json!({"name": format!("q{n}"), "in": "query", "description": "*a*", "schema": {"$ref": "#/components/schemas/Much"}}))
        .collect();
    let call = json!({"{$url}": {"post": {"requestBody": {"$ref": "#/components/requestBodies/Much"}, "responses": responses}}});
    let samples: Vec<Value> = (0..60)
        .map(|n| json!({"lang": format!("L{n}"), "source": text}))
        .collect();
    json!({
        "openapi": "3.1.0", "info": {"title": "Much", "version": "1"},
        "paths": {"/much": {"post": {
            "operationId": "much", "summary": "Much", "description": text.repeat(20), "parameters": parameters,
            "requestBody": {"$ref": "#/components/requestBodies/Much"}, "responses": responses,
            "callbacks": many(60, "c", &call), "x-codeSamples": samples,
        }}},
        "components": {
            "schemas": {"Much": scalar()},
            "headers": {"Much": {"description": text, "schema": {"$ref": "#/components/schemas/Much"}}},
            "requestBodies": {"Much": {"description": text, "content": bodies()}},
            "responses": {"Much": response},
        },
    })
}

fn elements(html: &str) -> usize {
    html.matches('<').count() - html.matches("</").count()
}

#[tokio::test]
async fn no_description_makes_a_page_that_browsers_choke_on() {
    let portal = TestPortal::new().await;
    publish(&portal, "much", excessive().to_string(), Visibility::Public).await;
    for reader in [portal.visitor(), portal.admin().await] {
        let page = reader.get("/apis/much/v/v1/ops/much").await;
        page.shows(&[
            "q59",
            "more parameters, headers, bodies and answers are in",
            "Show all of it on a page of its own",
        ]);
        let found = elements(&page.text);
        println!(
            "an excessive operation: {found} elements, {} bytes",
            page.text.len()
        );
        assert!(found <= 5_000, "{found} elements");
        assert!(page.text.matches("class=\"schema-row\"").count() <= 250 + 60 + 60);
    }
    // One that people write has all of its details.
    let usual = opened()
        .await
        .visitor()
        .get(&format!("{HOME}/ops/getorder"))
        .await;
    assert!(!usual.text.contains(">Details</a>") && elements(&usual.text) < 1_000);
}

/// `cargo test -p gatewright-web measured -- --ignored --nocapture` with
/// `GATEWRIGHT_DOCUMENT` naming GitHub's description prints what the pages of
/// all its operations cost.
#[tokio::test]
#[ignore = "takes a document of 13 MB"]
async fn measured_pages_of_a_large_document() {
    #[expect(clippy::disallowed_methods, reason = "the test is told where the document is")]
    let file = std::env::var("GATEWRIGHT_DOCUMENT").unwrap();
    let portal = TestPortal::new().await;
    let started = std::time::Instant::now();
    publish(
        &portal,
        "github",
        std::fs::read_to_string(file).unwrap(),
        Visibility::Public,
    )
    .await;
    println!("import and publish: {:?}", started.elapsed());
    measure(&portal, "github").await;
}

#[tokio::test]
#[ignore = "makes 5,000 schemas"]
async fn measured_pages_of_circles() {
    let schemas: serde_json::Map<String, Value> = (0..5_000)
        .map(|n: usize| {
            let property = |k: usize| {
                let target = format!("#/components/schemas/S{}", (n * 7 + k * 13 + 1) % 5_000);
                (format!("p{k}"), json!({"$ref": target}))
            };
            let properties: serde_json::Map<String, Value> = (0..10).map(property).collect();
            (
                format!("S{n}"),
                json!({"type": "object", "properties": properties}),
            )
        })
        .collect();
    let paths: serde_json::Map<String, Value> = (0..200)
        .map(|n| {
            let schema = json!({"$ref": format!("#/components/schemas/S{n}")});
            let content = json!({"application/json": {"schema": schema}});
            (format!("/s{n}"), json!({"post": {"requestBody": {"content": content}, "responses": {"200": {"description": "ok", "content": content}}}}))
        })
        .collect();
    let document = json!({"openapi": "3.0.0", "info": {"title": "C", "version": "1"}, "paths": paths, "components": {"schemas": schemas}});
    let portal = TestPortal::new().await;
    publish(&portal, "circles", document.to_string(), Visibility::Public).await;
    measure(&portal, "circles").await;
}

/// Opens the page of each operation and prints time, size and number of elements.
async fn measure(portal: &TestPortal, slug: &str) {
    let visitor = portal.visitor();
    let api = Ref::Slug(Slug::parse(slug).unwrap());
    let admin = portal.admin_caller().await;
    let operations = portal
        .control
        .versions()
        .operations(&admin, &api, &v1())
        .await
        .unwrap();
    let (mut times, mut sizes, mut elements) = (Vec::new(), Vec::new(), Vec::new());
    for operation in &operations {
        let path = format!("/apis/{slug}/v/v1/ops/{}", operation.slug);
        let reply = visitor.get(&path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        let timing = reply
            .header("server-timing")
            .split("dur=")
            .nth(1)
            .unwrap()
            .to_owned();
        times.push(timing.replace('.', "").parse::<usize>().unwrap());
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut gzip, reply.text.as_bytes()).unwrap();
        let size = gzip.finish().unwrap().len();
        if size > 20_000 {
            println!("{size} bytes: {path}");
        }
        sizes.push(size);
        elements.push(reply.text.matches('<').count() - reply.text.matches("</").count());
    }
    for (what, mut figures) in [
        ("server time, 1/100 ms", times),
        ("gzip bytes", sizes),
        ("elements", elements),
    ] {
        figures.sort_unstable();
        let at = |share: usize| figures[(figures.len() - 1) * share / 100];
        println!(
            "{slug}, {} pages, {what}: median {} p95 {} max {}",
            figures.len(),
            at(50),
            at(95),
            at(100)
        );
    }
}
