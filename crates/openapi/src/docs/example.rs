//! Makes an example of a schema where the publisher gives none: small, finite
//! whatever circles the schema has, and the same every time.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::schema::Direction;
use super::source::{Found, Source};
use crate::pointer;

/// Levels of objects (`portal-ux.md` 1.4). A list is none of its own: what is
/// listed is what its reader wants to see.
const LEVELS: usize = 4;
/// Bytes of an example as JSON, about.
const BYTES: usize = 2048;
/// References that are followed: each may be a part to load.
const REFERENCES: usize = 24;

/// An example of a schema; `None` when nothing can be said.
#[must_use]
pub fn of(source: &Source<'_>, place: &str, schema: &Value, direction: Direction) -> Option<Value> {
    let maker = Maker {
        source,
        direction,
        bytes: Cell::new(BYTES),
        references: Cell::new(REFERENCES),
    };
    maker.make(place, schema, LEVELS, &mut Vec::new())
}

/// The example that a schema gives itself.
#[must_use]
pub fn given(schema: &Value) -> Option<&Value> {
    let first = |keyword: &str| {
        schema
            .get(keyword)
            .and_then(Value::as_array)
            .and_then(|list| list.first())
    };
    schema
        .get("example")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default").filter(|value| !value.is_null()))
        .or_else(|| schema.get("const"))
        .or_else(|| first("enum"))
}

struct Maker<'s, 'p> {
    source: &'s Source<'p>,
    direction: Direction,
    bytes: Cell<usize>,
    references: Cell<usize>,
}

