//! Where a document refers to another place, and where that leads.
//!
//! A `$ref` is only a reference where the format has one: inside of examples,
//! defaults, enumerations and extensions it is data, and below `properties` it
//! may be the name of a property.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::clone_budget::Exhausted;
use crate::finding::{Code, Findings};
use crate::pointer;

/// One step from a value to one inside of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'t> {
    Member(&'t str),
    Item(usize),
}

/// The pointer of a list of steps.
pub(crate) fn pointer_of(steps: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Member(name) => pointer::push(&mut text, name),
            Step::Item(index) => pointer::push(&mut text, &index.to_string()),
        }
    }
    text
}

/// How the members of a value are to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// An object of the format: its member names are keywords.
    Object,
    /// A map whose member names are free.
    Names,
    /// The `mapping` of a discriminator: values are names or references.
    Mapping,
    /// Not part of the format.
    Data,
}

fn below(context: Context, name: &str, value: &Value) -> Context {
    match context {
        Context::Data | Context::Mapping => Context::Data,
        Context::Names => Context::Object,
        Context::Object => match name {
            "example" | "default" | "enum" | "const" | "value" | "externalValue" => Context::Data,
            "mapping" => Context::Mapping,
            "examples" if value.is_array() => Context::Data,
            "properties"
            | "patternProperties"
            | "definitions"
            | "$defs"
            | "dependentSchemas"
            | "schemas"
            | "responses"
            | "paths"
            | "headers"
            | "links"
            | "requestBodies"
            | "securitySchemes"
            | "securityDefinitions"
            | "pathItems"
            | "content"
            | "encoding"
            | "webhooks"
            | "mediaTypes"
            | "callbacks"
            | "examples"
            | BUNDLED => Context::Names,
            "parameters" if value.is_object() => Context::Names,
            _ if name.starts_with("x-") => Context::Data,
            _ => Context::Object,
        },
    }
}

/// The member of `components` below which bundled documents are kept.
pub(crate) const BUNDLED: &str = "x-bundled";

/// Calls `visit` with each reference of a tree and the steps to its object.
pub(crate) fn walk<'t>(root: &'t Value, visit: &mut dyn FnMut(&[Step<'t>], &'t str)) {
    let mut steps = Vec::new();
    walk_value(root, Context::Object, &mut steps, visit);
}

fn walk_value<'t>(
    value: &'t Value,
    context: Context,
    steps: &mut Vec<Step<'t>>,
    visit: &mut dyn FnMut(&[Step<'t>], &'t str),
) {
    match value {
        Value::Object(members) if context != Context::Data => {
            for (name, member) in members {
                if let Some(reference) = reference_in(context, name, member) {
                    // A mapping names schemas that `oneOf` refers to as well; alone it is no
                    // reason to fetch anything.
                    if context != Context::Mapping || reference.starts_with('#') {
                        visit(steps, reference);
                    }
                } else if member.is_object() || member.is_array() {
                    steps.push(Step::Member(name));
                    walk_value(member, below(context, name, member), steps, visit);
                    steps.pop();
                }
            }
        }
        Value::Array(items) if context != Context::Data => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Item(index));
                walk_value(item, context, steps, visit);
                steps.pop();
            }
        }
        _ => {}
    }
}

fn reference_in<'t>(context: Context, name: &str, member: &'t Value) -> Option<&'t str> {
    let text = member.as_str()?;
    match context {
        Context::Object | Context::Names => (name == "$ref").then_some(text),
        Context::Mapping => text.contains('#').then_some(text),
        Context::Data => None,
    }
}

