//! The first look at a request: what the heads of HTTP/1 and HTTP/2 have in
//! common of `security.md`, 3.10, and the one spelling of its path ([`path`]).
//! What is particular to HTTP/1 was decided on its bytes, in [`crate::http1`].

pub(crate) mod path;

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, EXPECT, HOST};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Method, Version};

pub(crate) use crate::http1::MAX_HEAD;
use crate::http1::{MAX_FIELDS, MAX_TARGET};
use crate::rejection::Rejection;

/// The rule that a message breaks, in words.
type Fault = &'static str;

/// What the gateway works with: the request's target, read once.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// Host and port as the client wrote them.
    pub(crate) authority: Option<&'a str>,
    /// The host in lower case without port.
    pub(crate) host: Option<Cow<'a, str>>,
    /// The path in its one spelling.
    pub(crate) path: Cow<'a, str>,
    /// The query without its question mark.
    pub(crate) query: Option<&'a str>,
}

/// What a request is aimed at.
#[derive(Debug)]
pub(crate) enum Aim<'a> {
    /// A resource.
    Resource(Head<'a>),
    /// The server itself: `OPTIONS *`.
    Server,
}

/// Checks a head.
///
/// # Errors
/// The rejection that names the rule.
pub(crate) fn check(parts: &Parts) -> Result<Aim<'_>, Rejection> {
    if parts.method == Method::CONNECT {
        return Err(Rejection::BadRequest("CONNECT is not offered"));
    }
    check_http2(parts).map_err(Rejection::BadRequest)?;
    check_sizes(parts)?;
    let authority = authority(parts).map_err(Rejection::BadRequest)?;
    check_expectation(parts)?;
    if parts.uri.path() == "*" {
        return if parts.method == Method::OPTIONS {
            Ok(Aim::Server)
        } else {
            Err(Rejection::BadRequest("only OPTIONS may be aimed at *"))
        };
    }
    let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !parts.uri.query().is_none_or(visible) {
        return Err(Rejection::BadRequest("the query must be visible ASCII"));
    }
    Ok(Aim::Resource(Head {
        authority,
        host: authority.map(host_of),
        path: path::normalise(parts.uri.path()).map_err(Rejection::BadRequest)?,
        query: parts.uri.query(),
    }))
}

/// What the parser of HTTP/2 lets through.
fn check_http2(parts: &Parts) -> Result<(), Fault> {
    if parts.version != Version::HTTP_2 {
        return Ok(());
    }
    if parts.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
        return Err("Content-Length must not be repeated");
    }
    // HPACK carries what a line-based message could not; the values end up in one.
    let padded = |value: &HeaderValue| {
        let space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        space(value.as_bytes().first()) || space(value.as_bytes().last())
    };
    if parts.headers.values().any(padded) {
        return Err("header values must not begin or end with a space");
    }
    Ok(())
}

/// HTTP/1 heads were bounded while they were read; this holds for all.
fn check_sizes(parts: &Parts) -> Result<(), Rejection> {
    let target = parts
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return Err(Rejection::UriTooLong);
    }
    let fields = parts.headers.len();
    let bytes: usize = parts
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    if fields > MAX_FIELDS || bytes > MAX_HEAD {
        return Err(Rejection::HeadersTooLarge);
    }
    Ok(())
}

fn check_expectation(parts: &Parts) -> Result<(), Rejection> {
    let continues = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if parts.headers.get_all(EXPECT).iter().all(continues) {
        Ok(())
    } else {
        Err(Rejection::ExpectationFailed)
    }
}

/// The one authority of a request: the `Host` of HTTP/1.1 or the `:authority`
/// of HTTP/2. An absolute target has to agree with the `Host`.
fn authority(parts: &Parts) -> Result<Option<&str>, Fault> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err("there must be one Host");
    }
    let host = host
        .map(|value| {
            value
                .to_str()
                .ok()
                .filter(|text| is_authority(text))
                .ok_or(BAD_HOST)
        })
        .transpose()?;
    let target = parts.uri.authority().map(Authority::as_str);
    if !target.is_none_or(is_authority) {
        return Err(BAD_HOST);
    }
    if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err("the target must be an http address");
    }
    match (host, target) {
        (Some(host), Some(target)) if !same_place(host, target) => Err("Host and target must agree"),
        (Some(host), _) => Ok(Some(host)),
        (None, Some(target)) if parts.version == Version::HTTP_2 => Ok(Some(target)),
        (None, None) if parts.version < Version::HTTP_11 => Ok(None),
        (None, _) => Err("Host is missing"),
    }
}

const BAD_HOST: Fault = "Host must be a name or an address with an optional port";

