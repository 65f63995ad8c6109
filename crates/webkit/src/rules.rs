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
    let seconds = bounds.timeout.as_secs();
    match tokio::time::timeout(bounds.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("there was no answer within {seconds} seconds; nothing was changed");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", detail)
                .header(RETRY_AFTER, HeaderValue::from(1_u32))
                .into_response()
        }
    }
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
