use serde_json::{Value, json};

use super::{Index, Operation, Route, SecurityKind, SecurityUse, build};
use crate::bounds::Bounds;
use crate::document::{Document, Draft};
use crate::finding::{Code, Findings};
use crate::normalise::normalise;
use crate::slug::{KnownSlugs, Slug};

fn document(mut root: Value) -> Document {
    if root.get("openapi").is_none() {
        root["openapi"] = json!("3.1.0");
    }
    root["info"] = json!({"title": "T", "version": 1.5, "description": "About."});
    if root.get("servers").is_none() {
        root["servers"] = json!([{"url": "https://a.test"}]);
    }
    let draft = Draft::read(serde_json::to_vec(&root).unwrap(), None, &Bounds::default()).unwrap();
    normalise(draft, &Bounds::default()).unwrap().0
}

fn indexed_with(root: Value, known: &KnownSlugs, bounds: &Bounds) -> (Index, Vec<(Code, String)>) {
    let mut findings = Findings::default();
    let index = build(&document(root), known, bounds, &mut findings);
    let codes = findings
        .listed()
        .iter()
        .map(|finding| (finding.code, finding.pointer.clone()))
        .collect();
    (index, codes)
}

fn indexed(root: Value) -> (Index, Vec<(Code, String)>) {
    indexed_with(root, &KnownSlugs::new(), &Bounds::default())
}

fn routes(index: &Index) -> Vec<(&str, &str, Option<&str>)> {
    index
        .operations
        .iter()
        .map(|operation| {
            let route = match &operation.route {
                Route::Template(route) => Some(route.as_str()),
                Route::DocumentedOnly => None,
            };
            (operation.method.as_str(), operation.template.as_str(), route)
        })
        .collect()
}

fn operation(index: &Index, key: &str) -> Operation {
    index
        .operations
        .iter()
        .find(|operation| operation.key == key)
        .cloned()
        .unwrap()
}