/// Calls `visit` with each object and each reference of a tree, to change them.
/// The object comes before what is inside of it.
pub(crate) fn walk_mut(root: &mut Value, visit: &mut dyn FnMut(Place<'_>)) {
    walk_value_mut(root, Context::Object, visit);
}

/// Something that may be changed in place.
pub(crate) enum Place<'t> {
    /// The text of a reference.
    Reference(&'t mut String),
    /// An object of the format, but not a map of free names.
    Object(&'t mut serde_json::Map<String, Value>),
}

fn walk_value_mut(value: &mut Value, context: Context, visit: &mut dyn FnMut(Place<'_>)) {
    match value {
        Value::Object(members) if context != Context::Data => {
            if context == Context::Object {
                visit(Place::Object(members));
            }
            for (name, member) in members.iter_mut() {
                if reference_in(context, name, member).is_some() {
                    if let Value::String(text) = member {
                        visit(Place::Reference(text));
                    }
                } else if member.is_object() || member.is_array() {
                    let inner = below(context, name, member);
                    walk_value_mut(member, inner, visit);
                }
            }
        }
        Value::Array(items) if context != Context::Data => {
            for item in items {
                walk_value_mut(item, context, visit);
            }
        }
        _ => {}
    }
}

/// Why a reference leads to no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// It points to another document.
    #[error("it points to another document")]
    External,
    /// There is nothing at that place.
    #[error("there is nothing at that place")]
    Nowhere,
    /// It leads to itself, or through more references than anybody writes.
    #[error("it leads back to itself")]
    Loop,
}

/// References in a row that are followed; only a loop has more.
const HOPS: usize = 16;

/// Follows a local reference, and those it leads to, to a value that is none.
/// The pointer is that of the value.
pub(crate) fn resolve<'t>(root: &'t Value, reference: &str) -> Result<(String, &'t Value), Unresolved> {
    let mut reference: Cow<'_, str> = Cow::Borrowed(reference);
    for _ in 0..HOPS {
        if !reference.starts_with('#') {
            return Err(Unresolved::External);
        }
        let place = pointer::of_local_ref(&reference)
            .ok_or(Unresolved::Nowhere)?
            .into_owned();
        let value = pointer::get(root, &place).ok_or(Unresolved::Nowhere)?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(next) => reference = Cow::Borrowed(next),
            None => return Ok((place, value)),
        }
    }
    Err(Unresolved::Loop)
}

/// Replaces references by name with references by place: `#anchor` (JSON Schema
/// 2020-12, section 8.2.2), the `$id` of an embedded schema (8.2.1), and the
/// bare schema name that old tools write. `growth` is what the text may gain in bytes.
pub(crate) fn name_to_place(
    root: &mut Value,
    mut growth: usize,
    findings: &mut Findings,
) -> Result<(), Exhausted> {
    let mut names = Names::default();
    walk(root, &mut |_, reference| {
        if !is_pointer(reference) {
            names.wanted.insert(reference.to_owned());
        }
    });
    if names.wanted.is_empty() {
        return Ok(());
    }
    names.collect(root, &mut String::new());
    let Names { wanted, mut places } = names;
    let mut bare = HashSet::new();
    for reference in wanted {
        if let Some(place) = bare_name(root, &reference).filter(|_| !places.contains_key(&reference)) {
            bare.insert(reference.clone());
            places.insert(reference, place);
        }
    }
    tell_bare_names(root, &bare, findings);
    let mut exhausted = false;
    walk_mut(root, &mut |place| {
        if let Place::Reference(text) = place
            && let Some(pointer) = places.get(text)
        {
            match growth.checked_sub(pointer.len()) {
                Some(left) => {
                    growth = left;
                    *text = format!("#{pointer}");
                }
                None => exhausted = true,
            }
        }
    });
    if exhausted { Err(Exhausted) } else { Ok(()) }
}

/// One finding for all of them, at the first.
fn tell_bare_names(root: &Value, bare: &HashSet<String>, findings: &mut Findings) {
    let mut first = None;
    let mut count = 0_usize;
    walk(root, &mut |steps, reference| {
        if bare.contains(reference) {
            count += 1;
            first.get_or_insert_with(|| (pointer_of(steps), reference.to_owned()));
        }
    });
    if let Some((at, reference)) = first {
        let message =
            format!("`$ref: {reference:.80}` is read as the schema of that name; {count} such in all");
        findings.add(Code::RefBareName, at, message);
    }
}

fn is_pointer(reference: &str) -> bool {
    reference.starts_with("#/") || reference == "#"
}

/// The names that references use, and where they are given.
#[derive(Default)]
struct Names {
    wanted: HashSet<String>,
    places: HashMap<String, String>,
}

