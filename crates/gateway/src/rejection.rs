//! Every answer that the gateway gives by itself, and how it looks on the wire:
//! a problem document (RFC 9457) with a stable code.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_model::id::CallId;
use http::header::{ALLOW, CONTENT_TYPE, LINK, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, StatusCode as S};

use crate::lifecycle::Successor;

/// Names the code of a refusal, so that callers tell our answers from the upstream's.
pub const MARKER: HeaderName = HeaderName::from_static("gatewright-refusal");

/// Why a request was not passed on, or why nothing of use came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The message breaks a rule of HTTP; the sentence names it.
    BadRequest(&'static str),
    /// The client was too slow with its message.
    RequestTimeout,
    /// The body is larger than so many bytes.
    PayloadTooLarge(u64),
    /// The request target is too long.
    UriTooLong,
    /// Too many header fields, or too large ones.
    HeadersTooLarge,
    /// An `Expect` other than `100-continue`.
    ExpectationFailed,
    /// No API stands at this address.
    NoRoute,
    /// The version describes no such path.
    NoOperation,
    /// The path is described, the method is not.
    MethodNotAllowed(HeaderValue),
    /// The version has ended.
    VersionRetired(Option<Arc<Successor>>),
    /// The version is blocked, for this reason.
    VersionBlocked(Option<Arc<str>>),
    /// Nothing of the version can be used but its address.
    VersionUnavailable,
    /// No key was presented.
    KeyMissing,
    /// The key is unknown, malformed, revoked, expired or disabled: one answer for all.
    KeyInvalid,
    /// The application has no subscription that reaches the version.
    SubscriptionMissing,
    /// It was asked for and nobody decided yet.
    SubscriptionPending,
    /// The provider suspended it.
    SubscriptionSuspended,
    /// The application is suspended, and with it all of its subscriptions.
    ApplicationSuspended,
    /// The consumer paused it.
    SubscriptionPaused,
    /// It ran out.
    SubscriptionExpired,
    /// A rate is used up for the moment.
    RateLimited(Exceeded),
    /// A quota is used up.
    QuotaExceeded(Exceeded),
    /// Nobody can say what is left of a limit that may not be passed unmetered.
    LimitUnavailable,
    /// The gateway has no configuration yet.
    NotReady,
    /// The gateway has more to do than it can.
    Overloaded,
    /// No target could be connected to.
    UpstreamUnreachable,
    /// What the target sent is no HTTP answer.
    UpstreamInvalid,
    /// The target did not answer in time.
    UpstreamTimeout,
}

/// The limit that refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceeded {
    /// Its name.
    pub limit: Arc<str>,
    /// When a call can pass again.
    pub retry_after: Duration,
    /// When something of the limit is there again: the next permit of a rate, all of a quota.
    pub reset_after: Duration,
}

/// The fixed words of a rejection.
struct Words {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    /// What to do about it.
    help: &'static str,
}

