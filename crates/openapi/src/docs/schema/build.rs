//! Builds the view of a schema.

mod apart;

use std::cell::Cell;

use serde_json::{Map, Value};

use super::layers::{Layer, Layers, is_null, only_variant};
use super::words::{self, joined, name_of};
use super::{Access, Choice, Choices, Combined, Row, RowKind, SchemaLink, SchemaView, notes, rules};
use crate::docs::source::{Found, Source};
use crate::pointer;

/// Rows that stand on one page; the rest is a link away (`portal-ux.md` 5.1).
const ROWS: usize = 250;
/// Shapes of a choice that are shown with what is inside of them.
const SHAPES: usize = 12;
/// Levels of objects that are written into each other without a reference.
const LEVELS: usize = 5;

/// Which way the described data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the API: what only the API sends is left out.
    Request,
    /// From the API: what only callers send is left out.
    Response,
    /// Shown for itself.
    Both,
}

/// How a schema is shown that is put together by `allOf`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// As the one thing that values have to be.
    #[default]
    Merged,
    /// As its author wrote it: what it says itself, then each of its parts.
    Apart,
}

/// Builds views of schemas for one page.
#[derive(Debug)]
pub struct Builder<'s, 'p> {
    source: &'s Source<'p>,
    direction: Direction,
    rows: &'s Cell<usize>,
}

/// The rows that one page may have.
#[must_use]
pub fn rows_of_a_page() -> Cell<usize> {
    Cell::new(ROWS)
}

/// A value, where it stands, and what led there.
#[derive(Clone, Copy)]
struct Spot<'a, 'p> {
    place: &'a str,
    value: &'p Value,
    ancestors: &'a [String],
    level: usize,
}

impl<'s, 'p> Builder<'s, 'p> {
    /// A builder that takes its rows from those that the page has left.
    #[must_use]
    pub fn new(source: &'s Source<'p>, direction: Direction, rows: &'s Cell<usize>) -> Self {
        Self {
            source,
            direction,
            rows,
        }
    }

    /// A schema with what is inside of it. `ancestors` are the places of the
    /// schemas it was opened from, the outermost first.
    #[must_use]
    pub fn open(&self, place: &str, value: &'p Value, ancestors: &[String]) -> SchemaView {
        self.opened(Spot {
            place,
            value,
            ancestors,
            level: 0,
        })
    }

    /// The schema at a pointer, as a page of its own.
    #[must_use]
    pub fn at(&self, place: &str, ancestors: &[String], form: Form) -> Option<SchemaView> {
        let Found::Here(at) = self.source.at(place) else {
            return None;
        };
        if !at.value.is_object() && !at.value.is_boolean() {
            return None;
        }
        let spot = Spot {
            place,
            value: at.value,
            ancestors,
            level: 0,
        };
        let left = self.rows.get();
        let merged = self.opened(spot);
        match (form, merged.composition.clone()) {
            (Form::Apart, Some(place)) => {
                self.rows.set(left);
                self.apart(spot, merged, &place)
            }
            _ => Some(merged),
        }
    }

    fn opened(&self, spot: Spot<'_, 'p>) -> SchemaView {
        let layers = Layers::of(self.source, spot.place, spot.value);
        let mut ancestors = spot.ancestors.to_vec();
        ancestors.extend(layers.places.iter().cloned());
        let inner = Spot {
            ancestors: &ancestors,
            ..spot
        };
        let reference = spot.value.get("$ref").and_then(Value::as_str);
        let mut view = self.named(&layers, spot.place);
        view.name = match reference {
            Some(reference) => Some(name_of(reference)),
            None => shared_name(spot.place),
        };
        let target = reference.and_then(|_| layers.list.get(1));
        view.target = target.map(|layer| layer.place.clone());
        view.composed_of = self.marked(&layers.composed_of, spot.ancestors);
        view.composition = layers.composition();
        self.fill(&layers, inner, &mut view);
        view
    }