impl Names {
    fn collect(&mut self, value: &Value, place: &mut String) {
        let length = place.len();
        match value {
            Value::Object(members) => {
                self.take(members, place);
                for (name, member) in members {
                    if member.is_object() || member.is_array() {
                        pointer::push(place, name);
                        self.collect(member, place);
                        place.truncate(length);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if item.is_object() || item.is_array() {
                        pointer::push(place, &index.to_string());
                        self.collect(item, place);
                        place.truncate(length);
                    }
                }
            }
            _ => {}
        }
    }

    fn take(&mut self, members: &serde_json::Map<String, Value>, place: &str) {
        for (key, mark) in [("$anchor", "#"), ("$dynamicAnchor", "#"), ("$id", "")] {
            if let Some(Value::String(name)) = members.get(key) {
                let name = format!("{mark}{name}");
                if self.places.len() < MOST_NAMES && self.wanted.contains(&name) {
                    self.places.entry(name).or_insert_with(|| encoded(place));
                }
            }
        }
    }
}

/// Names of places that are followed; each costs the length of its pointer.
const MOST_NAMES: usize = 10_000;

/// A pointer as it stands in a fragment.
pub(crate) fn encoded(pointer: &str) -> String {
    percent_encoding::utf8_percent_encode(pointer, FRAGMENT).to_string()
}

/// What a fragment cannot hold as it is (RFC 3986 section 3.5), and `%`.
const FRAGMENT: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`');

fn bare_name(root: &Value, reference: &str) -> Option<String> {
    let plain = reference
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !plain || reference.is_empty() {
        return None;
    }
    ["/definitions", "/components/schemas"]
        .iter()
        .map(|parent| pointer::child(parent, reference))
        .find(|place| pointer::get(root, place).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Unresolved, name_to_place, pointer_of, resolve, walk};
    use crate::clone_budget::Exhausted;
    use crate::finding::{Code, Findings};

    fn references(root: &Value) -> Vec<(String, String)> {
        let mut found = Vec::new();
        walk(root, &mut |steps, reference| {
            found.push((pointer_of(steps), reference.to_owned()));
        });
        found
    }

    #[test]
    fn a_ref_is_only_one_where_the_format_has_one() {
        let root = json!({
            "paths": {"/a": {"get": {
                "responses": {"default": {"$ref": "#/r"}},
                "x-note": {"$ref": "no"},
            }}},
            "components": {
                "schemas": {
                    "example": {"$ref": "#/named-example"},
                    "S": {
                        "properties": {"$ref": {"type": "string"}, "enum": {"$ref": "#/p"}},
                        "example": {"$ref": "no"}, "default": {"$ref": "no"},
                        "enum": [{"$ref": "no"}], "examples": [{"$ref": "no"}],
                        "discriminator": {"mapping": {"a": "#/m", "b": "Name", "c": "other.json#/no"}},
                    },
                },
                "examples": {"E": {"$ref": "#/e"}, "F": {"value": {"$ref": "no"}}},
            },
        });
        let found: Vec<String> = references(&root)
            .into_iter()
            .map(|(_, reference)| reference)
            .collect();
        assert_eq!(found, ["#/r", "#/named-example", "#/p", "#/m", "#/e"]);
        assert_eq!(references(&root)[0].0, "/paths/~1a/get/responses/default");
    }

    #[test]
    fn chains_are_followed_and_loops_end() {
        let root = json!({
            "a": {"$ref": "#/b"}, "b": {"$ref": "#/c~1d"}, "c/d": {"type": "string"},
            "x": {"$ref": "#/y"}, "y": {"$ref": "#/x"},
        });
        assert_eq!(
            resolve(&root, "#/a").map(|(place, _)| place),
            Ok("/c~1d".to_owned())
        );
        assert_eq!(resolve(&root, "#/x").unwrap_err(), Unresolved::Loop);
        assert_eq!(resolve(&root, "#/z").unwrap_err(), Unresolved::Nowhere);
        assert_eq!(resolve(&root, "z.json").unwrap_err(), Unresolved::External);
    }

    #[test]
    fn names_become_places() {
        let mut root = json!({"components": {"schemas": {
            "A b": {"$anchor": "here", "type": "object"},
            "B": {"$ref": "#here"},
            "C": {"$id": "https://schemas.example/c", "type": "null"},
            "D": {"$ref": "https://schemas.example/c"},
            "E": {"$ref": "B"},
        }}});
        let mut findings = Findings::default();
        name_to_place(&mut root, 10_000, &mut findings).unwrap();
        let schemas = &root["components"]["schemas"];
        assert_eq!(schemas["B"]["$ref"], "#/components/schemas/A%20b");
        assert_eq!(schemas["D"]["$ref"], "#/components/schemas/C");
        assert_eq!(schemas["E"]["$ref"], "#/components/schemas/B");
        assert_eq!(
            resolve(&root, "#/components/schemas/E").unwrap().1["$anchor"],
            "here"
        );
        let codes: Vec<Code> = findings.listed().iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [Code::RefBareName]);
        assert_eq!(findings.listed()[0].pointer, "/components/schemas/E");
    }

    #[test]
    fn short_names_of_long_places_do_not_multiply() {
        let items = vec![json!({"$ref": "#a"}); 100];
        let mut root = json!({"x".repeat(1_000): {"$anchor": "a"}, "items": items});
        assert_eq!(
            name_to_place(&mut root, 50_000, &mut Findings::default()),
            Err(Exhausted)
        );
    }
}
