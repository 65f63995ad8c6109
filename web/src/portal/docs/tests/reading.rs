//! How pages are asked for: merged or apart, again, under `latest`, as Markdown.

use axum::body::Body;
use gatewright_control::IfMatch;
use gatewright_control::apis::ApiPatch;
use gatewright_control::import::ImportSource;
use gatewright_control::lifecycle::Transition;
use gatewright_control::versions::NewVersion;
use gatewright_model::api::Visibility;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Slug, VersionLabel};
use http::Method;
use serde_json::{Value, json};

use super::{HOME, opened, publish, shop, v1};
use crate::testing::{Reply, TestPortal, Visitor};

/// The address that a page offers under these words.
fn link_of(page: &str, words: &str) -> String {
    let (before, _) = page.split_once(&format!(">{words}</a>")).unwrap();
    let tag = before.rsplit("<a ").next().unwrap();
    let href = tag.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    href.replace("&#38;", "&").replace("&amp;", "&")
}

fn ids(page: &str) -> Vec<&str> {
    let starts = page.split(" id=\"").skip(1);
    starts.map(|rest| rest.split('"').next().unwrap()).collect()
}

/// An excerpt of the example of composition in the OpenAPI specification (3.0.3, section 4.7.24.4).
fn composed() -> Value {
    json!({
        "openapi": "3.0.3", "info": {"title": "Errors", "version": "1"},
        "paths": {"/errors": {"get": {"operationId": "errors", "responses": {"200": {"description": "All", "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ExtendedErrorModel"}}}}}}}},
        "components": {"schemas": {
            "ErrorModel": {"type": "object", "required": ["message", "code"], "properties": {
                "message": {"type": "string"}, "code": {"type": "integer", "minimum": 100, "maximum": 600}}},
            "ExtendedErrorModel": {"allOf": [{"$ref": "#/components/schemas/ErrorModel"},
                {"type": "object", "required": ["rootCause"], "properties": {"rootCause": {"type": "string"}}}]},
        }},
    })
}

#[tokio::test]
async fn a_composed_schema_is_shown_merged_and_as_its_parts() {
    let portal = TestPortal::new().await;
    publish(&portal, "errors", composed().to_string(), Visibility::Public).await;
    let visitor = portal.visitor();
    let page = visitor.get("/apis/errors/v/v1/ops/errors").await;
    page.shows(&["rootCause", "message", "from ErrorModel", "Show composition"]);
    let apart = link_of(&page.text, "Show composition");
    // Without a script the switch is a page of its own, and leads back.
    let whole = visitor.get(&apart).await;
    whole.shows(&[
        "<h1",
        "All of these",
        "<summary><bdi>ErrorModel</bdi>",
        "Show merged",
    ]);
    assert!(!whole.text.contains("from ErrorModel"));
    let back = link_of(&whole.text, "Show merged");
    visitor
        .get(&back)
        .await
        .shows(&["from ErrorModel", "Show composition"]);
    // With one it takes the place of the schema, under the same address on the page.
    let box_of = |text: &str| text.split("<div class=\"schema\" id=\"").nth(1).unwrap()[..13].to_owned();
    let part = visitor.fragment(&apart).await;
    part.shows(&["All of these", "Show merged"]);
    assert!(!part.text.contains("<html"));
    assert_eq!(box_of(&page.text), box_of(&part.text));
    for text in [&page.text, &whole.text, &part.text] {
        let ids = ids(text);
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "{ids:?}");
    }
    let again = visitor.fragment(&link_of(&part.text, "Show merged")).await;
    again.shows(&["from ErrorModel"]);
    assert_eq!(box_of(&page.text), box_of(&again.text));
    visitor
        .get("/apis/errors/v/v1/schemas/ExtendedErrorModel.md")
        .await
        .shows(&["as=parts"]);
    visitor
        .get("/apis/errors/v/v1/schema.md?ptr=/components/schemas/ExtendedErrorModel&as=parts")
        .await
        .shows(&["- All of these:", "`rootCause`"]);
}

const PAGES: [&str; 15] = [
    "reference",
    "reference?q=place",
    "ops/getorder",
    "webhooks/shipped",
    "schemas",
    "schemas/Order",
    "schema?ptr=/components/schemas/Line",
    "auth",
    "errors",
    "download",
    "reference.md",
    "ops/getorder.md",
    "schema.md?ptr=/components/schemas/Line",
    "openapi.json",
    "openapi.yaml",
];

