//! A schema as its author put it together: what it says itself, and its parts
//! beside each other.

use serde_json::Value;

use super::{Builder, SHAPES, Spot, shared_name};
use crate::docs::schema::layers::Layers;
use crate::docs::schema::{Choices, Combined, SchemaView};
use crate::docs::source::Found;
use crate::pointer;

impl<'p> Builder<'_, 'p> {
    /// A schema as its author put it together at a place: what it says itself,
    /// then each part.
    pub(super) fn apart(&self, spot: Spot<'_, 'p>, merged: SchemaView, place: &str) -> Option<SchemaView> {
        let Found::Here(at) = self.source.at(place) else {
            return None;
        };
        let layers = Layers::own(place, at.value)?;
        let mut ancestors = spot.ancestors.to_vec();
        ancestors.extend(merged.target.iter().cloned());
        ancestors.extend([spot.place.to_owned(), place.to_owned()]);
        let inner = Spot {
            place,
            value: at.value,
            ancestors: &ancestors,
            level: 0,
        };
        let mut view = SchemaView {
            pointer: merged.pointer,
            name: merged.name,
            target: merged.target,
            types: merged.types,
            composition: merged.composition,
            ..self.named(&layers, place)
        };
        self.fill(&layers, inner, &mut view);
        let mut parts = Choices {
            how: Combined::All,
            decided_by: None,
            choices: Vec::new(),
            left_out: 0,
        };
        for (part, value) in self.parts(place, at.value) {
            let spot = Spot {
                place: &part,
                value,
                ..inner
            };
            self.part(spot, &mut parts);
        }
        view.choices.push(parts);
        Some(view)
    }

    /// What a schema is put together from: the target of its own reference, then its `allOf`.
    fn parts(&self, place: &str, value: &'p Value) -> Vec<(String, &'p Value)> {
        let target = match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.source.resolve(reference),
            None => Found::Nowhere,
        };
        let mut parts = Vec::new();
        if let Found::Here(at) = target {
            parts.push((at.place, at.value));
        }
        let parent = pointer::child(place, "allOf");
        let all = value.get("allOf").and_then(Value::as_array);
        for (index, part) in all.into_iter().flatten().enumerate() {
            parts.push((pointer::child(&parent, &index.to_string()), part));
        }
        parts
    }

    fn part(&self, spot: Spot<'_, 'p>, parts: &mut Choices) {
        if self.rows.get() == 0 {
            parts.left_out += 1;
            return;
        }
        self.rows.set(self.rows.get() - 1);
        let at = parts.choices.len();
        let mut part = self.choice(spot, at < SHAPES, at, None);
        if let Some(name) = shared_name(spot.place) {
            part.title = name;
        }
        parts.choices.push(part);
    }
}
