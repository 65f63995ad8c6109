//! A schema as one reads it: references followed, `allOf` taken together, and
//! what 3.0 and 3.1 say differently brought into one form.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::document::Document;
use crate::pointer;

/// Parts of one schema that are taken together.
const MOST_LAYERS: usize = 64;

/// A value of a document, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<'o> {
    pub(super) pointer: String,
    pub(super) value: &'o Value,
}

impl<'o> At<'o> {
    pub(super) const fn new(pointer: String, value: &'o Value) -> Self {
        Self { pointer, value }
    }

    /// A member of it.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name)?;
        Some(Self::new(pointer::child(&self.pointer, name), value))
    }

    /// All members of it but extensions.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'o str, Self)> {
        let members = self.value.as_object().into_iter().flat_map(Map::iter);
        members
            .filter(|(name, _)| !name.starts_with("x-"))
            .map(|(name, value)| {
                (
                    name.as_str(),
                    Self::new(pointer::child(&self.pointer, name), value),
                )
            })
    }

    /// The items of a list.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let items = self.value.as_array().into_iter().flatten();
        items
            .enumerate()
            .map(|(index, value)| Self::new(pointer::child(&self.pointer, &index.to_string()), value))
    }

    /// A reference followed; what leads nowhere stays as it is.
    pub(super) fn followed(self, document: &'o Document) -> Self {
        let Some(reference) = self.value.get("$ref").and_then(Value::as_str) else {
            return self;
        };
        match document.resolve(reference) {
            Ok((pointer, value)) => Self::new(pointer, value),
            Err(_) => self,
        }
    }

    /// The place that it refers to and adds nothing to.
    pub(super) fn bare_reference(&self) -> Option<Cow<'o, str>> {
        let members = self.value.as_object()?;
        let reference = members.get("$ref")?.as_str()?;
        (members.len() == 1).then(|| pointer::of_local_ref(reference))?
    }
}

/// The types of JSON, as bits. `number` has those of `integer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

const NAMES: [(&str, u8); 7] = [
    ("null", 1),
    ("boolean", 2),
    ("integer", 4),
    ("number", 12),
    ("string", 16),
    ("array", 32),
    ("object", 64),
];

impl Types {
    const NULL: Self = Self(1);
    pub(super) const ANY: Self = Self(127);

    fn named(name: &str) -> Self {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        known.map_or(Self::ANY, |(_, bits)| Self(*bits))
    }

    fn of_value(value: &Value) -> Self {
        Self::named(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        })
    }

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// In words: `string or null`.
    pub(super) fn words(self) -> String {
        if self == Self::ANY {
            return "anything".to_owned();
        }
        let mut left = self.0;
        let mut words = Vec::new();
        // The wider name first, so that a number is not an integer as well.
        for (name, bits) in NAMES.iter().rev() {
            if left & bits == *bits {
                words.push(*name);
                left &= !bits;
            }
        }
        if words.is_empty() {
            return "nothing".to_owned();
        }
        words.join(" or ")
    }
}

/// A schema with everything that it is put together from.
#[derive(Debug, Default)]
pub(super) struct Flat<'o> {
    layers: Vec<At<'o>>,
    /// The schema is `false`, or a part of it.
    nothing: bool,
}

impl<'o> Flat<'o> {
    pub(super) fn of(document: &'o Document, schema: &At<'o>) -> Self {
        let mut flat = Self::default();
        flat.add(document, schema.clone());
        flat
    }

    fn add(&mut self, document: &'o Document, schema: At<'o>) {
        if self.layers.len() >= MOST_LAYERS {
            return;
        }
        if schema.value == &Value::Bool(false) {
            self.nothing = true;
        }
        if !schema.value.is_object() || self.layers.iter().any(|known| known.pointer == schema.pointer) {
            return;
        }
        let parts: Vec<At<'o>> = schema
            .member("allOf")
            .map(|all| all.items().collect())
            .unwrap_or_default();
        let target = schema.clone().followed(document);
        let refers = target.pointer != schema.pointer;
        self.layers.push(schema);
        if refers {
            self.add(document, target);
        }
        for part in parts {
            self.add(document, part);
        }
    }

