//! Builds the index of a document.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::operations::{self, Found};
use super::routing;
use super::slice::{self, CopiesExhausted};
use super::{Index, Operation, SecurityRequirement, SecurityUse, Tag, Webhook, details};
use crate::bounds::Bounds;
use crate::document::Document;
use crate::finding::{Code, Findings};
use crate::pointer;
use crate::slug::{Assigner, KnownSlugs};

/// Builds the index. `known` holds the slugs of earlier revisions.
///
/// Findings go to `findings`; an error among them means that the index is not
/// complete and must not be used. Their lines are not filled in here.
pub fn build(document: &Document, known: &KnownSlugs, bounds: &Bounds, findings: &mut Findings) -> Index {
    let root = document.tree();
    let info = root.get("info");
    let schemes = details::security_schemes(document);
    let scheme_names: HashSet<&str> = schemes.iter().map(|scheme| scheme.name.as_str()).collect();
    let found = operations::collect(document, "paths", bounds, findings);
    let hooks = operations::collect(document, "webhooks", bounds, findings);
    let mut copies = bounds.copied;
    let operations = finish_operations(document, &found, known, &scheme_names, &mut copies, findings);
    let webhooks = finish_webhooks(document, &hooks, &mut copies, findings);
    if operations.is_empty() && webhooks.is_empty() && !findings.has_errors() {
        findings.add(
            Code::NoOperations,
            "",
            "there are no operations: nothing can be called",
        );
    }
    Index {
        title: info.and_then(|info| details::text(info, "title")),
        version: info.and_then(|info| details::text(info, "version")),
        summary: info.and_then(|info| details::text(info, "summary")),
        description: info.and_then(|info| details::text(info, "description")),
        servers: details::servers(document, findings),
        tags: tags(root, &operations),
        schemas: schema_names(root),
        security_schemes: schemes,
        operations,
        webhooks,
    }
}