/// `host [ ":" port ]` without user information (RFC 9110, section 7.2).
fn is_authority(text: &str) -> bool {
    let (host, port) = split_port(text);
    let port_sound =
        port.is_none_or(|port| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()));
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_sound = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 255
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    };
    port_sound && host_sound
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    let after_address = text.rfind(']').map_or(0, |at| at + 1);
    match text.get(after_address..).and_then(|rest| rest.find(':')) {
        Some(at) => {
            let (host, port) = text.split_at(after_address + at);
            (host, port.strip_prefix(':'))
        }
        None => (text, None),
    }
}

fn same_place(a: &str, b: &str) -> bool {
    let ((host_a, port_a), (host_b, port_b)) = (split_port(a), split_port(b));
    let port = |text: Option<&str>| {
        text.filter(|port| !port.is_empty() && *port != "80")
            .map(str::to_owned)
    };
    host_a.eq_ignore_ascii_case(host_b) && port(port_a) == port(port_b)
}

/// The host of an authority, as tenants' host names are written.
fn host_of(authority: &str) -> Cow<'_, str> {
    let (host, _) = split_port(authority);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().version(version).uri(target);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn outcome(version: Version, target: &str, headers: &[(&str, &str)]) -> Result<String, u16> {
        match check(&request(version, target, headers)) {
            Ok(Aim::Resource(head)) => Ok(head.host.unwrap_or_default().into_owned()),
            Ok(Aim::Server) => Ok("*".to_owned()),
            Err(rejection) => Err(rejection.status().as_u16()),
        }
    }

    #[test]
    fn there_is_exactly_one_sound_authority() {
        let h1 = |target: &str, headers: &[(&str, &str)]| outcome(Version::HTTP_11, target, headers);
        assert_eq!(
            h1("/", &[("host", "API.example.com:8000")]),
            Ok("api.example.com".into())
        );
        assert_eq!(h1("/", &[("host", "[::1]:8000")]), Ok("[::1]".into()));
        assert_eq!(
            h1("http://a.example/x", &[("host", "a.example:80")]),
            Ok("a.example".into())
        );
        assert_eq!(h1("/", &[]), Err(400));
        assert_eq!(h1("http://a.example/x", &[]), Err(400));
        assert_eq!(h1("http://a.example/x", &[("host", "b.example")]), Err(400));
        assert_eq!(h1("ftp://a.example/x", &[("host", "a.example")]), Err(400));
        assert_eq!(h1("/", &[("host", "a"), ("host", "a")]), Err(400));
        for bad in [
            "", "u@a", "a/b", "a:b", "a b", "[::1", "[x]", "a:1:2", "é", "a?b", "a,b", ":80",
        ] {
            let mut parts = request(Version::HTTP_11, "/", &[]);
            parts
                .headers
                .insert(HOST, HeaderValue::from_bytes(bad.as_bytes()).unwrap());
            assert!(check(&parts).is_err(), "{bad}");
        }
        assert_eq!(outcome(Version::HTTP_10, "/", &[]), Ok(String::new()));
    }

    #[test]
    fn http_2_has_one_authority_too() {
        let h2 = |headers: &[(&str, &str)]| outcome(Version::HTTP_2, "http://a.example/x", headers);
        assert_eq!(h2(&[]), Ok("a.example".into()));
        assert_eq!(h2(&[("host", "a.example")]), Ok("a.example".into()));
        assert_eq!(h2(&[("host", "b.example")]), Err(400));
        assert_eq!(h2(&[("x", " padded")]), Err(400));
        assert_eq!(h2(&[("content-length", "0"), ("content-length", "0")]), Err(400));
    }

    #[test]
    fn the_sizes_are_bounded_after_decoding() {
        let long = format!("/{}", "a".repeat(MAX_TARGET));
        assert_eq!(outcome(Version::HTTP_11, &long, &[("host", "a")]), Err(414));
        let cookies: Vec<(&str, &str)> = std::iter::once(("host", "a"))
            .chain((0..MAX_FIELDS).map(|_| ("cookie", "a=b")))
            .collect();
        assert_eq!(outcome(Version::HTTP_2, "http://a/", &cookies), Err(431));
        let large = "x".repeat(MAX_HEAD);
        assert_eq!(outcome(Version::HTTP_2, "http://a/", &[("x", &large)]), Err(431));
    }

    #[test]
    fn only_options_is_aimed_at_the_server_and_only_100_continue_is_expected() {
        let mut parts = request(Version::HTTP_11, "*", &[("host", "a")]);
        assert!(check(&parts).is_err());
        parts.method = Method::OPTIONS;
        assert!(matches!(check(&parts), Ok(Aim::Server)));
        parts.method = Method::CONNECT;
        assert!(check(&parts).is_err());
        let h1 = |value: &str| outcome(Version::HTTP_11, "/", &[("host", "a"), ("expect", value)]);
        assert_eq!(h1("100-Continue"), Ok("a".into()));
        assert_eq!(h1("200-ok"), Err(417));
    }
}
