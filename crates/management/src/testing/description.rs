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
    let publish = description()["paths"]["/api/v1/apis/{api}/versions/{version}/publish"]["post"].clone();
    let codes = &publish["responses"]["409"]["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]
        ["code"]["enum"];
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
