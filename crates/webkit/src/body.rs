//! The bytes of a JSON body: right media type, within the bound of its route.

use axum::body::Body;
use axum::extract::Request;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::problem::Problem;

/// How many bytes the body of a request may have; a route's rules put it into
/// the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1024 * 1024)
    }
}

/// Reads the body of a request that must be JSON. A request without a body
/// gives no bytes; what that means is the caller's to say.
///
/// # Errors
/// 415 for another media type, 413 above the bound, 400 when the body breaks off.
pub async fn read_json(request: Request) -> Result<Bytes, Problem> {
    let limit = request
        .extensions()
        .get::<BodyLimit>()
        .copied()
        .unwrap_or_default();
    let (parts, body) = request.into_parts();
    check_media_type(&parts.headers)?;
    read_within(body, &parts.headers, limit).await
}

/// Reads the body of a request that must be a form
/// (`application/x-www-form-urlencoded`), undecoded.
///
/// # Errors
/// 415 for another media type, 413 above the bound, 400 when the body breaks off.
pub async fn read_form(request: Request) -> Result<Bytes, Problem> {
    let limit = request
        .extensions()
        .get::<BodyLimit>()
        .copied()
        .unwrap_or_default();
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(CONTENT_TYPE)
        && essence(&parts.headers) != "application/x-www-form-urlencoded"
    {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be a form",
        ));
    }
    read_within(body, &parts.headers, limit).await
}

/// Reads a body up to a bound.
pub(crate) async fn read_within(body: Body, headers: &HeaderMap, limit: BodyLimit) -> Result<Bytes, Problem> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit.0) {
        return Err(too_large(limit));
    }
    match Limited::new(body, limit.0).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "the body broke off before its end",
        )),
    }
}

/// The problem of a text that is no JSON, with the place of the fault.
#[must_use]
pub fn malformed(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let detail = format!("the body is not JSON: {error}");
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
        .with("line", line)
        .with("column", column)
}

/// The refusal of a body above the limit of its route.
#[must_use]
pub fn too_large(limit: BodyLimit) -> Problem {
    let detail = format!("the body must be at most {} bytes long", limit.0);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail).with("limit", limit.0)
}

/// An absent media type is taken for JSON: there is nothing else to send here.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(CONTENT_TYPE) {
        return Ok(());
    }
    let essence = essence(headers);
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let detail = "the body must be JSON: send Content-Type: application/json";
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        detail,
    ))
}

/// The media type without its parameters, in lower case.
fn essence(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value
        .unwrap_or("")
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase()
}

/// The answer for bytes that are ready to be sent.
#[must_use]
pub fn json_response(status: StatusCode, json: Vec<u8>) -> axum::response::Response {
    (status, [(CONTENT_TYPE, "application/json")], json).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content_type: &str, body: impl Into<Body>) -> Request {
        let mut request = Request::builder()
            .header("content-type", content_type)
            .body(body.into())
            .unwrap();
        request.extensions_mut().insert(BodyLimit(8));
        request
    }

    #[tokio::test]
    async fn bodies_are_bounded_and_must_be_json() {
        assert_eq!(
            read_json(request("application/json; charset=utf-8", "{}"))
                .await
                .unwrap(),
            "{}"
        );
        assert_eq!(
            read_json(request("application/merge-patch+json", "{}"))
                .await
                .unwrap(),
            "{}"
        );
        let problem = read_json(request("text/yaml", "a: b")).await.unwrap_err();
        assert_eq!(
            (problem.status().as_u16(), problem.code()),
            (415, "unsupported_media_type")
        );
        let problem = read_json(request("application/json", "[1,2,3,4,5]"))
            .await
            .unwrap_err();
        assert_eq!(
            (problem.status().as_u16(), problem.code()),
            (413, "body_too_large")
        );
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_bounded_too() {
        let pieces = vec![
            Ok::<_, std::io::Error>(Bytes::from_static(b"12345")),
            Ok(Bytes::from_static(b"67890")),
        ];
        let body = Body::from_stream(futures_of(pieces));
        assert_eq!(
            read_json(request("application/json", body))
                .await
                .unwrap_err()
                .code(),
            "body_too_large"
        );
        let broken = vec![Ok(Bytes::from_static(b"1")), Err(std::io::Error::other("gone"))];
        let problem = read_json(request("application/json", Body::from_stream(futures_of(broken))))
            .await
            .unwrap_err();
        assert_eq!(problem.code(), "body_incomplete");
    }

    fn futures_of<T>(items: Vec<T>) -> impl futures_util::Stream<Item = T> {
        futures_util::stream::iter(items)
    }

    #[test]
    fn a_syntax_fault_has_a_place() {
        let error = serde_json::from_str::<serde_json::Value>("{\n  \"a\": ,\n}").unwrap_err();
        let body = malformed(&error).to_json(None);
        assert_eq!(
            (&body["code"], &body["line"]),
            (&"malformed_json".into(), &2.into())
        );
    }
}
