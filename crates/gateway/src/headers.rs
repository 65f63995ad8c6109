//! Header fields are rebuilt, never copied: each is looked at, and what is
//! about one connection, what is ours to say and what could fool the other
//! side stays behind (`security.md`, T13, T14, T31; `product.md`, section 5).

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, LINK, SET_COOKIE, TE};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::authorize::is_ours;
use crate::rejection::MARKER;
use crate::runtime::KeyLocation;
use crate::trace::TRACESTATE;

/// `x-request-id`
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Cookies of the portal. Browsers send a host's cookies to every port of it.
const OWN_COOKIES: [&str; 2] = ["gw_session", "__Host-gw_session"];

/// What a request carried and must not carry on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leave {
    /// Where the key stood.
    pub(crate) key: KeyLocation,
    /// The client's trace goes on, and with it its `tracestate`.
    pub(crate) trace_continued: bool,
}

/// Writes the client's fields that go on to the upstream. Ours are added beside
/// them, and nothing that a client sends can name those away.
pub(crate) fn of_request(client: &HeaderMap, leave: Leave, write: &mut impl FnMut(&HeaderName, &[u8])) {
    let named = Named::of(client);
    let own_id = client.get(&REQUEST_ID);
    for (name, value) in client {
        if named.contains(name) || stays_behind(name, leave.trace_continued) {
            continue;
        }
        match *name {
            COOKIE => {
                if let Some(rest) = without_own_cookies(value) {
                    write(&COOKIE, rest.as_bytes());
                }
            }
            AUTHORIZATION if leave.key.in_authorization() || carries_our_key(value) => {}
            _ if *name == API_KEY && leave.key.in_api_key() => {}
            _ if *name == CORRELATION_ID && own_id.is_some() => {}
            _ => write(name, value.as_bytes()),
        }
    }
    if let Some(own) = own_id {
        write(&CORRELATION_ID, own.as_bytes());
    }
    if asks_for_trailers(client) {
        write(&TE, b"trailers");
        write(&CONNECTION, b"te");
    }
}

/// The upstream's fields that go on to the client. The length is kept only
/// where it speaks of a body that is not there (`HEAD`, 304).
pub(crate) fn of_answer(mut upstream: HeaderMap, keep_length: bool) -> HeaderMap {
    let named = Named::of(&upstream);
    let behind = |name: &&HeaderName| match **name {
        CONTENT_LENGTH => !keep_length,
        SET_COOKIE => false,
        _ => named.contains(name) || is_ours_to_answer(name.as_str()),
    };
    let behind: Vec<HeaderName> = upstream.keys().filter(behind).cloned().collect();
    for name in behind {
        upstream.remove(name);
    }
    rewrite(&mut upstream, &SET_COOKIE, |value| {
        (!sets_own_cookie(value)).then(|| value.clone())
    });
    rewrite(&mut upstream, &LINK, without_lifecycle_links);
    upstream
}

/// Puts others in the place of a field's values, or nothing.
fn rewrite(
    headers: &mut HeaderMap,
    name: &HeaderName,
    mut into: impl FnMut(&HeaderValue) -> Option<HeaderValue>,
) {
    if !headers.contains_key(name) {
        return;
    }
    let left: Vec<HeaderValue> = headers.get_all(name).iter().filter_map(&mut into).collect();
    headers.remove(name);
    for value in left {
        headers.append(name.clone(), value);
    }
}