async fn ask(who: &Visitor<'_>, path: &str, more: &[(&str, &str)]) -> Reply {
    who.send(Method::GET, path, more, Body::empty()).await
}

#[tokio::test]
async fn pages_are_revalidated_and_no_reader_gets_the_page_of_another() {
    let portal = opened().await;
    let (visitor, admin) = (portal.visitor(), portal.admin().await);
    for page in PAGES {
        let path = format!("{HOME}/{page}");
        let first = ask(&visitor, &path, &[]).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{page}: {tag}");
        assert_eq!(first.header("cache-control"), "private, no-cache", "{page}");
        assert!(first.header("vary").contains("Cookie"), "{page}");
        let known = [("if-none-match", tag.as_str())];
        let again = ask(&visitor, &path, &known).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{page}");
        assert_eq!(
            (again.header("etag"), again.header("cache-control")),
            (tag.as_str(), "private, no-cache")
        );
        // Another choice of colours is another page.
        let dark = [("if-none-match", tag.as_str()), ("cookie", "gw_theme=dark")];
        let is_html = first.header("content-type").starts_with("text/html");
        let status = ask(&visitor, &path, &dark).await.status;
        assert_eq!(status, if is_html { 200 } else { 304 }, "{page}");
        // So is that of somebody who is signed in, and it is kept nowhere.
        let own = ask(&admin, &path, &known).await;
        if is_html {
            own.shows(&["admin@example.com"]);
            assert_eq!(own.header("cache-control"), "no-store", "{page}");
            assert_ne!(own.header("etag"), tag, "{page}");
        } else {
            assert_eq!(own.status, 304, "{page}");
        }
    }
}

#[tokio::test]
async fn parts_of_pages_are_the_same_for_all_who_may_see_them() {
    let portal = opened().await;
    let (visitor, admin) = (portal.visitor(), portal.admin().await);
    let link = format!("{HOME}/schema?ptr=/components/schemas/Line&zone=s");
    let part = visitor.fragment(&link).await;
    assert_eq!(part.header("vary"), "HX-Request, Cookie");
    let known = [("hx-request", "true"), ("if-none-match", part.header("etag"))];
    assert_eq!(ask(&admin, &link, &known).await.status, 304);
    // A tag opens nothing.
    let api = Ref::Slug(Slug::parse("shop").unwrap());
    let patch = ApiPatch {
        visibility: Some(Visibility::Private),
        ..ApiPatch::default()
    };
    let caller = portal.admin_caller().await;
    let apis = portal.control.apis();
    apis.update(&caller, &api, patch, IfMatch::ANY).await.unwrap();
    assert_eq!(ask(&visitor, &link, &known).await.status, 404);
    let document = format!("{HOME}/openapi.json");
    let any = [("if-none-match", "*")];
    assert_eq!(ask(&visitor, &document, &any).await.status, 404);
}

