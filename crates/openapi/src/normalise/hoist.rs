//! References into `paths`: bundling tools write them when two operations share
//! a part. The conversion moves what is inside of operations, so those parts get
//! a place of their own first.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::clone_budget::{CloneBudget, Exhausted};
use crate::pointer;
use crate::references::{self, BUNDLED, Place};

/// Copies what references into `paths` lead to below the bundled documents and
/// lets them point there.
pub(super) fn out_of_paths(root: &mut Value, budget: &mut CloneBudget) -> Result<(), Exhausted> {
    let mut places: HashMap<String, String> = HashMap::new();
    let mut parts = Map::new();
    let mut wanted = Vec::new();
    references::walk(root, &mut |_, reference| {
        if reference.starts_with("#/paths/") {
            wanted.push(reference);
        }
    });
    for reference in wanted {
        if places.contains_key(reference) {
            continue;
        }
        let part = pointer::of_local_ref(reference).and_then(|place| pointer::get(root, &place));
        // A whole path item stays: it is converted where it is.
        let Some(part) = part.filter(|_| reference.matches('/').count() > 2) else {
            continue;
        };
        let name = format!("p{}", parts.len() + 1);
        let place = pointer::from_tokens(["components", BUNDLED, &name]);
        parts.insert(name, budget.copy(part)?);
        places.insert(reference.to_owned(), format!("#{place}"));
    }
    if parts.is_empty() {
        return Ok(());
    }
    for part in parts.values_mut().chain([&mut *root]) {
        references::walk_mut(part, &mut |place| {
            if let Place::Reference(text) = place
                && let Some(place) = places.get(text)
            {
                text.clone_from(place);
            }
        });
    }
    let empty = || Value::Object(Map::new());
    let bundled = root
        .as_object_mut()
        .and_then(|members| members.entry("components").or_insert_with(empty).as_object_mut())
        .and_then(|components| components.entry(BUNDLED).or_insert_with(empty).as_object_mut());
    if let Some(bundled) = bundled {
        bundled.append(&mut parts);
    }
    Ok(())
}
