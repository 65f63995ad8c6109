//! Descriptions that are larger than anybody reads.

use gatewright_model::api::Visibility;
use gatewright_model::reference::Ref;
use gatewright_model::text::Slug;
use serde_json::{Value, json};

use super::{publish, v1};
use crate::testing::TestPortal;

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
