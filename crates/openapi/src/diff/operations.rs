//! Finds each operation in the other description and compares the two.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::change::{Class, Code, Collector, Direction, Found, Side};
use super::flat::At;
use super::schema::{Pair, Walk};
use super::unchanged::Shared;
use super::{Description, bodies, parameters, security};
use crate::index::{Operation, Webhook};

/// How a caller addresses an operation: names in a template are no part of it.
fn route(operation: &Operation) -> (String, String) {
    let mut shape = String::with_capacity(operation.template.len());
    let mut inside = false;
    for character in operation.template.chars() {
        inside &= character != '}';
        if !inside {
            shape.push(character);
        }
        inside |= character == '{';
    }
    (operation.method.as_str().to_owned(), shape)
}

fn named(operation: &Operation) -> String {
    format!("{} {}", operation.method, operation.template)
}

/// The operations of the new description, each with its old self, and the old ones that are gone.
struct Matched<'d> {
    kept: Vec<(Option<&'d Operation>, &'d Operation)>,
    gone: Vec<&'d Operation>,
}

impl<'d> Matched<'d> {
    /// By method and path, which is what callers use; else by their id.
    fn of(old: Description<'d>, new: Description<'d>) -> Self {
        let mut by_route: HashMap<(String, String), Vec<&'d Operation>> = HashMap::new();
        let mut by_id: HashMap<&'d str, &'d Operation> = HashMap::new();
        for operation in &old.index.operations {
            by_route.entry(route(operation)).or_default().push(operation);
            if let Some(id) = &operation.operation_id {
                by_id.insert(id, operation);
            }
        }
        let mut taken: HashSet<&'d str> = HashSet::new();
        let mut kept: Vec<_> = Vec::with_capacity(new.index.operations.len());
        for operation in &new.index.operations {
            let there = by_route.get_mut(&route(operation));
            let twin = there.and_then(|there| {
                let same = there.iter().position(|old| old.key == operation.key);
                let first = (!there.is_empty()).then_some(0);
                same.or(first).map(|at| there.remove(at))
            });
            taken.extend(twin.map(|twin| twin.key.as_str()));
            kept.push((twin, operation));
        }
        for (twin, operation) in kept.iter_mut().filter(|(twin, _)| twin.is_none()) {
            let id = operation.operation_id.as_deref();
            let moved = id
                .and_then(|id| by_id.get(id))
                .filter(|old| !taken.contains(old.key.as_str()));
            *twin = moved.copied();
            taken.extend(moved.map(|moved| moved.key.as_str()));
        }
        let gone = old.index.operations.iter();
        Self {
            gone: gone
                .filter(|operation| !taken.contains(operation.key.as_str()))
                .collect(),
            kept,
        }
    }
}

pub(super) fn compare(old: Description<'_>, new: Description<'_>, found: &mut Collector) {
    let shared = Shared::of(old.document, new.document);
    about(old, new, found);
    let matched = Matched::of(old, new);
    for (twin, operation) in matched.kept {
        found.begin(&operation.key);
        match twin {
            Some(twin) => pair(twin, operation, (old, new), &shared, found),
            None => found.add(Found {
                class: Class::Additive,
                code: Code::OperationAdded,
                pointer: &operation.pointer,
                side: Side::After,
                direction: None,
                message: format!("{} is new", named(operation)),
            }),
        }
    }
    for operation in matched.gone {
        found.begin(&operation.key);
        let advised = if operation.deprecated {
            "; it was advised against before"
        } else {
            ""
        };
        found.add(Found {
            class: Class::Breaking,
            code: Code::OperationRemoved,
            pointer: &operation.pointer,
            side: Side::Before,
            direction: None,
            message: format!("{} is gone{advised}", named(operation)),
        });
    }
    found.end();
    webhooks((old, new), &shared, found);
}

/// What is said about the whole.
fn about(old: Description<'_>, new: Description<'_>, found: &mut Collector) {
    let words = |described: Description<'_>| {
        let index = described.index;
        (
            index.title.clone(),
            index.version.clone(),
            index.summary.clone(),
            index.description.clone(),
        )
    };
    if words(old) != words(new) {
        found.add(Found {
            class: Class::Docs,
            code: Code::TextChanged,
            pointer: "/info",
            side: Side::After,
            direction: None,
            message: "the words about the API have changed".to_owned(),
        });
    }
}

type Both<'d> = (Description<'d>, Description<'d>);

