//! What somebody sent last with an operation. It is kept by their browser:
//! sealed for this session and this operation, sent to the pages of this
//! operation alone, gone when the browser closes. Secrets are never kept, nor
//! is what does not fit.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use gatewright_openapi::docs::operation::Place;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::request::field_of;
use super::shape::{Parameter, Shape, sounds_secret};
use crate::cookies;
use crate::form::FormState;
use crate::visit::Visit;

const COOKIE: &str = "gw_try";
/// Browsers keep about 4,096 bytes of a cookie, with its name and attributes (RFC 6265, section 6.1).
const LONGEST: usize = 3_400;
/// As much as a kept form may unfold to.
const LARGEST: u64 = 64 * 1024;

/// What was sent last, by the names of what it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept(Vec<(String, String)>);

impl Kept {
    /// Reads what the browser kept for the operation on this page.
    pub(crate) fn read(visit: &Visit, headers: &HeaderMap, home: &str) -> Self {
        let open = |sealed: String| visit.app().control.console().open(&place(visit, home), &sealed);
        let packed = cookies::read(headers, COOKIE).and_then(open);
        packed.and_then(|packed| unpacked(&packed)).unwrap_or_default()
    }

    /// What of a form is kept.
    pub(super) fn of(shape: &Shape, form: &FormState) -> Self {
        let typed = shape
            .parameters
            .iter()
            .enumerate()
            .filter(|(_, parameter)| is_kept(parameter));
        let mut values: Vec<(String, String)> = typed
            .map(|(index, parameter)| (name_of(parameter), form.value(&field_of(index)).to_owned()))
            .collect();
        let body = form.value("body");
        if !holds_secrets(body) {
            values.push(("body".to_owned(), body.to_owned()));
            values.push(("media_type".to_owned(), form.value("media_type").to_owned()));
        }
        values.push(("credential".to_owned(), form.value("credential").to_owned()));
        values.retain(|(_, value)| !value.is_empty());
        Self(values)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn parameter(&self, parameter: &Parameter) -> Option<&str> {
        self.value(&name_of(parameter)).filter(|_| is_kept(parameter))
    }

    /// What was in a field that is no parameter's.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let known = self.0.iter().find(|(known, _)| known == name);
        known.map(|(_, value)| value.as_str())
    }

    /// The cookie that keeps it. What is too large goes without its body.
    pub(super) fn cookie(mut self, visit: &Visit, home: &str) -> Option<HeaderValue> {
        let console = visit.app().control.console();
        let place = place(visit, home);
        let mut sealed = console.seal(&place, &self.packed()?);
        if sealed.len() > LONGEST {
            self.0.retain(|(name, _)| name != "body");
            sealed = console.seal(&place, &self.packed()?);
        }
        let path = [visit.base(), home].concat();
        (sealed.len() <= LONGEST).then(|| cookies::set_below(visit.app().secure(), &path, COOKIE, &sealed))
    }

    fn packed(&self) -> Option<Vec<u8>> {
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish();
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).ok()?;
        encoder.finish().ok()
    }
}

fn unpacked(packed: &[u8]) -> Option<Kept> {
    let mut text = Vec::new();
    let mut decoder = DeflateDecoder::new(packed).take(LARGEST);
    decoder.read_to_end(&mut text).ok()?;
    let pairs = url::form_urlencoded::parse(&text).into_owned();
    Some(Kept(pairs.collect()))
}

/// Whose it is and what for. Whoever signs in next with the same browser reads nothing of it.
fn place(visit: &Visit, home: &str) -> String {
    let who = visit.session().map(|session| session.id.to_string());
    let who = who.unwrap_or_else(|| "visitor".to_owned());
    [visit.tenant().id.to_string().as_str(), "/", &who, home].concat()
}

/// Headers and cookies carry proofs more often than anything else.
fn is_kept(parameter: &Parameter) -> bool {
    matches!(parameter.place, Place::Path | Place::Query) && !parameter.secret
}

/// Lists of parameters change with the document, their names hardly.
fn name_of(parameter: &Parameter) -> String {
    [parameter.place.as_str(), ":", &parameter.name].concat()
}

fn holds_secrets(body: &str) -> bool {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => names_secrets(&value),
        // Names and values of forms and of XML stand between these.
        Err(_) => body
            .split(|c: char| c.is_whitespace() || "<>/=&\"'{}[],:;".contains(c))
            .any(sounds_secret),
    }
}

/// The depth of what `serde_json` reads is bounded.
fn names_secrets(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| sounds_secret(name) || names_secrets(value)),
        Value::Array(items) => items.iter().any(names_secrets),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_never_grows_without_bound() {
        let kept = Kept(vec![
            ("path:id".to_owned(), "a&b=ü".to_owned()),
            ("body".to_owned(), "{\"a\": 1}".to_owned()),
        ]);
        let packed = kept.packed().unwrap();
        assert_eq!(unpacked(&packed).unwrap(), kept);
        let huge = Kept(vec![("body".to_owned(), "x".repeat(10_000_000))]);
        let unfolded = unpacked(&huge.packed().unwrap()).unwrap();
        assert!(unfolded.value("body").unwrap().len() <= 64 * 1024);
        assert_eq!(unpacked(b"no deflate"), None);
    }

    #[test]
    fn bodies_with_secrets_are_told_by_their_names() {
        for body in [
            r#"{"user": {"Password": "x"}}"#,
            r#"[{"api-key": 1}]"#,
            "grant_type=x&client_secret=y",
            "<login><passwd>x</passwd></login>",
        ] {
            assert!(holds_secrets(body), "{body}");
        }
        for body in [
            r#"{"name": "token"}"#,
            "",
            "a=b&keyword=c",
            "<pin-code>1</pin-code>",
        ] {
            assert!(!holds_secrets(body), "{body}");
        }
    }
}
