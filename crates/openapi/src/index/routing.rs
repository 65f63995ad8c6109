//! Decides which operation answers which requests, and proves that the router
//! takes it. What cannot be routed is left out with a finding and never hurts
//! the rest.

use std::borrow::Cow;
use std::collections::HashMap;

use gatewright_model::template::PathTemplate;
use wayfind::RouterBuilder;

use super::Route;
use super::operations::Found;
use crate::finding::{Code, Findings};
use crate::method::Method;

/// The template to show and the route of each operation.
pub(super) fn assign(found: &[Found<'_>], findings: &mut Findings) -> Vec<(String, Route)> {
    let mut shapes: HashMap<&str, Shape> = HashMap::new();
    let mut with_query = Group::default();
    for (place, found) in found.iter().enumerate() {
        shapes.entry(found.name).or_insert_with(|| {
            let shape = Shape::of(found, findings);
            if shape.tail == Tail::Query {
                with_query.add(place);
            }
            shape
        });
    }
    tell_queries(found, &with_query, findings);
    let mut router = RouterBuilder::new();
    let mut proofs: HashMap<&str, bool> = HashMap::new();
    for shape in shapes.values() {
        if let Some(route) = shape.route.as_deref() {
            proofs
                .entry(route)
                .or_insert_with(|| router.insert(route, ()).is_ok());
        }
    }
    let winners = winners(found, &shapes);
    let mut left_out = HashMap::new();
    let mut assigned = Vec::with_capacity(found.len());
    for (place, found) in found.iter().enumerate() {
        let Some(shape) = shapes.get(found.name) else {
            continue;
        };
        let route = match shape.route.as_deref() {
            None => Route::DocumentedOnly,
            Some(route) if proofs.get(route) != Some(&true) => {
                let message = "the router does not take this path; the operation is documented only";
                findings.add(Code::OperationUnroutable, found.pointer.as_str(), message);
                Route::DocumentedOnly
            }
            Some(route) => match winners.get(&(&found.method, route)) {
                Some(Winner::At(winner)) if *winner == place => Route::Template(route.to_owned()),
                _ => {
                    let group: &mut Group = left_out.entry((&found.method, route)).or_default();
                    group.add(place);
                    Route::DocumentedOnly
                }
            },
        };
        assigned.push((shape.shown.clone(), route));
    }
    tell_ambiguous(found, left_out.into_values().collect(), findings);
    assigned
}

/// Operations or paths that one finding stands for: such documents have hundreds.
#[derive(Debug, Default)]
struct Group {
    first: usize,
    count: usize,
}

impl Group {
    fn add(&mut self, place: usize) {
        if self.count == 0 {
            self.first = place;
        }
        self.count += 1;
    }
}

fn tell_queries(found: &[Found<'_>], group: &Group, findings: &mut Findings) {
    if let Some(first) = found.get(group.first).filter(|_| group.count > 0) {
        let message = format!(
            "{} path(s) have a query or fragment, which is no part of a path; each is routed by what stands before, where that is unambiguous",
            group.count
        );
        findings.add(Code::PathWithQuery, item_of(&first.pointer), message);
    }
}

/// The pointer of the path item around an operation.
fn item_of(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(item, _)| item)
}

/// One finding for each group.
fn tell_ambiguous(found: &[Found<'_>], mut groups: Vec<Group>, findings: &mut Findings) {
    groups.sort_unstable_by_key(|group| group.first);
    for group in groups {
        let Some(first) = found.get(group.first) else {
            continue;
        };
        let message = format!(
            "{} operation(s) answer the same {} requests as another one, and no path tells them apart; they are documented only (`unmatched: forward` lets them through)",
            group.count, first.method
        );
        findings.add(Code::OperationAmbiguous, first.pointer.as_str(), message);
    }
}

/// Which operation of a group is routed.
#[derive(Clone, Copy)]
enum Winner {
    At(usize),
    /// Several that differ only in what follows the path: to guess would count
    /// calls, and apply policies, of the wrong one.
    Nobody,
}

fn winners<'s>(
    found: &'s [Found<'_>],
    shapes: &'s HashMap<&str, Shape>,
) -> HashMap<(&'s Method, &'s str), Winner> {
    let mut winners: HashMap<(&Method, &str), (Winner, Tail)> = HashMap::new();
    for (place, found) in found.iter().enumerate() {
        let Some(shape) = shapes.get(found.name) else {
            continue;
        };
        let Some(route) = shape.route.as_deref() else {
            continue;
        };
        winners
            .entry((&found.method, route))
            .and_modify(|held| match (held.1, shape.tail) {
                (Tail::None, _) => {}
                (Tail::Query, Tail::None) => *held = (Winner::At(place), Tail::None),
                (Tail::Query, Tail::Query) => held.0 = Winner::Nobody,
            })
            .or_insert((Winner::At(place), shape.tail));
    }
    winners
        .into_iter()
        .map(|(group, (winner, _))| (group, winner))
        .collect()
}

