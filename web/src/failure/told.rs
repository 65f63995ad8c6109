//! A refusal in the words of a page: what happened, once, and what to do next.

use gatewright_webkit::problem::Problem;
use serde_json::Value;

use crate::filters::with_unit;

const MIB: u64 = 1024 * 1024;

/// What a page says about a problem.
#[derive(Debug)]
pub(super) struct Told {
    /// What happened.
    pub(super) heading: &'static str,
    /// What only this problem can say about it; empty where the heading says it all.
    pub(super) detail: String,
    /// The permission that is missing.
    pub(super) permission: Option<String>,
    /// What to do next.
    pub(super) advice: &'static str,
}

impl Told {
    /// The words for a problem.
    pub(super) fn of(problem: &Problem) -> Self {
        let body = problem.to_json(None);
        let (heading, advice) = words(problem.status().as_u16(), problem.code());
        let permission = body.get("permission").and_then(Value::as_str);
        let detail = match (problem.status().as_u16(), permission) {
            // The heading says as much, and the page has a place of its own for the permission.
            (403, Some(_)) | (404 | 405, _) | (500.., _) => String::new(),
            (413, _) => largest(&body),
            _ => sentence(body.get("detail").and_then(Value::as_str).unwrap_or("")),
        };
        Self {
            heading,
            detail,
            permission: permission.map(str::to_owned),
            advice,
        }
    }
}

fn largest(body: &Value) -> String {
    match body.get("limit").and_then(Value::as_u64) {
        Some(limit) if limit.is_multiple_of(MIB) => {
            format!("At most {} MiB can be sent at once.", limit / MIB)
        }
        Some(limit) => {
            let whole = u32::try_from(limit).unwrap_or(u32::MAX);
            format!("At most {} can be sent at once.", with_unit(whole.into()))
        }
        None => String::new(),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.is_empty() || text.ends_with(['.', '?', ':']) {
        ""
    } else {
        "."
    };
    [&first, chars.as_str(), end].concat()
}

/// What happened, and what to do about it.
fn words(status: u16, code: &str) -> (&'static str, &'static str) {
    match status {
        400 => (
            "That request could not be read",
            "Go back and send the form again.",
        ),
        403 if code != "permission_missing" => (
            "You may not do this",
            "If it should be open to you, ask an owner of this tenant.",
        ),
        403 => (
            "You may not do this",
            "An owner of this tenant can give you a role that includes it.",
        ),
        404 => (
            "This page does not exist",
            "It may have been renamed or removed, or it is not open to you.",
        ),
        405 => (
            "That cannot be done here",
            "This address belongs to a button of another page. Open that page and press the button there.",
        ),
        409 | 412 => (
            "This is not possible right now",
            "Open the page again to see how things stand, then decide.",
        ),
        410 => ("This was retired", "Look for its successor among the APIs."),
        413 => ("That is too large", "Go back and send less."),
        415 | 422 => (
            "That input cannot be used",
            "Go back, correct it and send it again.",
        ),
        429 => ("That was too often", "Wait a moment, then try again."),
        503 if code == "store_unavailable" => (
            "This is not available right now",
            "The database cannot be reached. Nothing was changed, and calls through the gateway go on. Try again in a few seconds.",
        ),
        503 => ("This is not available right now", "Try again in a few seconds."),
        _ => (
            "Something went wrong on our side",
            "Try again. If it happens again, tell an administrator the request id: the log has the cause under it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use gatewright_control::Error;
    use gatewright_model::permission::Permission;
    use gatewright_webkit::body::{BodyLimit, too_large};

    use super::*;

    #[test]
    fn one_thing_is_said_once() {
        let forbidden = Told::of(&Problem::from(Error::Forbidden {
            permission: Permission::TenantWrite,
        }));
        assert_eq!(
            (forbidden.detail.as_str(), forbidden.permission.as_deref()),
            ("", Some("tenant:write"))
        );
        for problem in [
            Problem::internal("x"),
            Problem::unavailable(),
            Problem::not_found("api"),
        ] {
            assert_eq!(Told::of(&problem).detail, "");
        }
        let guard = Told::of(&Problem::from(Error::guard("no_plan", "the version has no plan")));
        assert_eq!(guard.detail, "The version has no plan.");
    }

    #[test]
    fn what_is_too_large_is_told_how_much_there_may_be() {
        let told = |bytes| Told::of(&too_large(BodyLimit(bytes))).detail;
        assert_eq!(told(32 * 1024 * 1024), "At most 32 MiB can be sent at once.");
        assert_eq!(told(64_000), "At most 64.0 kB can be sent at once.");
    }
}
