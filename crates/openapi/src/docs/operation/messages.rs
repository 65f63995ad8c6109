//! Bodies, answers and their examples.

use serde_json::{Map, Value};

use super::build::{Page, words};
use super::{Body, Content, Example, Link, Response};
use crate::docs::code::Tokens;
use crate::docs::samples::is_json;
use crate::docs::schema::{Builder, Direction};
use crate::docs::source::Found;
use crate::docs::{example, head, json};
use crate::pointer;

/// Given examples of one content that are shown.
const EXAMPLES: usize = 6;
/// Media types of one body that are shown.
const CONTENTS: usize = 12;
/// Answers of one operation that are shown.
const RESPONSES: usize = 30;
/// Values from an answer that a link names.
const LINKED: usize = 4;
/// Parts of a body whose encoding is named.
const ENCODINGS: usize = 4;
/// Characters of an example on a page. A longer one is cut inside.
const LONG: usize = 4_000;

impl<'p> Page<'_, 'p> {
    /// A request body, or the message of a webhook.
    pub(super) fn body(&self, place: &str, value: Option<&'p Value>, direction: Direction) -> Option<Body> {
        let own = pointer::child(place, "requestBody");
        let (own, members) = self.object(&own, value?)?;
        Some(Body {
            description: words(members, "description"),
            required: members.get("required") == Some(&Value::Bool(true)),
            contents: self.contents(&own, members.get("content"), direction),
        })
    }

    /// The answers in the order of the document.
    pub(super) fn responses(
        &self,
        place: &str,
        value: Option<&'p Value>,
        direction: Direction,
    ) -> Vec<Response> {
        let parent = pointer::child(place, "responses");
        let mut responses = Vec::new();
        for (status, response) in value.and_then(Value::as_object).into_iter().flatten() {
            if status.starts_with("x-") {
                continue;
            }
            let Some((own, members)) = self.object(&pointer::child(&parent, status), response) else {
                continue;
            };
            if responses.len() == RESPONSES {
                self.left.out.set(self.left.out.get() + 1);
                continue;
            }
            responses.push(Response {
                status: status.clone(),
                title: title_of(status),
                description: words(members, "description"),
                headers: self.headers(&own, members.get("headers"), direction),
                contents: self.contents(&own, members.get("content"), direction),
                links: self.links(&own, members.get("links")),
            });
        }
        responses
    }

    fn contents(&self, place: &str, value: Option<&'p Value>, direction: Direction) -> Vec<Content> {
        let parent = pointer::child(place, "content");
        let listed = value.and_then(Value::as_object).into_iter().flatten();
        let read = |(media_type, content): (&String, &'p Value)| {
            let (own, members) = self.object(&pointer::child(&parent, media_type), content)?;
            self.left.take(&self.left.bodies).then_some(())?;
            Some(self.content(media_type, &own, members, direction))
        };
        listed.take(CONTENTS).filter_map(read).collect()
    }

    fn content(
        &self,
        media_type: &str,
        place: &str,
        members: &'p Map<String, Value>,
        direction: Direction,
    ) -> Content {
        let own = pointer::child(place, "schema");
        let schema = members.get("schema");
        let builder = Builder::new(self.source, direction, &self.left.rows);
        let mut examples = example_list(self, place, members);
        if examples.is_empty() && has_values(media_type) {
            let made = schema.and_then(|schema| example::of(self.source, &own, schema, direction));
            examples.extend(made.map(|value| Example {
                generated: true,
                ..shown("Example", &value)
            }));
        }
        let view = schema.map(|schema| builder.open(&own, schema, &[]));
        Content {
            media_type: media_type.to_owned(),
            view,
            examples,
            encoding: encodings(members.get("encoding")),
        }
    }

    fn links(&self, place: &str, value: Option<&'p Value>) -> Vec<Link> {
        let parent = pointer::child(place, "links");
        let listed = value.and_then(Value::as_object).into_iter().flatten();
        let read = |(name, link): (&String, &'p Value)| {
            let (_, members) = self.object(&pointer::child(&parent, name), link)?;
            self.left.take(&self.left.links).then_some(())?;
            let parameters = members.get("parameters").and_then(Value::as_object);
            Some(Link {
                name: name.clone(),
                description: words(members, "description"),
                operation: words(members, "operationId")
                    .or_else(|| words(members, "operationRef"))
                    .unwrap_or_default(),
                parameters: parameters
                    .into_iter()
                    .flatten()
                    .take(LINKED)
                    .map(|(name, value)| (name.clone(), text_of(value)))
                    .collect(),
            })
        };
        listed.take(EXAMPLES).filter_map(read).collect()
    }
}

