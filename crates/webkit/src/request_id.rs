//! Every answer carries an id of ours in `X-Request-Id`; problems repeat it as
//! `instance`, the log and the audit trail keep it.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use gatewright_model::id::{EntityId, RequestId as TypedId, uuid_v7};
use gatewright_model::time::{Clock, Entropy};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH};
use http::{HeaderName, HeaderValue};

use crate::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Makes request ids.
#[derive(Debug, Clone)]
pub struct RequestIds {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl RequestIds {
    /// Takes the time and the randomness of which ids are made.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy }
    }

    fn next(&self) -> RequestId {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        RequestId(
            TypedId::from_uuid(uuid_v7(self.clock.now(), random))
                .to_string()
                .into(),
        )
    }
}

/// The id of the request under way, in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as it goes out.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outermost layer: gives the id, completes problems, forbids caching, and
/// logs the request once.
pub async fn identify(State(ids): State<RequestIds>, mut request: Request, next: Next) -> Response {
    let id = ids.next();
    let started = Instant::now();
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let mut response = next.run(request).await;
    complete(&mut response, &id);
    let status = response.status().as_u16();
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(
        { "request.id" } = id.as_str(),
        { "http.method" } = method.as_str(),
        { "http.route" } = route.as_deref().unwrap_or(""),
        { "http.status" } = status,
        duration_ms,
        "answered a request"
    );
    response
}

fn complete(response: &mut Response, id: &RequestId) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if let Some(cause) = problem.cause() {
            tracing::error!(
                { "request.id" } = id.as_str(),
                error = cause,
                "a request failed on our side"
            );
        }
        *response.body_mut() = problem.render(Some(id.as_str()));
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    // An id is base32, so it always makes a header value.
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(HEADER, value);
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