    /// What is said about a schema without looking inside.
    fn named(&self, layers: &Layers<'p>, place: &str) -> SchemaView {
        let access = match (layers.is("readOnly"), layers.is("writeOnly")) {
            (true, false) => Access::ReadOnly,
            (false, true) => Access::WriteOnly,
            _ => Access::Both,
        };
        SchemaView {
            pointer: place.to_owned(),
            title: layers.text("title"),
            types: types(layers),
            format: layers.text("format"),
            description: layers.text("description"),
            deprecated: layers.is("deprecated"),
            access,
            rules: rules::of(layers),
            notes: notes::of(layers),
            ..SchemaView::default()
        }
    }

    /// Rows, items and choices.
    fn fill(&self, layers: &Layers<'p>, spot: Spot<'_, 'p>, view: &mut SchemaView) {
        self.properties(layers, spot, view);
        for layer in &layers.list {
            self.items(layer, spot, view);
            self.choices(layer, spot, view);
        }
    }

    fn properties(&self, layers: &Layers<'p>, spot: Spot<'_, 'p>, view: &mut SchemaView) {
        // What is inherited comes first.
        for layer in layers.list.iter().skip(1).chain(layers.list.first()) {
            let named = [
                ("properties", RowKind::Property),
                ("patternProperties", RowKind::Pattern),
            ];
            for (keyword, kind) in named {
                let list = layer.members.get(keyword).and_then(Value::as_object);
                let parent = pointer::child(&layer.place, keyword);
                for (name, value) in list.into_iter().flatten() {
                    let row = RowPlan {
                        name,
                        kind,
                        required: kind == RowKind::Property && layers.requires(name),
                        origin: layer.origin.clone(),
                    };
                    self.row(row, &pointer::child(&parent, name), value, spot, view);
                }
            }
            let others = layer
                .members
                .get("additionalProperties")
                .filter(|value| value.is_object());
            if let Some(value) = others.filter(|value| value.as_object().is_some_and(|map| !map.is_empty())) {
                let row = RowPlan {
                    name: "any other name",
                    kind: RowKind::Others,
                    required: false,
                    origin: layer.origin.clone(),
                };
                let place = pointer::child(&layer.place, "additionalProperties");
                self.row(row, &place, value, spot, view);
            }
        }
    }

    fn row(
        &self,
        plan: RowPlan<'_>,
        place: &str,
        value: &'p Value,
        spot: Spot<'_, 'p>,
        view: &mut SchemaView,
    ) {
        if self.is_hidden(value) {
            return;
        }
        if self.rows.get() == 0 {
            view.left_out += 1;
            return;
        }
        self.rows.set(self.rows.get() - 1);
        let inside = self.inside(Spot { place, value, ..spot });
        let row = Row {
            name: plan.name.to_owned(),
            kind: plan.kind,
            required: plan.required,
            origin: plan.origin,
            view: inside,
        };
        let known = view.rows.iter_mut().find(|known| {
            known.kind == row.kind && known.kind == RowKind::Property && known.name == row.name
        });
        match known {
            Some(known) => *known = row,
            None => view.rows.push(row),
        }
    }

