//! What every answer says to the browser, and the check that an unsafe request
//! comes from a page of ours (`security.md` 3.6, 3.20).

use gatewright_webkit::problem::Problem;
use http::header::{
    CONTENT_SECURITY_POLICY, ORIGIN, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::{Host, Url};

const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// Adds the headers that hold for every answer. What a handler has set stays.
pub(crate) fn harden(headers: &mut HeaderMap, secure: bool) {
    let same_origin = HeaderValue::from_static("same-origin");
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, same_origin.clone()),
        (OPENER_POLICY, same_origin.clone()),
        (RESOURCE_POLICY, same_origin),
        (
            PERMISSIONS_POLICY,
            HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
        ),
    ] {
        headers.entry(name).or_insert(value);
    }
    if secure {
        headers
            .entry(STRICT_TRANSPORT_SECURITY)
            .or_insert(HeaderValue::from_static("max-age=31536000"));
    }
}

/// Refuses an unsafe request that another site made the browser send: cookies
/// travel with it, so its origin has to be proven.
pub(crate) fn same_origin(method: &Method, headers: &HeaderMap, portal: &str) -> Result<(), Problem> {
    if method.is_safe() {
        return Ok(());
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let ours = match text(&SEC_FETCH_SITE) {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => text(&ORIGIN).is_some_and(|origin| is_portal(origin, portal)),
    };
    if ours {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "cross_site",
        "this form was not sent by a page of this portal: open the page again and send it from there",
    ))
}

/// Whether an origin is the portal's. On loopback the three names of this
/// machine are one origin.
fn is_portal(origin: &str, portal: &str) -> bool {
    let (Ok(origin), Ok(portal)) = (Url::parse(origin), Url::parse(portal)) else {
        return false;
    };
    let same_host = origin.host() == portal.host() || (is_loopback(&origin) && is_loopback(&portal));
    origin.scheme() == portal.scheme()
        && same_host
        && origin.port_or_known_default() == portal.port_or_known_default()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTAL: &str = "http://127.0.0.1:8002";

    fn allowed(headers: &[(&'static str, &'static str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        same_origin(&Method::POST, &headers, PORTAL).is_ok()
    }

    #[test]
    fn only_pages_of_ours_may_change_something() {
        assert!(allowed(&[("sec-fetch-site", "same-origin")]));
        assert!(allowed(&[("sec-fetch-site", "none")]));
        assert!(allowed(&[("origin", "http://127.0.0.1:8002")]));
        assert!(allowed(&[("origin", "http://localhost:8002")]));
        assert!(!allowed(&[("sec-fetch-site", "same-site"), ("origin", PORTAL)]));
        assert!(!allowed(&[("sec-fetch-site", "cross-site")]));
        assert!(!allowed(&[("origin", "http://127.0.0.1:8000")]));
        assert!(!allowed(&[("origin", "https://127.0.0.1:8002")]));
        assert!(!allowed(&[("origin", "null")]));
        assert!(!allowed(&[]));
        assert!(same_origin(&Method::GET, &HeaderMap::new(), PORTAL).is_ok());
    }
}