impl Rejection {
    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.words().status
    }

    /// The stable code, which also stands in call records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.words().code
    }

    /// Whether the connection cannot be used any further, because where the
    /// next message begins is not known.
    #[must_use]
    pub const fn closes_connection(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_)
                | Self::RequestTimeout
                | Self::PayloadTooLarge(_)
                | Self::UriTooLong
                | Self::HeadersTooLarge
        )
    }

    const fn words(&self) -> &'static Words {
        match self {
            Self::BadRequest(_) => &BAD_REQUEST,
            Self::RequestTimeout => &REQUEST_TIMEOUT,
            Self::PayloadTooLarge(_) => &PAYLOAD_TOO_LARGE,
            Self::UriTooLong => &URI_TOO_LONG,
            Self::HeadersTooLarge => &HEADERS_TOO_LARGE,
            Self::ExpectationFailed => &EXPECTATION_FAILED,
            Self::NoRoute => &NO_ROUTE,
            Self::NoOperation => &NO_OPERATION,
            Self::MethodNotAllowed(_) => &METHOD_NOT_ALLOWED,
            Self::VersionRetired(_) => &VERSION_RETIRED,
            Self::VersionBlocked(_) => &VERSION_BLOCKED,
            Self::VersionUnavailable => &VERSION_UNAVAILABLE,
            Self::KeyMissing => &KEY_MISSING,
            Self::KeyInvalid => &KEY_INVALID,
            Self::SubscriptionMissing => &SUBSCRIPTION_MISSING,
            Self::SubscriptionPending => &SUBSCRIPTION_PENDING,
            Self::SubscriptionSuspended => &SUBSCRIPTION_SUSPENDED,
            Self::ApplicationSuspended => &APPLICATION_SUSPENDED,
            Self::SubscriptionPaused => &SUBSCRIPTION_PAUSED,
            Self::SubscriptionExpired => &SUBSCRIPTION_EXPIRED,
            Self::RateLimited(_) => &RATE_LIMITED,
            Self::QuotaExceeded(_) => &QUOTA_EXCEEDED,
            Self::LimitUnavailable => &LIMIT_UNAVAILABLE,
            Self::NotReady => &NOT_READY,
            Self::Overloaded => &OVERLOADED,
            Self::UpstreamUnreachable => &UPSTREAM_UNREACHABLE,
            Self::UpstreamInvalid => &UPSTREAM_INVALID,
            Self::UpstreamTimeout => &UPSTREAM_TIMEOUT,
        }
    }

    /// What to do about it, with what is known of this very case.
    fn detail(&self) -> Cow<'static, str> {
        let particular = match self {
            Self::BadRequest(rule) => Some((*rule).to_owned()),
            Self::PayloadTooLarge(limit) => Some(format!("the body may have at most {limit} bytes")),
            Self::VersionBlocked(reason) => reason.as_deref().map(str::to_owned),
            Self::VersionRetired(Some(successor)) => Some(format!("use version {}", successor.label)),
            Self::RateLimited(exceeded) | Self::QuotaExceeded(exceeded) => Some(format!(
                "the limit `{}` admits the next call in {} s",
                exceeded.limit,
                seconds(exceeded.retry_after)
            )),
            _ => None,
        };
        particular.map_or(Cow::Borrowed(self.words().help), Cow::Owned)
    }

    /// The body: a problem document. `call` is the id of the request.
    #[must_use]
    pub fn body(&self, call: CallId) -> Bytes {
        let words = self.words();
        let problem = Problem {
            r#type: format!("urn:gatewright:problem:{}", words.code),
            code: words.code,
            title: words.title,
            status: words.status.as_u16(),
            detail: self.detail(),
            instance: call,
            limit: self.exceeded().map(|exceeded| &*exceeded.limit),
            reset: self.exceeded().map(|exceeded| seconds(exceeded.reset_after)),
            successor: match self {
                Self::VersionRetired(Some(successor)) => Some(&successor.url),
                _ => None,
            },
        };
        // A struct of strings and numbers always has a JSON form.
        serde_json::to_vec(&problem).map_or_else(|_| Bytes::new(), Bytes::from)
    }

    /// Sets the header fields that belong to the answer beside its length.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(MARKER, HeaderValue::from_static(self.code()));
        match self {
            Self::MethodNotAllowed(allow) => {
                headers.insert(ALLOW, allow.clone());
            }
            Self::KeyMissing => {
                headers.insert(
                    WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"gatewright\""),
                );
            }
            Self::KeyInvalid => {
                let challenge = "Bearer realm=\"gatewright\", error=\"invalid_token\"";
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Self::VersionRetired(Some(successor)) => {
                headers.entry(LINK).or_insert_with(|| successor.link.clone());
            }
            _ => {}
        }
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(after)));
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(exceeded) | Self::QuotaExceeded(exceeded) => Some(exceeded.retry_after),
            Self::LimitUnavailable | Self::NotReady | Self::Overloaded => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    const fn exceeded(&self) -> Option<&Exceeded> {
        match self {
            Self::RateLimited(exceeded) | Self::QuotaExceeded(exceeded) => Some(exceeded),
            _ => None,
        }
    }
}

