//! What a refused request gets: `application/problem+json` (RFC 9457). Every
//! error of every surface is mapped here, once.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use gatewright_control::Error;
use gatewright_model::invalid::FieldErrors;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// How long a client waits before it asks a store again that was away.
const STORE_RETRY_SECONDS: u32 = 5;

/// A refusal as the client sees it. Boxed, because every extractor and handler
/// returns it where something goes wrong.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    members: Map<String, Value>,
    headers: HeaderMap,
    cause: Option<String>,
}

impl Problem {
    /// A problem with a stable code and a sentence for people.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code: code.into(),
            detail: detail.into(),
            members: Map::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// Adds a member beside the standard ones.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.0.headers.insert(name, value.into());
        self
    }

    /// A fault of ours. The cause goes to the log, never to the client.
    #[must_use]
    pub fn internal(cause: impl Into<String>) -> Self {
        let detail = "something went wrong on our side; the log has it under this request id";
        let mut problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        problem.0.cause = Some(cause.into());
        problem
    }

    /// Something that is not there, or that the caller may not know of.
    #[must_use]
    pub fn not_found(kind: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {kind}"),
        )
    }

    /// No acceptable bearer token.
    #[must_use]
    pub fn unauthenticated(code: &'static str, detail: &'static str) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"gatewright\"");
        Self::new(StatusCode::UNAUTHORIZED, code, detail).header(WWW_AUTHENTICATE, challenge)
    }

    /// Fields that break rules: of the body, or of the query.
    #[must_use]
    pub fn invalid(code: &'static str, errors: &FieldErrors) -> Self {
        let count = errors.as_slice().len();
        let detail = if count == 1 {
            "1 field is invalid".to_owned()
        } else {
            format!("{count} fields are invalid")
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with("errors", json!(errors.as_slice()))
    }

    /// The store is away.
    #[must_use]
    pub fn unavailable() -> Self {
        let detail = "the store cannot be reached; nothing was changed, try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", detail)
            .header(RETRY_AFTER, HeaderValue::from(STORE_RETRY_SECONDS))
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What the log has to know and the client must not.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The body, with the request id when it is known.
    #[must_use]
    pub fn to_json(&self, instance: Option<&str>) -> Value {
        let mut body = Map::new();
        body.insert(
            "type".to_owned(),
            format!("urn:gatewright:problem:{}", self.0.code).into(),
        );
        body.insert("code".to_owned(), self.0.code.as_ref().into());
        body.insert("title".to_owned(), title(&self.0.code).into());
        body.insert("status".to_owned(), self.0.status.as_u16().into());
        body.insert("detail".to_owned(), self.0.detail.as_str().into());
        if let Some(instance) = instance {
            body.insert("instance".to_owned(), instance.into());
        }
        body.extend(self.0.members.clone());
        Value::Object(body)
    }

    pub(crate) fn render(&self, instance: Option<&str>) -> Body {
        Body::from(self.to_json(instance).to_string())
    }
}

