use gatewright_control::IfMatch;
use gatewright_control::import::{ImportRequest, ImportSource};
use gatewright_control::lifecycle::Transition;
use gatewright_control::plans::{NewPlan, PlanVersions};
use gatewright_model::api::Visibility;
use gatewright_model::plan::{ApprovalMode, PlanVerb, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{ContextPath, Name, Slug, VersionLabel};
use serde_json::{Value, json};

use crate::testing::TestPortal;

mod large;
mod reading;

fn v1() -> VersionRef {
    VersionRef::Label(VersionLabel::parse("v1").unwrap())
}

/// Publishes a document as `v1` of an API.
async fn publish(portal: &TestPortal, slug: &str, document: String, visibility: Visibility) {
    let admin = portal.admin_caller().await;
    let request = ImportRequest {
        source: ImportSource::Text(document.into()),
        name: None,
        slug: Some(Slug::parse(slug).unwrap()),
        context_path: Some(ContextPath::parse(&format!("/{slug}")).unwrap()),
        upstream_url: Some("http://127.0.0.1:9/base".parse().unwrap()),
        team: None,
        visibility,
        visible_to: Vec::new(),
        dry_run: false,
    };
    let imported = portal.control.import_api(&admin, request).await.unwrap();
    let api = Ref::Id(imported.api.api.id);
    let plan = NewPlan {
        name: Name::parse("Free").unwrap(),
        slug: Slug::parse("free").unwrap(),
        description: String::new(),
        versions: PlanVersions::All,
        security: Security::ApiKey,
        approval: ApprovalMode::Auto,
        limits: Vec::new(),
    };
    let plans = portal.control.plans();
    let plan = plans.create(&admin, &api, plan).await.unwrap();
    plans
        .transition(&admin, plan.id, PlanVerb::Publish, IfMatch::ANY)
        .await
        .unwrap();
    let versions = portal.control.versions();
    versions
        .transition(&admin, &api, &v1(), Transition::Publish, IfMatch::ANY)
        .await
        .unwrap();
}

fn shop() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Shop", "version": "3", "description": "Sells *things*."},
        "servers": [{"url": "http://10.0.0.7/inner"}],
        "tags": [{"name": "orders", "description": "All about orders"}],
        "security": [{"key": []}],
        "paths": {
            "/orders/{id}": {"get": {
                "operationId": "getOrder", "summary": "Read an order", "tags": ["orders"],
                "description": "Reads it.\n\n> [!NOTE]\n> Orders age.",
                "parameters": [
                    {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}, "example": "o 1"},
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"enum": ["a", "b"]}}},
                ],
                "responses": {
                    "200": {"description": "The order", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                    "404": {"description": "There is none"},
                },
            }},
            "/orders": {"post": {
                "operationId": "placeOrder", "summary": "Place an order", "tags": ["orders"], "deprecated": true,
                "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                "responses": {"201": {"description": "Placed"}},
            }},
        },
        "webhooks": {"shipped": {"post": {"summary": "Order shipped", "requestBody": {"content": {"application/json":
            {"schema": {"$ref": "#/components/schemas/Order"}}}}}}},
        "components": {
            "schemas": {
                "Order": {"type": "object", "required": ["lines"], "properties": {
                    "id": {"type": "string", "readOnly": true, "description": "Given by us"},
                    "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}, "maxItems": 9},
                    "parent": {"$ref": "#/components/schemas/Order"},
                }},
                "Line": {"type": "object", "properties": {"sku": {"type": ["string", "null"]}, "order": {"$ref": "#/components/schemas/Order"}}},
            },
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "Shop-Key", "description": "Ask *us*"}},
        },
    })
}

const HOME: &str = "/apis/shop/v/v1";

async fn opened() -> TestPortal {
    let portal = TestPortal::new().await;
    publish(&portal, "shop", shop().to_string(), Visibility::Public).await;
    portal
}

#[tokio::test]
async fn the_reference_lists_and_finds_operations() {
    let portal = opened().await;
    let visitor = portal.visitor();
    let page = visitor.get(&format!("{HOME}/reference")).await;
    page.shows(&[
        "http://gw.test/shop/v1",
        "All about orders",
        "/apis/shop/v/v1/ops/getorder",
        "Read an order",
        "flag-deprecated",
        "/apis/shop/v/v1/webhooks/shipped",
    ]);
    // What stands behind the gateway is nobody's business.
    assert!(!page.text.contains("10.0.0.7"));
    let found = visitor.fragment(&format!("{HOME}/reference?q=place+post")).await;
    found.shows(&["1 of 2 operations", "ops/placeorder"]);
    assert!(!found.text.contains("<html") && !found.text.contains("ops/getorder"));
    visitor
        .get(&format!("{HOME}/reference?q=zzz"))
        .await
        .shows(&["Nothing matches"]);
    let home = visitor.get(HOME).await;
    assert_eq!(home.location(), "/apis/shop/v/v1/reference");
}

