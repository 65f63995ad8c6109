//! What holds for every request of a route: how long it may take, how large
//! its body may be, and that a panic stays inside of it.

use std::any::Any;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

use crate::body::BodyLimit;
use crate::problem::Problem;

/// The bounds of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From the head of the request to the answer.
    pub timeout: Duration,
    /// The largest body.
    pub body: BodyLimit,
}

/// Holds a request to its bounds.
pub(crate) async fn hold(State(bounds): State<Bounds>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(bounds.body);
    match tokio::time::timeout(bounds.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => timed_out(bounds).into_response(),
    }
}

pub(crate) fn timed_out(bounds: Bounds) -> Problem {
    let seconds = bounds.timeout.as_secs();
    let detail = format!(
        "there was no answer within {seconds} seconds; look whether it happened before you repeat it"
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail)
        .header(RETRY_AFTER, HeaderValue::from(1_u32))
}

/// The answer in place of a panic. The panic hook has logged where it was.
#[must_use]
pub fn of_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::internal("a handler panicked").into_response()
}

/// The answer for an address that leads nowhere.
pub async fn no_such_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_path",
        "there is nothing at this address",
    )
}

/// The answer for a method that an address does not have; `Allow` is added by the router.
pub async fn no_such_method() -> Problem {
    let detail = format!("this address does not have this method; see the {ALLOW} header");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use gatewright_model::time::{SystemClock, SystemEntropy};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;
    use crate::request_id::{RequestIds, identify};

    #[tokio::test]
    async fn a_panic_is_one_refusal_that_says_nothing() {
        async fn broken() -> &'static str {
            panic!("row 7")
        }
        let ids = RequestIds::new(Arc::new(SystemClock), Arc::new(SystemEntropy));
        let router = Router::new()
            .route("/", get(broken))
            .layer(CatchPanicLayer::custom(of_panic))
            .layer(from_fn_with_state(ids, identify));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&body["code"], &body["instance"]),
            (&"internal".into(), &id.into())
        );
        assert!(!body.to_string().contains("row 7"));
    }
}