/// Whole seconds, rounded up, at least one: a client that waits so long is not refused again.
pub(crate) fn seconds(duration: Duration) -> u64 {
    let part = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(part).max(1)
}

const fn words(status: StatusCode, code: &'static str, title: &'static str, help: &'static str) -> Words {
    Words {
        status,
        code,
        title,
        help,
    }
}

const BAD_REQUEST: Words = words(
    S::BAD_REQUEST,
    "bad_request",
    "The request breaks a rule of HTTP",
    "send the request as RFC 9112 and RFC 9113 say",
);
const REQUEST_TIMEOUT: Words = words(
    S::REQUEST_TIMEOUT,
    "request_timeout",
    "The request took too long",
    "send head and body without long pauses",
);
const PAYLOAD_TOO_LARGE: Words = words(
    S::PAYLOAD_TOO_LARGE,
    "payload_too_large",
    "The body is too large",
    "send a smaller body",
);
const URI_TOO_LONG: Words = words(
    S::URI_TOO_LONG,
    "uri_too_long",
    "The address is too long",
    "send a shorter path and query",
);
const HEADERS_TOO_LARGE: Words = words(
    S::REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers_too_large",
    "The header fields are too large",
    "send fewer or shorter header fields",
);
const EXPECTATION_FAILED: Words = words(
    S::EXPECTATION_FAILED,
    "expectation_failed",
    "The expectation cannot be met",
    "send no Expect field but 100-continue",
);
const NO_ROUTE: Words = words(
    S::NOT_FOUND,
    "no_route",
    "No API stands at this address",
    "check the host, the path of the API and the label of its version",
);
const NO_OPERATION: Words = words(
    S::NOT_FOUND,
    "no_operation",
    "The API has no such path",
    "check the path against the document of the version",
);
const METHOD_NOT_ALLOWED: Words = words(
    S::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "The path has no such method",
    "use one of the methods that the Allow field names",
);
const VERSION_RETIRED: Words = words(
    S::GONE,
    "version_retired",
    "This version of the API has ended",
    "it was retired and names no successor; ask its owner",
);
const VERSION_BLOCKED: Words = words(
    S::SERVICE_UNAVAILABLE,
    "version_blocked",
    "This version of the API is blocked",
    "its owner has blocked it for now; try again later",
);
const VERSION_UNAVAILABLE: Words = words(
    S::SERVICE_UNAVAILABLE,
    "version_unavailable",
    "This version of the API cannot be served now",
    "the gateway cannot use its configuration; whoever runs the gateway sees why in the list of nodes",
);
const KEY_MISSING: Words = words(
    S::UNAUTHORIZED,
    "key_missing",
    "An API key is needed",
    "send the key in X-API-Key, or as a Bearer token in Authorization",
);
const KEY_INVALID: Words = words(
    S::UNAUTHORIZED,
    "key_invalid",
    "The API key is not valid",
    "check the key, or ask the owner of the application for one that works",
);
const SUBSCRIPTION_MISSING: Words = words(
    S::FORBIDDEN,
    "subscription_missing",
    "The application has no subscription to this version",
    "subscribe the application to a plan that covers this version",
);
const SUBSCRIPTION_PENDING: Words = words(
    S::FORBIDDEN,
    "subscription_pending",
    "The subscription waits for approval",
    "wait until the request for it has been approved",
);
const SUBSCRIPTION_SUSPENDED: Words = words(
    S::FORBIDDEN,
    "subscription_suspended",
    "The subscription is suspended",
    "ask the provider of the API why, and to resume it",
);
/// The contract has one code for both: what differs is who can end it.
const APPLICATION_SUSPENDED: Words = words(
    S::FORBIDDEN,
    "subscription_suspended",
    "The application is suspended",
    "the application is suspended, and its subscriptions with it; its owner can activate it again",
);
const SUBSCRIPTION_PAUSED: Words = words(
    S::FORBIDDEN,
    "subscription_paused",
    "The subscription is paused by its owner",
    "the owner of the application can switch it on again",
);
const SUBSCRIPTION_EXPIRED: Words = words(
    S::FORBIDDEN,
    "subscription_expired",
    "The subscription has expired",
    "renew it, or subscribe again",
);
const RATE_LIMITED: Words = words(
    S::TOO_MANY_REQUESTS,
    "rate_limited",
    "Too many requests",
    "wait as Retry-After says",
);
const QUOTA_EXCEEDED: Words = words(
    S::TOO_MANY_REQUESTS,
    "quota_exceeded",
    "The quota is used up",
    "wait as Retry-After says",
);
const LIMIT_UNAVAILABLE: Words = words(
    S::SERVICE_UNAVAILABLE,
    "limit_unavailable",
    "A limit cannot be checked at the moment",
    "try again in a moment",
);
const NOT_READY: Words = words(
    S::SERVICE_UNAVAILABLE,
    "not_ready",
    "The gateway has no configuration yet",
    "try again in a moment",
);
const OVERLOADED: Words = words(
    S::SERVICE_UNAVAILABLE,
    "overloaded",
    "The gateway is overloaded",
    "try again in a moment",
);
const UPSTREAM_UNREACHABLE: Words = words(
    S::BAD_GATEWAY,
    "upstream_unreachable",
    "The upstream cannot be reached",
    "try again; the owner of the API sees which target failed in its call record",
);
const UPSTREAM_INVALID: Words = words(
    S::BAD_GATEWAY,
    "upstream_invalid",
    "The upstream gave no valid answer",
    "try again; the owner of the API sees which target failed in its call record",
);
const UPSTREAM_TIMEOUT: Words = words(
    S::GATEWAY_TIMEOUT,
    "upstream_timeout",
    "The upstream did not answer in time",
    "try again; the owner of the API sees which target failed in its call record",
);