#[tokio::test]
async fn an_operation_has_a_page_of_its_own() {
    let portal = opened().await;
    let page = portal.visitor().get(&format!("{HOME}/ops/getorder")).await;
    page.shows(&[
        "<h1><bdi>Read an order</bdi></h1>",
        "<p class=\"alert-title\">Note</p>",
        "repeat the name for each value",
        "http://gw.test/shop/v1/orders/o%201",
        "$API_KEY",
        "array of Line",
        "at most 9 items",
        "Same as Order above",
        "a key in the header Shop-Key",
        "id=\"try\"",
        "There is none",
    ]);
    assert_eq!(page.text.matches("<h1").count(), 1);
    let ids: Vec<&str> = page
        .text
        .split(" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    let unique: std::collections::HashSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    // Every jump leads somewhere.
    for target in page
        .text
        .split("href=\"#")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(ids.contains(&target), "{target} is not in {ids:?}");
    }
}

#[tokio::test]
async fn a_schema_opens_in_place_and_as_a_page() {
    let portal = opened().await;
    let visitor = portal.visitor();
    let page = visitor.get(&format!("{HOME}/ops/getorder")).await;
    let link = page
        .text
        .split("hx-get=\"")
        .skip(1)
        .map(|rest| {
            rest.split('"')
                .next()
                .unwrap()
                .replace("&#38;", "&")
                .replace("&amp;", "&")
        })
        .find(|link| link.contains("Line"))
        .unwrap();
    let part = visitor.fragment(&link).await;
    part.shows(&["sku", "string or null", "Same as Order above", "href=\"#r200-"]);
    assert!(!part.text.contains("<html"));
    let jump = part
        .text
        .split("href=\"#")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(page.text.contains(&format!("id=\"{jump}\"")), "{jump}");
    // Without a script the same address is a page, on which nothing stands above.
    visitor.get(&link).await.shows(&["<h1", "Show Order"]);
    visitor.get(&format!("{HOME}/schemas/Order")).await.shows(&[
        "Used by",
        "GET /orders/{id}",
        "Given by us",
        "read-only",
    ]);
    visitor
        .get(&format!("{HOME}/schemas?q=lin"))
        .await
        .shows(&["1 of 2 schemas", "schemas/Line"]);
    visitor
        .get(&format!("{HOME}/schema?ptr=/components/schemas/Order/none/such"))
        .await
        .shows(&["nearest schema"]);
    visitor
        .get(&format!("{HOME}/schema?ptr=/components/schemas/Nothing"))
        .await
        .shows(&["There is no schema at that place", "/schemas/Order"]);
    assert_eq!(visitor.get(&format!("{HOME}/schema?ptr=head:")).await.status, 404);
    assert_eq!(visitor.get(&format!("{HOME}/schemas/None")).await.status, 404);
}

#[tokio::test]
async fn the_other_pages_say_what_they_are_for() {
    let portal = opened().await;
    let visitor = portal.visitor();
    visitor
        .get(&format!("{HOME}/auth"))
        .await
        .shows(&["X-API-Key: $API_KEY", "Shop-Key", "<em>us</em>"]);
    visitor
        .get(&format!("{HOME}/errors"))
        .await
        .shows(&["quota_exceeded", "There is none"]);
    visitor
        .get(&format!("{HOME}/webhooks/shipped"))
        .await
        .shows(&["Order shipped", "What you answer"]);
    visitor
        .get(&format!("{HOME}/download"))
        .await
        .shows(&["/openapi.yaml"]);
    let twin = visitor.get(&format!("{HOME}/ops/getorder.md")).await;
    twin.shows(&["# Read an order", "- `id` (string, required)", "curl"]);
    assert_eq!(twin.header("content-type"), "text/markdown; charset=utf-8");
    visitor
        .get(&format!("{HOME}/reference.md"))
        .await
        .shows(&["[GET /orders/{id}](http://portal.test/apis/shop/v/v1/ops/getorder.md)"]);
    visitor
        .get(&format!("{HOME}/schemas/Line.md"))
        .await
        .shows(&["`sku` (string or null)"]);
    visitor
        .get("/llms.txt")
        .await
        .shows(&["http://portal.test/apis/shop.md"]);
}

#[tokio::test]
async fn the_document_leads_to_the_gateway_and_is_revalidated() {
    let portal = opened().await;
    let visitor = portal.visitor();
    let path = format!("{HOME}/openapi.json");
    let given = visitor.get(&path).await;
    let document: Value = serde_json::from_str(&given.text).unwrap();
    assert_eq!(document["servers"], json!([{"url": "http://gw.test/shop/v1"}]));
    let tag = given.header("etag").to_owned();
    let headers = [("if-none-match", tag.as_str())];
    let again = visitor
        .send(http::Method::GET, &path, &headers, axum::body::Body::empty())
        .await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    let yaml = visitor.get(&format!("{HOME}/openapi.yaml")).await;
    assert_eq!(yaml.header("content-type"), "application/yaml");
    assert!(!yaml.text.contains("10.0.0.7"));
}

