//! The same call in eight languages. The key is only ever a name of the
//! environment: `$API_KEY`.

mod compiled;
mod quote;
mod scripts;
#[cfg(test)]
mod tests;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::code::Tokens;
use super::operation::{InputKind, OperationDoc, Parameter, Place};

/// A language that samples are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// curl in a POSIX shell.
    Curl,
    /// `fetch`.
    JavaScript,
    /// The `requests` package.
    Python,
    /// `net/http`.
    Go,
    /// The `reqwest` crate.
    Rust,
    /// `java.net.http`.
    Java,
    /// `HttpClient`.
    CSharp,
    /// The curl extension.
    Php,
}

impl Language {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 8] = [
        Self::Curl,
        Self::JavaScript,
        Self::Python,
        Self::Go,
        Self::Rust,
        Self::Java,
        Self::CSharp,
        Self::Php,
    ];

    /// Its name in forms and cookies.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Java => "java",
            Self::CSharp => "csharp",
            Self::Php => "php",
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::Go => "Go",
            Self::Rust => "Rust",
            Self::Java => "Java",
            Self::CSharp => "C#",
            Self::Php => "PHP",
        }
    }

    /// The language that a publisher means by `lang` of `x-codeSamples`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "curl" | "shell" | "bash" | "sh" | "cli" => Self::Curl,
            "javascript" | "js" | "node" | "nodejs" | "node.js" | "typescript" => Self::JavaScript,
            "python" | "python3" | "py" => Self::Python,
            "go" | "golang" => Self::Go,
            "rust" => Self::Rust,
            "java" => Self::Java,
            "c#" | "csharp" | "cs" | ".net" => Self::CSharp,
            "php" => Self::Php,
            _ => return None,
        })
    }
}

/// A call to be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// In capitals.
    pub method: String,
    /// Absolute, encoded.
    pub url: String,
    /// Headers but those of the key and the body. No control characters.
    pub headers: Vec<(String, String)>,
    /// The header that carries the key.
    pub key_header: &'static str,
    /// What is sent.
    pub body: Option<CallBody>,
}

/// What a call sends.
#[derive(Debug, Clone, PartialEq)]
pub enum CallBody {
    /// JSON of this media type.
    Json(String, Value),
    /// Text of this media type.
    Text(String, String),
}

impl CallBody {
    /// Its media type.
    #[must_use]
    pub fn media_type(&self) -> &str {
        match self {
            Self::Json(media_type, _) | Self::Text(media_type, _) => media_type,
        }
    }

    /// What goes over the wire.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Json(_, value) => super::json::pretty(value).text(),
            Self::Text(_, text) => text.clone(),
        }
    }
}

/// Where the gateway looks for a key.
pub const KEY_HEADER: &str = "X-API-Key";

impl Call {
    /// The call of an operation below an address of the gateway, with what it
    /// needs at least.
    #[must_use]
    pub fn of(doc: &OperationDoc, base_url: &str) -> Self {
        let mut url = [base_url.trim_end_matches('/'), &filled(doc)].concat();
        let mut first = true;
        for parameter in doc.needed(Place::Query) {
            url.push(if first { '?' } else { '&' });
            first = false;
            url.push_str(&encoded(&parameter.name));
            url.push('=');
            url.push_str(&encoded(&value_of(parameter)));
        }
        let mut headers: Vec<(String, String)> = doc
            .needed(Place::Header)
            .map(|parameter| (clean(&parameter.name), clean(&value_of(parameter))))
            .collect();
        let cookies: Vec<String> = doc
            .needed(Place::Cookie)
            .map(|parameter| format!("{}={}", encoded(&parameter.name), encoded(&value_of(parameter))))
            .collect();
        if !cookies.is_empty() {
            headers.push(("Cookie".to_owned(), cookies.join("; ")));
        }
        Self {
            method: doc.method.clone(),
            url,
            headers,
            key_header: KEY_HEADER,
            body: body_of(doc),
        }
    }

    /// The call in a language.
    #[must_use]
    pub fn sample(&self, language: Language) -> Tokens {
        match language {
            Language::Curl => scripts::curl(self),
            Language::JavaScript => scripts::javascript(self),
            Language::Python => scripts::python(self),
            Language::Php => scripts::php(self),
            Language::Go => compiled::go(self),
            Language::Rust => compiled::rust(self),
            Language::Java => compiled::java(self),
            Language::CSharp => compiled::csharp(self),
        }
    }

    /// All headers but that of the key, that of the body at the end.
    fn plain_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let content = self.body.as_ref().map(|body| ("Content-Type", body.media_type()));
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(content)
    }
}

/// Everything but unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The path with a value in the place of each parameter.
fn filled(doc: &OperationDoc) -> String {
    let mut path = String::new();
    let mut rest = doc.template.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        path.push_str(before);
        let name = name.trim_matches(['+', '*']);
        let parameter = doc.all_of(Place::Path).find(|parameter| parameter.name == name);
        let value = parameter.map_or_else(|| placeholder(name), value_of);
        path.push_str(&encoded(&value));
        rest = after;
    }
    path.push_str(rest);
    // A path of the document may hold anything; an address may not.
    utf8_percent_encode(&path, IN_PATH).to_string()
}

const IN_PATH: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

/// A value that shows what belongs here: `OWNER`.
fn placeholder(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    if plain.is_empty() {
        "VALUE".to_owned()
    } else {
        plain
    }
}

fn value_of(parameter: &Parameter) -> String {
    let input = &parameter.input;
    if !input.value.is_empty() {
        return input.value.clone();
    }
    match &input.kind {
        InputKind::Integer | InputKind::Number => "1".to_owned(),
        InputKind::Boolean => "true".to_owned(),
        InputKind::Choice(choices) => choices.first().cloned().unwrap_or_default(),
        InputKind::Text | InputKind::List => placeholder(&parameter.name),
    }
}

fn body_of(doc: &OperationDoc) -> Option<CallBody> {
    let body = doc.body.as_ref()?;
    let json = body.contents.iter().find(|content| is_json(&content.media_type));
    let content = json.or_else(|| body.contents.first())?;
    let media_type = clean(&content.media_type);
    let example = content.examples.first();
    let value = example.and_then(|example| example.value.as_ref());
    Some(match value {
        Some(value) if is_json(&media_type) => CallBody::Json(media_type, value.clone()),
        Some(Value::Object(fields)) if media_type == "application/x-www-form-urlencoded" => {
            let pairs = fields.iter().map(|(name, value)| (name, field(value)));
            let text = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            CallBody::Text(media_type, text)
        }
        Some(Value::Object(fields)) if media_type.starts_with("multipart/") => {
            let text: String = fields
                .iter()
                .map(|(name, value)| multipart(name, &field(value)))
                .collect();
            let media_type = format!("{media_type}; boundary={BOUNDARY}");
            CallBody::Text(media_type, format!("{text}--{BOUNDARY}--\r\n"))
        }
        _ => CallBody::Text(
            media_type,
            example.map(|example| example.text.clone()).unwrap_or_default(),
        ),
    })
}

const BOUNDARY: &str = "boundary";

fn multipart(name: &str, value: &str) -> String {
    // RFC 7578, section 2: quotes and line ends in names are percent-encoded.
    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn field(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a media type is JSON (RFC 6839, section 3.1).
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json") || essence == "*/*"
}
