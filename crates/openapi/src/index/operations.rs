//! Finds the operations of a document in their order.

use serde_json::{Map, Value};

use super::details;
use crate::bounds::Bounds;
use crate::document::Document;
use crate::finding::{Code, Findings};
use crate::method::Method;
use crate::pointer;

/// An operation where it stands.
pub(super) struct Found<'d> {
    /// The path, or the name of the webhook, as the document has it.
    pub name: &'d str,
    pub method: Method,
    pub operation: &'d Map<String, Value>,
    /// The path item around it.
    pub item: &'d Map<String, Value>,
    pub pointer: String,
}

impl<'d> Found<'d> {
    /// The operationId, when it is text with something in it.
    pub(super) fn operation_id(&self) -> Option<&'d str> {
        self.operation
            .get("operationId")
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|id| !id.is_empty())
    }

    /// What identifies it without an operationId.
    pub(super) fn fallback_key(&self) -> String {
        format!("{} {}", self.method, self.name)
    }

    pub(super) fn summary(&self) -> Option<String> {
        let own = self.operation.get("summary").and_then(Value::as_str);
        own.or_else(|| self.item.get("summary").and_then(Value::as_str))
            .map(str::to_owned)
    }

    pub(super) fn deprecated(&self) -> bool {
        self.operation.get("deprecated") == Some(&Value::Bool(true))
    }

    pub(super) fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        let listed = self
            .operation
            .get("tags")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        for tag in listed.iter().filter_map(details::plain_text) {
            if !tags.contains(&tag) && tags.len() < MOST_TAGS {
                tags.push(tag);
            }
        }
        tags
    }
}

/// Tags of one operation that are kept.
const MOST_TAGS: usize = 50;

/// Finds the operations below `paths` or `webhooks`.
pub(super) fn collect<'d>(
    document: &'d Document,
    member: &str,
    bounds: &Bounds,
    findings: &mut Findings,
) -> Vec<Found<'d>> {
    let mut found = Vec::new();
    let mut pointers = 0_usize;
    let Some((place, items)) = resolved(
        document,
        document.tree().get(member),
        pointer::from_tokens([member]),
    ) else {
        return found;
    };
    for (name, item) in items
        .iter()
        .filter(|(name, _)| !name.starts_with("x-") && *name != "$ref")
    {
        let known = found.len();
        if let Some((place, item)) = resolved(document, Some(item), pointer::child(&place, name)) {
            collect_item(name, item, &place, &mut found, findings);
        }
        pointers += found
            .iter()
            .skip(known)
            .map(|found| found.pointer.len())
            .sum::<usize>();
        let refusal = if found.len() > bounds.operations {
            Some((
                Code::TooManyOperations,
                format!("more than {} operations", bounds.operations),
            ))
        } else if pointers > bounds.copied {
            Some((
                Code::TooManyCopies,
                "the places of the operations are too long".to_owned(),
            ))
        } else {
            None
        };
        if let Some((code, message)) = refusal {
            findings.add(code, place, message);
            found.clear();
            break;
        }
    }
    found
}

/// An object, and where it is when it stands elsewhere.
fn resolved<'d>(
    document: &'d Document,
    value: Option<&'d Value>,
    place: String,
) -> Option<(String, &'d Map<String, Value>)> {
    let members = value?.as_object()?;
    match members.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let (place, target) = document.resolve(reference).ok()?;
            Some((place, target.as_object()?))
        }
        None => Some((place, members)),
    }
}

fn collect_item<'d>(
    name: &'d str,
    item: &'d Map<String, Value>,
    place: &str,
    found: &mut Vec<Found<'d>>,
    findings: &mut Findings,
) {
    for (member, value) in item {
        let Some(operation) = value.as_object() else {
            continue;
        };
        if member == "additionalOperations" {
            let place = pointer::child(place, member);
            collect_additional(name, operation, item, &place, found);
            continue;
        }
        let Some(method) = Method::of_member(member) else {
            continue;
        };
        let pointer = pointer::child(place, member);
        if member.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let lower = member.to_ascii_lowercase();
            if item.contains_key(&lower) {
                continue;
            }
            findings.add(
                Code::MethodNotLowerCase,
                pointer.as_str(),
                format!("write `{lower}`"),
            );
        }
        found.push(Found {
            name,
            method,
            operation,
            item,
            pointer,
        });
    }
}

/// Operations with methods of their own (3.2).
fn collect_additional<'d>(
    name: &'d str,
    operations: &'d Map<String, Value>,
    item: &'d Map<String, Value>,
    place: &str,
    found: &mut Vec<Found<'d>>,
) {
    for (member, value) in operations {
        let method = Method::try_from(member.clone());
        if let (Some(operation), Ok(method)) = (value.as_object(), method) {
            found.push(Found {
                name,
                method,
                operation,
                item,
                pointer: pointer::child(place, member),
            });
        }
    }
}