impl<'p> Maker<'_, 'p> {
    fn make(&self, place: &str, schema: &Value, levels: usize, way: &mut Vec<String>) -> Option<Value> {
        if let Some(value) = given(schema) {
            return self.paid(value.clone());
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.referred(reference, levels, way);
        }
        let members = schema.as_object()?;
        if let Some(parts) = members.get("allOf").and_then(Value::as_array) {
            return self.merged(place, members, parts, levels, way);
        }
        for keyword in ["oneOf", "anyOf"] {
            let variants = members.get(keyword).and_then(Value::as_array);
            let shape = variants
                .into_iter()
                .flatten()
                .enumerate()
                .find(|(_, variant)| variant.get("type") != Some(&Value::from("null")));
            if let Some((index, variant)) = shape.filter(|_| !members.contains_key("properties")) {
                let own = pointer::child(&pointer::child(place, keyword), &index.to_string());
                return self.make(&own, variant, levels, way);
            }
        }
        self.typed(place, members, levels, way)
    }

    fn referred(&self, reference: &str, levels: usize, way: &mut Vec<String>) -> Option<Value> {
        let left = self.references.get().checked_sub(1)?;
        self.references.set(left);
        let Found::Here(at) = self.source.resolve(reference) else {
            return None;
        };
        if way.contains(&at.place) {
            return None;
        }
        way.push(at.place.clone());
        let made = self.make(&at.place, at.value, levels, way);
        way.pop();
        made
    }

    fn merged(
        &self,
        place: &str,
        members: &Map<String, Value>,
        parts: &[Value],
        levels: usize,
        way: &mut Vec<String>,
    ) -> Option<Value> {
        let mut merged = Map::new();
        let mut other = None;
        let parent = pointer::child(place, "allOf");
        for (index, part) in parts.iter().enumerate() {
            match self.make(&pointer::child(&parent, &index.to_string()), part, levels, way) {
                Some(Value::Object(members)) => merged.extend(members),
                Some(value) => other = Some(value),
                None => {}
            }
        }
        if members.contains_key("properties")
            && let Some(Value::Object(own)) = self.object(place, members, levels, way)
        {
            merged.extend(own);
        }
        if merged.is_empty() {
            other
        } else {
            Some(Value::Object(merged))
        }
    }

    fn typed(
        &self,
        place: &str,
        members: &Map<String, Value>,
        levels: usize,
        way: &mut Vec<String>,
    ) -> Option<Value> {
        let kind = match members.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(Value::Array(names)) => {
                let mut names = names.iter().filter_map(Value::as_str);
                names.find(|name| *name != "null").unwrap_or("null")
            }
            _ if members.contains_key("properties") => "object",
            _ if members.contains_key("items") => "array",
            _ => return None,
        };
        match kind {
            "object" => self.object(place, members, levels, way),
            "array" => self.array(place, members, levels, way),
            "string" => self.paid(Value::from(text(members))),
            "integer" => self.paid(integer(members)),
            "number" => self.paid(
                members
                    .get("minimum")
                    .cloned()
                    .unwrap_or_else(|| Value::from(1.5)),
            ),
            "boolean" => self.paid(Value::Bool(true)),
            "null" => self.paid(Value::Null),
            _ => None,
        }
    }

    fn object(
        &self,
        place: &str,
        members: &Map<String, Value>,
        levels: usize,
        way: &mut Vec<String>,
    ) -> Option<Value> {
        // Below the last level nothing is said: empty braces would say that it is empty.
        if levels == 0 {
            return None;
        }
        let mut object = Map::new();
        let properties = members.get("properties").and_then(Value::as_object);
        let parent = pointer::child(place, "properties");
        for (name, property) in properties.into_iter().flatten() {
            if self.bytes.get() == 0 {
                break;
            }
            if self.is_hidden(property) {
                continue;
            }
            self.pay(name.len() + 4);
            if let Some(value) = self.make(&pointer::child(&parent, name), property, levels - 1, way) {
                object.insert(name.clone(), value);
            }
        }
        let other = members
            .get("additionalProperties")
            .filter(|other| other.is_object());
        if let Some(other) = other.filter(|_| properties.is_none()) {
            let own = pointer::child(place, "additionalProperties");
            if let Some(value) = self.make(&own, other, levels - 1, way) {
                object.insert("name".to_owned(), value);
            }
        }
        Some(Value::Object(object))
    }

    fn array(
        &self,
        place: &str,
        members: &Map<String, Value>,
        levels: usize,
        way: &mut Vec<String>,
    ) -> Option<Value> {
        let tuple = members.get("prefixItems").and_then(Value::as_array);
        let mut list = Vec::new();
        let parent = pointer::child(place, "prefixItems");
        for (index, item) in tuple.into_iter().flatten().enumerate().take(10) {
            let own = pointer::child(&parent, &index.to_string());
            list.push(self.make(&own, item, levels, way).unwrap_or(Value::Null));
        }
        if let Some(items) = members.get("items").filter(|_| tuple.is_none()) {
            list.extend(self.make(&pointer::child(place, "items"), items, levels, way));
        }
        self.paid(Value::Array(list))
    }

    fn is_hidden(&self, property: &Value) -> bool {
        let keyword = match self.direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
            Direction::Both => return false,
        };
        property.get(keyword) == Some(&Value::Bool(true))
    }

    fn pay(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }

    /// The value, when there is room for it.
    fn paid(&self, value: Value) -> Option<Value> {
        let size = match &value {
            Value::String(text) => text.len() + 2,
            Value::Array(list) if list.is_empty() => 2,
            // What is inside of lists and objects that were made here is paid already.
            Value::Array(_) | Value::Object(_) => value.to_string().len() / 4,
            _ => 5,
        };
        if size > self.bytes.get() && size > 64 {
            return None;
        }
        self.pay(size);
        Some(value)
    }
}

fn integer(members: &Map<String, Value>) -> Value {
    let low = members.get("minimum").filter(|low| low.is_i64() || low.is_u64());
    let high = members.get("maximum").and_then(Value::as_i64);
    low.cloned()
        .unwrap_or_else(|| Value::from(high.map_or(1, |high| high.min(1))))
}

