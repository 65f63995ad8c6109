//! Cuts a document into the parts that pages load: one for each operation, one
//! for each component, and one for each other place that a reference leads to.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::head;
use super::schema::words;
use crate::bounds::Bounds;
use crate::document::Document;
use crate::index::Index;
use crate::pointer;
use crate::references::{self, BUNDLED, Step, pointer_of};

/// The name of the part with the [`head::Head`]. No pointer is like it.
pub const HEAD: &str = "head:";
/// The name of the part with the list of [`SchemaLine`]s.
pub const SCHEMAS: &str = "schemas:";

/// The name of the part that says who refers to the schema at a pointer.
#[must_use]
pub fn users_of(pointer: &str) -> String {
    ["used:", pointer].concat()
}

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it stands in the normalised document, or one of the names above.
    pub pointer: String,
    /// Compact JSON.
    pub body: Vec<u8>,
}

/// A shared schema in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaLine {
    /// Its name.
    pub name: String,
    /// Its type in words.
    pub types: String,
    /// The beginning of its description.
    pub about: String,
}

/// Who refers to a schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Users {
    /// How many.
    pub total: usize,
    /// The first of them: pointers of operations and of components.
    pub first: Vec<String>,
}

/// Referrers of one schema that are kept.
const MOST_USERS: usize = 200;
/// A component up to this size is loaded whole for a place inside of it.
const WHOLE: usize = 64 * 1024;
/// How much of a description stands in a list, in characters.
const ABOUT: usize = 160;

/// Cuts a document. What would outgrow [`Bounds::copied`] is left out: pages
/// say that it is not there.
#[must_use]
pub fn split(document: &Document, index: &Index, bounds: &Bounds) -> Vec<Part> {
    let mut cut = Cut {
        parts: Vec::new(),
        sizes: HashMap::new(),
        left: bounds.copied,
    };
    cut.put(HEAD.to_owned(), &head::of(document, index));
    cut.put(SCHEMAS.to_owned(), &schema_lines(document));
    for operation in &index.operations {
        cut.put_text(&operation.pointer, &operation.slice);
    }
    for hook in &index.webhooks {
        cut.put_text(&hook.pointer, &hook.slice);
    }
    cut.components(document);
    cut.targets(document);
    cut.parts
}

struct Cut {
    parts: Vec<Part>,
    /// Bytes of the parts at pointers.
    sizes: HashMap<String, usize>,
    left: usize,
}

impl Cut {
    fn put<T: Serialize>(&mut self, pointer: String, value: &T) {
        // Maps with text keys always serialise.
        if let Ok(body) = serde_json::to_vec(value) {
            self.put_bytes(pointer, body);
        }
    }

    fn put_text(&mut self, pointer: &str, text: &str) {
        if text.len() <= self.left {
            self.put_bytes(pointer.to_owned(), text.as_bytes().to_vec());
        }
    }

    fn put_bytes(&mut self, pointer: String, body: Vec<u8>) {
        if body.len() > self.left || self.sizes.contains_key(&pointer) {
            return;
        }
        self.left -= body.len();
        self.sizes.insert(pointer.clone(), body.len());
        self.parts.push(Part { pointer, body });
    }

    fn components(&mut self, document: &Document) {
        let kinds = document.get("/components").and_then(Value::as_object);
        for (kind, named) in kinds.into_iter().flat_map(Map::iter) {
            if kind == BUNDLED || kind.starts_with("x-") {
                continue;
            }
            for (name, component) in named.as_object().into_iter().flat_map(Map::iter) {
                self.put(pointer::from_tokens(["components", kind, name]), component);
            }
        }
    }

    /// The places that references lead to and that are in no small part, and who leads there.
    fn targets(&mut self, document: &Document) {
        let mut targets: HashSet<&str> = HashSet::new();
        let mut users: HashMap<String, Users> = HashMap::new();
        references::walk(document.tree(), &mut |steps, reference| {
            targets.insert(reference);
            note_user(&mut users, steps, reference);
        });
        let mut targets: Vec<&str> = targets.into_iter().collect();
        targets.sort_unstable();
        for reference in targets {
            let Some(place) = pointer::of_local_ref(reference) else {
                continue;
            };
            let inside = container(&place).and_then(|container| self.sizes.get(container));
            if place.starts_with("/components/") && inside.is_some_and(|size| *size <= WHOLE) {
                continue;
            }
            if let Some(target) = document.get(&place).filter(|_| !self.sizes.contains_key(&*place)) {
                self.put(place.into_owned(), target);
            }
        }
        let mut users: Vec<(String, Users)> = users.into_iter().collect();
        users.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (place, users) in users {
            self.put(users_of(&place), &users);
        }
    }
}

