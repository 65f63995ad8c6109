//! Parameters of Swagger 2.0: those that stay parameters get a schema, those
//! that are a body are set aside for the request body.

use serde_json::{Map, Value};

use super::swagger::Surroundings;
use crate::clone_budget::{CloneBudget, Exhausted};
use crate::references;

/// The parameters of an operation or a path, told apart.
#[derive(Debug, Default)]
pub(super) struct Split {
    /// In the 3.x shape, or a reference to one that is.
    pub kept: Vec<Value>,
    /// The body parameter in the old shape.
    pub body: Option<Map<String, Value>>,
    /// Form fields in the old shape.
    pub form: Vec<Map<String, Value>>,
}

/// Tells the parameters of a list apart.
pub(super) fn split(
    list: Option<Value>,
    around: &Surroundings<'_>,
    budget: &mut CloneBudget,
) -> Result<Split, Exhausted> {
    let mut split = Split::default();
    let Some(Value::Array(items)) = list else {
        return Ok(split);
    };
    for item in items {
        let reference = item.get("$ref").and_then(Value::as_str).map(str::to_owned);
        let parameter = match &reference {
            Some(reference) => match references::resolve(around.root, reference) {
                Ok((_, target)) => budget.copy(target)?,
                // Reported with the references; it is shown as what it is.
                Err(_) => {
                    split.kept.push(item);
                    continue;
                }
            },
            None => item.clone(),
        };
        let Value::Object(parameter) = parameter else {
            continue;
        };
        match parameter.get("in").and_then(Value::as_str) {
            Some("body") => split.body = Some(parameter),
            Some("formData") => split.form.push(parameter),
            _ if reference.is_some_and(|reference| reference.starts_with("#/parameters/")) => {
                split.kept.push(item);
            }
            _ => split.kept.push(Value::Object(convert(parameter))),
        }
    }
    Ok(split)
}

/// The shared parameters that are not bodies; those are written into the
/// operations that use them.
pub(super) fn shared(around: &Surroundings<'_>) -> Map<String, Value> {
    let Some(Value::Object(shared)) = around.root.get("parameters") else {
        return Map::new();
    };
    shared
        .iter()
        .filter_map(|(name, parameter)| {
            let parameter = parameter.as_object()?;
            let body = matches!(
                parameter.get("in").and_then(Value::as_str),
                Some("body" | "formData")
            );
            (!body).then(|| (name.clone(), Value::Object(convert(parameter.clone()))))
        })
        .collect()
}

/// The words that describe the value and not the parameter.
const SCHEMA_WORDS: &[&str] = &[
    "type",
    "format",
    "items",
    "default",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "enum",
    "multipleOf",
    "x-nullable",
];

/// Moves the words that describe the value into `schema`. Serves headers too.
pub(super) fn convert(old: Map<String, Value>) -> Map<String, Value> {
    let mut new = Map::new();
    let mut schema = Map::new();
    let mut collection = None;
    for (name, value) in old {
        if SCHEMA_WORDS.contains(&name.as_str()) {
            schema.insert(name, value);
        } else if name == "collectionFormat" {
            collection = value.as_str().map(str::to_owned);
        } else {
            new.insert(name, value);
        }
    }
    if schema.get("type").is_some_and(|kind| kind == "array") {
        let place = new.get("in").and_then(Value::as_str);
        let style = place.and_then(|place| style_of(place, collection.as_deref()));
        if let Some((style, explode)) = style {
            new.insert("style".to_owned(), Value::from(style));
            new.insert("explode".to_owned(), Value::from(explode));
        }
    }
    drop_collection_formats(&mut schema);
    if !schema.is_empty() && !new.contains_key("schema") {
        new.insert("schema".to_owned(), Value::Object(schema));
    }
    new
}

fn style_of(place: &str, collection: Option<&str>) -> Option<(&'static str, bool)> {
    match (place, collection.unwrap_or("csv")) {
        ("query", "csv") => Some(("form", false)),
        ("query", "multi") => Some(("form", true)),
        ("query", "ssv") => Some(("spaceDelimited", false)),
        ("query", "pipes") => Some(("pipeDelimited", false)),
        ("path" | "header", _) => Some(("simple", false)),
        _ => None,
    }
}

/// Lists inside of lists have no style in 3.x.
fn drop_collection_formats(schema: &mut Map<String, Value>) {
    let mut level = Some(schema);
    while let Some(members) = level {
        members.remove("collectionFormat");
        level = members.get_mut("items").and_then(Value::as_object_mut);
    }
}

/// A form field as a property: its schema with the description.
pub(super) fn property(field: &Map<String, Value>, budget: &mut CloneBudget) -> Result<Value, Exhausted> {
    let mut schema = Map::new();
    for (name, value) in field {
        if SCHEMA_WORDS.contains(&name.as_str()) || name == "description" {
            schema.insert(name.clone(), budget.copy(value)?);
        }
    }
    drop_collection_formats(&mut schema);
    Ok(Value::Object(schema))
}
