//! Entity tags: the row version of a thing, quoted (RFC 9110, section 8.8.3),
//! and the condition on a change that names one (section 13.1.1); and the tags
//! of what is read, with the condition on reading it again (section 13.1.2).

use axum::extract::FromRequestParts;
use gatewright_control::IfMatch;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

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

/// The tag of what somebody reads: a hash of it. It is weak, because the same
/// text travels compressed in several ways.
#[must_use]
pub fn of_content(content: &[u8]) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = Sha256::digest(content);
    let mut text = String::with_capacity(36);
    text.push_str("W/\"");
    for byte in hash.iter().take(16) {
        for half in [byte >> 4, byte & 0xf] {
            text.extend(DIGITS.get(usize::from(half)).map(|digit| char::from(*digit)));
        }
    }
    text.push('"');
    // Hexadecimal digits and quotes are visible ASCII, so the fallback is never taken.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"\""))
}

/// Whether the request says that its sender has what the tag stands for.
#[must_use]
pub fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let opaque = |text: &str| text.strip_prefix("W/").unwrap_or(text).to_owned();
    let Ok(wanted) = tag.to_str().map(opaque) else {
        return false;
    };
    // Compared weakly (section 8.8.3.2). No tag of ours has a comma inside.
    let lists = headers.get_all(IF_NONE_MATCH).iter();
    lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .any(|known| known.trim() == "*" || opaque(known.trim()) == wanted)
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

    #[test]
    fn what_is_read_again_is_known_by_its_tag() {
        let tag = of_content(b"one");
        assert_eq!(tag, of_content(b"one"));
        assert_ne!(tag, of_content(b"two"));
        let text = tag.to_str().unwrap().to_owned();
        assert_eq!((text.len(), &text[..3]), (36, "W/\""));
        let known = |fields: &[&str]| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(IF_NONE_MATCH, field.parse().unwrap());
            }
            is_known(&headers, &tag)
        };
        assert!(known(&[&text]) && known(&["*"]) && known(&[text.trim_start_matches("W/")]));
        assert!(known(&["\"a\"", &format!("\"b\" , {text}")]));
        assert!(!known(&[]) && !known(&["\"a\", \"b\""]) && !known(&["W/\"\""]));
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
