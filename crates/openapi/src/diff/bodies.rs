//! What a call carries and what it is answered with.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Class, Code, Direction, Shift};
use super::flat::At;
use super::schema::{Pair, Place, Walk};
use crate::document::Document;

/// The body of the request. `direction` says who writes it: of a webhook it is the API.
pub(super) fn requests<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>, direction: Direction) {
    let was = pair
        .old
        .member("requestBody")
        .map(|at| at.followed(walk.old.document));
    let is = pair
        .new
        .member("requestBody")
        .map(|at| at.followed(walk.new.document));
    let required = |at: &At<'o>| at.value.get("required") == Some(&Value::Bool(true));
    match (was, is) {
        (Some(was), Some(is)) => {
            match (required(&was), required(&is)) {
                (false, true) => {
                    let class = direction.class(Shift::Narrowed);
                    walk.tell(
                        class,
                        Code::BodyRequired,
                        &is,
                        "the body must be sent now".to_owned(),
                    );
                }
                (true, false) => {
                    let class = direction.class(Shift::Widened);
                    walk.tell(
                        class,
                        Code::BodyOptional,
                        &is,
                        "the body may be left out now".to_owned(),
                    );
                }
                _ => {}
            }
            contents(walk, &Pair::new(was, is), &Place::new(direction, "the body"));
        }
        (Some(was), None) => {
            let message = "no body is taken any more".to_owned();
            walk.tell_gone(Class::Breaking, Code::BodyRemoved, &was, message);
        }
        (None, Some(is)) if required(&is) => {
            let class = direction.class(Shift::Narrowed);
            walk.tell(class, Code::BodyAdded, &is, "a body must be sent now".to_owned());
        }
        (None, Some(is)) => {
            walk.tell(
                Class::Additive,
                Code::BodyAdded,
                &is,
                "a body may be sent now".to_owned(),
            );
        }
        (None, None) => {}
    }
}

/// The answers. Of a webhook they are the caller's.
pub(super) fn responses<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>, direction: Direction) {
    let before = answers(walk.old.document, &pair.old);
    let mut after = answers(walk.new.document, &pair.new);
    let succeeded = before.keys().any(|status| status.starts_with('2'));
    for (status, was) in before {
        let range = status
            .get(..1)
            .map(|digit| format!("{digit}XX"))
            .unwrap_or_default();
        // `2XX` stands for `200` where that is not described itself.
        let is = after.remove(&status).or_else(|| after.get(&range).cloned());
        match is {
            Some(is) => answer(walk, &Pair::new(was, is), &status, direction),
            None => {
                let class = if status.starts_with('2') {
                    Class::Breaking
                } else {
                    Class::Risky
                };
                let message = format!("the answer {status} is gone");
                walk.tell_gone(class, Code::ResponseRemoved, &was, message);
            }
        }
    }
    for (status, is) in &after {
        let surprises = succeeded && status.starts_with('2');
        let class = if surprises { Class::Risky } else { Class::Additive };
        walk.tell(
            class,
            Code::ResponseAdded,
            is,
            format!("the answer {status} is new"),
        );
    }
}

fn answers<'o>(document: &'o Document, operation: &At<'o>) -> BTreeMap<String, At<'o>> {
    let responses = operation.member("responses");
    let members = responses.as_ref().into_iter().flat_map(At::members);
    members
        .map(|(status, at)| (status.to_ascii_uppercase(), at.followed(document)))
        .collect()
}

fn answer<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>, status: &str, direction: Direction) {
    let name = format!("the answer {status}");
    let words = [&pair.old, &pair.new].map(|at| at.value.get("description"));
    if words[0] != words[1] {
        let message = format!("the words about {name} have changed");
        walk.tell(Class::Docs, Code::TextChanged, &pair.new, message);
    }
    headers(walk, pair, &name, direction);
    contents(walk, pair, &Place::new(direction, name));
}

fn headers<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>, answer: &str, direction: Direction) {
    let listed = |document: &'o Document, at: &At<'o>| -> BTreeMap<String, At<'o>> {
        let headers = at.member("headers");
        let members = headers.as_ref().into_iter().flat_map(At::members);
        members
            .map(|(name, at)| (name.to_ascii_lowercase(), at.followed(document)))
            .collect()
    };
    let required = |at: &At<'o>| at.value.get("required") == Some(&Value::Bool(true));
    let mut after = listed(walk.new.document, &pair.new);
    for (name, was) in listed(walk.old.document, &pair.old) {
        let named = format!("the header `{name}` of {answer}");
        let Some(is) = after.remove(&name) else {
            let class = if required(&was) {
                Class::Breaking
            } else {
                Class::Risky
            };
            walk.tell_gone(class, Code::HeaderRemoved, &was, format!("{named} is gone"));
            continue;
        };
        match (required(&was), required(&is)) {
            (false, true) => {
                let class = direction.class(Shift::Narrowed);
                walk.tell(
                    class,
                    Code::HeaderRequired,
                    &is,
                    format!("{named} is always there now"),
                );
            }
            (true, false) => {
                let class = direction.class(Shift::Widened);
                walk.tell(
                    class,
                    Code::HeaderOptional,
                    &is,
                    format!("{named} may be missing now"),
                );
            }
            _ => {}
        }
        if let Some(schemas) = Pair::new(was, is).both("schema") {
            walk.schemas(&schemas, &Place::new(direction, named));
        }
    }
    for (name, is) in &after {
        let message = format!("the header `{name}` of {answer} is new");
        walk.tell(Class::Additive, Code::HeaderAdded, is, message);
    }
}

/// What is written in which language.
fn contents<'o>(walk: &mut Walk<'o, '_>, pair: &Pair<'o>, place: &Place) {
    let listed = |at: &At<'o>| -> BTreeMap<String, At<'o>> {
        let content = at.member("content");
        let members = content.as_ref().into_iter().flat_map(At::members);
        members.map(|(media, at)| (bare(media), at)).collect()
    };
    let mut after = listed(&pair.new);
    for (media, was) in listed(&pair.old) {
        match after.remove(&media) {
            Some(is) => {
                if let Some(schemas) = Pair::new(was, is).both("schema") {
                    walk.schemas(&schemas, place);
                }
            }
            None => {
                let message = format!("{place} is not {media} any more");
                walk.tell_gone(Class::Breaking, Code::MediaTypeRemoved, &was, message);
            }
        }
    }
    for (media, is) in &after {
        walk.tell(
            Class::Additive,
            Code::MediaTypeAdded,
            is,
            format!("{place} can be {media} now"),
        );
    }
}

/// A media type without its parameters.
fn bare(media: &str) -> String {
    let bare = media.split(';').next().unwrap_or(media);
    bare.trim().to_ascii_lowercase()
}
