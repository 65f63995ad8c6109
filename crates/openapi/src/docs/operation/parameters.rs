//! Parameters and headers.

use serde_json::{Map, Value};

use super::build::{Page, words};
use super::messages::example_list;
use super::{Input, InputKind, Parameter, ParameterGroup, Place};
use crate::docs::example;
use crate::docs::schema::{Builder, Direction, SchemaView};
use crate::docs::source::Found;
use crate::pointer;

/// Headers that a description cannot set (OpenAPI 3.1, section 4.8.12.1).
const NOT_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

impl<'p> Page<'_, 'p> {
    /// The parameters by place.
    pub(super) fn parameter_groups(
        &self,
        place: &str,
        value: Option<&'p Value>,
        direction: Direction,
    ) -> Vec<ParameterGroup> {
        let parent = pointer::child(place, "parameters");
        let mut all = Vec::new();
        for (index, value) in value.and_then(Value::as_array).into_iter().flatten().enumerate() {
            let own = pointer::child(&parent, &index.to_string());
            let Some((own, members)) = self.object(&own, value) else {
                continue;
            };
            let name = members.get("name").and_then(Value::as_str).unwrap_or_default();
            let at = members.get("in").and_then(Value::as_str).unwrap_or_default();
            let Some(at) = Place::ALL.into_iter().find(|known| known.as_str() == at) else {
                continue;
            };
            let special = at == Place::Header && NOT_PARAMETERS.contains(&name.to_ascii_lowercase().as_str());
            if !name.is_empty() && !special && self.left.take(&self.left.fields) {
                all.push(self.parameter(name, at, &own, members, direction));
            }
        }
        Place::ALL
            .into_iter()
            .filter_map(|place| {
                let parameters: Vec<Parameter> =
                    all.extract_if(.., |parameter| parameter.place == place).collect();
                (!parameters.is_empty()).then_some(ParameterGroup { place, parameters })
            })
            .collect()
    }

    /// The headers of an answer.
    pub(super) fn headers(
        &self,
        place: &str,
        value: Option<&'p Value>,
        direction: Direction,
    ) -> Vec<Parameter> {
        let parent = pointer::child(place, "headers");
        let listed = value.and_then(Value::as_object);
        let read = |(name, header): (&String, &'p Value)| {
            let (own, members) = self.object(&pointer::child(&parent, name), header)?;
            self.left.take(&self.left.fields).then_some(())?;
            Some(self.parameter(name, Place::Header, &own, members, direction))
        };
        listed.into_iter().flatten().filter_map(read).collect()
    }

    fn parameter(
        &self,
        name: &str,
        at: Place,
        place: &str,
        members: &'p Map<String, Value>,
        direction: Direction,
    ) -> Parameter {
        let described = described(place, members);
        let builder = Builder::new(self.source, direction, &self.left.rows);
        let view = match &described {
            Some((place, schema)) => builder.open(place, schema, &[]),
            None => SchemaView {
                types: "any value".to_owned(),
                ..SchemaView::default()
            },
        };
        let examples = example_list(self, place, members);
        let schema = described
            .as_ref()
            .and_then(|(place, schema)| match self.source.follow(place, schema) {
                Found::Here(at) => Some(at.value),
                Found::Later | Found::Nowhere => None,
            });
        let given = examples.first().map(|example| example.text.clone());
        let style = words(members, "style");
        let explode = members.get("explode").and_then(Value::as_bool);
        Parameter {
            name: name.to_owned(),
            place: at,
            required: at == Place::Path || members.get("required") == Some(&Value::Bool(true)),
            deprecated: members.get("deprecated") == Some(&Value::Bool(true)) || view.deprecated,
            description: words(members, "description").or_else(|| view.description.clone()),
            writing: writing(
                at,
                style.as_deref(),
                explode,
                &view.types,
                members.contains_key("content"),
            ),
            style,
            explode,
            input: input(schema, given),
            view,
            examples,
        }
    }
}

/// The schema of a parameter: its own, or that of its only content.
fn described<'p>(place: &str, members: &'p Map<String, Value>) -> Option<(String, &'p Value)> {
    if let Some(schema) = members.get("schema") {
        return Some((pointer::child(place, "schema"), schema));
    }
    let (media_type, content) = members.get("content")?.as_object()?.iter().next()?;
    let place = pointer::child(
        &pointer::child(&pointer::child(place, "content"), media_type),
        "schema",
    );
    Some((place, content.get("schema")?))
}

/// How several values are written (OpenAPI 3.1, section 4.8.12.2).
fn writing(
    at: Place,
    style: Option<&str>,
    explode: Option<bool>,
    types: &str,
    content: bool,
) -> Option<String> {
    if content {
        return Some("written as JSON".to_owned());
    }
    let list = types.starts_with("array");
    let object = types.starts_with("object") || types.starts_with("map");
    if !list && !object {
        return None;
    }
    let form = matches!(at, Place::Query | Place::Cookie);
    let style = style.unwrap_or(if form { "form" } else { "simple" });
    let explode = explode.unwrap_or(style == "form");
    let text = match (style, list, explode) {
        ("form", true, true) => "repeat the name for each value",
        ("form", false, true) => "each property is a parameter of its own",
        ("spaceDelimited", ..) => "values separated by spaces",
        ("pipeDelimited", ..) => "values separated by |",
        ("deepObject", ..) => "write name[property]=value",
        ("label", ..) => "values begin with a dot",
        ("matrix", ..) => "written as ;name=value",
        ("simple", false, true) => "written as property=value, separated by commas",
        _ => "values separated by commas",
    };
    Some(text.to_owned())
}

/// What a form asks for.
fn input(schema: Option<&Value>, given: Option<String>) -> Input {
    let kind = schema.map_or(InputKind::Text, kind_of);
    let own = schema
        .and_then(|schema| {
            let chosen = matches!(kind, InputKind::Choice(_))
                .then(|| schema.get("enum"))
                .flatten();
            example::given(schema)
                .filter(|_| chosen.is_none())
                .or_else(|| schema.get("default"))
        })
        .map(plain);
    Input {
        kind,
        value: given.or(own).unwrap_or_default(),
    }
}

fn kind_of(schema: &Value) -> InputKind {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return InputKind::Choice(
            values
                .iter()
                .filter(|value| !value.is_null())
                .map(plain)
                .collect(),
        );
    }
    let named = match schema.get("type") {
        Some(Value::String(name)) => name.as_str(),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null")
            .unwrap_or_default(),
        _ => "",
    };
    match named {
        "integer" => InputKind::Integer,
        "number" => InputKind::Number,
        "boolean" => InputKind::Boolean,
        "array" => InputKind::List,
        _ => InputKind::Text,
    }
}

/// A value as it stands in a field: lists with commas.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
