//! The fields of objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::change::{Class, Code, Direction, Shift};
use super::flat::{At, Flat};
use super::schema::{Pair, Place, Walk};
use crate::document::Document;

impl<'o> Walk<'o, '_> {
    pub(super) fn fields(&mut self, old: &Flat<'o>, new: &Flat<'o>, pair: &Pair<'o>, place: &Place) {
        let (before, needed) = described(self.old.document, old, place.direction);
        let (after, needs) = described(self.new.document, new, place.direction);
        let open = !refuses_others(new);
        for (name, at) in &before {
            let inner = place.field(name);
            match after.get(name) {
                None => self.field_gone(at, needed.contains(name), open, &inner),
                Some(now) => {
                    let inside = Pair::new(at.clone(), now.clone());
                    self.need(needed.contains(name), needs.contains(name), now, &inner);
                    self.schemas(&inside, &inner);
                }
            }
        }
        // Fields that nothing else is said about.
        let known = |name: &&str| before.contains_key(*name) || after.contains_key(*name);
        for name in needed.symmetric_difference(&needs).filter(|name| !known(name)) {
            self.need(
                needed.contains(name),
                needs.contains(name),
                &pair.new,
                &place.field(name),
            );
        }
        for (name, at) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
            let inner = place.field(name);
            let (class, what) = match (place.direction, needs.contains(name)) {
                (Direction::Request, true) => (Class::Breaking, "is new and must be sent"),
                (Direction::Request, false) => (Class::Additive, "is new and may be sent"),
                (Direction::Response, _) => (Class::Additive, "is new"),
            };
            self.tell(
                class,
                Code::PropertyAdded,
                at,
                format!("{} {what}", inner.named()),
            );
        }
    }

    fn field_gone(&mut self, at: &At<'_>, needed: bool, open: bool, place: &Place) {
        let (class, what) = match (place.direction, needed, open) {
            (Direction::Request, _, false) => (Class::Breaking, "is not taken any more"),
            (Direction::Request, _, true) => (Class::Risky, "is not described any more: it may be ignored"),
            (Direction::Response, true, _) => (Class::Breaking, "was always there and is gone"),
            (Direction::Response, false, _) => (Class::Risky, "is gone"),
        };
        self.tell_gone(
            class,
            Code::PropertyRemoved,
            at,
            format!("{} {what}", place.named()),
        );
    }

    fn need(&mut self, before: bool, after: bool, at: &At<'_>, place: &Place) {
        let (code, class, what) = match (before, after) {
            (false, true) => (
                Code::PropertyRequired,
                place.direction.class(Shift::Narrowed),
                "is required now",
            ),
            (true, false) => (
                Code::PropertyOptional,
                place.direction.class(Shift::Widened),
                "may be missing now",
            ),
            _ => return,
        };
        self.tell(class, code, at, format!("{} {what}", place.named()));
    }

    pub(super) fn other_fields(&mut self, old: &Flat<'o>, new: &Flat<'o>, pair: &Pair<'o>, place: &Place) {
        let direction = place.direction;
        match (refuses_others(old), refuses_others(new)) {
            (false, true) => {
                let message = format!(
                    "{} has no fields any more but those that are described",
                    place.named()
                );
                let class = direction.class(Shift::Narrowed);
                self.tell(class, Code::OtherFieldsRefused, &pair.new, message);
            }
            (true, false) => {
                let message = format!("{} can have fields that are not described", place.named());
                let class = direction.class_of_value(Shift::Widened);
                self.tell(class, Code::OtherFieldsAllowed, &pair.new, message);
            }
            _ => {
                let schema =
                    |flat: &Flat<'o>| flat.get("additionalProperties").filter(|at| at.value.is_object());
                if let (Some(before), Some(after)) = (schema(old), schema(new)) {
                    self.schemas(&Pair::new(before, after), &place.field("*"));
                }
            }
        }
    }
}

/// The fields of an object and those that must be there. What only answers hold
/// is no matter of requests, and the other way round.
fn described<'o>(
    document: &'o Document,
    flat: &Flat<'o>,
    direction: Direction,
) -> (BTreeMap<&'o str, At<'o>>, BTreeSet<&'o str>) {
    let foreign = match direction {
        Direction::Request => "readOnly",
        Direction::Response => "writeOnly",
    };
    let (mut fields, mut required) = (flat.fields(), flat.required());
    fields.retain(|name, at| {
        let own = !Flat::of(document, at).says(foreign);
        if !own {
            required.remove(name);
        }
        own
    });
    (fields, required)
}

fn refuses_others(flat: &Flat<'_>) -> bool {
    flat.all("additionalProperties")
        .any(|at| at.value == &Value::Bool(false))
}