/// Text of the right format.
fn text(members: &Map<String, Value>) -> String {
    let format = members.get("format").and_then(Value::as_str).unwrap_or_default();
    let sample = match format {
        "date-time" => "2026-01-15T09:30:00Z",
        "date" => "2026-01-15",
        "time" => "09:30:00Z",
        "duration" => "PT15M",
        "email" | "idn-email" => "ada@example.com",
        "uuid" => "7f0c1f4e-3a52-4d8e-9a1c-5b6d7e8f9a0b",
        "uri" | "url" | "iri" | "uri-reference" => "https://example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "byte" => "dGV4dA==",
        "binary" => "(binary)",
        "password" => "********",
        _ => "text",
    };
    let low = members.get("minLength").and_then(Value::as_u64).unwrap_or(0);
    let high = members
        .get("maxLength")
        .and_then(Value::as_u64)
        .unwrap_or(u64::MAX);
    let length = sample.chars().count() as u64;
    if format.is_empty() && length < low && low <= 64 {
        return "text"
            .chars()
            .cycle()
            .take(usize::try_from(low).unwrap_or(0))
            .collect();
    }
    if format.is_empty() && length > high {
        return sample.chars().take(usize::try_from(high).unwrap_or(0)).collect();
    }
    sample.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{BYTES, of};
    use crate::docs::schema::Direction;
    use crate::docs::source::{Parts, Source};

    fn made(schemas: &Value, name: &str) -> Option<Value> {
        let mut parts = Parts::default();
        for (name, schema) in schemas.as_object().unwrap() {
            let body = serde_json::to_vec(schema).unwrap();
            parts.put(format!("/components/schemas/{name}"), Some(&body));
        }
        let source = Source::new(&parts);
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        let made = of(&source, "/x", &reference, Direction::Request);
        assert!(source.missing().is_empty());
        made
    }

    #[test]
    fn what_is_given_wins_and_the_rest_is_made() {
        let schemas = json!({"Pet": {"type": "object", "properties": {
            "id": {"type": "string", "format": "uuid", "readOnly": true},
            "name": {"type": "string", "example": "Rex"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "age": {"type": ["integer", "null"], "minimum": 3},
            "kind": {"enum": ["cat", "dog"]},
            "owner": {"allOf": [{"$ref": "#/components/schemas/Person"}, {"properties": {"x": {"type": "boolean"}}}]},
        }}, "Person": {"type": "object", "properties": {"email": {"type": "string", "format": "email"}}}});
        assert_eq!(
            made(&schemas, "Pet").unwrap(),
            json!({"name": "Rex", "tags": ["text"], "age": 3, "kind": "cat",
                   "owner": {"email": "ada@example.com", "x": true}})
        );
    }

    #[test]
    fn lists_of_objects_are_filled_and_nothing_is_empty_for_want_of_levels() {
        let of = |inside: Value| json!({"type": "object", "properties": {"inside": inside}});
        let list = |items: Value| json!({"type": "array", "items": items});
        let leaf = json!({"type": "object", "properties": {"value": {"type": "integer"}}});
        let schemas = json!({
            "Page": of(list(of(list(of(list(leaf.clone())))))),
            "Deep": of(list(of(list(of(list(of(list(leaf)))))))),
        });
        assert_eq!(
            made(&schemas, "Page").unwrap(),
            json!({"inside": [{"inside": [{"inside": [{"value": 1}]}]}]})
        );
        assert_eq!(
            made(&schemas, "Deep").unwrap(),
            json!({"inside": [{"inside": [{"inside": [{"inside": []}]}]}]})
        );
    }

    #[test]
    fn circles_are_cut_and_the_size_is_bounded() {
        let circle = json!({"Node": {"properties": {
            "value": {"type": "integer"},
            "next": {"$ref": "#/components/schemas/Node"},
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        }}});
        assert_eq!(made(&circle, "Node").unwrap(), json!({"value": 1, "all": []}));
        let wide: Value = (0..2_000)
            .map(|n| (format!("property{n}"), json!({"type": "string"})))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let size = made(&json!({"W": {"properties": wide}}), "W")
            .unwrap()
            .to_string()
            .len();
        assert!(size <= BYTES + 64, "{size}");
    }
}