    fn is_hidden(&self, value: &Value) -> bool {
        let keyword = match self.direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
            Direction::Both => return false,
        };
        value.get(keyword) == Some(&Value::Bool(true))
    }

    /// A schema inside of another one: what a reference leads to stays closed.
    fn inside(&self, spot: Spot<'_, 'p>) -> SchemaView {
        if let Some(reference) = sole_reference(spot.value) {
            return self.linked(spot, reference);
        }
        // References inside are not loaded for the words.
        let layers = Layers::closed(spot.place, spot.value);
        let mut view = self.named(&layers, spot.place);
        view.composed_of = self.marked(&layers.composed_of, spot.ancestors);
        view.composition = layers.composition();
        if spot.level < LEVELS {
            let spot = Spot {
                level: spot.level + 1,
                ..spot
            };
            self.fill(&layers, spot, &mut view);
        } else if has_inside(spot.value) {
            view.left_out = 1;
        }
        view
    }

    /// A line that names another schema and leads to it.
    fn linked(&self, spot: Spot<'_, 'p>, reference: &str) -> SchemaView {
        let layers = Layers::closed(spot.place, spot.value);
        let mut view = self.named(&layers, spot.place);
        view.links.push(self.link(reference, spot.ancestors));
        view
    }

    fn link(&self, reference: &str, ancestors: &[String]) -> SchemaLink {
        let place = pointer::of_local_ref(reference).unwrap_or_default().into_owned();
        SchemaLink {
            name: name_of(reference),
            recursive: ancestors.contains(&place),
            pointer: place,
        }
    }

    fn marked(&self, links: &[SchemaLink], ancestors: &[String]) -> Vec<SchemaLink> {
        let mark = |link: &SchemaLink| SchemaLink {
            recursive: ancestors.contains(&link.pointer),
            ..link.clone()
        };
        links.iter().map(mark).collect()
    }

    /// The items of a list. A list of shared schemas is opened on the first level alone.
    fn items(&self, layer: &Layer<'p>, spot: Spot<'_, 'p>, view: &mut SchemaView) {
        let tuple = layer.members.get("prefixItems").and_then(Value::as_array);
        let parent = pointer::child(&layer.place, "prefixItems");
        for (index, value) in tuple.into_iter().flatten().enumerate() {
            let name = format!("item {}", index + 1);
            let row = RowPlan::item(&name);
            self.row(
                row,
                &pointer::child(&parent, &index.to_string()),
                value,
                spot,
                view,
            );
        }
        let Some(items) = layer.members.get("items").filter(|items| items.is_object()) else {
            return;
        };
        let place = pointer::child(&layer.place, "items");
        let item = Spot {
            place: &place,
            value: items,
            ..spot
        };
        match sole_reference(items) {
            Some(reference) if spot.level == 0 && tuple.is_none() && !is_among(spot.ancestors, reference) => {
                let inner = self.opened(Spot { level: 1, ..item });
                adopt(view, inner);
            }
            Some(reference) => view.links.push(self.link(reference, spot.ancestors)),
            None if tuple.is_some() => {
                let row = RowPlan::item("each further item");
                self.row(row, &place, items, spot, view);
            }
            None => {
                let inner = self.inside(item);
                adopt(view, inner);
            }
        }
    }

    fn choices(&self, layer: &Layer<'p>, spot: Spot<'_, 'p>, view: &mut SchemaView) {
        if only_variant(layer.members).is_some() {
            return;
        }
        for (keyword, how) in [("oneOf", Combined::One), ("anyOf", Combined::Any)] {
            let Some(Value::Array(variants)) = layer.members.get(keyword) else {
                continue;
            };
            if variants.iter().all(is_plain) {
                continue;
            }
            let parent = pointer::child(&layer.place, keyword);
            let decided = layer.members.get("discriminator");
            let mut choices = Choices {
                how,
                decided_by: decided
                    .and_then(|decided| decided.get("propertyName"))
                    .and_then(Value::as_str)
                    .map(str::to_owned),
                choices: Vec::new(),
                left_out: 0,
            };
            for (index, value) in variants.iter().enumerate().filter(|(_, value)| !is_null(value)) {
                if self.rows.get() == 0 || choices.choices.len() >= SHAPES * 4 {
                    choices.left_out += 1;
                    continue;
                }
                self.rows.set(self.rows.get() - 1);
                let place = pointer::child(&parent, &index.to_string());
                let spot = Spot {
                    place: &place,
                    value,
                    ..spot
                };
                let open = spot.level == 0 && index < SHAPES;
                choices.choices.push(self.choice(spot, open, index, decided));
            }
            view.choices.push(choices);
        }
    }

    fn choice(&self, spot: Spot<'_, 'p>, open: bool, index: usize, decided: Option<&Value>) -> Choice {
        let reference = spot.value.get("$ref").and_then(Value::as_str);
        let recursive = reference.is_some_and(|reference| is_among(spot.ancestors, reference));
        let view = if open && reference.is_some() && !recursive {
            self.opened(Spot { level: 1, ..spot })
        } else {
            self.inside(spot)
        };
        let title = match (&view.title, reference) {
            (_, Some(reference)) => name_of(reference),
            (Some(title), None) => title.clone(),
            (None, None) if view.types != "any value" => view.types.clone(),
            (None, None) => format!("Shape {}", index + 1),
        };
        Choice {
            title,
            value: reference.and_then(|reference| deciding_value(decided, reference)),
            view,
        }
    }
}

