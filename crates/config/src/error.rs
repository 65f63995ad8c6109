//! What is wrong with the configuration: which setting, what about it, and what to do.

use std::fmt;

use crate::exit::Exit;
use crate::key::Key;
use crate::layers::Source;

/// Why a value was refused, before it is known where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Reads on from the setting's name.
    pub(crate) problem: String,
    /// What to do, as an order.
    pub(crate) fix: String,
}

impl Fault {
    pub(crate) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

/// One refused setting. Its text names the key in all its spellings, the
/// problem, where the value came from and the fix, on one line and without
/// any secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting.
    pub key: &'static Key,
    /// Where the refused value came from, when there was one.
    pub(crate) source: Option<Source>,
    /// Reads on from the setting's name.
    pub problem: String,
    /// What to do, as an order.
    pub fix: String,
}

impl ConfigError {
    pub(crate) fn new(key: &'static Key, source: Option<Source>, fault: Fault) -> Self {
        Self {
            key,
            source,
            problem: fault.problem,
            fix: fault.fix,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) ", self.key.snake(), self.key.spellings())?;
        f.write_str(&self.problem)?;
        if let Some(source) = &self.source {
            write!(f, " (set {source})")?;
        }
        write!(f, "; fix: {}", self.fix)
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with the configuration, one error a line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub(crate) Vec<ConfigError>);

impl ConfigErrors {
    /// The errors, in the order of the settings.
    #[must_use]
    pub fn as_slice(&self) -> &[ConfigError] {
        &self.0
    }

    /// The code the process ends with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}
