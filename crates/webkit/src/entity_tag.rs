//! Entity tags: the row version of a thing, quoted (RFC 9110, section 8.8.3),
//! and the condition on a change that names one (section 13.1.1).

use axum::extract::FromRequestParts;
use gatewright_control::IfMatch;
use http::header::IF_MATCH;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::problem::Problem;

/// The tag of a row version: `"7"`.
#[must_use]
pub fn of(row_version: i64) -> HeaderValue {
    let mut text = String::from("\"");
    text.push_str(&row_version.to_string());
    text.push('"');
    // Digits and quotes are visible ASCII, so the fallback is never taken.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The condition that the request puts on its change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(pub IfMatch);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else {
            return Ok(Self(IfMatch::ANY));
        };
        let text = value.to_str().unwrap_or("").trim();
        if text == "*" {
            return Ok(Self(IfMatch::ANY));
        }
        let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let Some(tag) = quoted.filter(|tag| !tag.contains('"')) else {
            let detail = "If-Match must be one entity tag as it came in an ETag header, for example \"3\"";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_if_match", detail));
        };
        // A tag that we never gave matches nothing: row versions start at 1.
        Ok(Self(IfMatch(Some(tag.parse().unwrap_or(0)))))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn read(value: &str) -> Result<Expected, Problem> {
        let (mut parts, ()) = Request::builder()
            .header("if-match", value)
            .body(())
            .unwrap()
            .into_parts();
        Expected::from_request_parts(&mut parts, &()).await
    }

    #[tokio::test]
    async fn a_tag_is_read_as_it_was_given() {
        let given = of(42);
        assert_eq!(
            read(given.to_str().unwrap()).await.unwrap(),
            Expected(IfMatch(Some(42)))
        );
        assert_eq!(read("*").await.unwrap(), Expected(IfMatch::ANY));
        assert_eq!(read("\"other\"").await.unwrap(), Expected(IfMatch(Some(0))));
        for text in ["42", "W/\"42\"", "\"1\", \"2\"", "\""] {
            assert_eq!(read(text).await.unwrap_err().code(), "invalid_if_match", "{text}");
        }
    }
}