/// The name of the shared schema at a place.
fn shared_name(place: &str) -> Option<String> {
    let rest = place.strip_prefix("/components/schemas/")?;
    (!rest.contains('/')).then(|| pointer::tokens(place).last().unwrap_or_default().into_owned())
}

/// What a row is, apart from its value.
struct RowPlan<'a> {
    name: &'a str,
    kind: RowKind,
    required: bool,
    origin: Option<String>,
}

impl<'a> RowPlan<'a> {
    fn item(name: &'a str) -> Self {
        Self {
            name,
            kind: RowKind::Item,
            required: false,
            origin: None,
        }
    }
}

/// Whether a reference leads to one of these places.
fn is_among(places: &[String], reference: &str) -> bool {
    pointer::of_local_ref(reference).is_some_and(|place| places.iter().any(|known| *known == place))
}

/// The view of a list takes over what is inside of its items.
fn adopt(view: &mut SchemaView, inner: SchemaView) {
    view.rows.extend(inner.rows);
    view.choices.extend(inner.choices);
    view.links.extend(inner.links);
    view.composed_of.extend(inner.composed_of);
    view.composition = view.composition.take().or(inner.composition);
    view.left_out += inner.left_out;
    if view.name.is_none() {
        view.name = inner.name;
        view.target = inner.target;
    }
    let wordy = inner.rules.into_iter().map(|mut rule| {
        if rule.label == "items" {
            rule.label = "items of each item";
        }
        rule
    });
    view.rules
        .extend(wordy.filter(|rule| rule.label != "example" && rule.label != "examples"));
    if view.description.is_none() {
        view.description = inner.description;
    }
}

/// The reference that a schema is, if it is nothing but one: `$ref` alone, the
/// only part of an `allOf`, or the only variant beside `null`.
fn sole_reference(value: &Value) -> Option<&str> {
    let members = value.as_object()?;
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        return Some(reference);
    }
    if has_shape(members) {
        return None;
    }
    let only = match members.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => Some(only),
        Some(_) => None,
        None => only_variant(members).map(|(_, _, variant)| variant),
    };
    only?.get("$ref").and_then(Value::as_str)
}

fn has_shape(members: &Map<String, Value>) -> bool {
    [
        "properties",
        "items",
        "additionalProperties",
        "patternProperties",
        "prefixItems",
    ]
    .iter()
    .any(|keyword| members.get(*keyword).is_some_and(|value| !value.is_boolean()))
}

fn has_inside(value: &Value) -> bool {
    value.as_object().is_some_and(|members| {
        has_shape(members)
            || ["oneOf", "anyOf", "allOf"]
                .iter()
                .any(|keyword| members.contains_key(*keyword))
    })
}

/// A shape that its type says everything about.
fn is_plain(value: &Value) -> bool {
    let said = |name: &String| matches!(name.as_str(), "type" | "format" | "nullable");
    value.as_object().is_some_and(|members| {
        members.keys().all(said) && members.get("type") != Some(&Value::from("object"))
    })
}

/// The value of the deciding property that leads to a schema.
fn deciding_value(discriminator: Option<&Value>, reference: &str) -> Option<String> {
    let discriminator = discriminator?;
    let name = name_of(reference);
    let mapping = discriminator.get("mapping").and_then(Value::as_object);
    let mapped = mapping.into_iter().flatten().find(|(_, target)| {
        target
            .as_str()
            .is_some_and(|target| target == reference || target == name)
    });
    Some(mapped.map_or(name, |(value, _)| value.clone()))
}

fn types(layers: &Layers<'_>) -> String {
    if layers.nothing {
        return "nothing".to_owned();
    }
    let mut list = Vec::new();
    // The layer that says most about the type stands furthest inside.
    for layer in &layers.list {
        let mut own = Vec::new();
        words::of_members(layer.members, 4, &mut own);
        let named = layer.members.contains_key("$ref") && layers.list.len() > 1;
        if !own.is_empty() && !named {
            list = own;
            break;
        }
    }
    if layers.nullable {
        list.push("null".to_owned());
    }
    joined(list)
}
