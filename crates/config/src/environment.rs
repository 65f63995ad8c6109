//! The part of the environment that is ours.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use crate::key::KEYS;
use crate::nearest::nearest;

/// What every variable of ours begins with.
pub(crate) const PREFIX: &str = "GATEWRIGHT_";

/// The `GATEWRIGHT_…` variables, read once. An empty variable counts as unset:
/// compose files and unit files pass empty ones for what is not configured.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Reads the environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let ours = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self::from_pairs(ours)
    }

    /// An environment made of these variables; those that are not ours are left out.
    pub fn from_pairs<K: Into<String>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(
            pairs
                .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
                .collect(),
        )
    }

    /// The value of a variable, and `Err` when it is not UTF-8.
    pub(crate) fn get(&self, name: &str) -> Option<Result<&str, NotText>> {
        Some(self.0.get(name)?.to_str().ok_or(NotText))
    }

    /// A sentence for each variable that looks like a misspelt setting. Others
    /// with our prefix are left alone: container platforms make such names
    /// from the name of a service.
    pub(crate) fn misspelt(&self) -> Vec<String> {
        let known: Vec<String> = KEYS.iter().map(|key| key.env()).collect();
        let unknown = self.0.keys().filter(|name| !known.contains(name));
        unknown
            .filter_map(|name| {
                let meant = nearest(name, known.iter().map(String::as_str), 2)?;
                Some(format!(
                    "the environment variable {name} is not known and was ignored; did you mean {meant}?"
                ))
            })
            .collect()
    }
}

/// Where a service manager wants to hear of this process (`sd_notify(3)`).
#[must_use]
pub fn notify_socket() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())
}

/// A variable that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotText;

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_misses_are_reported() {
        let environment = Environment::from_pairs([
            ("GATEWRIGHT_REDIS_URI", "x"),
            ("GATEWRIGHT_REDIS_URL", "y"),
            ("GATEWRIGHT_SERVICE_HOST", "z"),
            ("PATH", "/bin"),
        ]);
        let misspelt = environment.misspelt();
        assert_eq!(misspelt.len(), 1);
        assert!(misspelt[0].contains("GATEWRIGHT_REDIS_URI") && misspelt[0].contains("GATEWRIGHT_REDIS_URL"));
    }

    #[test]
    fn an_empty_variable_is_unset_and_debug_shows_no_value() {
        let environment =
            Environment::from_pairs([("GATEWRIGHT_REDIS_URL", ""), ("GATEWRIGHT_MASTER_KEY", "s3cret")]);
        assert_eq!(environment.get("GATEWRIGHT_REDIS_URL"), None);
        assert_eq!(format!("{environment:?}"), r#"{"GATEWRIGHT_MASTER_KEY"}"#);
    }
}
