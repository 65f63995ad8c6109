//! A schema as the layers it is put together from: its `allOf`, what its own
//! `$ref` leads to, and itself.

use serde_json::{Map, Value};

use super::SchemaLink;
use super::words::name_of;
use crate::docs::source::{Found, Source};
use crate::pointer;

/// Layers that are merged; nobody reads more.
const MOST: usize = 48;

/// One schema object of several that hold together.
#[derive(Debug)]
pub(super) struct Layer<'p> {
    /// The shared schema it is, when it came by a reference in `allOf`.
    pub(super) origin: Option<String>,
    /// Where it stands.
    pub(super) place: String,
    pub(super) members: &'p Map<String, Value>,
}

/// Several schema objects that hold together.
#[derive(Debug, Default)]
pub(super) struct Layers<'p> {
    /// In the order in which a reader looks for a keyword: the outermost first.
    pub(super) list: Vec<Layer<'p>>,
    /// The shared schemas among them.
    pub(super) composed_of: Vec<SchemaLink>,
    /// All places that were passed through.
    pub(super) places: Vec<String>,
    /// `null` is one of the values.
    pub(super) nullable: bool,
    /// Nothing matches: the schema is `false`.
    pub(super) nothing: bool,
    /// A reference leads nowhere.
    pub(super) broken: Option<String>,
}

impl<'p> Layers<'p> {
    /// Takes a schema apart.
    pub(super) fn of(source: &Source<'p>, place: &str, value: &'p Value) -> Self {
        let mut layers = Self::default();
        layers.add(Some(source), place, value, None);
        layers
    }

    /// Takes a schema apart and leaves closed what its references lead to. The
    /// keywords beside a reference count all the same.
    pub(super) fn closed(place: &str, value: &'p Value) -> Self {
        let mut layers = Self::default();
        layers.add(None, place, value, None);
        layers
    }

    /// What a schema says itself, apart from all it is put together from.
    pub(super) fn own(place: &str, value: &'p Value) -> Option<Self> {
        let members = value.as_object()?;
        let layer = Layer {
            origin: None,
            place: place.to_owned(),
            members,
        };
        Some(Self {
            list: vec![layer],
            places: vec![place.to_owned()],
            nullable: members.get("nullable") == Some(&Value::Bool(true)),
            ..Self::default()
        })
    }

    /// The outermost of the schemas here that has parts worth telling apart: an
    /// `allOf` of several, or of one beside something else that has a shape.
    pub(super) fn composition(&self) -> Option<String> {
        let composed = |layer: &&Layer<'p>| {
            let all = layer.members.get("allOf").and_then(Value::as_array);
            let parts = all.map_or(0, Vec::len);
            let own = ["$ref", "properties", "items", "oneOf", "anyOf"];
            parts > 1 || (parts == 1 && own.iter().any(|keyword| layer.members.contains_key(*keyword)))
        };
        self.list.iter().find(composed).map(|layer| layer.place.clone())
    }

    fn add(&mut self, source: Option<&Source<'p>>, place: &str, value: &'p Value, origin: Option<&str>) {
        let members = match value {
            Value::Bool(false) => {
                self.nothing = true;
                return;
            }
            Value::Object(members) => members,
            _ => return,
        };
        if self.list.len() >= MOST || self.places.iter().any(|known| known == place) {
            return;
        }
        self.places.push(place.to_owned());
        if members.get("nullable") == Some(&Value::Bool(true)) {
            self.nullable = true;
        }
        self.list.push(Layer {
            origin: origin.map(str::to_owned),
            place: place.to_owned(),
            members,
        });
        if let (Some(open), Some(reference)) = (source, members.get("$ref").and_then(Value::as_str)) {
            self.add_target(open, reference, origin);
        }
        self.add_all_of(source, place, members, origin);
        self.add_only_variant(source, place, members, origin);
    }

    fn add_target(&mut self, source: &Source<'p>, reference: &str, origin: Option<&str>) {
        match source.resolve(reference) {
            Found::Here(at) => {
                self.places.extend(at.through);
                self.add(Some(source), &at.place, at.value, origin);
            }
            Found::Nowhere => self.broken = Some(reference.to_owned()),
            Found::Later => {}
        }
    }

    fn add_all_of(
        &mut self,
        source: Option<&Source<'p>>,
        place: &str,
        members: &'p Map<String, Value>,
        origin: Option<&str>,
    ) {
        let all = members.get("allOf").and_then(Value::as_array);
        for (index, part) in all.into_iter().flatten().enumerate() {
            let reference = part.get("$ref").and_then(Value::as_str);
            let name = reference.map(name_of);
            if let (Some(reference), Some(name)) = (reference, &name) {
                self.composed_of.push(SchemaLink {
                    name: name.clone(),
                    pointer: pointer::of_local_ref(reference).unwrap_or_default().into_owned(),
                    recursive: false,
                });
            }
            let own = pointer::child(&pointer::child(place, "allOf"), &index.to_string());
            self.add(source, &own, part, name.as_deref().or(origin));
        }
    }

    /// `anyOf` of one shape and `null` is that shape, or null.
    fn add_only_variant(
        &mut self,
        source: Option<&Source<'p>>,
        place: &str,
        members: &'p Map<String, Value>,
        origin: Option<&str>,
    ) {
        if let Some((keyword, index, variant)) = only_variant(members) {
            let variants = members.get(keyword).and_then(Value::as_array);
            self.nullable |= variants.is_some_and(|variants| variants.len() > 1);
            let own = pointer::child(&pointer::child(place, keyword), &index.to_string());
            self.add(source, &own, variant, origin);
        }
    }

    /// The first value of a keyword.
    pub(super) fn get(&self, keyword: &str) -> Option<&'p Value> {
        self.list.iter().find_map(|layer| layer.members.get(keyword))
    }

    /// The first text of a keyword that says anything.
    pub(super) fn text(&self, keyword: &str) -> Option<String> {
        let texts = self
            .list
            .iter()
            .filter_map(|layer| layer.members.get(keyword)?.as_str());
        texts
            .map(str::trim)
            .find(|text| !text.is_empty())
            .map(str::to_owned)
    }

    /// Whether a keyword is `true` anywhere.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.list
            .iter()
            .any(|layer| layer.members.get(keyword) == Some(&Value::Bool(true)))
    }

    /// Whether a property must be there.
    pub(super) fn requires(&self, name: &str) -> bool {
        self.list.iter().any(|layer| {
            let required = layer.members.get("required").and_then(Value::as_array);
            required.is_some_and(|required| required.iter().any(|known| known == name))
        })
    }
}

/// The variants of a choice that are not `null`, when there is exactly one.
pub(super) fn only_variant(members: &Map<String, Value>) -> Option<(&'static str, usize, &Value)> {
    for keyword in ["oneOf", "anyOf"] {
        let Some(Value::Array(variants)) = members.get(keyword) else {
            continue;
        };
        let mut shapes = variants
            .iter()
            .enumerate()
            .filter(|(_, variant)| !is_null(variant));
        let (Some((index, variant)), None) = (shapes.next(), shapes.next()) else {
            return None;
        };
        return Some((keyword, index, variant));
    }
    None
}

/// Whether a schema allows `null` and nothing else.
pub(super) fn is_null(schema: &Value) -> bool {
    let kind = schema.get("type");
    kind.is_some_and(|kind| kind == "null" || kind.as_array().is_some_and(|list| list == &["null"]))
        || schema.get("const") == Some(&Value::Null)
        || schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|list| list == &[Value::Null])
}
