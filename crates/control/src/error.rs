//! Why a use case did not happen. One enum for all of them: the surfaces map
//! it once, to problem+json and to pages.

use std::time::Duration;

use gatewright_model::id::EntityId;
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::permission::Permission;
use gatewright_model::state::IllegalTransition;
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_openapi::finding::Finding;
use gatewright_store::{Rule, StoreError};

/// What a use case gives.
pub type Result<T> = std::result::Result<T, Error>;

/// The state of a thing, and where it can go from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The state it is in.
    pub state: &'static str,
    /// The states that can be reached from it.
    pub allowed: Vec<&'static str>,
}

/// A version that replaces another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The slug of its API.
    pub api: Slug,
    /// Its label.
    pub version: VersionLabel,
}

/// Why a use case did not happen. Nothing was written, whatever the variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the input break rules.
    #[error(transparent)]
    Invalid(#[from] FieldErrors),
    /// It does not exist, or the caller may not know that it does.
    #[error("no such {kind}")]
    NotFound {
        /// What was looked for: `api`, `plan`.
        kind: &'static str,
    },
    /// The caller may see it but lacks the permission.
    #[error("the permission {permission} is missing")]
    Forbidden {
        /// The permission that is missing.
        permission: Permission,
    },
    /// Its state does not allow it.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// Another thing already has this name or place.
    #[error("{field} is taken by {existing}")]
    Duplicate {
        /// Stable code: `slug_taken`.
        code: &'static str,
        /// The field that clashes.
        field: &'static str,
        /// The id of what is there.
        existing: String,
    },
    /// A rule of the business forbids it as things stand.
    #[error("{message}")]
    Guard {
        /// Stable code: `no_plan`.
        code: &'static str,
        /// Which rule, and what would satisfy it.
        message: String,
        /// The state that forbids it, where it is a state.
        standing: Option<Standing>,
    },
    /// Somebody else took the same place at the same time. [`Control::settled`]
    /// tries again, so that the ordinary look finds who has it.
    ///
    /// [`Control::settled`]: crate::Control
    #[error("somebody else just took the same place ({0})")]
    Raced(Rule),
    /// It was tried too often, or by too many at once.
    #[error("{message}")]
    TooOften {
        /// Stable code: `too_many_attempts`.
        code: &'static str,
        /// What was too often, and when to try again.
        message: String,
        /// How long to wait.
        wait: Duration,
    },
    /// The document cannot be imported.
    #[error("the document has {} finding(s)", .0.len())]
    Findings(Vec<Finding>),
    /// A version that ended. What replaces it may be named.
    #[error("{name} was retired")]
    Retired {
        /// API and label, as people read them.
        name: String,
        /// What replaces it, as far as the reader may know of it.
        successor: Option<Successor>,
    },
    /// The portal is read only by those who sign in.
    #[error("this portal is open to those who sign in")]
    SignInNeeded,
    /// Somebody else changed it in the meantime.
    #[error("it was changed in the meantime")]
    Stale,
    /// The store cannot be reached.
    #[error("the store cannot be reached")]
    Unavailable,
    /// A fault of ours. The text is for the log only.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// One invalid field.
    #[must_use]
    pub fn field(pointer: &str, invalid: Invalid) -> Self {
        Self::Invalid(FieldErrors::one(pointer, invalid))
    }

    /// A broken business rule.
    pub fn guard(code: &'static str, message: impl Into<String>) -> Self {
        Self::Guard {
            code,
            message: message.into(),
            standing: None,
        }
    }

    /// A business rule that a state breaks, with the states that can be reached from it.
    pub fn guard_in(
        code: &'static str,
        message: impl Into<String>,
        state: &'static str,
        allowed: Vec<&'static str>,
    ) -> Self {
        Self::Guard {
            code,
            message: message.into(),
            standing: Some(Standing { state, allowed }),
        }
    }

    /// A thing that is not there.
    #[must_use]
    pub const fn missing(kind: &'static str) -> Self {
        Self::NotFound { kind }
    }

    /// A clash with a thing that is there.
    pub fn duplicate(code: &'static str, field: &'static str, existing: impl EntityId) -> Self {
        Self::Duplicate {
            code,
            field,
            existing: existing.to_string(),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::Unavailable,
            StoreError::Stale => Self::Stale,
            StoreError::Conflict(rule) => Self::Raced(rule),
            other => Self::Internal(with_causes(&other)),
        }
    }
}

/// An error with its causes on one line, for the log.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_stand_on_one_line() {
        let error = Outer(std::io::Error::other("disk\nfull"));
        assert_eq!(with_causes(&error), "cannot start: disk full");
    }
}
