//! Swagger 2.0 as OpenAPI 3.0: the frame. Each part has its own file.

use serde_json::{Map, Value};
use url::Url;

use super::{hoist, message, parameters, security, servers};
use crate::clone_budget::{CloneBudget, Exhausted};
use crate::method::Method;
use crate::references::{self, Place};

/// The media type when a document names none.
const DEFAULT_TYPE: &str = "application/json";

/// What the parts of a path need of the document around them.
pub(super) struct Surroundings<'r> {
    /// The document without its paths, still in the old shape.
    pub root: &'r Value,
    pub consumes: Vec<String>,
    pub produces: Vec<String>,
}

impl Surroundings<'_> {
    /// The media types an operation gives under `member`, else those of the document.
    pub(super) fn types_of(
        operation: &mut Map<String, Value>,
        member: &str,
        document: &[String],
    ) -> Vec<String> {
        let own = operation
            .remove(member)
            .map(|types| texts(&types))
            .unwrap_or_default();
        if own.is_empty() { document.to_vec() } else { own }
    }
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn types(root: &Value, member: &str) -> Vec<String> {
    let own = root.get(member).map(texts).unwrap_or_default();
    if own.is_empty() {
        vec![DEFAULT_TYPE.to_owned()]
    } else {
        own
    }
}

/// Converts a whole document in place.
pub(super) fn convert(
    root: &mut Value,
    base: Option<&Url>,
    budget: &mut CloneBudget,
) -> Result<(), Exhausted> {
    hoist::out_of_paths(root, budget)?;
    let mut paths = root.get_mut("paths").map(Value::take).unwrap_or_default();
    let around = Surroundings {
        root,
        consumes: types(root, "consumes"),
        produces: types(root, "produces"),
    };
    if let Value::Object(items) = &mut paths {
        for item in items.values_mut().filter_map(Value::as_object_mut) {
            convert_item(item, &around, budget)?;
        }
    }
    let shared_parameters = parameters::shared(&around);
    let shared_responses = message::shared_responses(&around, budget)?;
    if let Value::Object(members) = root {
        rebuild(members, paths, shared_parameters, shared_responses, base);
    }
    references::walk_mut(root, &mut |place| match place {
        Place::Reference(text) => move_reference(text),
        Place::Object(members) => convert_schema(members),
    });
    Ok(())
}

fn convert_item(
    item: &mut Map<String, Value>,
    around: &Surroundings<'_>,
    budget: &mut CloneBudget,
) -> Result<(), Exhausted> {
    let shared = parameters::split(item.remove("parameters"), around, budget)?;
    for (name, member) in item.iter_mut() {
        if Method::of_member(name).is_none() {
            continue;
        }
        if let Value::Object(operation) = member {
            convert_operation(operation, &shared, around, budget)?;
        }
    }
    if !shared.kept.is_empty() {
        item.insert("parameters".to_owned(), Value::Array(shared.kept));
    }
    Ok(())
}

fn convert_operation(
    operation: &mut Map<String, Value>,
    shared: &parameters::Split,
    around: &Surroundings<'_>,
    budget: &mut CloneBudget,
) -> Result<(), Exhausted> {
    let own = parameters::split(operation.remove("parameters"), around, budget)?;
    let consumes = Surroundings::types_of(operation, "consumes", &around.consumes);
    let produces = Surroundings::types_of(operation, "produces", &around.produces);
    if let Some(body) = message::request_body(&own, shared, &consumes, budget)? {
        operation.insert("requestBody".to_owned(), body);
    }
    if !own.kept.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(own.kept));
    }
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        for response in responses.values_mut() {
            message::convert_response(response, &produces, around, budget)?;
        }
    }
    Ok(())
}

/// Puts the parts together in the order in which people read them.
fn rebuild(
    members: &mut Map<String, Value>,
    paths: Value,
    shared_parameters: Map<String, Value>,
    shared_responses: Map<String, Value>,
    base: Option<&Url>,
) {
    let mut old = std::mem::take(members);
    let mut components = match old.remove("components") {
        Some(Value::Object(components)) => components,
        _ => Map::new(),
    };
    let schemas = old.remove("definitions").unwrap_or_default();
    let schemes = security::schemes(old.remove("securityDefinitions"));
    let parts = [
        ("schemas", schemas),
        ("parameters", Value::Object(shared_parameters)),
        ("responses", Value::Object(shared_responses)),
        ("securitySchemes", Value::Object(schemes)),
    ];
    for (name, part) in parts {
        if part.as_object().is_some_and(|part| !part.is_empty()) {
            components.insert(name.to_owned(), part);
        }
    }
    members.insert("openapi".to_owned(), Value::from("3.0.3"));
    if let Some(info) = old.remove("info") {
        members.insert("info".to_owned(), info);
    }
    members.insert("servers".to_owned(), servers::of_host(&old, base));
    members.insert("paths".to_owned(), paths);
    members.insert("components".to_owned(), Value::Object(components));
    for gone in [
        "swagger",
        "host",
        "basePath",
        "schemes",
        "consumes",
        "produces",
        "parameters",
        "responses",
    ] {
        old.remove(gone);
    }
    old.remove("paths");
    members.append(&mut old);
}

/// Where the shared parts have moved.
const MOVED: &[(&str, &str)] = &[
    ("#/definitions/", "#/components/schemas/"),
    ("#/parameters/", "#/components/parameters/"),
    ("#/responses/", "#/components/responses/"),
];

fn move_reference(text: &mut String) {
    let moved = MOVED
        .iter()
        .find_map(|(from, to)| text.strip_prefix(from).map(|rest| format!("{to}{rest}")));
    if let Some(moved) = moved {
        *text = moved;
    }
}

/// The few words of schemas that 3.0 spells differently.
fn convert_schema(members: &mut Map<String, Value>) {
    if members.get("type").is_some_and(|kind| kind == "file") {
        members.insert("type".to_owned(), Value::from("string"));
        members.insert("format".to_owned(), Value::from("binary"));
    }
    if let Some(discriminator) = members.get_mut("discriminator").filter(|name| name.is_string()) {
        let name = discriminator.take();
        *discriminator = Value::Object(Map::from_iter([("propertyName".to_owned(), name)]));
    }
    if let Some(nullable) = members.remove("x-nullable") {
        members.insert("nullable".to_owned(), nullable);
    }
}