/// Trailers of either direction that may go on.
pub(crate) fn of_trailers(trailers: &HeaderMap) -> HeaderMap {
    let ends_or_directs = |name: &HeaderName| {
        matches!(
            *name,
            HOST | CONTENT_LENGTH | AUTHORIZATION | COOKIE | LINK | SET_COOKIE
        ) || stays_behind(name, false)
            || is_ours_to_answer(name.as_str())
    };
    trailers
        .iter()
        .filter(|(name, _)| !ends_or_directs(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Fields that are about one connection (RFC 9110, section 7.6.1).
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// Fields that upstreams trust because the gateway writes them.
fn is_reserved(name: &str) -> bool {
    name.starts_with("x-consumer-")
        || name.starts_with("x-forwarded-")
        || name.starts_with("gatewright-")
        || matches!(
            name,
            "x-subscription-id"
                | "x-plan"
                | "x-request-id"
                | "x-real-ip"
                | "forwarded"
                | "traceparent"
                // Servers that obey these would serve another path than was authorised.
                | "x-original-url"
                | "x-rewrite-url"
        )
}

fn stays_behind(name: &HeaderName, keep_tracestate: bool) -> bool {
    if matches!(*name, HOST | CONTENT_LENGTH | EXPECT) || (*name == TRACESTATE && !keep_tracestate) {
        return true;
    }
    let text = name.as_str();
    if text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return is_hop_by_hop(text) || is_reserved(text);
    }
    // `x_plan` and `x.plan` are `X-Plan` to servers that make variables of field names.
    let twin: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    is_hop_by_hop(&twin) || is_reserved(&twin) || matches!(twin.as_str(), "host" | "content-length")
}

fn is_ours_to_answer(name: &str) -> bool {
    is_hop_by_hop(name)
        || name.starts_with("x-consumer-")
        || name == MARKER.as_str()
        || matches!(
            name,
            "x-subscription-id"
                | "x-plan"
                | "x-request-id"
                // What ends and what is left is known here alone.
                | "deprecation"
                | "sunset"
                | "ratelimit"
                | "ratelimit-policy"
                // They bind the browser to more than this API: the whole host, its storage, other ports.
                | "strict-transport-security"
                | "public-key-pins"
                | "clear-site-data"
                | "alt-svc"
        )
}

/// The fields that `Connection` names.
struct Named<'a>(Option<Vec<&'a [u8]>>);

impl<'a> Named<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        // Nearly all messages name nothing but these.
        let usual = |token: &&[u8]| {
            [&b"keep-alive"[..], b"close", b"upgrade", b"te"]
                .iter()
                .any(|word| token.eq_ignore_ascii_case(word))
        };
        let mut named = None;
        for value in headers.get_all(CONNECTION) {
            let tokens = value
                .as_bytes()
                .split(|byte| *byte == b',')
                .map(<[u8]>::trim_ascii);
            for token in tokens.filter(|token| !token.is_empty() && !usual(token)) {
                named.get_or_insert_with(Vec::new).push(token);
            }
        }
        Self(named)
    }

    fn contains(&self, name: &HeaderName) -> bool {
        self.0.as_ref().is_some_and(|named| {
            !must_arrive(name)
                && named
                    .iter()
                    .any(|token| token.eq_ignore_ascii_case(name.as_str().as_bytes()))
        })
    }
}

/// Fields whose loss would change who is speaking or what is said: they cannot be named away.
fn must_arrive(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "authorization"
            | "cookie"
            | "host"
            | "content-type"
            | "content-length"
            | "content-encoding"
            | "cache-control"
            | "set-cookie"
            | "www-authenticate"
            | "location"
            | "content-security-policy"
            | "vary"
    )
}

fn asks_for_trailers(client: &HeaderMap) -> bool {
    client.get_all(TE).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// Whether a bearer token is a key of ours. It stays here even when another field proved who calls.
fn carries_our_key(value: &HeaderValue) -> bool {
    let mut words = value.as_bytes().splitn(2, |byte| *byte == b' ');
    let bearer = words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case(b"bearer"));
    bearer && words.next().is_some_and(|token| is_ours(token.trim_ascii()))
}

/// Whether a `name=value` pair is the portal's. Its names may carry a tenant behind them.
fn is_own_cookie(pair: &[u8]) -> bool {
    OWN_COOKIES.iter().any(|own| {
        pair.get(..own.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(own.as_bytes()))
    })
}

/// A `Cookie` value without the portal's cookies; `None` when nothing is left.
fn without_own_cookies(value: &HeaderValue) -> Option<HeaderValue> {
    let pairs = || {
        value
            .as_bytes()
            .split(|byte| *byte == b';')
            .map(<[u8]>::trim_ascii)
    };
    if !pairs().any(is_own_cookie) {
        return Some(value.clone());
    }
    let left: Vec<&[u8]> = pairs()
        .filter(|pair| !pair.is_empty() && !is_own_cookie(pair))
        .collect();
    if left.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(&left.join(&b"; "[..])).ok()
}

