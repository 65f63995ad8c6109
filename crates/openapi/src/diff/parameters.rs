//! What stands in the address and the header of a call.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Class, Code, Direction};
use super::flat::At;
use super::schema::{Pair, Place, Walk};

/// What tells one parameter from another: where it stands, and its name, or its
/// number in a path: callers write no names there.
type Identity = (String, String);

/// Header fields that are no parameters (OpenAPI 3.1, section 4.8.12.1).
const NO_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];

pub(super) fn compare<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>, (old, new): (&str, &str)) {
    let before = listed(walk.old.document, &pair.old, old);
    let mut after = listed(walk.new.document, &pair.new, new);
    for (identity, was) in before {
        match after.remove(&identity) {
            Some(is) => both(walk, &Pair::new(was, is)),
            None => {
                let message = format!("{} is not taken any more", named(&was));
                walk.tell_gone(Class::Breaking, Code::ParameterRemoved, &was, message);
            }
        }
    }
    for added in after.values() {
        let (class, what) = if is_required(added) {
            (Class::Breaking, "is new and must be sent")
        } else {
            (Class::Additive, "is new and may be sent")
        };
        walk.tell(
            class,
            Code::ParameterAdded,
            added,
            format!("{} {what}", named(added)),
        );
    }
}

fn listed<'o>(
    document: &'o crate::document::Document,
    operation: &At<'o>,
    template: &str,
) -> BTreeMap<Identity, At<'o>> {
    let list = operation.member("parameters");
    let parameters = list
        .as_ref()
        .into_iter()
        .flat_map(At::items)
        .map(|at| at.followed(document));
    parameters
        .filter_map(|at| Some((identity(&at, template)?, at)))
        .collect()
}

fn text<'o>(at: &At<'o>, name: &str) -> Option<&'o str> {
    at.value.get(name).and_then(Value::as_str)
}

fn identity(at: &At<'_>, template: &str) -> Option<Identity> {
    let (place, name) = (text(at, "in")?, text(at, "name")?);
    let name = match place {
        "path" => {
            let mut names = template
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split('}').next());
            names
                .position(|known| known == name)
                .map_or_else(|| name.to_owned(), |at| at.to_string())
        }
        "header" => name.to_ascii_lowercase(),
        _ => name.to_owned(),
    };
    let counts = place != "header" || !NO_PARAMETERS.contains(&name.as_str());
    counts.then(|| (place.to_owned(), name))
}

fn named(at: &At<'_>) -> String {
    let place = text(at, "in").unwrap_or_default();
    format!("the {place} parameter `{}`", text(at, "name").unwrap_or_default())
}

fn is_required(at: &At<'_>) -> bool {
    at.value.get("required") == Some(&Value::Bool(true))
}

fn both<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>) {
    let name = named(&pair.new);
    if text(&pair.old, "name") != text(&pair.new, "name") && text(&pair.new, "in") == Some("path") {
        let message = format!(
            "{} is now called {name}: generated clients name it",
            named(&pair.old)
        );
        walk.tell(Class::Risky, Code::PathParameterRenamed, &pair.new, message);
    }
    match (is_required(&pair.old), is_required(&pair.new)) {
        (false, true) => {
            let message = format!("{name} must be sent now");
            walk.tell(Class::Breaking, Code::ParameterRequired, &pair.new, message);
        }
        (true, false) => {
            let message = format!("{name} may be left out now");
            walk.tell(Class::Additive, Code::ParameterOptional, &pair.new, message);
        }
        _ => {}
    }
    if style(&pair.old) != style(&pair.new) {
        let message = format!("{name} is written otherwise: {}", style(&pair.new));
        walk.tell(Class::Breaking, Code::ParameterStyleChanged, &pair.new, message);
    }
    let deprecated = [&pair.old, &pair.new].map(|at| at.value.get("deprecated") == Some(&Value::Bool(true)));
    walk.advice(deprecated, &pair.new, &name);
    let words = |at: &At<'o>| {
        [
            at.value.get("description"),
            at.value.get("example"),
            at.value.get("examples"),
        ]
    };
    if words(&pair.old) != words(&pair.new) {
        let message = format!("the words about {name} have changed");
        walk.tell(Class::Docs, Code::TextChanged, &pair.new, message);
    }
    if let (Some(was), Some(is)) = (schema(&pair.old), schema(&pair.new)) {
        walk.schemas(&Pair::new(was, is), &Place::new(Direction::Request, name));
    }
}

/// How the value is put into the call, with what holds when nothing is said
/// (OpenAPI 3.1, section 4.8.12.2).
fn style(at: &At<'_>) -> String {
    if let Some(content) = at.member("content") {
        return content
            .members()
            .map(|(media, _)| media.to_ascii_lowercase())
            .collect();
    }
    let usual = match text(at, "in") {
        Some("query" | "cookie") => "form",
        _ => "simple",
    };
    let style = text(at, "style").unwrap_or(usual);
    let explode = at
        .value
        .get("explode")
        .and_then(Value::as_bool)
        .unwrap_or(style == "form");
    format!("{style}, {}", if explode { "exploded" } else { "not exploded" })
}

fn schema<'o>(at: &At<'o>) -> Option<At<'o>> {
    at.member("schema").or_else(|| {
        let content = at.member("content")?;
        content.members().find_map(|(_, media)| media.member("schema"))
    })
}
