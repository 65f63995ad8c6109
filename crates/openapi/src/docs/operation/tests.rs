use serde_json::{Value, json};

use super::{InputKind, OperationDoc, Place, build};
use crate::docs::head::Head;
use crate::docs::samples::{Call, CallBody, Language};
use crate::docs::split::HEAD;
use crate::docs::testing::{built, parts_of, parts_of_raw};

fn shop() -> Value {
    json!({
        "openapi": "3.1.0", "info": {"title": "Shop", "version": "1"},
        "security": [{"key": []}, {"oauth": ["read", "write"]}],
        "paths": {"/shops/{shop}/orders": {
            "parameters": [{"name": "shop", "in": "path", "required": true, "schema": {"type": "string"}}],
            "post": {
                "operationId": "placeOrder", "summary": "Place an order", "description": "At *once*.", "deprecated": true,
                "parameters": [
                    {"$ref": "#/components/parameters/Dry"},
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"enum": ["a", "b"]}}},
                    {"name": "X-Trace", "in": "header", "example": "t 1", "required": true, "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                ],
                "requestBody": {"$ref": "#/components/requestBodies/Order"},
                "responses": {
                    "201": {"description": "Placed", "headers": {"Location": {"$ref": "#/components/headers/Location"}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"},
                                        "examples": {"one": {"$ref": "#/components/examples/One"}}}},
                            "links": {"get": {"operationId": "getOrder", "parameters": {"id": "$response.body#/id"}}}},
                    "4XX": {"$ref": "#/components/responses/Refused"},
                },
                "callbacks": {"shipped": {"{$request.body#/url}": {"post": {"summary": "Order shipped",
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                    "responses": {"204": {"description": "Seen"}}}}}},
                "x-codeSamples": [{"lang": "Shell", "label": "CLI", "source": "shop order\n"}],
            },
        }},
        "webhooks": {"sold": {"post": {"requestBody": {"content": {"application/json": {"schema": {"type": "object",
            "properties": {"secret": {"type": "string", "writeOnly": true}, "id": {"type": "string", "readOnly": true}}}}}}}}},
        "components": {
            "parameters": {"Dry": {"name": "dry run", "in": "query", "required": true, "schema": {"type": "boolean", "default": false}}},
            "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
            "requestBodies": {"Order": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}},
            "responses": {"Refused": {"description": "No"}},
            "examples": {"One": {"summary": "A small order", "value": {"id": "o_1"}}},
            "schemas": {"Order": {"type": "object", "properties": {
                "id": {"type": "string", "readOnly": true}, "note": {"type": "string"},
                "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
            }}, "Line": {"type": "object", "properties": {"sku": {"type": "string", "example": "a-1"}}}},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "K"},
                "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://t.test", "scopes": {"read": "Read"}}}}},
        },
    })
}

fn operation(
    document: &Value,
    pointer: &str,
    method: &str,
    template: &str,
    inbound: bool,
) -> (OperationDoc, usize) {
    let parts = parts_of(document);
    let head: Head = parts
        .iter()
        .find(|part| part.pointer == HEAD)
        .map(|part| serde_json::from_slice(&part.body).unwrap())
        .unwrap();
    let (doc, rounds) = built(&parts, |source| {
        build(source, &head, pointer, method, template, inbound)
    });
    (doc.unwrap(), rounds)
}

fn order() -> (OperationDoc, usize) {
    operation(
        &shop(),
        "/paths/~1shops~1{shop}~1orders/post",
        "POST",
        "/shops/{shop}/orders",
        true,
    )
}

