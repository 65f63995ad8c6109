//! The page of the portal's listener that says where things are.

use axum::Router;
use axum::routing::get;
use http::{HeaderName, HeaderValue, header};

use crate::serve::addresses::Addresses;

const PAGE: &str = include_str!("landing.html");

/// Nothing is loaded, framed or remembered.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// The router of the portal's listener.
pub(crate) fn router(addresses: &Addresses) -> Router {
    // Public addresses are scheme, host and port: nothing in them needs escaping.
    let page = PAGE
        .replace("{gateway}", addresses.gateway.as_str())
        .replace("{management}", addresses.management.as_str());
    Router::new().route("/", get(move || async move { (HEADERS, page) }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_page_says_where_things_are() {
        let router = router(&Addresses::for_tests());
        let ask = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(ask("/")).await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(
            answer.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none'")
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let page = std::str::from_utf8(&body).unwrap();
        assert!(
            page.contains("http://127.0.0.1:8001/api/v1/openapi.json"),
            "{page}"
        );
        assert!(!page.contains('{'), "{page}");
        assert_eq!(router.oneshot(ask("/console")).await.unwrap().status(), 404);
    }
}