/// What follows the path in its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    None,
    Query,
}

/// A path of the document, cleaned.
struct Shape {
    shown: String,
    route: Option<String>,
    tail: Tail,
}

impl Shape {
    fn of(found: &Found<'_>, findings: &mut Findings) -> Self {
        let at = item_of(&found.pointer);
        let name = found.name.trim();
        let (path, tail) = cut(name);
        let path = if path.starts_with('/') {
            Cow::Borrowed(path)
        } else {
            findings.add(
                Code::PathWithoutSlash,
                at,
                "a path must begin with `/`; one is put before it",
            );
            Cow::Owned(format!("/{path}"))
        };
        match PathTemplate::parse(&path) {
            Ok(template) => {
                tell_oddities(&template, at, findings);
                let shown = if tail == Tail::Query {
                    name.to_owned()
                } else {
                    template.to_string()
                };
                Self {
                    shown,
                    route: Some(template.to_route()),
                    tail,
                }
            }
            Err(error) => {
                let message = format!("{error}; its operations are documented only");
                findings.add(Code::OperationUnroutable, at, message);
                Self {
                    shown: path.into_owned(),
                    route: None,
                    tail,
                }
            }
        }
    }
}

fn tell_oddities(template: &PathTemplate, at: &str, findings: &mut Findings) {
    if let Some(name) = template.repeated_parameter() {
        let message = format!("`{{{name:.80}}}` stands twice in this path");
        findings.add(Code::TemplateRepeatedParameter, at, message);
    }
    if template.has_adjacent_parameters() {
        let message = "two parameters touch, so nothing says where one ends; they are matched as one";
        findings.add(Code::TemplateAdjacentParameters, at, message);
    }
}

/// Cuts what a router does not see: a query or fragment, also as an expression
/// (`{?page}`, `{&x}`, `{#part}`; RFC 6570 sections 3.2.4, 3.2.8 and 3.2.9).
fn cut(name: &str) -> (&str, Tail) {
    let tail = ["{?", "{&", "{#"].iter().filter_map(|mark| name.find(mark)).min();
    let mark = first_outside_braces(name);
    match tail.into_iter().chain(mark).min() {
        Some(place) => (name.get(..place).unwrap_or(name), Tail::Query),
        None => (name, Tail::None),
    }
}

fn first_outside_braces(name: &str) -> Option<usize> {
    let mut open = 0_usize;
    name.char_indices().find_map(|(place, character)| {
        match character {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            '?' | '#' if open == 0 => return Some(place),
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::{Tail, cut};

    #[test]
    fn what_no_router_sees_is_cut() {
        for (name, path, tail) in [
            ("/a/{b}", "/a/{b}", Tail::None),
            ("/a?x={y}", "/a", Tail::Query),
            ("/#Action=List", "/", Tail::Query),
            ("/a{?page,size}", "/a", Tail::Query),
            ("/a/{b?}", "/a/{b?}", Tail::None),
        ] {
            assert_eq!(cut(name), (path, tail), "{name}");
        }
    }
}
