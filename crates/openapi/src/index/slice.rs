//! The part of a document that one operation's page needs, as one JSON text.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::operations::Found;
use crate::canonical;
use crate::document::Document;

/// An operation with what its path adds.
pub(super) struct Slice {
    pub json: String,
    pub fingerprint: String,
}

/// The slices together would outgrow the bound.
pub(super) struct CopiesExhausted;

/// A member of a slice: borrowed from the document, or a merged list.
enum Member<'d> {
    Own(&'d Value),
    Merged(Vec<&'d Value>),
}

/// Writes the slice of an operation; `copies` is what all may still take, in bytes.
pub(super) fn of(
    document: &Document,
    found: &Found<'_>,
    copies: &mut usize,
) -> Result<Slice, CopiesExhausted> {
    let members = members(document, found);
    let json = in_order(&members);
    *copies = copies.checked_sub(json.len()).ok_or(CopiesExhausted)?;
    let fingerprint = canonical::fingerprint(|out| write_sorted(members, out));
    Ok(Slice {
        json: String::from_utf8_lossy(&json).into_owned(),
        fingerprint,
    })
}

fn members<'d>(document: &'d Document, found: &Found<'d>) -> Vec<(&'d str, Member<'d>)> {
    let merged = parameters(document, found.operation, found.item);
    let mut members = Vec::with_capacity(found.operation.len() + 1);
    let mut merged = (!merged.is_empty()).then_some(merged);
    for (name, value) in found.operation {
        if name != "parameters" {
            members.push((name.as_str(), Member::Own(value)));
        } else if let Some(merged) = merged.take() {
            members.push((name.as_str(), Member::Merged(merged)));
        }
    }
    if let Some(merged) = merged {
        members.push(("parameters", Member::Merged(merged)));
    }
    for inherited in ["servers", "summary", "description"] {
        if let Some(value) = found
            .item
            .get(inherited)
            .filter(|_| !found.operation.contains_key(inherited))
        {
            members.push((inherited, Member::Own(value)));
        }
    }
    members
}

/// The operation's own parameters, and those of its path that it does not
/// replace (OpenAPI 3.1, section 4.8.9: unique by name and location).
fn parameters<'d>(
    document: &'d Document,
    operation: &'d Map<String, Value>,
    item: &'d Map<String, Value>,
) -> Vec<&'d Value> {
    let list = |members: &'d Map<String, Value>| {
        members
            .get("parameters")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    let identity = |parameter: &'d Value| -> (Option<&'d str>, Option<&'d str>) {
        let reference = parameter.get("$ref").and_then(Value::as_str);
        let target = reference
            .and_then(|reference| document.resolve(reference).ok())
            .map_or(parameter, |(_, target)| target);
        (
            target.get("name").and_then(Value::as_str),
            target.get("in").and_then(Value::as_str),
        )
    };
    let own = list(operation);
    let shared = list(item);
    if shared.is_empty() {
        return own.iter().collect();
    }
    let replaced: HashSet<_> = own.iter().map(identity).collect();
    let kept = shared.iter().filter(|parameter| {
        let identity = identity(parameter);
        identity.0.is_none() || !replaced.contains(&identity)
    });
    kept.chain(own).collect()
}

fn in_order(members: &[(&str, Member<'_>)]) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (place, (name, member)) in members.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        canonical::write_scalar(name, &mut out);
        out.push(b':');
        match member {
            Member::Own(value) => canonical::write_scalar(value, &mut out),
            Member::Merged(values) => canonical::write_scalar(values, &mut out),
        }
    }
    out.push(b'}');
    out
}

fn write_sorted(mut members: Vec<(&str, Member<'_>)>, out: &mut Vec<u8>) {
    members.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (name, member) in members {
        canonical::write_scalar(name, out);
        out.push(b':');
        match member {
            Member::Own(value) => canonical::write(value, out),
            Member::Merged(values) => {
                out.push(b'[');
                for value in values {
                    canonical::write(value, out);
                    out.push(b',');
                }
                out.push(b']');
            }
        }
        out.push(b',');
    }
    out.push(b'}');
}
