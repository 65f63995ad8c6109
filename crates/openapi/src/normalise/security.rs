//! Security definitions of Swagger 2.0 as security schemes of 3.0.

use serde_json::{Map, Value};

/// Converts them all; what is not an object is left out.
pub(super) fn schemes(definitions: Option<Value>) -> Map<String, Value> {
    let Some(Value::Object(definitions)) = definitions else {
        return Map::new();
    };
    definitions
        .into_iter()
        .filter_map(|(name, definition)| match definition {
            Value::Object(definition) => Some((name, Value::Object(scheme(definition)))),
            _ => None,
        })
        .collect()
}

fn scheme(mut definition: Map<String, Value>) -> Map<String, Value> {
    match definition.get("type").and_then(Value::as_str) {
        Some("basic") => {
            definition.insert("type".to_owned(), Value::from("http"));
            definition.insert("scheme".to_owned(), Value::from("basic"));
            definition
        }
        Some("oauth2") => oauth2(definition),
        _ => definition,
    }
}

fn oauth2(mut definition: Map<String, Value>) -> Map<String, Value> {
    let name = match definition.remove("flow").as_ref().and_then(Value::as_str) {
        Some("application") => "clientCredentials",
        Some("accessCode") => "authorizationCode",
        Some("password") => "password",
        _ => "implicit",
    };
    let mut flow = Map::new();
    for member in ["authorizationUrl", "tokenUrl", "scopes"] {
        if let Some(value) = definition.remove(member) {
            flow.insert(member.to_owned(), value);
        }
    }
    flow.entry("scopes").or_insert_with(|| Value::Object(Map::new()));
    let flows = Map::from_iter([(name.to_owned(), Value::Object(flow))]);
    definition.insert("flows".to_owned(), Value::Object(flows));
    definition
}
