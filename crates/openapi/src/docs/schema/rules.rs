//! The rules of a schema that fit on a line: defaults, choices, ranges, patterns.

use serde_json::{Number, Value};

use super::Rule;
use super::layers::Layers;

/// Values of an enumeration that are shown at once.
const SHOWN: usize = 12;
/// Values of an enumeration that are shown at all.
const MOST: usize = 500;
/// Characters of one value.
const LONGEST: usize = 200;

/// The rules of a schema.
pub(super) fn of(layers: &Layers<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut add = |label: &'static str, value: Option<String>| {
        if let Some(value) = value {
            rules.push(Rule {
                label,
                values: vec![value],
                more: Vec::new(),
            });
        }
    };
    let plain = |keyword: &str| layers.get(keyword).map(shown);
    add("always", plain("const"));
    add("default", plain("default"));
    add("range", range(layers));
    add("multiple of", plain("multipleOf"));
    add("length", span(layers, "minLength", "maxLength", "character"));
    add("pattern", layers.text("pattern"));
    add("items", span(layers, "minItems", "maxItems", "item"));
    if layers.is("uniqueItems") {
        add("items", Some("all different".to_owned()));
    }
    add(
        "properties",
        span(layers, "minProperties", "maxProperties", "property"),
    );
    add("encoding", layers.text("contentEncoding"));
    add("content", layers.text("contentMediaType"));
    rules.extend(choice(layers));
    rules.extend(examples(layers));
    rules
}

/// A value as it stands on a page: text as it is, everything else as JSON.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    };
    shortened(&text, LONGEST)
}

/// At most so many characters of a text.
pub(super) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

fn choice(layers: &Layers<'_>) -> Option<Rule> {
    let values = layers.get("enum")?.as_array()?;
    let mut shown = values.iter().take(MOST).map(shown);
    let first: Vec<String> = shown.by_ref().take(SHOWN).collect();
    let mut more: Vec<String> = shown.collect();
    if values.len() > MOST {
        more.push(format!("and {} more", values.len() - MOST));
    }
    (!first.is_empty()).then_some(Rule {
        label: "one of",
        values: first,
        more,
    })
}

fn examples(layers: &Layers<'_>) -> Option<Rule> {
    let mut values: Vec<String> = layers.get("example").map(shown).into_iter().collect();
    let listed = layers.get("examples").and_then(Value::as_array);
    values.extend(listed.into_iter().flatten().take(3).map(shown));
    values.dedup();
    let label = if values.len() > 1 { "examples" } else { "example" };
    (!values.is_empty()).then_some(Rule {
        label,
        values,
        more: Vec::new(),
    })
}

/// `1 to 100`, `more than 0`, `at most 5`.
fn range(layers: &Layers<'_>) -> Option<String> {
    let number = |keyword: &str| layers.get(keyword).and_then(Value::as_number);
    let low = bound(
        number("minimum"),
        number("exclusiveMinimum"),
        layers.is("exclusiveMinimum"),
    );
    let high = bound(
        number("maximum"),
        number("exclusiveMaximum"),
        layers.is("exclusiveMaximum"),
    );
    Some(match (low, high) {
        (Some((low, false)), Some((high, false))) => format!("{low} to {high}"),
        (Some((low, low_open)), Some((high, high_open))) => format!(
            "{} {low} and {} {high}",
            if low_open { "more than" } else { "at least" },
            if high_open { "less than" } else { "at most" },
        ),
        (Some((low, open)), None) => format!("{} {low}", if open { "more than" } else { "at least" }),
        (None, Some((high, open))) => format!("{} {high}", if open { "less than" } else { "at most" }),
        (None, None) => return None,
    })
}

/// A bound, and whether it is itself outside. 3.0 says so by a flag beside it, 3.1 by a keyword of its own.
fn bound<'n>(
    plain: Option<&'n Number>,
    exclusive: Option<&'n Number>,
    flag: bool,
) -> Option<(&'n Number, bool)> {
    exclusive
        .map(|number| (number, true))
        .or_else(|| plain.map(|number| (number, flag)))
}

fn span(layers: &Layers<'_>, low: &str, high: &str, unit: &str) -> Option<String> {
    let number = |keyword: &str| layers.get(keyword).and_then(Value::as_u64);
    let low = number(low).filter(|low| *low > 0);
    let (text, last) = match (low, number(high)) {
        (Some(low), Some(high)) if low == high => (format!("exactly {low}"), low),
        (Some(low), Some(high)) => (format!("{low} to {high}"), high),
        (Some(low), None) => (format!("at least {low}"), low),
        (None, Some(high)) => (format!("at most {high}"), high),
        (None, None) => return None,
    };
    Some(format!("{text} {}", counted(unit, last)))
}

fn counted(unit: &str, number: u64) -> String {
    match (unit, number) {
        (unit, 1) => unit.to_owned(),
        ("property", _) => "properties".to_owned(),
        (unit, _) => format!("{unit}s"),
    }
}