#[test]
fn an_operation_is_indexed_with_all_it_needs() {
    let (index, codes) = indexed(json!({
        "paths": {"/pets/{id}": {
            "summary": "A pet",
            "parameters": [{"$ref": "#/components/parameters/Id"}, {"name": "v", "in": "query", "schema": {"type": "integer"}}],
            "get": {"operationId": "getPet", "tags": ["pets", "pets"], "deprecated": true, "parameters": [
                {"name": "v", "in": "query", "schema": {"type": "string"}},
            ]},
        }},
        "components": {
            "parameters": {"Id": {"name": "id", "in": "path", "required": true}},
            "schemas": {"Pet": {}, "Error": {}},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X"}, "o": {"type": "oauth2", "flows": {"implicit": {}}}},
        },
        "security": [{"key": [], "o": ["read"]}],
        "tags": [{"name": "shops"}, {"name": "pets", "description": "All pets."}],
    }));
    assert_eq!(codes, []);
    let get = operation(&index, "getPet");
    assert_eq!(get.slug.as_str(), "getpet");
    assert_eq!(get.route, Route::Template("/pets/<p0>".to_owned()));
    assert_eq!(
        (get.summary.as_deref(), get.deprecated, get.tags.as_slice()),
        (Some("A pet"), true, &["pets".to_owned()][..])
    );
    assert_eq!(get.pointer, "/paths/~1pets~1{id}/get");
    let slice: Value = serde_json::from_str(&get.slice).unwrap();
    assert_eq!(
        slice["parameters"],
        json!([{"$ref": "#/components/parameters/Id"}, {"name": "v", "in": "query", "schema": {"type": "string"}}])
    );
    assert_eq!(slice["summary"], "A pet");
    let part = |scheme: &str, scopes: &[&str]| SecurityUse {
        scheme: scheme.to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(get.security, [vec![part("key", &[]), part("o", &["read"])]]);
    assert_eq!(index.schemas, ["Pet", "Error"]);
    assert_eq!(index.version.as_deref(), Some("1.5"));
    let tags: Vec<(&str, usize)> = index
        .tags
        .iter()
        .map(|tag| (tag.name.as_str(), tag.operations))
        .collect();
    assert_eq!(tags, [("shops", 0), ("pets", 1)]);
    assert_eq!(
        index.security_schemes[0].kind,
        SecurityKind::ApiKey {
            place: "header".to_owned(),
            name: "X".to_owned()
        }
    );
}

#[test]
fn identities_are_unique_and_do_not_depend_on_order() {
    let (index, codes) = indexed(json!({"paths": {
        "/a": {"get": {"operationId": "same"}, "put": {"operationId": " "}},
        "/b": {"get": {"operationId": "same"}, "post": {"operationId": "PUT /a"}},
    }}));
    let keys: Vec<&str> = index
        .operations
        .iter()
        .map(|operation| operation.key.as_str())
        .collect();
    assert_eq!(keys, ["GET /a", "PUT /a", "GET /b", "POST PUT /a"]);
    assert_eq!(
        codes,
        [
            (
                Code::OperationIdDuplicate,
                "/paths/~1a/get/operationId".to_owned()
            ),
            (
                Code::OperationIdDuplicate,
                "/paths/~1b/get/operationId".to_owned()
            ),
        ]
    );
}

#[test]
fn slugs_stay_over_revisions() {
    let known = KnownSlugs::from([("second".to_owned(), Slug::of("first").unwrap())]);
    let (index, _) = indexed_with(
        json!({"paths": {"/a": {"get": {"operationId": "first"}, "put": {"operationId": "second"}, "post": {}}}}),
        &known,
        &Bounds::default(),
    );
    let slugs: Vec<&str> = index
        .operations
        .iter()
        .map(|operation| operation.slug.as_str())
        .collect();
    assert_eq!(slugs, ["first-2", "first", "post-a"]);
}

#[test]
fn what_answers_the_same_requests_is_routed_once() {
    let (index, codes) = indexed(json!({"paths": {
        "/a/{id}": {"get": {}},
        "/a/{name}": {"get": {}, "put": {}},
    }}));
    assert_eq!(
        routes(&index),
        [
            ("GET", "/a/{id}", Some("/a/<p0>")),
            ("GET", "/a/{name}", None),
            ("PUT", "/a/{name}", Some("/a/<p0>")),
        ]
    );
    assert_eq!(
        codes,
        [(Code::OperationAmbiguous, "/paths/~1a~1{name}/get".to_owned())]
    );
}

#[test]
fn a_path_with_a_query_is_routed_only_where_that_is_sure() {
    let (index, codes) = indexed(json!({"paths": {
        "/one?x=1": {"get": {}},
        "/many#a": {"get": {}}, "/many#b": {"get": {}},
        "/plain?x": {"get": {}}, "/plain": {"get": {}},
    }}));
    assert_eq!(
        routes(&index),
        [
            ("GET", "/one?x=1", Some("/one")),
            ("GET", "/many#a", None),
            ("GET", "/many#b", None),
            ("GET", "/plain?x", None),
            ("GET", "/plain", Some("/plain")),
        ]
    );
    assert_eq!(
        codes,
        [
            (Code::PathWithQuery, "/paths/~1one?x=1".to_owned()),
            (Code::OperationAmbiguous, "/paths/~1many#a/get".to_owned()),
            (Code::OperationAmbiguous, "/paths/~1plain?x/get".to_owned()),
        ]
    );
}

#[test]
fn one_bad_path_does_not_hurt_the_rest() {
    let (index, codes) = indexed(json!({"paths": {
        "/a/{open": {"get": {}}, "b": {"GET": {}}, "/{x}{y}": {"get": {}}, "/{x}/{x}": {"get": {}},
    }}));
    assert_eq!(
        routes(&index),
        [
            ("GET", "/a/{open", None),
            ("GET", "/b", Some("/b")),
            ("GET", "/{x}{y}", Some("/<p0>")),
            ("GET", "/{x}/{x}", Some("/<p0>/<p1>")),
        ]
    );
    let codes: Vec<Code> = codes.into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            Code::MethodNotLowerCase,
            Code::OperationUnroutable,
            Code::PathWithoutSlash,
            Code::TemplateAdjacentParameters,
            Code::TemplateRepeatedParameter,
        ]
    );
}

#[test]
fn operations_are_found_behind_references_and_by_new_methods() {
    let (index, codes) = indexed(json!({
        "openapi": "3.2.0",
        "paths": {"/a": {"$ref": "#/components/pathItems/A"}, "/b": {"query": {}, "additionalOperations": {"COPY": {}, "a b": {}}}},
        "components": {"pathItems": {"A": {"get": {}}}},
    }));
    assert_eq!(codes, []);
    let found: Vec<(&str, &str)> = index
        .operations
        .iter()
        .map(|operation| (operation.key.as_str(), operation.pointer.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("GET /a", "/components/pathItems/A/get"),
            ("QUERY /b", "/paths/~1b/query"),
            ("COPY /b", "/paths/~1b/additionalOperations/COPY"),
        ]
    );
}

