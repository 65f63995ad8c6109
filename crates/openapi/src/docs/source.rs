//! The parts of a document that are at hand, and the list of those that are wanted.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::pointer;

/// References in a row that are followed; only a loop has more.
const HOPS: usize = 16;

/// Parts that were loaded. A part that does not exist is remembered as such.
#[derive(Debug, Default)]
pub struct Parts {
    loaded: HashMap<String, Option<Value>>,
    closed: bool,
}

impl Parts {
    /// Adds a part, or the fact that there is none.
    pub fn put(&mut self, pointer: String, body: Option<&[u8]>) {
        // A body that cannot be read is as good as none: pages say that it is missing.
        let value = body.and_then(|body| serde_json::from_slice(body).ok());
        self.loaded.insert(pointer, value);
    }

    /// Declares that nothing more will be loaded: what is missing from now on
    /// is left to a page of its own.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The part with exactly this name.
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.loaded.get(pointer)?.as_ref()
    }
}

/// Where a pointer or a reference leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<'p> {
    /// To this value.
    Here(At<'p>),
    /// To a part that is not loaded; it is asked for.
    Later,
    /// To nothing.
    Nowhere,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct At<'p> {
    /// The pointer of the value.
    pub place: String,
    /// The places of the references that led here, before this one.
    pub through: Vec<String>,
    /// The value.
    pub value: &'p Value,
}

/// Looks things up in parts and keeps what was missing.
#[derive(Debug)]
pub struct Source<'p> {
    parts: &'p Parts,
    missing: RefCell<BTreeSet<String>>,
}

impl<'p> Source<'p> {
    /// A source over what is loaded so far.
    #[must_use]
    pub fn new(parts: &'p Parts) -> Self {
        Self {
            parts,
            missing: RefCell::default(),
        }
    }

    /// The names of the parts that were asked for and are not loaded.
    #[must_use]
    pub fn missing(self) -> Vec<String> {
        self.missing.into_inner().into_iter().collect()
    }

    /// The value at a pointer.
    #[must_use]
    pub fn at(&self, place: &str) -> Found<'p> {
        for length in ends(place) {
            let (part, rest) = place.split_at(length);
            if let Some(Some(value)) = self.parts.loaded.get(part) {
                return match pointer::get(value, rest) {
                    Some(value) => Found::Here(At {
                        place: place.to_owned(),
                        through: Vec::new(),
                        value,
                    }),
                    None => Found::Nowhere,
                };
            }
        }
        self.ask(place)
    }

    /// Where a local reference leads, through those it leads to.
    #[must_use]
    pub fn resolve(&self, reference: &str) -> Found<'p> {
        let mut reference = reference;
        let mut through = Vec::new();
        for _ in 0..HOPS {
            let Some(place) = pointer::of_local_ref(reference) else {
                return Found::Nowhere;
            };
            let at = match self.at(&place) {
                Found::Here(at) => at,
                other => return other,
            };
            let next = at.value.get("$ref").and_then(Value::as_str);
            // Other keywords beside it count in a schema of 3.1; there it is no mere alias.
            let alias = at.value.as_object().is_some_and(|members| members.len() == 1);
            match next.filter(|_| alias) {
                Some(next) => {
                    through.push(at.place);
                    reference = next;
                }
                None => return Found::Here(At { through, ..at }),
            }
        }
        Found::Nowhere
    }

    /// The value itself, or what its `$ref` leads to.
    #[must_use]
    pub fn follow(&self, place: &str, value: &'p Value) -> Found<'p> {
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.resolve(reference),
            None => Found::Here(At {
                place: place.to_owned(),
                through: Vec::new(),
                value,
            }),
        }
    }

    /// First the place itself is asked for, then the parts it may be inside of.
    fn ask(&self, place: &str) -> Found<'p> {
        if !place.starts_with('/') {
            return Found::Nowhere;
        }
        let unknown = |part: &str| !self.parts.loaded.contains_key(part);
        let wanted: Vec<&str> = if unknown(place) {
            vec![place]
        } else {
            ends(place)
                .filter_map(|length| place.get(..length))
                .filter(|part| unknown(part) && part.matches('/').count() > 1)
                .collect()
        };
        if wanted.is_empty() {
            return Found::Nowhere;
        }
        if !self.parts.closed {
            let mut missing = self.missing.borrow_mut();
            missing.extend(wanted.into_iter().map(str::to_owned));
        }
        Found::Later
    }
}

/// The lengths of a pointer and of those above it, the longest first.
fn ends(place: &str) -> impl Iterator<Item = usize> {
    std::iter::once(place.len()).chain(place.rmatch_indices('/').map(|(at, _)| at).filter(|at| *at > 0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Found, Parts, Source};

    fn parts(list: &[(&str, Option<serde_json::Value>)]) -> Parts {
        let mut parts = Parts::default();
        for (pointer, value) in list {
            let body = value.as_ref().map(|value| serde_json::to_vec(value).unwrap());
            parts.put((*pointer).to_owned(), body.as_deref());
        }
        parts
    }

    #[test]
    fn a_place_is_asked_for_itself_and_then_around_it() {
        let place = "/components/schemas/A/properties/b";
        let none = parts(&[]);
        let source = Source::new(&none);
        assert_eq!(source.at(place), Found::Later);
        assert_eq!(source.missing(), [place]);
        let itself = parts(&[(place, None)]);
        let source = Source::new(&itself);
        assert_eq!(source.at(place), Found::Later);
        assert_eq!(
            source.missing(),
            [
                "/components/schemas",
                "/components/schemas/A",
                "/components/schemas/A/properties"
            ]
        );
        let around = parts(&[("/components/schemas/A", Some(json!({"properties": {"b": 1}})))]);
        let source = Source::new(&around);
        assert!(matches!(source.at(place), Found::Here(at) if at.value == 1));
        assert_eq!(source.at("/components/schemas/A/none"), Found::Nowhere);
    }

    #[test]
    fn aliases_are_followed_and_circles_end() {
        let parts = parts(&[
            ("/c/s/A", Some(json!({"$ref": "#/c/s/B"}))),
            ("/c/s/B", Some(json!({"type": "string"}))),
            ("/c/s/X", Some(json!({"$ref": "#/c/s/Y"}))),
            ("/c/s/Y", Some(json!({"$ref": "#/c/s/X"}))),
        ]);
        let source = Source::new(&parts);
        let Found::Here(at) = source.resolve("#/c/s/A") else {
            panic!("it is loaded");
        };
        assert_eq!(
            (at.place.as_str(), at.through),
            ("/c/s/B", vec!["/c/s/A".to_owned()])
        );
        assert_eq!(source.resolve("#/c/s/X"), Found::Nowhere);
        assert_eq!(source.resolve("other.json"), Found::Nowhere);
    }

    #[test]
    fn a_closed_set_asks_for_nothing() {
        let mut parts = parts(&[]);
        parts.close();
        let source = Source::new(&parts);
        assert_eq!(source.at("/a/b"), Found::Later);
        assert!(source.missing().is_empty());
    }
}
