//! The type of a schema in words.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::pointer;

/// Levels of lists in lists that are put in words.
const LEVELS: usize = 4;

/// The name of what a reference leads to: the last part of it that says anything.
#[must_use]
pub fn name_of(reference: &str) -> String {
    let place = pointer::of_local_ref(reference).unwrap_or_default();
    let tokens: Vec<String> = pointer::tokens(&place).map(Cow::into_owned).collect();
    let silent = |token: &str| {
        token.bytes().all(|byte| byte.is_ascii_digit())
            || matches!(
                token,
                "schema" | "items" | "content" | "properties" | "allOf" | "oneOf" | "anyOf"
            )
    };
    let last = tokens.iter().rev().find(|token| !silent(token));
    last.filter(|name| !name.is_empty())
        .cloned()
        .unwrap_or_else(|| "schema".to_owned())
}

/// The type of a schema that stands alone, in words.
pub(in crate::docs) fn types_of(schema: &Value) -> String {
    let mut list = Vec::new();
    collect(schema, LEVELS, &mut list);
    joined(list)
}

/// `string or null`: each word once, `null` last.
pub(super) fn joined(list: Vec<String>) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut null = false;
    for word in list {
        if word == "null" {
            null = true;
        } else if !words.contains(&word) {
            words.push(word);
        }
    }
    if null {
        words.push("null".to_owned());
    }
    if words.is_empty() {
        return "any value".to_owned();
    }
    words.join(" or ")
}

fn collect(schema: &Value, levels: usize, list: &mut Vec<String>) {
    match schema {
        Value::Bool(false) => list.push("nothing".to_owned()),
        Value::Object(members) => of_members(members, levels, list),
        _ => {}
    }
}

/// Adds the words of one schema object.
pub(super) fn of_members(members: &Map<String, Value>, levels: usize, list: &mut Vec<String>) {
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        list.push(name_of(reference));
    }
    match members.get("type") {
        Some(Value::String(name)) => list.push(word(name, members, levels)),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            list.extend(names.map(|name| word(name, members, levels)));
        }
        _ => untyped(members, levels, list),
    }
    if members.get("nullable") == Some(&Value::Bool(true)) {
        list.push("null".to_owned());
    }
}

/// The word of one type, with what is inside of it.
fn word(name: &str, members: &Map<String, Value>, levels: usize) -> String {
    match name {
        "array" => array(members, levels),
        "object" => object(members, levels),
        other => other.to_owned(),
    }
}

fn array(members: &Map<String, Value>, levels: usize) -> String {
    let items = members.get("items").filter(|items| items.is_object());
    if levels == 0 || (items.is_none() && members.contains_key("prefixItems")) {
        return "array".to_owned();
    }
    items.map_or_else(
        || "array".to_owned(),
        |items| {
            let mut list = Vec::new();
            collect(items, levels - 1, &mut list);
            let inner = joined(list);
            if inner == "any value" {
                "array".to_owned()
            } else {
                format!("array of {inner}")
            }
        },
    )
}

fn object(members: &Map<String, Value>, levels: usize) -> String {
    let other = members
        .get("additionalProperties")
        .filter(|other| other.is_object());
    if members.contains_key("properties") || levels == 0 {
        return "object".to_owned();
    }
    other.map_or_else(
        || "object".to_owned(),
        |other| {
            let mut list = Vec::new();
            collect(other, levels - 1, &mut list);
            let inner = joined(list);
            if inner == "any value" {
                "object".to_owned()
            } else {
                format!("map of {inner}")
            }
        },
    )
}

/// What a schema without a type can only be.
fn untyped(members: &Map<String, Value>, levels: usize, list: &mut Vec<String>) {
    if let Some(value) = members.get("const") {
        list.push(kind_of(value).to_owned());
    } else if let Some(Value::Array(values)) = members.get("enum") {
        list.extend(values.iter().map(|value| kind_of(value).to_owned()));
    } else if [
        "properties",
        "additionalProperties",
        "patternProperties",
        "required",
    ]
    .iter()
    .any(|member| members.contains_key(*member))
    {
        list.push(object(members, levels));
    } else if members.contains_key("items") || members.contains_key("prefixItems") {
        list.push(array(members, levels));
    } else {
        composed(members, levels, list);
    }
}

/// The words of what a schema without a type of its own is put together from.
fn composed(members: &Map<String, Value>, levels: usize, list: &mut Vec<String>) {
    if levels == 0 {
        return;
    }
    if let Some(Value::Array(all)) = members.get("allOf") {
        match all.as_slice() {
            [only] => collect(only, levels - 1, list),
            [] => {}
            _ => list.push("object".to_owned()),
        }
        return;
    }
    for member in ["oneOf", "anyOf"] {
        let Some(Value::Array(variants)) = members.get(member) else {
            continue;
        };
        let mut inner = Vec::new();
        for variant in variants {
            collect(variant, levels - 1, &mut inner);
        }
        let words = joined(inner.clone());
        if words.len() > LONGEST {
            list.push("one of several types".to_owned());
        } else {
            list.append(&mut inner);
        }
        return;
    }
}

/// A longer list of types is not read on one line.
const LONGEST: usize = 60;

/// The JSON type of a value.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