/// A `Link` value without the links that speak of the version's life, which are
/// ours to set; `None` when nothing is left.
fn without_lifecycle_links(value: &HeaderValue) -> Option<HeaderValue> {
    let links = || outside_quotes(value.as_bytes(), b',').filter(|link| !link.is_empty());
    if !links().any(is_lifecycle_link) {
        return Some(value.clone());
    }
    let left: Vec<&[u8]> = links().filter(|link| !is_lifecycle_link(link)).collect();
    if left.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(&left.join(&b", "[..])).ok()
}

/// Whether one of a link's relations is `deprecation`, `sunset` or `successor-version`.
fn is_lifecycle_link(link: &[u8]) -> bool {
    outside_quotes(link, b';').skip(1).any(|parameter| {
        let mut sides = parameter.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
        let is_rel = sides.next().is_some_and(|name| name.eq_ignore_ascii_case(b"rel"));
        let relations = sides.next().unwrap_or_default();
        is_rel
            && relations
                .split(|byte| matches!(byte, b'"' | b' ' | b'\t'))
                .any(|relation| {
                    [&b"deprecation"[..], b"sunset", b"successor-version"]
                        .iter()
                        .any(|own| relation.eq_ignore_ascii_case(own))
                })
    })
}

/// The parts of a field's value between separators, those in quotes and in
/// angle brackets aside (RFC 8288, section 3).
fn outside_quotes(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut closing = None;
    let mut escaped = false;
    value
        .split(move |byte| {
            if std::mem::take(&mut escaped) {
                return false;
            }
            match (closing, *byte) {
                (Some(b'"'), b'\\') => escaped = true,
                (Some(end), byte) if end == byte => closing = None,
                (None, b'"') => closing = Some(b'"'),
                (None, b'<') => closing = Some(b'>'),
                (None, byte) => return byte == separator,
                (Some(_), _) => {}
            }
            false
        })
        .map(<[u8]>::trim_ascii)
}