    /// The first that is said about something.
    pub(super) fn get(&self, name: &str) -> Option<At<'o>> {
        self.layers.iter().find_map(|layer| layer.member(name))
    }

    pub(super) fn text(&self, name: &str) -> Option<&'o str> {
        self.layers
            .iter()
            .find_map(|layer| layer.value.get(name).and_then(Value::as_str))
    }

    /// Whether any part says so.
    pub(super) fn says(&self, name: &str) -> bool {
        let yes = |layer: &At<'o>| layer.value.get(name) == Some(&Value::Bool(true));
        self.layers.iter().any(yes)
    }

    /// Everything that is said about something.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = At<'o>> + 's {
        self.layers.iter().filter_map(move |layer| layer.member(name))
    }

    pub(super) fn types(&self) -> Types {
        if self.nothing {
            return Types(0);
        }
        self.layers
            .iter()
            .map(|layer| types_of(layer.value))
            .fold(Types::ANY, Types::and)
    }

    /// The values that are listed, `const` as a list of one.
    pub(super) fn listed(&self) -> Option<Vec<&'o Value>> {
        let named = |layer: &At<'o>| -> Option<Vec<&'o Value>> {
            let alone = layer.value.get("const").map(|value| vec![value]);
            alone.or_else(|| Some(layer.value.get("enum")?.as_array()?.iter().collect()))
        };
        self.layers.iter().find_map(named)
    }

    /// The fields of an object. Of two parts that describe one, the first counts.
    pub(super) fn fields(&self) -> BTreeMap<&'o str, At<'o>> {
        let mut fields = BTreeMap::new();
        for properties in self.all("properties") {
            // An extension's prefix is a name like any other here.
            for (name, value) in properties.value.as_object().into_iter().flat_map(Map::iter) {
                let pointer = pointer::child(&properties.pointer, name);
                fields.entry(name.as_str()).or_insert(At::new(pointer, value));
            }
        }
        fields
    }

    /// The fields that must be there.
    pub(super) fn required(&self) -> BTreeSet<&'o str> {
        self.all("required")
            .filter_map(|list| list.value.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// A lower or upper bound, and whether its own value is allowed.
    pub(super) fn limit(&self, inclusive: &str, exclusive: &str) -> Option<(f64, bool)> {
        let number = |name: &str| self.get(name).and_then(|at| at.value.as_f64());
        match (number(inclusive), number(exclusive)) {
            // 3.0 writes `exclusiveMinimum: true` beside the bound.
            (Some(bound), None) => Some((bound, !self.says(exclusive))),
            (None, Some(bound)) => Some((bound, false)),
            (Some(closed), Some(open)) => Some(if inclusive == "minimum" {
                if open >= closed {
                    (open, false)
                } else {
                    (closed, true)
                }
            } else if open <= closed {
                (open, false)
            } else {
                (closed, true)
            }),
            (None, None) => None,
        }
    }
}

/// The types that a schema names itself.
pub(super) fn types_of(schema: &Value) -> Types {
    let types = match schema.get("type") {
        Some(Value::String(name)) => Types::named(name),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .map(Types::named)
            .fold(Types(0), Types::with),
        _ => implied(schema),
    };
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        types.with(Types::NULL)
    } else {
        types
    }
}

/// What a schema without a type means, as people write them.
fn implied(schema: &Value) -> Types {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(Types::of_value).fold(Types(0), Types::with);
    }
    if let Some(value) = schema.get("const") {
        return Types::of_value(value);
    }
    if schema.get("properties").is_some() {
        Types::named("object")
    } else if schema.get("items").is_some() {
        Types::named("array")
    } else {
        Types::ANY
    }
}