#[test]
fn webhooks_are_a_list_of_their_own() {
    let (index, codes) =
        indexed(json!({"webhooks": {"newPet": {"post": {"summary": "Born", "operationId": "x"}}}}));
    assert_eq!(codes, []);
    assert_eq!(index.operations, []);
    let hook = &index.webhooks[0];
    assert_eq!(
        (hook.name.as_str(), hook.slug.as_str(), hook.summary.as_deref()),
        ("newPet", "newpet", Some("Born"))
    );
}

#[test]
fn servers_are_made_absolute_where_that_is_possible() {
    let (index, codes) = indexed(json!({"paths": {"/a": {"get": {}}}, "servers": [
        {"url": "https://{region}.a.test/{v}", "variables": {"region": {"default": "eu"}, "v": {"default": 1}}},
        {"url": "https://{gone}.test"}, {"url": "/v1"}, {"url": "ftp://a.test"}, 5,
    ]}));
    assert_eq!(codes, []);
    let urls: Vec<Option<&str>> = index.servers.iter().map(|server| server.url.as_deref()).collect();
    assert_eq!(urls, [Some("https://eu.a.test/1"), None, None, None]);
    let (_, codes) = indexed(json!({"paths": {"/a": {"get": {}}}, "servers": [{"url": "/v1"}]}));
    assert_eq!(codes, [(Code::ServerMissing, "/servers".to_owned())]);
}

#[test]
fn security_is_read_as_it_is_meant() {
    let (index, codes) = indexed(json!({
        "security": [{"a": []}],
        "components": {"securitySchemes": {"a": {"type": "http", "scheme": "Bearer"}}},
        "paths": {"/a": {"get": {"security": []}, "put": {}, "post": {"security": [{}, {"gone": []}]}}},
    }));
    assert_eq!(
        operation(&index, "GET /a").security,
        Vec::<Vec<SecurityUse>>::new()
    );
    assert_eq!(operation(&index, "PUT /a").security.len(), 1);
    assert_eq!(operation(&index, "POST /a").security[0], []);
    assert_eq!(
        codes,
        [(Code::SecuritySchemeUnknown, "/paths/~1a/post/security".to_owned())]
    );
    assert_eq!(
        index.security_schemes[0].kind,
        SecurityKind::Http {
            scheme: "bearer".to_owned()
        }
    );
}

#[test]
fn a_fingerprint_changes_with_the_operation_only() {
    let of = |root: Value| operation(&indexed(root).0, "GET /a").fingerprint;
    let first = of(json!({"paths": {"/a": {"get": {"summary": "s", "tags": ["t"]}}}}));
    assert_eq!(
        first,
        of(json!({"paths": {"/b": {"get": {}}, "/a": {"get": {"tags": ["t"], "summary": "s"}}}}))
    );
    assert_ne!(
        first,
        of(json!({"paths": {"/a": {"get": {"summary": "other", "tags": ["t"]}}}}))
    );
    let shared = json!({"paths": {"/a": {"parameters": [{"name": "q", "in": "query"}], "get": {"summary": "s", "tags": ["t"]}}}});
    assert_ne!(first, of(shared));
}

#[test]
fn operations_and_what_they_share_are_bounded() {
    let few = Bounds {
        operations: 1,
        ..Bounds::default()
    };
    let (_, codes) = indexed_with(
        json!({"paths": {"/a": {"get": {}, "put": {}}, "/b": {"get": {}}}}),
        &KnownSlugs::new(),
        &few,
    );
    assert_eq!(codes[0].0, Code::TooManyOperations);
    let small = Bounds {
        copied: 10_000,
        ..Bounds::default()
    };
    let paths: serde_json::Map<String, Value> = (0..20)
        .map(|n| (format!("/{n}"), json!({"$ref": "#/components/pathItems/Big"})))
        .collect();
    let root = json!({"paths": paths, "components": {"pathItems": {"Big": {"get": {"description": "x".repeat(1_000)}}}}});
    let (_, codes) = indexed_with(root, &KnownSlugs::new(), &small);
    assert!(
        codes.iter().any(|(code, _)| *code == Code::TooManyCopies),
        "{codes:?}"
    );
}

#[test]
fn nothing_to_call_is_worth_a_word() {
    let (_, codes) = indexed(json!({"paths": {}}));
    assert_eq!(codes, [(Code::NoOperations, String::new())]);
}