/// The given examples of a parameter or a content.
pub(super) fn example_list<'p>(
    page: &Page<'_, 'p>,
    place: &str,
    members: &'p Map<String, Value>,
) -> Vec<Example> {
    if let Some(value) = members.get("example") {
        return vec![shown("Example", value)];
    }
    let parent = pointer::child(place, "examples");
    let mut examples = Vec::new();
    let listed = members.get("examples").and_then(Value::as_object);
    for (name, example) in listed.into_iter().flatten().take(EXAMPLES) {
        let Found::Here(at) = page.source.follow(&pointer::child(&parent, name), example) else {
            continue;
        };
        let title = head::text(at.value.get("summary"));
        let title = if title.is_empty() { name } else { &title };
        if let Some(value) = at.value.get("value").or_else(|| at.value.get("dataValue")) {
            examples.push(shown(title, value));
        }
    }
    examples
}

fn shown(title: &str, value: &Value) -> Example {
    if let Value::String(text) = value {
        return Example {
            title: title.to_owned(),
            value: Some(value.clone()),
            text: text.clone(),
            tokens: Tokens::plain(text),
            generated: false,
            shortened: false,
        };
    }
    let whole = json::pretty(value);
    let text = whole.text();
    let (value, tokens, shortened) = if text.len() > LONG {
        let cut = cut(value, LEVELS);
        let tokens = json::pretty(&cut);
        (cut, tokens, true)
    } else {
        (value.clone(), whole, false)
    };
    Example {
        title: title.to_owned(),
        text: tokens.text(),
        value: Some(value),
        tokens,
        generated: false,
        shortened,
    }
}

/// Levels of a long example that stay.
const LEVELS: usize = 3;
/// Members of an object of a long example that stay.
const MEMBERS: usize = 40;

/// A value with one item a list and a few levels: the shape stays to be seen.
fn cut(value: &Value, levels: usize) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().take(1).map(|item| cut(item, levels)).collect()),
        Value::Object(_) if levels == 0 => Value::Object(Map::new()),
        Value::Object(members) => members
            .iter()
            .take(MEMBERS)
            .map(|(name, member)| (name.clone(), cut(member, levels - 1)))
            .collect::<Map<_, _>>()
            .into(),
        Value::String(text) if text.len() > 200 => {
            Value::from(text.chars().take(160).collect::<String>() + "…")
        }
        other => other.clone(),
    }
}

/// Whether a media type carries values that can be made from a schema.
fn has_values(media_type: &str) -> bool {
    is_json(media_type)
        || media_type.starts_with("multipart/")
        || media_type.starts_with("application/x-www-form-urlencoded")
}

fn encodings(value: Option<&Value>) -> Vec<(String, String)> {
    let listed = value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(ENCODINGS);
    let read = |(name, encoding): (&String, &Value)| {
        let how = head::text(encoding.get("contentType"));
        (!how.is_empty()).then(|| (name.clone(), how))
    };
    listed.filter_map(read).collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a status means (RFC 9110, section 15; RFC 6585).
fn title_of(status: &str) -> &'static str {
    match status {
        "200" => "OK",
        "201" => "Created",
        "202" => "Accepted",
        "204" => "No content",
        "206" => "Partial content",
        "301" => "Moved permanently",
        "302" => "Found",
        "303" => "See other",
        "304" => "Not modified",
        "307" => "Temporary redirect",
        "308" => "Permanent redirect",
        "400" => "Bad request",
        "401" => "Unauthorized",
        "402" => "Payment required",
        "403" => "Forbidden",
        "404" => "Not found",
        "405" => "Method not allowed",
        "406" => "Not acceptable",
        "409" => "Conflict",
        "410" => "Gone",
        "412" => "Precondition failed",
        "413" => "Content too large",
        "415" => "Unsupported media type",
        "418" => "I’m a teapot",
        "422" => "Unprocessable content",
        "429" => "Too many requests",
        "500" => "Internal server error",
        "501" => "Not implemented",
        "502" => "Bad gateway",
        "503" => "Service unavailable",
        "504" => "Gateway timeout",
        "default" => "Any other answer",
        other => match other.bytes().next() {
            Some(b'1') => "Information",
            Some(b'2') => "Success",
            Some(b'3') => "Elsewhere",
            Some(b'4') => "The request is refused",
            Some(b'5') => "The server failed",
            _ => "",
        },
    }
}