/// The component that a pointer leads into: its first three tokens.
fn container(place: &str) -> Option<&str> {
    let ends: Vec<usize> = place.match_indices('/').map(|(at, _)| at).collect();
    match ends.get(3) {
        Some(end) => place.get(..*end),
        None => (ends.len() == 3).then_some(place),
    }
}

fn note_user(users: &mut HashMap<String, Users>, steps: &[Step<'_>], reference: &str) {
    let Some(place) = pointer::of_local_ref(reference) else {
        return;
    };
    let schema = container(&place).filter(|place| place.starts_with("/components/schemas/"));
    let (Some(schema), Some(own)) = (schema, steps.get(..3)) else {
        return;
    };
    let own = pointer_of(own);
    if own == schema {
        return;
    }
    let users = match users.get_mut(schema) {
        Some(users) => users,
        None => users.entry(schema.to_owned()).or_default(),
    };
    // References of one place come in a row.
    if users.first.last() != Some(&own) {
        users.total += 1;
        if users.first.len() < MOST_USERS {
            users.first.push(own);
        }
    }
}

fn schema_lines(document: &Document) -> Vec<SchemaLine> {
    let schemas = document.get("/components/schemas").and_then(Value::as_object);
    schemas
        .into_iter()
        .flat_map(Map::iter)
        .map(|(name, schema)| SchemaLine {
            name: name.clone(),
            types: words::types_of(schema),
            about: beginning(schema),
        })
        .collect()
}

/// The first line of what a schema says about itself.
fn beginning(schema: &Value) -> String {
    let text = ["description", "title"]
        .iter()
        .find_map(|member| schema.get(member).and_then(Value::as_str))
        .unwrap_or_default();
    let line = text.trim().lines().next().unwrap_or_default();
    let short: String = line.chars().take(ABOUT).collect();
    if short.len() < line.len() {
        short + "…"
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{HEAD, SCHEMAS, Users, users_of};
    use crate::docs::head::{Head, Protected};
    use crate::docs::testing::parts_of;

    fn part(parts: &[super::Part], pointer: &str) -> Option<Value> {
        let part = parts.iter().find(|part| part.pointer == pointer)?;
        Some(serde_json::from_slice(&part.body).unwrap())
    }

    #[test]
    fn every_place_that_a_page_needs_has_a_part() {
        let parts = parts_of(&json!({
            "openapi": "3.1.0", "info": {"title": "T", "version": "2"},
            "security": [{"k": []}],
            "paths": {
                "/a": {
                    "parameters": [{"$ref": "#/components/parameters/P"}],
                    "get": {"responses": {"200": {"$ref": "#/components/responses/R"}, "404": {"description": "none"}}},
                    "put": {"security": [], "requestBody": {"content": {"x/y": {"schema": {"$ref": "#/paths/~1a/get/responses/404/x"}}}}},
                },
            },
            "webhooks": {"sold": {"post": {"summary": "Sold"}}},
            "components": {
                "parameters": {"P": {"name": "p", "in": "query", "schema": {"type": "string"}}},
                "responses": {"R": {"description": "r", "content": {"a/b": {"schema": {"$ref": "#/components/schemas/S/$defs/Inner"}}}}},
                "schemas": {"S": {"$defs": {"Inner": {"type": "object"}}}, "T": {"$ref": "#/components/schemas/S"}},
                "securitySchemes": {"k": {"type": "apiKey", "in": "header", "name": "K"}},
            },
        }));
        let get = part(&parts, "/paths/~1a/get").unwrap();
        assert_eq!(get["parameters"][0]["$ref"], "#/components/parameters/P");
        assert!(part(&parts, "/components/parameters/P").is_some());
        assert!(part(&parts, "/webhooks/sold/post").is_some());
        // A small component is loaded whole; a place in another operation is a part of its own.
        assert_eq!(part(&parts, "/components/schemas/S/$defs/Inner"), None);
        let head: Head = serde_json::from_value(part(&parts, HEAD).unwrap()).unwrap();
        assert_eq!(head.protected, Protected::Only(vec!["/paths/~1a/get".to_owned()]));
        assert!(head.protected.holds("/paths/~1a/get") && !head.protected.holds("/paths/~1a/put"));
        assert_eq!((head.errors.len(), head.errors[0].operations), (1, 1));
        assert_eq!(head.webhooks[0].slug, "sold");
        let users: Users =
            serde_json::from_value(part(&parts, &users_of("/components/schemas/S")).unwrap()).unwrap();
        assert_eq!(users.first, ["/components/responses/R", "/components/schemas/T"]);
        assert_eq!(part(&parts, SCHEMAS).unwrap()[0]["name"], "S");
    }
}