#[tokio::test]
async fn old_names_lead_to_the_new_one() {
    let portal = opened().await;
    let admin = portal.admin_caller().await;
    let api = Ref::Slug(Slug::parse("shop").unwrap());
    // The key stays, the name in the address goes with another operation that took its id.
    let mut document = shop();
    document["paths"]["/orders/{id}"]["get"]["operationId"] = json!("readOrder");
    let source = ImportSource::Text(document.to_string().into());
    portal
        .control
        .versions()
        .import(&admin, &api, &v1(), source, false)
        .await
        .unwrap();
    let visitor = portal.visitor();
    visitor
        .get(&format!("{HOME}/ops/readorder"))
        .await
        .shows(&["Read an order"]);
    // An operation that has another key now is another one.
    assert_eq!(visitor.get(&format!("{HOME}/ops/getorder")).await.status, 404);
}

#[tokio::test]
async fn what_is_hidden_is_not_found() {
    let portal = TestPortal::new().await;
    publish(&portal, "inner", shop().to_string(), Visibility::Private).await;
    portal.draft("early").await;
    let (stranger, _) = portal.user("stranger", None).await;
    for path in ["/apis/inner/v/v1", "/apis/early/v/v1"] {
        for page in [
            "reference",
            "ops/getorder",
            "schemas",
            "auth",
            "errors",
            "download",
            "openapi.json",
            "reference.md",
            "schemas.md",
            "schema.md?ptr=/components/schemas/Order",
            "auth.md",
            "errors.md",
            "download.md",
        ] {
            let path = format!("{path}/{page}");
            assert_eq!(stranger.get(&path).await.status, 404, "{path}");
            assert_eq!(portal.visitor().get(&path).await.status, 404, "{path}");
        }
    }
    let admin = portal.admin().await;
    admin
        .get("/apis/early/v/v1/ops/getpet")
        .await
        .shows(&["only members of its team"]);
}

/// Texts that want to be more than text, wherever a document has texts.
#[tokio::test]
async fn hostile_documents_are_inert() {
    const BAD: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)><b hx-get=/x>{{7*7}}</b>";
    let mut document = json!({
        "openapi": "3.1.0", "info": {"title": "Bad", "version": BAD, "description": BAD, "contact": {"name": BAD, "url": "javascript:alert(1)"}},
        "tags": [{"name": BAD, "description": BAD}],
        "externalDocs": {"url": "javascript:alert(1)", "description": BAD},
        "paths": {"/x/{a}": {"get": {
            "operationId": "bad", "summary": BAD, "description": BAD, "tags": [BAD],
            "externalDocs": {"url": "javascript:alert(1)"},
            "parameters": [{"name": BAD, "in": "query", "required": true, "description": BAD, "example": BAD, "schema": {"enum": [BAD], "default": BAD, "pattern": BAD, "format": BAD}}],
            "requestBody": {"content": {BAD: {"schema": {"title": BAD, "properties": {BAD: {"const": BAD, BAD: BAD}}}}}},
            "responses": {"200": {"description": BAD, "headers": {BAD: {"description": BAD}}, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/B"}, "examples": {BAD: {"summary": BAD, "value": {BAD: BAD}}}}}}},
            "x-codeSamples": [{"lang": BAD, "label": BAD, "source": BAD}],
            "callbacks": {BAD: {BAD: {"post": {"summary": BAD, "description": BAD, "responses": {BAD: {"description": BAD}}}}}},
        }}},
        "components": {"schemas": {"B": {"oneOf": [{"title": BAD, "properties": {"x": {"$ref": "#/components/schemas/B"}}}, {"type": "object", "properties": {"y": {}}}],
            "discriminator": {"propertyName": BAD}}},
            "securitySchemes": {BAD: {"type": "apiKey", "in": "header", "name": BAD, "description": BAD}}},
    });
    document["components"]["schemas"][BAD] =
        json!({"description": BAD, "properties": {BAD: {"description": BAD}}});
    let portal = TestPortal::new().await;
    publish(&portal, "bad", document.to_string(), Visibility::Public).await;
    let visitor = portal.visitor();
    let name = crate::portal::docs::frame::encoded(BAD);
    for page in [
        "reference",
        "reference?q=x",
        "ops/bad",
        "schemas",
        "schemas/B",
        "auth",
        "errors",
        "download",
        &format!("schemas/{name}"),
        &format!("reference?tag={name}"),
    ] {
        let reply = visitor.get(&format!("/apis/bad/v/v1/{page}")).await;
        assert_eq!(reply.status, 200, "{page}: {}", reply.text);
        for tag in reply.text.split('<').skip(1) {
            // What is left of the texts holds no tag of its own and breaks out of no attribute.
            let inside = tag.split('>').next().unwrap();
            assert!(
                !inside.contains("onerror") || inside.contains('"'),
                "{page}: <{inside}>"
            );
            for start in ["script>", "img src=x", "b hx-"] {
                assert!(!inside.starts_with(start), "{page}: <{inside}>");
            }
            let unquoted: String = inside.split('"').step_by(2).collect();
            assert!(
                !unquoted.contains("onerror") && !unquoted.contains("hx-get=/x"),
                "{page}: <{inside}>"
            );
            assert!(!inside.contains("href=\"javascript"), "{page}: <{inside}>");
        }
    }
}
