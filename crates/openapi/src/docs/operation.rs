//! One operation, or one webhook, with everything that its page says.

mod build;
mod messages;
mod parameters;
mod security;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::code::Tokens;
use super::head::ExternalDocs;
use super::schema::SchemaView;

pub use build::build;

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationDoc {
    /// In capitals.
    pub method: String,
    /// As the document has it; the name of the hook for a webhook.
    pub template: String,
    /// One line.
    pub summary: Option<String>,
    /// CommonMark.
    pub description: Option<String>,
    /// As the document has it.
    pub operation_id: Option<String>,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// More to read elsewhere.
    pub external_docs: Option<ExternalDocs>,
    /// The ways to be allowed, any of which is enough; empty: anybody is.
    pub security: Vec<Proof>,
    /// By place, in the order path, query, header, cookie.
    pub parameters: Vec<ParameterGroup>,
    /// What is sent.
    pub body: Option<Body>,
    /// What comes back.
    pub responses: Vec<Response>,
    /// Calls that the API makes later.
    pub callbacks: Vec<Callback>,
    /// Samples by the publisher.
    pub samples: Vec<GivenSample>,
    /// Parameters, headers, bodies and answers that do not fit on a page.
    pub left_out: usize,
}

impl OperationDoc {
    /// The parameters of one place.
    pub fn all_of(&self, place: Place) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(move |group| group.place == place)
            .flat_map(|group| &group.parameters)
    }

    /// The parameters of one place without which there is no call.
    pub fn needed(&self, place: Place) -> impl Iterator<Item = &Parameter> {
        self.all_of(place).filter(|parameter| parameter.required)
    }
}

/// One way to be allowed: all of its parts are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its parts.
    pub parts: Vec<ProofPart>,
}

/// One part of a way to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofPart {
    /// The name of the scheme.
    pub scheme: String,
    /// What it is, in words: `a key in the header X-Key`.
    pub words: String,
    /// What it must allow.
    pub scopes: Vec<String>,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path.
    Path,
    /// Behind `?`.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}

impl Place {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Path, Self::Query, Self::Header, Self::Cookie];

    /// The word of the format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// The parameters of one place.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterGroup {
    /// The place.
    pub place: Place,
    /// At least one.
    pub parameters: Vec<Parameter>,
}

/// A parameter, or a header of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Without it there is no call.
    pub required: bool,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// CommonMark.
    pub description: Option<String>,
    /// `form`, `deepObject` …; the default of the place when absent.
    pub style: Option<String>,
    /// Whether lists repeat the name; the default of the style when absent.
    pub explode: Option<bool>,
    /// How several values are written, in words.
    pub writing: Option<String>,
    /// What a form asks for.
    pub input: Input,
    /// What it is.
    pub view: SchemaView,
    /// Given examples.
    pub examples: Vec<Example>,
}

/// What a form asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The kind of field.
    pub kind: InputKind,
    /// What it begins with: the given example, the default, else nothing.
    pub value: String,
}

/// The kind of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputKind {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// Yes or no.
    Boolean,
    /// One of these.
    Choice(Vec<String>),
    /// Several values.
    List,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// CommonMark.
    pub description: Option<String>,
    /// Without it there is no call.
    pub required: bool,
    /// By media type.
    pub contents: Vec<Content>,
}

/// A body in one media type.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// As the document has it.
    pub media_type: String,
    /// What is inside.
    pub view: Option<SchemaView>,
    /// Given examples, else a generated one.
    pub examples: Vec<Example>,
    /// How parts are encoded, a line for each.
    pub encoding: Vec<(String, String)>,
}

/// An example.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The value, where it is one of JSON.
    pub value: Option<Value>,
    /// As it goes over the wire; lists are cut when it is long.
    pub text: String,
    /// For pages.
    pub tokens: Tokens,
    /// It was made from the schema.
    pub generated: bool,
    /// It is not whole.
    pub shortened: bool,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// `200`, `4XX`, `default`.
    pub status: String,
    /// `OK`, `Not found`.
    pub title: &'static str,
    /// CommonMark.
    pub description: Option<String>,
    /// Headers.
    pub headers: Vec<Parameter>,
    /// By media type.
    pub contents: Vec<Content>,
    /// What can be called next.
    pub links: Vec<Link>,
}

impl Response {
    /// Whether the call succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.starts_with('2')
    }
}

/// What can be called with a piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// CommonMark.
    pub description: Option<String>,
    /// The operation it leads to, by its id or its place.
    pub operation: String,
    /// Parameters and where their values come from.
    pub parameters: Vec<(String, String)>,
}

/// A call that the API makes later.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback {
    /// Its name.
    pub name: String,
    /// Where it goes, as an expression over the call.
    pub expression: String,
    /// In capitals.
    pub method: String,
    /// One line.
    pub summary: Option<String>,
    /// CommonMark.
    pub description: Option<String>,
    /// What it sends.
    pub body: Option<Body>,
    /// The answers that are expected, with their descriptions.
    pub responses: Vec<(String, String)>,
}

/// A sample by the publisher (`x-codeSamples`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenSample {
    /// The language as the document has it.
    pub lang: String,
    /// What it is called.
    pub label: String,
    /// The code.
    pub source: String,
}