fn sets_own_cookie(value: &HeaderValue) -> bool {
    is_own_cookie(value.as_bytes().trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn passed_on(client: &HeaderMap, leave: Leave) -> HeaderMap {
        let mut out = HeaderMap::new();
        of_request(client, leave, &mut |name, value| {
            out.append(name.clone(), HeaderValue::from_bytes(value).unwrap());
        });
        out
    }

    fn rebuilt(fields: &[(&str, &str)]) -> HeaderMap {
        passed_on(&map(fields), Leave::default())
    }

    #[test]
    fn what_is_about_the_connection_ends_here() {
        let out = rebuilt(&[
            ("connection", "keep-alive, X-Secret-Hop, Authorization"),
            ("x-secret-hop", "1"),
            ("authorization", "Basic abc"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers, gzip"),
            ("accept", "*/*"),
        ]);
        let expected = map(&[
            ("authorization", "Basic abc"),
            ("accept", "*/*"),
            ("te", "trailers"),
            ("connection", "te"),
        ]);
        assert_eq!(out, expected);
    }

    #[test]
    fn the_clients_request_id_becomes_a_correlation_id() {
        let out = rebuilt(&[("x-request-id", "mine"), ("x-correlation-id", "other")]);
        assert_eq!(out, map(&[("x-correlation-id", "mine")]));
    }

    #[test]
    fn session_cookies_and_keys_stay_here() {
        let out = rebuilt(&[("cookie", "a=1; gw_session=s3cret;b=2; __Host-gw_session=x")]);
        assert_eq!(out["cookie"], "a=1; b=2");
        assert!(rebuilt(&[("cookie", "gw_session=s3cret")]).is_empty());
        assert_eq!(rebuilt(&[("cookie", "a=1;b=2")])["cookie"], "a=1;b=2");
        assert!(rebuilt(&[("authorization", "bearer gw_live_abc")]).is_empty());
        assert_eq!(rebuilt(&[("authorization", "Bearer eyJ")]).len(), 1);
        let leave = Leave {
            key: KeyLocation::ApiKey,
            trace_continued: true,
        };
        let client = map(&[
            ("x-api-key", "k"),
            ("authorization", "Basic x"),
            ("tracestate", "v=1"),
        ]);
        let out = passed_on(&client, leave);
        assert_eq!(out, map(&[("authorization", "Basic x"), ("tracestate", "v=1")]));
    }

    #[test]
    fn an_answer_cannot_speak_for_the_gateway_or_the_portal() {
        let upstream = map(&[
            ("content-type", "text/plain"),
            ("content-length", "3"),
            ("set-cookie", "gw_session=x; Path=/"),
            ("set-cookie", "theme=dark"),
            ("x-request-id", "theirs"),
            ("gatewright-refusal", "quota_exceeded"),
            ("clear-site-data", "\"*\""),
            ("strict-transport-security", "max-age=1"),
            ("connection", "x-internal, close"),
            ("x-internal", "1"),
        ]);
        let expected = map(&[("content-type", "text/plain"), ("set-cookie", "theme=dark")]);
        assert_eq!(of_answer(upstream.clone(), false), expected);
        assert_eq!(of_answer(upstream.clone(), true)["content-length"], "3");
    }

    #[test]
    fn an_answer_cannot_announce_ends_and_limits() {
        let upstream = map(&[
            ("deprecation", "@1"),
            ("sunset", "Sat, 21 Nov 2026 08:00:00 GMT"),
            ("ratelimit", "\"theirs\";r=1;t=1"),
            ("ratelimit-policy", "\"theirs\";q=1;w=1"),
            (
                "link",
                "</p?a=1,2>; rel=next; title=\"a, \\\"rel=sunset\", </v2>; rel=\"successor-version\"",
            ),
            ("link", "</end>; Rel = \"help SUNSET\""),
            ("link", "</p?page=1>; rel=\"prev\""),
        ]);
        let expected = map(&[
            ("link", "</p?a=1,2>; rel=next; title=\"a, \\\"rel=sunset\""),
            ("link", "</p?page=1>; rel=\"prev\""),
        ]);
        assert_eq!(of_answer(upstream.clone(), false), expected);
    }

    #[test]
    fn trailers_neither_frame_nor_identify() {
        let given = map(&[
            ("content-length", "3"),
            ("x-consumer-id", "a"),
            ("grpc-status", "0"),
            ("host", "a"),
        ]);
        assert_eq!(of_trailers(&given), map(&[("grpc-status", "0")]));
    }

    fn spelling(name: &str) -> impl Strategy<Value = String> {
        let name = name.to_owned();
        proptest::collection::vec(0_u8..4, name.len()).prop_map(move |choices| {
            name.chars()
                .zip(choices)
                .map(|(c, choice)| match (c, choice) {
                    ('-', 1) => '_',
                    ('-', 2) => '.',
                    (_, 3) => c.to_ascii_uppercase(),
                    _ => c,
                })
                .collect()
        })
    }

    fn hostile_field() -> impl Strategy<Value = (String, String)> {
        let name = prop_oneof![
            spelling("x-consumer-id"),
            spelling("x-consumer-anything"),
            spelling("x-subscription-id"),
            spelling("x-plan"),
            spelling("x-request-id"),
            spelling("x-forwarded-for"),
            spelling("forwarded"),
            spelling("traceparent"),
            spelling("transfer-encoding"),
            spelling("content-length"),
            Just("connection".to_owned()),
            Just("accept".to_owned()),
        ];
        let value = prop_oneof![
            Just("evil".to_owned()),
            Just("X-Consumer-Id, X-Request-Id, Authorization".to_owned()),
            Just("close, accept".to_owned()),
        ];
        (name, value)
    }

    proptest! {
        #[test]
        fn no_reserved_field_passes_in_any_spelling(fields in proptest::collection::vec(hostile_field(), 0..12)) {
            let mut client = HeaderMap::new();
            for (name, value) in &fields {
                client.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            for name in passed_on(&client, Leave::default()).keys() {
                prop_assert!(matches!(name.as_str(), "accept" | "x-correlation-id"), "{name}");
            }
        }

        #[test]
        fn what_is_left_of_cookies_holds_no_session(value in "[a-z_=; -]{0,40}(gw_session=abc)?[a-z=; ]{0,20}") {
            let client = map(&[("cookie", &value)]);
            if let Some(left) = passed_on(&client, Leave::default()).get(COOKIE) {
                for pair in left.to_str().unwrap().split(';') {
                    prop_assert!(!pair.trim().starts_with("gw_session"));
                }
            }
        }
    }
}
