//! One setting, declared once: its flag, its environment variable, its place in
//! the file, its default and its documentation all come from one [`Key`].

use crate::{
    admin, clients, database, file, listen, logging, mail, master_key, network, public_url, roles, running,
};

/// What a value looks like. It decides how a flag is read, which TOML types
/// fit, and what the reference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A path, relative to the working directory.
    Path,
    /// `IP:port`; port 0 takes a free one.
    Address,
    /// A URL without credentials.
    Url,
    /// A URL that may carry credentials and is never printed whole.
    SecretUrl,
    /// A text that is never printed.
    Secret,
    /// Free text.
    Text,
    /// A whole number of this unit.
    Integer(&'static str),
    /// On or off.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Several of what the name says: comma-separated, a repeated flag, or a TOML array.
    List(&'static str),
}

impl Kind {
    /// The placeholder in `--help`.
    pub(crate) const fn placeholder(self) -> &'static str {
        match self {
            Self::Path => "PATH",
            Self::Address => "IP:PORT",
            Self::Url | Self::SecretUrl => "URL",
            Self::Secret | Self::Text => "TEXT",
            Self::Integer(_) => "N",
            Self::Switch => "BOOL",
            Self::Choice(_) => "WORD",
            Self::List(of) => of,
        }
    }

    /// What the reference says about the type.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::Path => "path".to_owned(),
            Self::Address => "`IP:port`".to_owned(),
            Self::Url => "URL".to_owned(),
            Self::SecretUrl => "URL, secret".to_owned(),
            Self::Secret => "text, secret".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Integer(unit) => format!("whole number of {unit}"),
            Self::Switch => "`true` or `false`".to_owned(),
            Self::Choice(words) => format!("`{}`", words.join("`, `")),
            Self::List(of) => format!("list of {of}"),
        }
    }
}

/// What holds when nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, read by the same parser as a given one.
    Value(&'static str),
    /// A value that depends on something else, in words.
    Derived(&'static str),
    /// Nothing: the feature is off.
    Unset,
}

/// Which commands take the setting as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every command.
    Every,
    /// The commands that run or examine a server.
    Serve,
}

/// Where a setting may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As a flag, in the environment and in the file.
    Everywhere,
    /// As a flag and in the environment.
    NotInFile,
    /// In the environment alone: a flag would stand in the list of processes.
    EnvironmentOnly,
}

/// A setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// The flag without its dashes; the other spellings derive from it.
    pub name: &'static str,
    /// The heading it stands under in `--help` and in the reference.
    pub section: &'static str,
    /// What a value looks like.
    pub kind: Kind,
    /// What holds when it is not set.
    pub fallback: Fallback,
    /// Which commands take it.
    pub scope: Scope,
    /// Where it may be given.
    pub reach: Reach,
    /// Meaning, unit and range, for `--help` and the reference.
    pub doc: &'static str,
}

impl Key {
    /// `--gateway-listen`, where there is such a flag.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        (self.reach != Reach::EnvironmentOnly).then(|| format!("--{}", self.name))
    }

    /// `GATEWRIGHT_GATEWAY_LISTEN`.
    #[must_use]
    pub fn env(&self) -> String {
        format!(
            "{}{}",
            crate::environment::PREFIX,
            self.name.replace('-', "_").to_ascii_uppercase()
        )
    }

    /// `gateway_listen`, where the file may hold it.
    #[must_use]
    pub fn toml(&self) -> Option<String> {
        (self.reach == Reach::Everywhere).then(|| self.snake())
    }

    /// The name in snake case, whether or not the file may hold it.
    pub(crate) fn snake(&self) -> String {
        self.name.replace('-', "_")
    }

    /// All spellings of the setting, for an error message.
    pub(crate) fn spellings(&self) -> String {
        let flag = self.flag().map(|flag| format!("{flag}, "));
        let toml = self.toml().map(|key| format!(", {key} in gatewright.toml"));
        format!(
            "{}{}{}",
            flag.unwrap_or_default(),
            self.env(),
            toml.unwrap_or_default()
        )
    }
}

/// Every setting, in the order of the reference.
pub static KEYS: &[&Key] = &[
    &file::CONFIG,
    &database::DATA_DIR,
    &database::DATABASE_URL,
    &database::REDIS_URL,
    &database::MIGRATE,
    &master_key::MASTER_KEY_FILE,
    &master_key::MASTER_KEY,
    &roles::ROLES,
    &listen::GATEWAY_LISTEN,
    &listen::MANAGEMENT_LISTEN,
    &listen::PORTAL_LISTEN,
    &listen::STATUS_LISTEN,
    &public_url::GATEWAY_URL,
    &public_url::MANAGEMENT_URL,
    &public_url::PORTAL_URL,
    &public_url::ALLOW_SHARED_HOST,
    &admin::ADMIN_EMAIL,
    &admin::ADMIN_PASSWORD,
    &mail::SMTP_URL,
    &mail::MAIL_FROM,
    &network::FETCH_ALLOW,
    &clients::TRUSTED_PROXIES,
    &clients::MAX_BODY,
    &clients::MAX_CONNECTIONS,
    &clients::MAX_PER_ADDRESS,
    &clients::MAX_BUFFERED,
    &running::WORKERS,
    &running::DRAIN_SECONDS,
    &running::CALL_RETENTION_DAYS,
    &running::USAGE_RETENTION_DAYS,
    &running::MUTE_NOTICES,
    &logging::LOG_FORMAT,
    &logging::LOG_LEVEL,
    &logging::OUTPUT,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_documented() {
        let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(names.len(), KEYS.len());
        for key in KEYS {
            assert!(
                key.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
                "{}",
                key.name
            );
            assert!(key.doc.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn secrets_have_no_flag() {
        for key in KEYS.iter().filter(|key| key.kind == Kind::Secret) {
            assert_eq!(key.flag(), None, "{}", key.name);
            assert_eq!(key.toml(), None, "{}", key.name);
        }
    }
}
