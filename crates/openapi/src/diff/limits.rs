//! Bounds of values: lengths, sizes, counts, steps.

use std::cmp::Ordering;

use super::change::Shift;
use super::flat::{At, Flat};

/// Keywords that allow less as they grow.
const FLOORS: [&str; 3] = ["minLength", "minItems", "minProperties"];
/// Keywords that allow more as they grow.
const CEILINGS: [&str; 3] = ["maxLength", "maxItems", "maxProperties"];

/// A bound that is otherwise than before: its name, how, and both in words.
pub(super) struct Moved {
    pub(super) name: &'static str,
    pub(super) shift: Shift,
    pub(super) before: String,
    pub(super) after: String,
}

pub(super) fn moved(old: &Flat<'_>, new: &Flat<'_>) -> Vec<Moved> {
    let number = |flat: &Flat<'_>, name| flat.get(name).and_then(|at: At<'_>| at.value.as_f64());
    let mut found = Vec::new();
    let mut note = |name, shift: Option<Shift>, before: String, after: String| {
        if let Some(shift) = shift {
            found.push(Moved {
                name,
                shift,
                before,
                after,
            });
        }
    };
    let floors = FLOORS.iter().map(|name| (*name, true));
    for (name, grows_narrow) in floors.chain(CEILINGS.iter().map(|name| (*name, false))) {
        let pair = [number(old, name), number(new, name)].map(|bound| bound.map(|bound| (bound, true)));
        note(name, shift(pair, grows_narrow), words(pair[0]), words(pair[1]));
    }
    for (name, open, grows_narrow) in [
        ("minimum", "exclusiveMinimum", true),
        ("maximum", "exclusiveMaximum", false),
    ] {
        let pair = [old.limit(name, open), new.limit(name, open)];
        note(name, shift(pair, grows_narrow), words(pair[0]), words(pair[1]));
    }
    let steps = [number(old, "multipleOf"), number(new, "multipleOf")];
    let shift = match steps {
        [None, Some(_)] => Some(Shift::Narrowed),
        [Some(_), None] => Some(Shift::Widened),
        [Some(before), Some(after)] if before.total_cmp(&after).is_ne() => Some(Shift::Other),
        _ => None,
    };
    let steps = steps.map(|step| words(step.map(|step| (step, true))));
    note("multipleOf", shift, steps[0].clone(), steps[1].clone());
    let unique = [old, new].map(|flat| flat.says("uniqueItems"));
    let shift = match unique {
        [false, true] => Some(Shift::Narrowed),
        [true, false] => Some(Shift::Widened),
        _ => None,
    };
    let unique = unique.map(|unique| unique.to_string());
    note("uniqueItems", shift, unique[0].clone(), unique[1].clone());
    found
}

/// How a bound and whether it is allowed itself have moved.
fn shift([before, after]: [Option<(f64, bool)>; 2], grows_narrow: bool) -> Option<Shift> {
    let order = match (before, after) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Shift::Narrowed),
        (Some(_), None) => return Some(Shift::Widened),
        // A bound that is not allowed itself lies a little further in.
        (Some((before, closed)), Some((after, still))) => {
            let inward = |closed: bool| if closed == grows_narrow { 0 } else { 1 };
            before.total_cmp(&after).then(inward(closed).cmp(&inward(still)))
        }
    };
    match (order, grows_narrow) {
        (Ordering::Equal, _) => None,
        (Ordering::Less, true) | (Ordering::Greater, false) => Some(Shift::Narrowed),
        _ => Some(Shift::Widened),
    }
}

fn words(bound: Option<(f64, bool)>) -> String {
    match bound {
        None => "none".to_owned(),
        Some((bound, true)) => bound.to_string(),
        Some((bound, false)) => format!("{bound}, itself not allowed"),
    }
}
