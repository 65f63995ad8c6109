//! Bodies of Swagger 2.0: what `consumes` and `produces` said for all of them is
//! written beside each.

use serde_json::{Map, Value};

use super::parameters::{self, Split};
use super::swagger::Surroundings;
use crate::clone_budget::{CloneBudget, Exhausted};
use crate::references;

const MULTIPART: &str = "multipart/form-data";
const URL_ENCODED: &str = "application/x-www-form-urlencoded";

/// The request body of an operation, from its own parameters or those of its path.
pub(super) fn request_body(
    own: &Split,
    shared: &Split,
    consumes: &[String],
    budget: &mut CloneBudget,
) -> Result<Option<Value>, Exhausted> {
    if let Some(body) = own.body.as_ref() {
        return of_body(body, consumes, budget).map(Some);
    }
    let form: Vec<&Map<String, Value>> = own.form.iter().chain(&shared.form).collect();
    if !form.is_empty() {
        return of_form(&form, consumes, budget).map(Some);
    }
    shared
        .body
        .as_ref()
        .map(|body| of_body(body, consumes, budget))
        .transpose()
}

fn of_body(
    parameter: &Map<String, Value>,
    consumes: &[String],
    budget: &mut CloneBudget,
) -> Result<Value, Exhausted> {
    let mut body = Map::new();
    for member in ["description", "required"] {
        if let Some(value) = parameter.get(member) {
            body.insert(member.to_owned(), value.clone());
        }
    }
    let mut content = Map::new();
    for media_type in consumes {
        let mut media = Map::new();
        if let Some(schema) = parameter.get("schema") {
            media.insert("schema".to_owned(), budget.copy(schema)?);
        }
        content.insert(media_type.clone(), Value::Object(media));
    }
    body.insert("content".to_owned(), Value::Object(content));
    // The name has no place in 3.x, but generated samples read better with it.
    if let Some(name) = parameter.get("name") {
        body.insert("x-body-name".to_owned(), name.clone());
    }
    Ok(Value::Object(body))
}

fn of_form(
    fields: &[&Map<String, Value>],
    consumes: &[String],
    budget: &mut CloneBudget,
) -> Result<Value, Exhausted> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let Some(name) = field.get("name").and_then(Value::as_str) else {
            continue;
        };
        if field.get("required") == Some(&Value::Bool(true)) {
            required.push(Value::from(name));
        }
        properties.insert(name.to_owned(), parameters::property(field, budget)?);
    }
    let has_file = fields
        .iter()
        .any(|field| field.get("type").is_some_and(|kind| kind == "file"));
    let named = consumes
        .iter()
        .map(String::as_str)
        .find(|name| [MULTIPART, URL_ENCODED].contains(name));
    let media_type = if has_file {
        MULTIPART
    } else {
        named.unwrap_or(URL_ENCODED)
    };
    let mut schema = Map::from_iter([
        ("type".to_owned(), Value::from("object")),
        ("properties".to_owned(), Value::Object(properties)),
    ]);
    let mut body = Map::new();
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
        body.insert("required".to_owned(), Value::Bool(true));
    }
    let media = Map::from_iter([("schema".to_owned(), Value::Object(schema))]);
    let content = Map::from_iter([(media_type.to_owned(), Value::Object(media))]);
    body.insert("content".to_owned(), Value::Object(content));
    Ok(Value::Object(body))
}

/// Converts the response of an operation in place. A reference to a shared
/// response stays one; another is replaced by what it leads to, because that is
/// in the old shape.
pub(super) fn convert_response(
    response: &mut Value,
    produces: &[String],
    around: &Surroundings<'_>,
    budget: &mut CloneBudget,
) -> Result<(), Exhausted> {
    if let Some(reference) = response.get("$ref").and_then(Value::as_str) {
        if reference.starts_with("#/responses/") {
            return Ok(());
        }
        if let Ok((_, target)) = references::resolve(around.root, reference) {
            *response = budget.copy(target)?;
        }
    }
    if let Value::Object(members) = response
        && !members.contains_key("$ref")
    {
        add_content(members, produces, budget)?;
    }
    Ok(())
}

/// The shared responses of the document in the new shape.
pub(super) fn shared_responses(
    around: &Surroundings<'_>,
    budget: &mut CloneBudget,
) -> Result<Map<String, Value>, Exhausted> {
    let mut converted = Map::new();
    if let Some(Value::Object(shared)) = around.root.get("responses") {
        for (name, response) in shared {
            let mut response = response.clone();
            convert_response(&mut response, &around.produces, around, budget)?;
            converted.insert(name.clone(), response);
        }
    }
    Ok(converted)
}

fn add_content(
    response: &mut Map<String, Value>,
    produces: &[String],
    budget: &mut CloneBudget,
) -> Result<(), Exhausted> {
    if let Some(Value::Object(headers)) = response.get_mut("headers") {
        for header in headers.values_mut().filter_map(Value::as_object_mut) {
            *header = parameters::convert(std::mem::take(header));
        }
    }
    let schema = response.remove("schema");
    let mut examples = match response.remove("examples") {
        Some(Value::Object(examples)) => examples,
        _ => Map::new(),
    };
    let mut content = Map::new();
    if let Some(schema) = &schema {
        for media_type in produces {
            let mut media = Map::from_iter([("schema".to_owned(), budget.copy(schema)?)]);
            if let Some(example) = examples.remove(media_type) {
                media.insert("example".to_owned(), example);
            }
            content.insert(media_type.clone(), Value::Object(media));
        }
    }
    for (media_type, example) in examples {
        content.insert(
            media_type,
            Value::Object(Map::from_iter([("example".to_owned(), example)])),
        );
    }
    if !content.is_empty() {
        response.insert("content".to_owned(), Value::Object(content));
    }
    Ok(())
}
