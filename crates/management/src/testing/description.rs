//! The description says what is there, and can be imported by ourselves.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{openapi, routes_with_access};

fn description() -> Value {
    serde_json::from_str(&openapi()).unwrap()
}

fn operations(description: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described: BTreeSet<_> = operations(&description())
        .into_iter()
        .map(|(method, path, _)| (method, path))
        .collect();
    let routed: BTreeSet<_> = routes_with_access()
        .into_iter()
        .map(|entry| (entry.method.to_string(), entry.path))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn operations_have_unique_ids_their_path_parameters_and_their_scopes() {
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&description()) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{method} {path}");
        let named = operation["parameters"].as_array().unwrap().iter();
        let named: BTreeSet<_> = named
            .filter(|p| p["in"] == "path")
            .map(|p| p["name"].as_str().unwrap().to_owned())
            .collect();
        let written: BTreeSet<_> = path
            .split('/')
            .filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned()))
            .collect();
        assert_eq!(named, written, "{method} {path}");
        assert!(
            !operation["security"].as_array().unwrap().is_empty(),
            "{method} {path}"
        );
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, root: &Value, seen: &mut usize) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(root.pointer(pointer).is_some(), "{reference}");
                    *seen += 1;
                }
                members.values().for_each(|member| walk(member, root, seen));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, root, seen)),
            _ => {}
        }
    }
    let (root, mut seen) = (description(), 0);
    walk(&root, &root, &mut seen);
    assert!(seen > 100);
}

#[test]
fn problems_name_their_codes() {
    let root = description();
    let publish = &root["paths"]["/api/v1/apis/{api}/versions/{version}/publish"]["post"];
    let refusal = publish["responses"]["409"]["$ref"].as_str().unwrap();
    let refusal = root.pointer(refusal.strip_prefix('#').unwrap()).unwrap();
    let schema = &refusal["content"]["application/problem+json"]["schema"];
    let codes = &schema["allOf"][1]["properties"]["code"]["enum"];
    assert!(
        codes.as_array().unwrap().contains(&"no_upstream".into()),
        "{codes}"
    );
    assert_eq!(publish["security"][0]["token"][0], "versions:publish");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn we_can_import_our_own_description() {
    let api = super::Fixture::new().await;
    let imported = api
        .post(
            "/apis/import",
            serde_json::json!({"document": openapi(), "slug": "own"}),
        )
        .await;
    let imported = imported.expect(http::StatusCode::CREATED);
    let expected = routes_with_access().len();
    assert_eq!(
        imported["version"]["revision"]["operation_count"], expected,
        "{}",
        imported["findings"]
    );
}

/// Every member of a real answer is described, and every described member that
/// is always there is in the answer, down to the innermost object.
fn assert_described(value: &Value, schema: &Value, root: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema["oneOf"]
            .get(0)
            .filter(|_| value.is_object())
            .unwrap_or(schema),
    };
    if schema["$ref"].is_string() {
        return assert_described(value, schema, root, place);
    }
    match value {
        Value::Array(items) if schema["items"].is_object() => {
            for item in items {
                assert_described(item, &schema["items"], root, &format!("{place}[]"));
            }
        }
        Value::Object(members) if schema["properties"].is_object() => {
            let described = schema["properties"].as_object().unwrap();
            for (name, member) in members {
                let place = format!("{place}.{name}");
                let schema = described
                    .get(name)
                    .unwrap_or_else(|| panic!("{place} is not described"));
                assert_described(member, schema, root, &place);
            }
            for name in schema["required"].as_array().unwrap() {
                assert!(
                    members.contains_key(name.as_str().unwrap()),
                    "{place}: {name} is missing"
                );
            }
        }
        _ => {}
    }
}

/// Addresses that the shop answers, and their templates.
const ANSWERED: &[(&str, &str)] = &[
    ("/apis", "/apis"),
    ("/apis/shop/versions", "/apis/{api}/versions"),
    ("/apis/shop/versions/v1", "/apis/{api}/versions/{version}"),
    (
        "/apis/shop/versions/v1/operations",
        "/apis/{api}/versions/{version}/operations",
    ),
    (
        "/apis/shop/versions/v1/revisions",
        "/apis/{api}/versions/{version}/revisions",
    ),
    (
        "/apis/shop/versions/v1/upstream",
        "/apis/{api}/versions/{version}/upstream",
    ),
    (
        "/apis/shop/versions/v1/publish-check",
        "/apis/{api}/versions/{version}/publish-check",
    ),
    (
        "/apis/shop/versions/v1/deprecation-impact",
        "/apis/{api}/versions/{version}/deprecation-impact",
    ),
    ("/apis/shop/plans", "/apis/{api}/plans"),
    ("/applications", "/applications"),
    (
        "/applications/app/credentials",
        "/applications/{application}/credentials",
    ),
    ("/audit-events", "/audit-events"),
    ("/audit-chain", "/audit-chain"),
    ("/tenants", "/tenants"),
    ("/teams", "/teams"),
    ("/users", "/users"),
    ("/members", "/members"),
    ("/roles", "/roles"),
    ("/tokens", "/tokens"),
    ("/whoami", "/whoami"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_answers_look_as_described() {
    let api = super::Fixture::new().await;
    api.import("shop").await;
    let limits = serde_json::json!([{"kind": "rate", "amount": 5, "window": "1m", "burst": 2}]);
    let plan = serde_json::json!({"name": "p", "slug": "p", "versions": ["v1"], "limits": limits});
    api.post("/apis/shop/plans", plan)
        .await
        .expect(http::StatusCode::CREATED);
    api.post("/applications", serde_json::json!({"name": "App"}))
        .await
        .expect(http::StatusCode::CREATED);
    let key = serde_json::json!({"kind": "api_key"});
    api.post("/applications/app/credentials", key)
        .await
        .expect(http::StatusCode::CREATED);
    let root = description();
    for (path, template) in ANSWERED {
        let answer = api.get(path).await.expect(http::StatusCode::OK);
        assert_ne!(answer["items"], serde_json::json!([]), "{path} proves nothing");
        let operation = &root["paths"][format!("/api/v1{template}")]["get"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{template}");
        assert_described(&answer, schema, &root, template);
    }
}