#[tokio::test]
async fn latest_leads_to_the_newest_published_version() {
    let portal = opened().await;
    let admin = portal.admin_caller().await;
    let api = Ref::Slug(Slug::parse("shop").unwrap());
    let visitor = portal.visitor();
    let leads = async |path: &str| {
        let reply = visitor.get(&format!("/apis/shop/v/latest{path}")).await;
        assert_eq!(reply.status, 307, "{}", reply.text);
        assert_eq!(reply.header("cache-control"), "private, no-cache");
        reply.header("location").to_owned()
    };
    assert_eq!(leads("").await, "/apis/shop/v/v1/reference");
    assert_eq!(leads("/ops/getorder").await, "/apis/shop/v/v1/ops/getorder");
    assert_eq!(
        leads("/schema?ptr=/a/b%2Fc").await,
        "/apis/shop/v/v1/schema?ptr=/a/b%2Fc"
    );

    let v2 = VersionLabel::parse("v2").unwrap();
    let versions = portal.control.versions();
    let new = NewVersion {
        label: v2.clone(),
        document: None,
        copy_from: Some(v1()),
    };
    versions.create(&admin, &api, new).await.unwrap();
    let v2 = VersionRef::Label(v2);
    let mut document = shop();
    document["paths"].as_object_mut().unwrap().remove("/orders");
    let source = ImportSource::Text(document.to_string().into());
    versions.import(&admin, &api, &v2, source, false).await.unwrap();
    // What is not published is nobody's newest, not even its owner's.
    assert_eq!(leads("/ops/getorder").await, "/apis/shop/v/v1/ops/getorder");
    let owner = portal.admin().await.get("/apis/shop/v/latest").await;
    assert_eq!(owner.header("location"), "/apis/shop/v/v1/reference");

    versions
        .transition(&admin, &api, &v2, Transition::Publish, IfMatch::ANY)
        .await
        .unwrap();
    assert_eq!(leads("/ops/getorder.md").await, "/apis/shop/v/v2/ops/getorder.md");
    // It is not in the new version any more.
    assert_eq!(leads("/ops/placeorder").await, "/apis/shop/v/v2/reference");
    assert_eq!(leads("/openapi.json").await, "/apis/shop/v/v2/openapi.json");

    portal.draft("early").await;
    for path in [
        "/apis/early/v/latest/reference",
        "/apis/none/v/latest",
        "/apis/early/v/latest/ops/getpet",
    ] {
        assert_eq!(visitor.get(path).await.status, 404, "{path}");
    }
    let new = NewVersion {
        label: VersionLabel::parse("latest").unwrap(),
        document: None,
        copy_from: None,
    };
    let refused = versions.create(&admin, &api, new).await.unwrap_err();
    let refused = format!("{refused:?}");
    assert!(refused.contains("reserved_label"), "{refused}");
}

#[tokio::test]
async fn every_page_of_a_reference_has_a_twin_and_names_it() {
    let portal = opened().await;
    let visitor = portal.visitor();
    for (page, words) in [
        ("reference", "[GET /orders/{id}]"),
        ("ops/getorder", "# Read an order"),
        ("webhooks/shipped", "# Order shipped"),
        (
            "schemas",
            "[Line](http://portal.test/apis/shop/v/v1/schemas/Line.md) (object)",
        ),
        (
            "schemas/Order",
            "`lines` (array of Line, required): [Line](http://portal.test/apis/shop/v/v1/schema.md?ptr=%2F",
        ),
        (
            "schema?ptr=/components/schemas/Line&dir=request",
            "`sku` (string or null)",
        ),
        ("auth", "X-API-Key: $API_KEY"),
        ("errors", "`quota_exceeded`"),
        ("download", "/apis/shop/v/v1/openapi.yaml"),
    ] {
        let shown = visitor.get(&format!("{HOME}/{page}")).await;
        let link = "<link rel=\"alternate\" type=\"text/markdown\" href=\"";
        let rest = shown
            .text
            .split(link)
            .nth(1)
            .unwrap_or_else(|| panic!("{page} names no twin"));
        let href = rest
            .split('"')
            .next()
            .unwrap()
            .replace("&#38;", "&")
            .replace("&amp;", "&");
        let twin = visitor.get(&href).await;
        twin.shows(&[words]);
        assert_eq!(
            twin.header("content-type"),
            "text/markdown; charset=utf-8",
            "{href}"
        );
        // Its links lead on.
        for part in twin.text.split("](http://portal.test").skip(1).take(8) {
            let path = part.split(')').next().unwrap();
            assert_eq!(visitor.get(path).await.status, 200, "{path} on {href}");
        }
    }
    let api = visitor.get("/apis/shop").await;
    api.shows(&["rel=\"alternate\" type=\"text/markdown\" href=\"/apis/shop.md\""]);
}

#[tokio::test]
async fn the_search_above_every_page_finds_operations_too() {
    let portal = opened().await;
    let page = portal.visitor().get(&format!("{HOME}/ops/getorder")).await;
    page.shows(&["<form class=\"top-search\" action=\"/search\""]);
    let list = portal.visitor().get("/apis?q=shop").await;
    list.shows(&["Search: shop"]);
    let header = list
        .text
        .split("id=\"top-q\"")
        .nth(1)
        .unwrap()
        .split('>')
        .next()
        .unwrap();
    assert!(header.contains("value=\"\""), "{header}");
}
