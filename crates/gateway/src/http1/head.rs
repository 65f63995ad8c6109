//! The head of a request, read from its bytes under the grammar of RFC 9112
//! without the leniencies that the RFC allows (`security.md`, 3.10). What
//! `httparse` forgives beyond it is caught by [`super::lines`] before and by
//! the checks on the target here.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::framing::{self, Framing};
use super::lines::{Fault, LINES, MAX_FIELDS};

/// Longest method; the longest one in use has 17 letters.
const MAX_METHOD: usize = 32;

/// A head that was read.
#[derive(Debug)]
pub(crate) struct Head {
    /// Everything but the body.
    pub(crate) parts: Parts,
    /// Where the body ends.
    pub(crate) framing: Framing,
}

/// A head that breaks a rule, as far as it could be read.
#[derive(Debug)]
pub(crate) struct Spoiled {
    /// Method and target where the request line is sound; for the record of the call.
    pub(crate) parts: Box<Parts>,
    /// The rule.
    pub(crate) fault: Fault,
}

/// Reads a head of which the [`Scanner`](super::lines::Scanner) found the end.
///
/// # Errors
/// Names the rule that it breaks.
pub(crate) fn read(head: &Bytes) -> Result<Head, Spoiled> {
    let spoiled = |fault| Spoiled {
        parts: Box::new(sketch(head)),
        fault,
    };
    let parts = parts(head).map_err(|rule| spoiled(Fault::Malformed(rule)))?;
    match framing::of(&parts) {
        Ok(framing) => Ok(Head { parts, framing }),
        Err(rule) => Err(Spoiled {
            parts: Box::new(parts),
            fault: Fault::Malformed(rule),
        }),
    }
}

fn parts(head: &Bytes) -> Result<Parts, &'static str> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS + 1];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(head, &mut fields);
    match parsed.map_err(rule)? {
        httparse::Status::Complete(length) if length == head.len() => {}
        _ => return Err(LINES),
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method(request.method.unwrap_or_default().as_bytes())?;
    parts.uri = target(head, request.path.unwrap_or_default())?;
    parts.version = match request.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    parts.headers.reserve(request.headers.len());
    for field in &*request.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| FIELD_NAME)?;
        let value = HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| FIELD_VALUE)?;
        parts.headers.append(name, value);
    }
    Ok(parts)
}

fn method(text: &[u8]) -> Result<Method, &'static str> {
    if text.len() > MAX_METHOD {
        return Err("the method is too long");
    }
    Method::from_bytes(text).map_err(|_| "the method is no token")
}

fn target(head: &Bytes, text: &str) -> Result<Uri, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the target must be visible ASCII");
    }
    if text.contains('#') {
        return Err("the target must not hold a fragment (#)");
    }
    Uri::from_maybe_shared(head.slice_ref(text.as_bytes())).map_err(|_| "the target is no address")
}

const FIELD_NAME: &str =
    "a field name must be a token, directly before its colon, and a line must not be folded";
const FIELD_VALUE: &str = "a field value must not hold control characters";

const fn rule(error: httparse::Error) -> &'static str {
    use httparse::Error as E;
    match error {
        E::HeaderName => FIELD_NAME,
        E::HeaderValue => FIELD_VALUE,
        E::NewLine => LINES,
        E::Version => "the version must be HTTP/1.0 or HTTP/1.1",
        E::TooManyHeaders => "there are too many fields",
        E::Token | E::Status => {
            "the request line must be method, target and version with one blank between them"
        }
    }
}

/// What can be said about a request whose head is broken, or not there whole.
pub(crate) fn sketch(head: &[u8]) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    let line = head
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()
        .unwrap_or_default();
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let (first, second) = (words.next(), words.next());
    let known = second.and(first).and_then(|word| method(word).ok());
    // A record says `-` for what is no method.
    parts.method = known
        .or_else(|| Method::from_bytes(b"-").ok())
        .unwrap_or_default();
    if let Some(uri) = second.and_then(|word| Uri::try_from(word).ok()) {
        parts.uri = uri;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Head, &'static str> {
        read(&Bytes::copy_from_slice(text.as_bytes())).map_err(|spoiled| match spoiled.fault {
            Fault::Malformed(rule) => rule,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_sound_head_is_read_as_it_was_sent() {
        let head = read_text(
            "POST /shop/v1/a?b=c HTTP/1.1\r\nHost: a.example\r\nX-Two:  1 2\t\r\nx-two: \r\n\
             Content-Length: 3\r\nX-Latin: caf\u{e9}\r\n\r\n",
        )
        .unwrap();
        assert_eq!(head.parts.method, Method::POST);
        assert_eq!(head.parts.uri, "/shop/v1/a?b=c");
        assert_eq!(head.parts.version, Version::HTTP_11);
        assert_eq!(head.framing, Framing::Length(3));
        assert_eq!(head.parts.headers["host"], "a.example");
        let two: Vec<&[u8]> = head
            .parts
            .headers
            .get_all("x-two")
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        assert_eq!(two, [&b"1 2"[..], b""]);
        assert_eq!(head.parts.headers["x-latin"].as_bytes(), "caf\u{e9}".as_bytes());
    }

    #[test]
    fn what_the_grammar_does_not_allow_is_named() {
        let host = "Host: a\r\n";
        for (line, fields) in [
            ("GET  / HTTP/1.1", host),
            ("GET / HTTP/1.1 ", host),
            (" GET / HTTP/1.1", host),
            ("GET\t/ HTTP/1.1", host),
            ("GET /a b HTTP/1.1", host),
            ("GET /", host),
            ("GET / HTTP/0.9", host),
            ("GET / HTTP/1.2", host),
            ("GET / HTTP/2.0", host),
            ("GET / http/1.1", host),
            ("GET / HTTP/1.1x", host),
            ("G(T / HTTP/1.1", host),
            ("GET /\u{e9} HTTP/1.1", host),
            ("GET /\u{7f} HTTP/1.1", host),
            ("GET /a#b HTTP/1.1", host),
            ("GET / HTTP/1.1", "Host : a\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\n folded\r\n"),
            ("GET / HTTP/1.1", " Host: a\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\nX: a\rb\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\nX: a\0b\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\nX: \u{1b}[31m\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\nno colon\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\n: empty\r\n"),
            ("GET / HTTP/1.1", "Host: a\r\nX\u{e9}: 1\r\n"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1", host),
        ] {
            let head = format!("{line}\r\n{fields}\r\n");
            assert!(read_text(&head).is_err(), "{head:?}");
        }
    }

    #[test]
    fn a_broken_head_is_sketched() {
        let known = sketch(b"DELETE /shop/v1/x?y HTTP/1.1\r\nbroken");
        assert_eq!(
            (known.method.as_str(), known.uri.path()),
            ("DELETE", "/shop/v1/x")
        );
        let unknown = sketch(b"\x16\x03\x01\x02");
        assert_eq!((unknown.method.as_str(), unknown.uri.path()), ("-", "/"));
        assert_eq!(sketch(b"").method.as_str(), "-");
    }
}
