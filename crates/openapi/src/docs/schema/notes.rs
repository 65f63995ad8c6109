//! The rules of a schema that need a sentence, and the keywords that nobody knows.

use serde_json::{Map, Value};

use super::Note;
use super::layers::Layers;
use super::rules::shortened;

/// Characters of JSON in a note.
const LONGEST: usize = 600;

/// Keywords that are shown in some way, or that say nothing to readers.
const KNOWN: &[&str] = &[
    "$ref",
    "$id",
    "$schema",
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$defs",
    "definitions",
    "$comment",
    "$vocabulary",
    "title",
    "description",
    "type",
    "format",
    "nullable",
    "deprecated",
    "readOnly",
    "writeOnly",
    "default",
    "const",
    "enum",
    "example",
    "examples",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "required",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "minContains",
    "maxContains",
    "allOf",
    "oneOf",
    "anyOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "discriminator",
    "xml",
    "externalDocs",
];

/// The notes of a schema.
pub(super) fn of(layers: &Layers<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    if let Some(reference) = &layers.broken {
        notes.push(plain(format!(
            "What it refers to is not in the document: {reference:.200}"
        )));
    }
    conditions(layers, &mut notes);
    dependencies(layers, &mut notes);
    lists(layers, &mut notes);
    names(layers, &mut notes);
    if let Some(content) = layers.get("contentSchema") {
        notes.push(raw("The text inside is described by", content));
    }
    if let Some(name) = layers
        .get("xml")
        .and_then(|xml| xml.get("name"))
        .and_then(Value::as_str)
    {
        notes.push(plain(format!("In XML it is called {name:.100}.")));
    }
    unknown(layers, &mut notes);
    notes
}

fn plain(text: impl Into<String>) -> Note {
    Note {
        text: text.into(),
        code: None,
    }
}

fn raw(text: impl Into<String>, value: &Value) -> Note {
    Note {
        text: text.into(),
        code: Some(shortened(&value.to_string(), LONGEST)),
    }
}

fn conditions(layers: &Layers<'_>, notes: &mut Vec<Note>) {
    if let Some(not) = layers.get("not") {
        notes.push(raw("It must not match", not));
    }
    if let Some(condition) = layers.get("if") {
        notes.push(raw("If it matches", condition));
        if let Some(then) = layers.get("then") {
            notes.push(raw("then this holds", then));
        }
        if let Some(otherwise) = layers.get("else") {
            notes.push(raw("otherwise this holds", otherwise));
        }
    }
}

fn dependencies(layers: &Layers<'_>, notes: &mut Vec<Note>) {
    let required = layers.get("dependentRequired").and_then(Value::as_object);
    for (name, others) in required.into_iter().flatten() {
        let others = others.as_array().into_iter().flatten().filter_map(Value::as_str);
        let others: Vec<&str> = others.collect();
        if !others.is_empty() {
            let list = shortened(&others.join(", "), LONGEST);
            notes.push(plain(format!("With {name:.100} these are required too: {list}.")));
        }
    }
    let schemas = layers.get("dependentSchemas").and_then(Value::as_object);
    for (name, schema) in schemas.into_iter().flatten() {
        notes.push(raw(format!("With {name:.100} this holds too"), schema));
    }
}

fn lists(layers: &Layers<'_>, notes: &mut Vec<Note>) {
    if let Some(contains) = layers.get("contains") {
        let number = |keyword: &str| layers.get(keyword).and_then(Value::as_u64);
        let low = number("minContains").unwrap_or(1);
        let items = match number("maxContains") {
            Some(high) => format!("{low} to {high} items match"),
            None => format!("At least {low} of its items match"),
        };
        notes.push(raw(items, contains));
    }
    let closed = |keyword: &str| layers.get(keyword) == Some(&Value::Bool(false));
    let tuple = layers.get("prefixItems").is_some();
    if closed("unevaluatedItems") || closed("additionalItems") || (tuple && closed("items")) {
        notes.push(plain("No further items."));
    }
}

fn names(layers: &Layers<'_>, notes: &mut Vec<Note>) {
    let closed = |keyword: &str| layers.get(keyword) == Some(&Value::Bool(false));
    if closed("additionalProperties") || closed("unevaluatedProperties") {
        notes.push(plain("No other properties."));
    }
    if let Some(names) = layers.get("propertyNames") {
        notes.push(raw("Names of properties match", names));
    }
}

/// Keywords that the format does not have, as they are.
fn unknown(layers: &Layers<'_>, notes: &mut Vec<Note>) {
    let strange: Map<String, Value> = layers
        .list
        .iter()
        .flat_map(|layer| layer.members)
        .filter(|(name, _)| !name.starts_with("x-") && !KNOWN.contains(&name.as_str()))
        .take(20)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !strange.is_empty() {
        notes.push(raw("The description also says", &Value::Object(strange)));
    }
}
