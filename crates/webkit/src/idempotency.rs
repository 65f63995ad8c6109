//! `Idempotency-Key`: a repeated POST has one effect. The key belongs to a
//! tenant, a person, a method and a path; the body must stay the same.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use gatewright_control::idempotency::{Begun, KeptAnswer, Ticket};
use gatewright_control::{Caller, Control};
use gatewright_model::audit::canonical_text;
use gatewright_model::permission::Permission;
use http::header::{ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use crate::authorized::{caller_of, require_any};
use crate::body::{json_response, read_within};
use crate::problem::Problem;
use crate::rules::{Bounds, of_panic, timed_out};

/// The request header.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key (security, section 3.15).
const MAX_KEY: usize = 255;
/// Larger bodies are compared byte for byte: parsing a document twice only to
/// forgive another order of its keys is not worth it.
const CANONICAL_UP_TO: usize = 1024 * 1024;

/// What the layer has to know about its route.
#[derive(Debug, Clone)]
pub(crate) struct Guarded {
    pub(crate) control: Control,
    pub(crate) any_of: &'static [Permission],
    pub(crate) bounds: Bounds,
}

/// Answers a repeated request with the answer of the first one. The permission
/// is checked before, so that a stored secret is not given to somebody who may
/// no longer have it.
pub(crate) async fn once(State(route): State<Guarded>, request: Request, next: Next) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match replay_or_run(route, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn replay_or_run(route: Guarded, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let key = read_key(&parts.headers)?;
    let caller = caller_of(&mut parts, &route.control).await?;
    require_any(&caller, route.any_of)?;
    let read = read_within(body, &parts.headers, route.bounds.body);
    let body = tokio::time::timeout(route.bounds.timeout, read)
        .await
        .map_err(|_| timed_out(route.bounds))??;
    let hash = fingerprint(parts.uri.query(), &body);
    let name = format!("{} {}", parts.method, parts.uri.path());
    let ticket = match begin(&route.control, &caller, &name, &key, hash).await? {
        Ok(ticket) => ticket,
        Err(replayed) => return Ok(replayed),
    };
    let request = Request::from_parts(parts, Body::from(body));
    // A task of its own, bounded by the route's timeout: a client that hangs up
    // must not leave an effect whose answer was not kept.
    let task = tokio::spawn(run_and_settle(route.control, ticket, next, request));
    task.await.map_err(|error| Problem::internal(error.to_string()))
}

async fn run_and_settle(control: Control, ticket: Ticket, next: Next, request: Request) -> Response {
    let response = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .await
        .unwrap_or_else(of_panic);
    if !response.status().is_success() {
        // A failure changed nothing, so its key is free again and a retry really retries.
        log_lost(control.abandon_idempotent(ticket).await);
        return response;
    }
    let (parts, body) = response.into_parts();
    let whole = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(error) => return Problem::internal(error.to_string()).into_response(),
    };
    let field = |name| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let kept = KeptAnswer {
        status: parts.status.as_u16(),
        location: field(LOCATION),
        etag: field(ETAG),
        body: String::from_utf8_lossy(&whole).into_owned(),
    };
    log_lost(control.finish_idempotent(ticket, &kept).await);
    Response::from_parts(parts, Body::from(whole))
}

/// The effect has happened, or not, whatever becomes of the record of it: the
/// client gets the answer, and only a repetition of the request would notice.
fn log_lost(kept: gatewright_control::Result<()>) {
    if let Err(error) = kept {
        tracing::warn!(error = %error, "the answer to a request with an idempotency key was not kept");
    }
}

async fn begin(
    control: &Control,
    caller: &Caller,
    name: &str,
    key: &str,
    hash: [u8; 32],
) -> Result<Result<Ticket, Response>, Problem> {
    match control.begin_idempotent(caller, name, key, hash).await? {
        Begun::Fresh(ticket) => Ok(Ok(ticket)),
        Begun::Replay(kept) => Ok(Err(replay(kept))),
        Begun::InProgress => {
            let detail = "the first request with this Idempotency-Key is still under way";
            let problem = Problem::new(StatusCode::CONFLICT, "request_in_progress", detail);
            Err(problem.header(RETRY_AFTER, HeaderValue::from(1_u32)))
        }
        Begun::Mismatch => {
            let detail = "this Idempotency-Key was used with another body; take a new key for a new request";
            Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                detail,
            ))
        }
    }
}

fn replay(kept: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = json_response(status, kept.body.into_bytes());
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    for (name, text) in [(LOCATION, kept.location), (ETAG, kept.etag)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn read_key(headers: &HeaderMap) -> Result<String, Problem> {
    let invalid = || {
        let detail = "Idempotency-Key must be 1 to 255 visible ASCII characters, given once";
        Problem::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", detail)
    };
    let mut values = headers.get_all(KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(invalid());
    };
    let text = value.to_str().map_err(|_| invalid())?;
    if text.is_empty() || text.len() > MAX_KEY {
        Err(invalid())
    } else {
        Ok(text.to_owned())
    }
}

fn fingerprint(query: Option<&str>, body: &Bytes) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(query.unwrap_or(""));
    digest.update([0]);
    let small = body.len() <= CANONICAL_UP_TO;
    match small.then(|| serde_json::from_slice(body)) {
        Some(Ok(value)) => digest.update(canonical_text(&value)),
        Some(Err(_)) | None => digest.update(body),
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_has_the_same_fingerprint_whatever_its_layout() {
        let of = |query, body: &'static str| fingerprint(query, &Bytes::from_static(body.as_bytes()));
        assert_eq!(of(None, "{\"a\":1,\"b\":2}"), of(None, "{ \"b\": 2, \"a\": 1 }"));
        assert_ne!(of(None, "{\"a\":1}"), of(None, "{\"a\":2}"));
        assert_ne!(of(Some("dry_run=true"), "{}"), of(None, "{}"));
        assert_ne!(of(None, ""), of(None, "x"));
    }

    #[test]
    fn keys_are_bounded() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(KEY, HeaderValue::from_str(value).unwrap());
            }
            headers
        };
        assert_eq!(read_key(&headers(&["a-1"])).unwrap(), "a-1");
        assert_eq!(read_key(&headers(&[&"k".repeat(255)])).unwrap().len(), 255);
        for values in [&[""][..], &["a", "b"], &[&"k".repeat(256)]] {
            assert_eq!(
                read_key(&headers(values)).unwrap_err().code(),
                "invalid_idempotency_key"
            );
        }
    }
}
