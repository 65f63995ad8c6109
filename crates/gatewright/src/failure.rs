//! Why a command did not do what it was asked: one line with the fix, and the
//! code that a shell sees.

use std::fmt;
use std::io::Write;

use gatewright_config::{ConfigErrors, Exit, LockError, MasterKeyError};
use gatewright_control::error::with_causes;
use gatewright_store::StoreError;

/// A command that ends without having done its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code to end with.
    pub(crate) exit: Exit,
    message: String,
}

impl Failure {
    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// The store is out of reach.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message)
    }

    /// Somebody else has what is needed.
    pub(crate) fn taken(message: impl Into<String>) -> Self {
        Self::new(Exit::Taken, message)
    }

    /// It was tried and something was wrong.
    pub(crate) fn finding(message: impl Into<String>) -> Self {
        Self::new(Exit::Findings, message)
    }

    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }

    /// Says it on stderr and gives the code to end with.
    pub(crate) fn tell(&self) -> Exit {
        let told = writeln!(std::io::stderr().lock(), "gatewright: {self}");
        // Without a stderr the code is all that is left to say.
        drop(told);
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(errors.exit(), errors.to_string().replace('\n', "\ngatewright: "))
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        Self::new(error.exit(), error.to_string())
    }
}

impl From<MasterKeyError> for Failure {
    fn from(error: MasterKeyError) -> Self {
        Self::new(error.exit(), error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let text = with_causes(&error);
        match error {
            StoreError::Unavailable { .. } => Self::unavailable(format!(
                "{text}; fix: start the database, or correct database_url (--database-url, GATEWRIGHT_DATABASE_URL)"
            )),
            StoreError::Migration(_) => Self::usage(text),
            _ => Self::finding(text),
        }
    }
}

impl From<gatewright_control::Error> for Failure {
    fn from(error: gatewright_control::Error) -> Self {
        use gatewright_control::Error as Cause;
        let text = with_causes(&error);
        match error {
            Cause::Unavailable => Self::unavailable(format!(
                "{text}; fix: start the database, or correct database_url (--database-url, GATEWRIGHT_DATABASE_URL)"
            )),
            Cause::Invalid(errors) => {
                let faults = errors.as_slice().iter();
                let faults: Vec<_> = faults
                    .map(|fault| format!("{} {}", fault.pointer, fault.message))
                    .collect();
                Self::usage(faults.join("; "))
            }
            Cause::NotFound { .. }
            | Cause::Duplicate { .. }
            | Cause::Raced(_)
            | Cause::Guard { .. }
            | Cause::Illegal(_) => Self::usage(text),
            Cause::Findings(_)
            | Cause::TooOften { .. }
            | Cause::Forbidden { .. }
            | Cause::Retired { .. }
            | Cause::SignInNeeded
            | Cause::Stale
            | Cause::Internal(_) => Self::finding(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_is_away_is_no_usage_error() {
        let away = StoreError::Unavailable {
            reason: "refused".to_owned(),
        };
        let failure = Failure::from(away);
        assert_eq!(failure.exit, Exit::Unavailable);
        assert!(failure.to_string().contains("fix: "));
    }
}