fn pair(old: &Operation, new: &Operation, (before, after): Both<'_>, shared: &Shared, found: &mut Collector) {
    security::compare((before.index, old), (after.index, new), found);
    let (Some(was), Some(is)) = (sliced(&old.slice), sliced(&new.slice)) else {
        return;
    };
    let at = |operation: &Operation, value| At::new(operation.pointer.clone(), value);
    let pair = Pair::new(at(old, &was), at(new, &is));
    let mut walk = Walk::new(before, after, shared, found);
    identity(&mut walk, old, new, &pair);
    if old.fingerprint == new.fingerprint && old.template == new.template && shared.covers(&is) {
        return;
    }
    parameters::compare(&mut walk, &pair, (&old.template, &new.template));
    bodies::requests(&mut walk, &pair, Direction::Request);
    bodies::responses(&mut walk, &pair, Direction::Response);
    callbacks(&mut walk, &pair);
}

/// The slice of an operation as a value. It was written from one.
fn sliced(slice: &str) -> Option<Value> {
    serde_json::from_str(slice).ok()
}

fn identity(walk: &mut Walk<'_, '_>, old: &Operation, new: &Operation, pair: &Pair<'_>) {
    if route(old) != route(new) {
        let message = format!("{} is now {}", named(old), named(new));
        walk.tell(Class::Breaking, Code::OperationMoved, &pair.new, message);
    }
    if old.operation_id != new.operation_id {
        let id = |operation: &Operation| {
            operation
                .operation_id
                .clone()
                .unwrap_or_else(|| "none".to_owned())
        };
        let message = format!(
            "the id of {} was {} and is now {}: generated clients call it otherwise",
            named(new),
            id(old),
            id(new)
        );
        walk.tell(Class::Risky, Code::OperationIdChanged, &pair.new, message);
    }
    walk.advice([old.deprecated, new.deprecated], &pair.new, &named(new));
    let words = |at: &At<'_>| {
        let member = |name: &str| at.value.get(name).cloned();
        [
            member("summary"),
            member("description"),
            member("tags"),
            member("externalDocs"),
        ]
    };
    if words(&pair.old) != words(&pair.new) {
        let message = format!("the words about {} have changed", named(new));
        walk.tell(Class::Docs, Code::TextChanged, &pair.new, message);
    }
}

/// What the API calls back is not compared in parts.
fn callbacks(walk: &mut Walk<'_, '_>, pair: &Pair<'_>) {
    let [old, new] = [&pair.old, &pair.new].map(|at| at.value.get("callbacks"));
    if old != new || new.is_some_and(|new| !walk.shared.covers(new)) {
        let message = "what it calls back has changed".to_owned();
        walk.tell(Class::Risky, Code::RuleChanged, &pair.new, message);
    }
}

/// Messages that the API sends: callers get what is a request elsewhere.
fn webhooks((old, new): Both<'_>, shared: &Shared, found: &mut Collector) {
    let known: HashMap<&str, &Webhook> = old
        .index
        .webhooks
        .iter()
        .map(|hook| (hook.key.as_str(), hook))
        .collect();
    let still: HashSet<&str> = new.index.webhooks.iter().map(|hook| hook.key.as_str()).collect();
    for hook in &new.index.webhooks {
        found.begin(&hook.key);
        let Some(twin) = known.get(hook.key.as_str()) else {
            found.add(Found {
                class: Class::Additive,
                code: Code::WebhookAdded,
                pointer: &hook.pointer,
                side: Side::After,
                direction: None,
                message: format!("the message {} is new", hook.name),
            });
            continue;
        };
        if let (Some(was), Some(is)) = (sliced(&twin.slice), sliced(&hook.slice)) {
            let pair = Pair::new(
                At::new(twin.pointer.clone(), &was),
                At::new(hook.pointer.clone(), &is),
            );
            let mut walk = Walk::new(old, new, shared, found);
            bodies::requests(&mut walk, &pair, Direction::Request.flipped());
            bodies::responses(&mut walk, &pair, Direction::Response.flipped());
        }
    }
    for hook in old
        .index
        .webhooks
        .iter()
        .filter(|hook| !still.contains(hook.key.as_str()))
    {
        found.begin(&hook.key);
        found.add(Found {
            class: Class::Breaking,
            code: Code::WebhookRemoved,
            pointer: &hook.pointer,
            side: Side::Before,
            direction: None,
            message: format!("the message {} is not sent any more", hook.name),
        });
    }
    found.end();
}
