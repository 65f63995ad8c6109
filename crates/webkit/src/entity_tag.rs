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
        let mut values = parts.headers.get_all(IF_MATCH).iter();
        let (first, None) = (values.next(), values.next()) else {
            return Err(invalid());
        };
        match first {
            None => Ok(Self(IfMatch::ANY)),
            Some(value) => read(value.to_str().unwrap_or("")).map(Self).ok_or_else(invalid),
        }
    }
}

fn invalid() -> Problem {
    let detail = "If-Match must be one entity tag as it came in an ETag header, for example \"3\", or *";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_if_match", detail)
}

/// What a field asks for; `None` when it is not one tag or `*`.
fn read(field: &str) -> Option<IfMatch> {
    let field = field.trim();
    // Whatever is to be changed exists, else the answer is 404 (RFC 9110, section 13.1.1).
    if field == "*" {
        return Some(IfMatch::ANY);
    }
    let tag = field.strip_prefix("W/").unwrap_or(field);
    let text = tag.strip_prefix('"')?.strip_suffix('"')?;
    if text.contains(|c: char| c == '"' || c.is_ascii_whitespace()) {
        return None;
    }
    // Compared strongly (section 8.8.3.2): a weak tag matches nothing, nor does one
    // that we never gave.
    let row_version = text.parse::<i64>().ok().filter(|row| of(*row) == *field);
    Some(IfMatch(Some(row_version.unwrap_or(NEVER))))
}

/// Row versions start at 1.
const NEVER: i64 = 0;

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    async fn expected(value: &str) -> Result<Expected, Problem> {
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
            expected(given.to_str().unwrap()).await.unwrap(),
            Expected(IfMatch(Some(42)))
        );
        assert_eq!(expected("*").await.unwrap(), Expected(IfMatch::ANY));
        for text in ["\"other\"", "\"+42\"", "\"042\"", "W/\"42\"", "W/\"other\""] {
            let never = Expected(IfMatch(Some(NEVER)));
            assert_eq!(expected(text).await.unwrap(), never, "{text}");
        }
        for text in ["42", "w/\"42\"", "\"1\", \"2\"", "\"", "W/42", "", "*, \"1\""] {
            assert_eq!(
                expected(text).await.unwrap_err().code(),
                "invalid_if_match",
                "{text}"
            );
        }
    }
}