#[derive(serde::Serialize)]
struct Problem<'a> {
    r#type: String,
    code: &'static str,
    title: &'static str,
    status: u16,
    detail: Cow<'static, str>,
    instance: CallId,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    successor: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use gatewright_model::id::EntityId;
    use uuid::Uuid;

    use super::*;

    fn problem(rejection: &Rejection) -> serde_json::Value {
        serde_json::from_slice(&rejection.body(CallId::from_uuid(Uuid::from_u128(1)))).unwrap()
    }

    #[test]
    fn a_used_up_limit_says_which_and_until_when() {
        let rejection = Rejection::QuotaExceeded(Exceeded {
            limit: Arc::from("daily"),
            retry_after: Duration::from_millis(1_200),
            reset_after: Duration::from_millis(1_200),
        });
        let body = problem(&rejection);
        assert_eq!(rejection.status(), 429);
        assert_eq!(body["type"], "urn:gatewright:problem:quota_exceeded");
        assert_eq!(body["limit"], "daily");
        assert_eq!(body["reset"], 2);
        assert_eq!(body["instance"], "call_00000000000000000000000001");
        let mut headers = HeaderMap::new();
        rejection.write_headers(&mut headers);
        assert_eq!(headers["retry-after"], "2");
        assert_eq!(headers["content-type"], "application/problem+json");
        assert_eq!(headers["gatewright-refusal"], "quota_exceeded");
    }

    #[test]
    fn a_wrong_key_is_challenged_and_a_wrong_method_is_told_the_right_ones() {
        let mut headers = HeaderMap::new();
        Rejection::KeyInvalid.write_headers(&mut headers);
        assert!(
            headers["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer")
        );
        let rejection = Rejection::MethodNotAllowed(HeaderValue::from_static("GET, HEAD"));
        let mut headers = HeaderMap::new();
        rejection.write_headers(&mut headers);
        assert_eq!(headers["allow"], "GET, HEAD");
        assert_eq!(problem(&rejection)["status"], 405);
    }

    #[test]
    fn a_wait_is_never_announced_as_nothing() {
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(3)), 3);
        assert_eq!(seconds(Duration::from_millis(3_001)), 4);
    }
}
