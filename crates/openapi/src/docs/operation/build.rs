//! Builds the view of an operation.

use std::cell::Cell;

use serde_json::{Map, Value};

use super::{Callback, GivenSample, OperationDoc};
use crate::docs::head::{self, Head};
use crate::docs::schema::Direction;
use crate::docs::source::{Found, Source};
use crate::method::Method;
use crate::pointer;

/// Samples by the publisher that are shown.
const SAMPLES: usize = 16;
/// Callbacks that are shown.
const CALLBACKS: usize = 12;
/// Answers to a callback that are named.
const ANSWERS: usize = 4;
/// Parameters and headers of answers that are shown; no description of use has half as many.
const FIELDS: usize = 60;
/// Bodies that are shown, each in one media type.
const BODIES: usize = 24;
/// Ways on to other operations that are shown.
const LINKS: usize = 12;

/// What builders of one page share.
#[derive(Clone, Copy)]
pub(super) struct Page<'s, 'p> {
    pub(super) source: &'s Source<'p>,
    pub(super) left: &'s Left,
}

/// What a page may still have, so that it stays one that can be read (`portal-ux.md` 5.1).
pub(super) struct Left {
    /// Rows of schemas.
    pub(super) rows: Cell<usize>,
    /// Parameters and headers.
    pub(super) fields: Cell<usize>,
    /// Bodies in one media type.
    pub(super) bodies: Cell<usize>,
    /// Ways on to other operations.
    pub(super) links: Cell<usize>,
    /// How much of all these was left out.
    pub(super) out: Cell<usize>,
}

impl Left {
    /// Takes one of what is left, or counts it as left out.
    pub(super) fn take(&self, of: &Cell<usize>) -> bool {
        let left = of.get();
        if left == 0 {
            self.out.set(self.out.get() + 1);
            return false;
        }
        of.set(left - 1);
        true
    }
}

/// Builds the view of the operation at a pointer; `None` when it is not there,
/// or not loaded yet. `inbound` is false for a webhook: the API calls.
#[must_use]
pub fn build(
    source: &Source<'_>,
    head: &Head,
    place: &str,
    method: &str,
    template: &str,
    inbound: bool,
) -> Option<OperationDoc> {
    let Found::Here(at) = source.at(place) else {
        return None;
    };
    let members = at.value.as_object()?;
    let left = Left {
        rows: crate::docs::schema::rows_of_a_page(),
        fields: Cell::new(FIELDS),
        bodies: Cell::new(BODIES),
        links: Cell::new(LINKS),
        out: Cell::new(0),
    };
    let page = Page { source, left: &left };
    let (sent, answered) = if inbound {
        (Direction::Request, Direction::Response)
    } else {
        (Direction::Response, Direction::Request)
    };
    Some(OperationDoc {
        method: method.to_owned(),
        template: template.to_owned(),
        summary: words(members, "summary"),
        description: words(members, "description"),
        operation_id: words(members, "operationId"),
        deprecated: members.get("deprecated") == Some(&Value::Bool(true)),
        external_docs: head::external_docs(at.value),
        security: super::security::proofs(members.get("security"), head),
        parameters: page.parameter_groups(place, members.get("parameters"), sent),
        body: page.body(place, members.get("requestBody"), sent),
        responses: page.responses(place, members.get("responses"), answered),
        callbacks: page.callbacks(place, members.get("callbacks")),
        samples: samples(members),
        left_out: left.out.get(),
    })
}

/// A member that is text and says something.
pub(super) fn words(members: &Map<String, Value>, name: &str) -> Option<String> {
    let text = members.get(name)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'p> Page<'_, 'p> {
    /// An object, or what it refers to.
    pub(super) fn object(&self, place: &str, value: &'p Value) -> Option<(String, &'p Map<String, Value>)> {
        match self.source.follow(place, value) {
            Found::Here(at) => Some((at.place, at.value.as_object()?)),
            Found::Later | Found::Nowhere => None,
        }
    }

    fn callbacks(&self, place: &str, value: Option<&'p Value>) -> Vec<Callback> {
        let mut found = Vec::new();
        let parent = pointer::child(place, "callbacks");
        for (name, callback) in value.and_then(Value::as_object).into_iter().flatten() {
            let Some((place, expressions)) = self.object(&pointer::child(&parent, name), callback) else {
                continue;
            };
            for (expression, item) in expressions {
                let Some((place, item)) = self.object(&pointer::child(&place, expression), item) else {
                    continue;
                };
                for (member, operation) in item {
                    let (Some(method), Some(operation)) = (Method::of_member(member), operation.as_object())
                    else {
                        continue;
                    };
                    if found.len() < CALLBACKS {
                        let place = pointer::child(&place, member);
                        found.push(self.callback(name, expression, &method, &place, operation));
                    }
                }
            }
        }
        found
    }

    fn callback(
        &self,
        name: &str,
        expression: &str,
        method: &Method,
        place: &str,
        operation: &'p Map<String, Value>,
    ) -> Callback {
        let responses = operation.get("responses").and_then(Value::as_object);
        Callback {
            name: name.to_owned(),
            expression: expression.to_owned(),
            method: method.as_str().to_owned(),
            summary: words(operation, "summary"),
            description: words(operation, "description"),
            body: self.body(place, operation.get("requestBody"), Direction::Response),
            responses: responses
                .into_iter()
                .flatten()
                .take(ANSWERS)
                .map(|(status, response)| (status.clone(), head::text(response.get("description"))))
                .collect(),
        }
    }
}

fn samples(members: &Map<String, Value>) -> Vec<GivenSample> {
    let listed = ["x-codeSamples", "x-code-samples"]
        .iter()
        .find_map(|name| members.get(*name)?.as_array());
    let read = |sample: &Value| {
        let source = sample.get("source")?.as_str()?.trim_end().to_owned();
        let lang = head::text(sample.get("lang"));
        let label = head::text(sample.get("label"));
        Some(GivenSample {
            label: if label.is_empty() { lang.clone() } else { label },
            lang,
            source,
        })
    };
    listed
        .into_iter()
        .flatten()
        .filter_map(read)
        .take(SAMPLES)
        .collect()
}
