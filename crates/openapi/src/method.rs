//! The request method of an operation.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A request method in capitals: one of the eight of the format, `QUERY` (3.2),
/// or another token (RFC 9110 section 9.1) from `additionalOperations` (3.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Method(String);

/// The members of a path item that are operations.
const FIXED: &[&str] = &[
    "get", "put", "post", "delete", "options", "head", "patch", "trace", "query",
];

/// Longer than any registered method.
const LONGEST: usize = 32;

/// Not a token of at most 32 letters, digits and marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a method is a token of at most {LONGEST} characters")]
pub struct InvalidMethod;

impl Method {
    /// The method that a member of a path item stands for; `None` when the
    /// member is no operation. Capitals are accepted.
    #[must_use]
    pub fn of_member(name: &str) -> Option<Self> {
        FIXED
            .iter()
            .find(|fixed| fixed.eq_ignore_ascii_case(name))
            .map(|fixed| Self(fixed.to_ascii_uppercase()))
    }

    /// The method in capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Method {
    type Error = InvalidMethod;

    fn try_from(text: String) -> Result<Self, InvalidMethod> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(token) {
            return Err(InvalidMethod);
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidMethod, Method};

    #[test]
    fn members_are_told_from_other_fields() {
        assert_eq!(Method::of_member("get").unwrap().as_str(), "GET");
        assert_eq!(Method::of_member("Query").unwrap().as_str(), "QUERY");
        assert_eq!(Method::of_member("parameters"), None);
        assert_eq!(Method::of_member("x-get"), None);
        assert_eq!(Method::try_from("COPY".to_owned()).unwrap().as_str(), "COPY");
        assert_eq!(Method::try_from("A B".to_owned()), Err(InvalidMethod));
    }
}