fn finish_operations(
    document: &Document,
    found: &[Found<'_>],
    known: &KnownSlugs,
    schemes: &HashSet<&str>,
    copies: &mut usize,
    findings: &mut Findings,
) -> Vec<Operation> {
    let keys = keys(found, findings);
    let templates = routing::assign(found, findings);
    let mut assigner = Assigner::new(known);
    let mut finished = Vec::with_capacity(found.len());
    for ((found, key), (template, route)) in found.iter().zip(keys).zip(templates) {
        let Some(slice) = slice_of(document, found, copies, findings) else {
            break;
        };
        let id = found.operation_id();
        let slug = assigner.assign(&key, &[id.unwrap_or_default(), &found.fallback_key()]);
        let own = found.operation.get("security").filter(|own| own.is_array());
        let security = details::requirement(own.or_else(|| document.get("/security")));
        *copies = copies.saturating_sub(security.iter().map(|alternative| weight(alternative)).sum());
        check_schemes(&security, schemes, own.is_some(), &found.pointer, findings);
        finished.push(Operation {
            key,
            slug,
            method: found.method.clone(),
            template,
            route,
            operation_id: id.map(str::to_owned),
            summary: found.summary(),
            deprecated: found.deprecated(),
            tags: found.tags(),
            security,
            pointer: found.pointer.clone(),
            slice: slice.json,
            fingerprint: slice.fingerprint,
        });
    }
    finished
}

/// Bytes that an alternative of a requirement takes.
fn weight(alternative: &[SecurityUse]) -> usize {
    let scopes = |part: &SecurityUse| part.scopes.iter().map(|scope| scope.len() + 24).sum::<usize>();
    alternative
        .iter()
        .map(|part| part.scheme.len() + scopes(part) + 48)
        .sum::<usize>()
        + 24
}

fn finish_webhooks(
    document: &Document,
    found: &[Found<'_>],
    copies: &mut usize,
    findings: &mut Findings,
) -> Vec<Webhook> {
    let none = KnownSlugs::new();
    let mut assigner = Assigner::new(&none);
    let mut finished = Vec::with_capacity(found.len());
    for found in found {
        let Some(slice) = slice_of(document, found, copies, findings) else {
            break;
        };
        let key = found.fallback_key();
        finished.push(Webhook {
            slug: assigner.assign(&key, &[found.name, &key]),
            key,
            name: found.name.to_owned(),
            method: found.method.clone(),
            summary: found.summary(),
            deprecated: found.deprecated(),
            tags: found.tags(),
            pointer: found.pointer.clone(),
            slice: slice.json,
            fingerprint: slice.fingerprint,
        });
    }
    finished
}

fn slice_of(
    document: &Document,
    found: &Found<'_>,
    copies: &mut usize,
    findings: &mut Findings,
) -> Option<slice::Slice> {
    match slice::of(document, found, copies) {
        Ok(slice) => Some(slice),
        Err(CopiesExhausted) => {
            let message = "the operations share so much that their parts together are too large";
            findings.add(Code::TooManyCopies, found.pointer.as_str(), message);
            None
        }
    }
}

/// The identity of each operation.
fn keys(found: &[Found<'_>], findings: &mut Findings) -> Vec<String> {
    let mut holders: HashMap<&str, Vec<&Found<'_>>> = HashMap::new();
    for found in found {
        if let Some(id) = found.operation_id() {
            holders.entry(id).or_default().push(found);
        }
    }
    let mut taken = HashSet::new();
    let mut keys = Vec::with_capacity(found.len());
    for found in found {
        let id = found.operation_id();
        let sharing = id.and_then(|id| holders.get(id)).map_or(0, Vec::len);
        if let Some(id) = id.filter(|_| sharing > 1) {
            let message = format!(
                "{sharing} operations have the operationId `{id:.100}`; each is known by method and path"
            );
            findings.add(
                Code::OperationIdDuplicate,
                pointer::child(&found.pointer, "operationId"),
                message,
            );
        }
        let wanted = id
            .filter(|_| sharing == 1)
            .map_or_else(|| found.fallback_key(), str::to_owned);
        // An operationId may spell another operation's method and path.
        let mut key = wanted.clone();
        while !taken.insert(key.clone()) {
            key = format!("{} {wanted}", found.method);
            if taken.contains(&key) {
                key = format!("{key} {}", found.pointer);
            }
        }
        keys.push(key);
    }
    keys
}

fn check_schemes(
    security: &SecurityRequirement,
    schemes: &HashSet<&str>,
    own: bool,
    at: &str,
    findings: &mut Findings,
) {
    if !own {
        return;
    }
    let unknown = security
        .iter()
        .flatten()
        .find(|part| !schemes.contains(part.scheme.as_str()));
    if let Some(part) = unknown {
        let message = format!("the security scheme `{:.100}` is not described", part.scheme);
        findings.add(
            Code::SecuritySchemeUnknown,
            pointer::child(at, "security"),
            message,
        );
    }
}

fn tags(root: &Value, operations: &[Operation]) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let declared = root
        .get("tags")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    for tag in declared {
        let Some(name) = details::text(tag, "name") else {
            continue;
        };
        places.entry(name.clone()).or_insert_with(|| {
            tags.push(Tag {
                name,
                description: details::text(tag, "description"),
                operations: 0,
            });
            tags.len() - 1
        });
    }
    for name in operations.iter().flat_map(|operation| &operation.tags) {
        let place = *places.entry(name.clone()).or_insert_with(|| {
            tags.push(Tag {
                name: name.clone(),
                description: None,
                operations: 0,
            });
            tags.len() - 1
        });
        if let Some(tag) = tags.get_mut(place) {
            tag.operations += 1;
        }
    }
    tags
}

fn schema_names(root: &Value) -> Vec<String> {
    let schemas = root.pointer("/components/schemas").and_then(Value::as_object);
    schemas
        .map(|schemas| schemas.keys().cloned().collect())
        .unwrap_or_default()
}