#[test]
fn an_operation_says_all_it_has() {
    let (doc, rounds) = order();
    assert!(rounds <= 5, "{rounds} rounds");
    assert_eq!(doc.summary.as_deref(), Some("Place an order"));
    assert!(doc.deprecated);
    let places: Vec<(Place, Vec<&str>)> = doc
        .parameters
        .iter()
        .map(|group| {
            (
                group.place,
                group.parameters.iter().map(|p| p.name.as_str()).collect(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            (Place::Path, vec!["shop"]),
            (Place::Query, vec!["dry run", "fields"]),
            (Place::Header, vec!["X-Trace"]),
        ]
    );
    let fields = &doc.parameters[1].parameters[1];
    assert_eq!(fields.input.kind, InputKind::List);
    assert_eq!(fields.writing.as_deref(), Some("repeat the name for each value"));
    let words: Vec<&str> = doc
        .security
        .iter()
        .map(|proof| proof.parts[0].words.as_str())
        .collect();
    assert_eq!(words, ["a key in the header K", "an access token of OAuth 2.0"]);
    assert_eq!(doc.security[1].parts[0].scopes, ["read", "write"]);
    let placed = &doc.responses[0];
    assert_eq!(
        (placed.title, placed.headers[0].name.as_str()),
        ("Created", "Location")
    );
    assert_eq!(placed.contents[0].examples[0].title, "A small order");
    assert_eq!(
        placed.links[0].parameters,
        [("id".to_owned(), "$response.body#/id".to_owned())]
    );
    assert_eq!(doc.responses[1].description.as_deref(), Some("No"));
    assert_eq!(doc.callbacks[0].expression, "{$request.body#/url}");
    assert_eq!(doc.samples[0].label, "CLI");
}

#[test]
fn each_direction_leaves_out_what_only_the_other_side_sends() {
    let (doc, _) = order();
    let names = |view: &crate::docs::schema::SchemaView| -> Vec<String> {
        view.rows.iter().map(|row| row.name.clone()).collect()
    };
    let body = doc.body.unwrap();
    assert_eq!(names(body.contents[0].view.as_ref().unwrap()), ["note", "lines"]);
    assert_eq!(
        names(doc.responses[0].contents[0].view.as_ref().unwrap()),
        ["id", "note", "lines"]
    );
    assert_eq!(
        body.contents[0].examples[0].value,
        Some(json!({"note": "text", "lines": [{"sku": "a-1"}]}))
    );
    let (hook, _) = operation(&shop(), "/webhooks/sold/post", "POST", "sold", false);
    assert_eq!(
        names(hook.body.unwrap().contents[0].view.as_ref().unwrap()),
        ["id"]
    );
}

#[test]
fn a_call_has_what_it_needs_and_everything_encoded() {
    let (doc, _) = order();
    let call = Call::of(&doc, "https://gw.test/shop/v1/");
    assert_eq!(
        call.url,
        "https://gw.test/shop/v1/shops/SHOP/orders?dry%20run=false"
    );
    assert_eq!(call.headers, [("X-Trace".to_owned(), "t 1".to_owned())]);
    assert!(matches!(&call.body, Some(CallBody::Json(kind, _)) if kind == "application/json"));
    assert!(call.sample(Language::Curl).text().contains("--data-raw"));
}

#[test]
fn forms_are_sent_as_forms() {
    let of = |media_type: &str| {
        let document = json!({"openapi": "3.0.0", "info": {"title": "F", "version": "1"}, "paths": {"/f": {"post": {
            "requestBody": {"content": {media_type: {"schema": {"type": "object", "properties": {
                "a\"b": {"type": "string", "example": "1&2"}}}}}}, "responses": {}}}}});
        let (doc, _) = operation(&document, "/paths/~1f/post", "POST", "/f", true);
        Call::of(&doc, "https://gw.test").body.unwrap().text()
    };
    assert_eq!(of("application/x-www-form-urlencoded"), "a%22b=1%262");
    assert!(of("multipart/form-data").contains("name=\"a%22b\"\r\n\r\n1&2\r\n--boundary--"));
}

/// 5,000 schemas, each of which refers to ten others, in circles.
#[test]
fn five_thousand_schemas_in_circles_load_a_handful() {
    let schemas: serde_json::Map<String, Value> = (0..5_000)
        .map(|n: usize| {
            let properties: serde_json::Map<String, Value> = (0..10)
                .map(|k| {
                    let target = format!("#/components/schemas/S{}", (n * 7 + k * 13 + 1) % 5_000);
                    (format!("p{k}"), json!({"$ref": target}))
                })
                .collect();
            (
                format!("S{n}"),
                json!({"type": "object", "properties": properties}),
            )
        })
        .collect();
    let document = json!({"openapi": "3.0.0", "info": {"title": "C", "version": "1"},
        "paths": {"/s": {"get": {"responses": {"200": {"description": "ok", "content": {"application/json":
            {"schema": {"$ref": "#/components/schemas/S0"}}}}}}}},
        "components": {"schemas": schemas}});
    let parts = parts_of_raw(serde_json::to_vec(&document).unwrap());
    let loaded = std::cell::Cell::new(0);
    let (doc, rounds) = built(&parts, |source| {
        loaded.set(loaded.get() + 1);
        build(source, &Head::default(), "/paths/~1s/get", "GET", "/s", true)
    });
    let doc = doc.unwrap();
    let view = doc.responses[0].contents[0].view.as_ref().unwrap();
    assert_eq!(view.rows.len(), 10);
    assert!(rounds <= 12, "{rounds} rounds");
    let example = &doc.responses[0].contents[0].examples[0];
    assert!(example.text.len() < 6_000, "{}", example.text.len());
}
