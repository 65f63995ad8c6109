//! Documents as parts, and views built from them the way a caller does it.

use serde_json::Value;

use super::source::{Parts, Source};
use super::split::{Part, split};
use crate::block_on::block_on;
use crate::bounds::Bounds;
use crate::bundle::NothingOutside;
use crate::import::import;
use crate::slug::KnownSlugs;

pub(crate) fn parts_of(document: &Value) -> Vec<Part> {
    let raw = serde_json::to_vec(document).unwrap();
    parts_of_raw(raw)
}

pub(crate) fn parts_of_raw(raw: Vec<u8>) -> Vec<Part> {
    let bounds = Bounds::default();
    let imported = block_on(import(raw, None, &KnownSlugs::new(), &NothingOutside, &bounds)).unwrap();
    split(&imported.document, &imported.index, &bounds)
}

/// Builds until nothing is missing. Gives the view and the number of rounds.
pub(crate) fn built<T>(parts: &[Part], build: impl Fn(&Source<'_>) -> T) -> (T, usize) {
    let mut loaded = Parts::default();
    for round in 1..40 {
        let source = Source::new(&loaded);
        let view = build(&source);
        let missing = source.missing();
        if missing.is_empty() {
            return (view, round);
        }
        for pointer in missing {
            let body = parts.iter().find(|part| part.pointer == pointer);
            loaded.put(pointer, body.map(|part| part.body.as_slice()));
        }
    }
    panic!("the view never had what it asked for");
}
