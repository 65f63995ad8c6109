//! Requests and answers as the services see them: small, whole, JSON.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A request whose body has been read.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a Method,
    /// The path in its parts, without empty ones.
    pub(crate) path: Vec<&'a str>,
    pub(crate) query: &'a str,
    pub(crate) body: &'a [u8],
}

impl<'a> Call<'a> {
    /// The first value of a query parameter; percent-encoded ones are passed over,
    /// since no value that the services know needs encoding.
    pub(crate) fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// A page size, 20 unless asked for, at most 100.
    pub(crate) fn limit(&self) -> usize {
        self.parameter("limit")
            .and_then(|text| text.parse().ok())
            .unwrap_or(20)
            .clamp(1, 100)
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Answer> {
        serde_json::from_slice(self.body).map_err(|error| {
            Answer::problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_body",
                &error.to_string(),
            )
        })
    }
}

/// What a service answers.
pub(crate) struct Answer {
    status: StatusCode,
    body: Option<Vec<u8>>,
    kind: &'static str,
    header: Option<(http::HeaderName, HeaderValue)>,
}

impl Answer {
    /// 200 with a body.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with a body and where to find it again.
    pub(crate) fn created(path: &str, body: &impl Serialize) -> Self {
        let mut answer = Self::json(StatusCode::CREATED, body);
        answer.header = HeaderValue::from_str(path).ok().map(|value| (LOCATION, value));
        answer
    }

    /// 204.
    pub(crate) const fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
            kind: "",
            header: None,
        }
    }

    /// 404.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::problem(
            StatusCode::NOT_FOUND,
            "not_found",
            &format!("There is no {what}."),
        )
    }

    /// 405.
    pub(crate) fn not_allowed(allowed: &'static str) -> Self {
        let mut answer = Self::problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "Use another method.",
        );
        answer.header = Some((ALLOW, HeaderValue::from_static(allowed)));
        answer
    }

    /// A refusal after RFC 9457.
    pub(crate) fn problem(status: StatusCode, code: &str, detail: &str) -> Self {
        let title = status.canonical_reason().unwrap_or("Refused");
        let body = json!({"title": title, "status": status.as_u16(), "code": code, "detail": detail});
        Self {
            kind: "application/problem+json",
            ..Self::json(status, &body)
        }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self {
                status,
                body: Some(bytes),
                kind: "application/json",
                header: None,
            },
            Err(error) => {
                tracing::error!(error = %error, "an answer of the demo cannot be written as JSON");
                Self {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    body: None,
                    kind: "",
                    header: None,
                }
            }
        }
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Self::new(Full::from(answer.body.unwrap_or_default()));
        *response.status_mut() = answer.status;
        if !answer.kind.is_empty() {
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(answer.kind));
        }
        if let Some((name, value)) = answer.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