/// The code as words: `slug_taken` becomes "Slug taken".
fn title(code: &str) -> String {
    let mut words = code.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.render(None));
        *response.status_mut() = self.0.status;
        response.headers_mut().extend(self.0.headers.clone());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        // The request id is written in where it is known: `request_id`.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Invalid(errors) => Self::invalid("invalid_fields", &errors),
            Error::NotFound { kind } => Self::not_found(kind),
            Error::Forbidden { permission } => Self::new(StatusCode::FORBIDDEN, "permission_missing", text)
                .with("permission", permission.to_string()),
            Error::Illegal(refused) => Self::new(StatusCode::CONFLICT, "illegal_transition", text)
                .with("state", refused.state)
                .with("allowed", json!(refused.allowed)),
            Error::Duplicate {
                code,
                field,
                existing,
            } => Self::new(StatusCode::CONFLICT, code, text)
                .with("field", field)
                .with("existing", existing),
            Error::Guard {
                code,
                message,
                standing,
            } => {
                let problem = Self::new(StatusCode::CONFLICT, code, message);
                match standing {
                    Some(at) => problem.with("state", at.state).with("allowed", json!(at.allowed)),
                    None => problem,
                }
            }
            Error::TooOften { code, wait, .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, code, text)
                .header(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1))),
            Error::Raced(_) => Self::new(StatusCode::CONFLICT, "conflict", text),
            Error::Findings(findings) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "document_invalid", text)
                    .with("findings", json!(findings))
            }
            Error::Retired { successor, .. } => {
                let problem = Self::new(StatusCode::GONE, "version_retired", text);
                match successor {
                    Some(next) => problem.with(
                        "successor",
                        json!({ "api": next.api.as_str(), "version": next.version.as_str() }),
                    ),
                    None => problem,
                }
            }
            Error::SignInNeeded => Self::unauthenticated("sign_in_needed", "sign in to read this portal"),
            Error::Stale => {
                let detail =
                    "it was changed in the meantime: read it again and repeat the change with its new ETag";
                Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
            }
            Error::Unavailable => Self::unavailable(),
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::{VersionState, VersionVerb};
    use gatewright_model::invalid::Invalid;
    use gatewright_model::permission::Permission;

    use super::*;

    #[test]
    fn an_illegal_transition_names_the_state_and_the_way_out() {
        let refused = VersionState::Draft.after(VersionVerb::Retire).unwrap_err();
        let problem = Problem::from(Error::Illegal(refused));
        let body = problem.to_json(Some("req_1"));
        assert_eq!(problem.status(), StatusCode::CONFLICT);
        assert_eq!(body["type"], "urn:gatewright:problem:illegal_transition");
        assert_eq!(body["title"], "Illegal transition");
        assert_eq!(body["state"], "draft");
        assert_eq!(body["allowed"], json!(["in_review", "preview", "published"]));
        assert_eq!(body["instance"], "req_1");
    }

    #[test]
    fn each_error_has_its_status_and_its_members() {
        let field = Error::field("/slug", Invalid::new("invalid_slug", "must be a slug"));
        let body = Problem::from(field).to_json(None);
        assert_eq!(
            body["errors"][0],
            json!({"pointer": "/slug", "code": "invalid_slug", "message": "must be a slug"})
        );
        let taken = Error::Duplicate {
            code: "slug_taken",
            field: "slug",
            existing: "api_x".into(),
        };
        assert_eq!(Problem::from(taken).to_json(None)["existing"], "api_x");
        let forbidden = Problem::from(Error::Forbidden {
            permission: Permission::ApisWrite,
        });
        assert_eq!(
            (
                forbidden.status().as_u16(),
                forbidden.to_json(None)["permission"].clone()
            ),
            (403, json!("apis:write"))
        );
        let away = Problem::from(Error::Unavailable).into_response();
        assert_eq!(
            (
                away.status().as_u16(),
                away.headers()["retry-after"].to_str().unwrap()
            ),
            (503, "5")
        );
        let tired = Problem::from(Error::TooOften {
            code: "too_many_attempts",
            message: "try again in 7 seconds".into(),
            wait: std::time::Duration::from_secs(7),
        })
        .into_response();
        assert_eq!(
            (
                tired.status().as_u16(),
                tired.headers()["retry-after"].to_str().unwrap()
            ),
            (429, "7")
        );
        assert_eq!(
            Problem::from(Error::Stale).status(),
            StatusCode::PRECONDITION_FAILED
        );
    }

    #[test]
    fn the_cause_of_a_fault_of_ours_stays_with_us() {
        let problem = Problem::from(Error::Internal("row 7 of plans is corrupt".into()));
        assert_eq!(problem.cause(), Some("row 7 of plans is corrupt"));
        assert!(!problem.to_json(Some("req_1")).to_string().contains("corrupt"));
    }
}
