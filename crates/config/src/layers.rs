//! The four layers of a setting: flag over environment over file over default.

use std::collections::BTreeMap;
use std::fmt;

use crate::environment::Environment;
use crate::error::{ConfigError, ConfigErrors, Fault};
use crate::key::{Fallback, Key, Kind};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "by the flag",
            Self::Environment => "in the environment",
            Self::File => "in the configuration file",
            Self::Default => "by default",
        })
    }
}

/// Texts by the name of their key, from the command line or from the file.
pub(crate) type Given = BTreeMap<&'static str, Vec<String>>;

/// Reads settings through their layers and collects what is wrong with them.
pub(crate) struct Reader<'a> {
    flags: &'a Given,
    environment: &'a Environment,
    file: Given,
    errors: Vec<ConfigError>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(flags: &'a Given, environment: &'a Environment) -> Self {
        Self {
            flags,
            environment,
            file: Given::new(),
            errors: Vec::new(),
        }
    }

    /// Lays the file below the environment.
    pub(crate) fn add_file(&mut self, file: Given) {
        self.file = file;
    }

    /// The one value of a setting: its default when it is not given, `None`
    /// when there is none or when it is wrong (the error is kept).
    pub(crate) fn read<T>(
        &mut self,
        key: &'static Key,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        let (source, values) = self.lookup(key)?;
        let text = values.last()?;
        let parsed = if text.trim().is_empty() {
            Err(Fault::new("is empty", "give a value or leave it out"))
        } else {
            parse(text.trim())
        };
        self.keep(key, source, parsed)
    }

    /// The value as it was given: a space may belong to a password.
    pub(crate) fn read_untrimmed(&mut self, key: &'static Key) -> Option<String> {
        self.lookup(key)
            .and_then(|(_, values)| values.into_iter().next_back())
    }

    /// The values of a list setting; empty when nothing is given.
    pub(crate) fn read_list<T>(
        &mut self,
        key: &'static Key,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Option<Vec<T>> {
        let Some((source, values)) = self.lookup(key) else {
            return Some(Vec::new());
        };
        let words = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        let parsed = words.filter(|word| !word.is_empty()).map(parse).collect();
        self.keep(key, source, parsed)
    }

    /// Whether a switch is on.
    pub(crate) fn read_switch(&mut self, key: &'static Key) -> Option<bool> {
        if self.lookup(key).is_none() {
            return Some(false);
        }
        self.read(key, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(Fault::new(
                format!("{text:?} is neither true nor false"),
                "give true or false",
            )),
        })
    }

    /// A whole number within bounds.
    pub(crate) fn read_integer(
        &mut self,
        key: &'static Key,
        bounds: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        self.read(key, |text| {
            text.parse()
                .ok()
                .filter(|number| bounds.contains(number))
                .ok_or_else(|| {
                    let unit = match key.kind {
                        Kind::Integer(unit) => unit,
                        _ => "units",
                    };
                    Fault::new(
                        format!("{text:?} is not a whole number in range"),
                        format!("give {} to {} {unit}", bounds.start(), bounds.end()),
                    )
                })
        })
    }

    /// Whether somebody gave the setting.
    pub(crate) fn is_given(&mut self, key: &'static Key) -> bool {
        matches!(self.lookup(key), Some((source, _)) if source != Source::Default)
    }

    /// Records that settings do not fit together.
    pub(crate) fn refuse(&mut self, key: &'static Key, fault: Fault) {
        let source = self.lookup(key).map(|(source, _)| source);
        let source = source.filter(|source| *source != Source::Default);
        self.errors.push(ConfigError::new(key, source, fault));
    }

    /// Records errors that were found elsewhere.
    pub(crate) fn extend(&mut self, errors: Vec<ConfigError>) {
        self.errors.extend(errors);
    }

    /// The value when it is whole and nothing was wrong.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(ConfigErrors(self.errors)),
        }
    }

    fn keep<T>(&mut self, key: &'static Key, source: Source, parsed: Result<T, Fault>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(fault) => {
                self.errors.push(ConfigError::new(key, Some(source), fault));
                None
            }
        }
    }

    fn lookup(&mut self, key: &'static Key) -> Option<(Source, Vec<String>)> {
        if let Some(values) = self.flags.get(key.name) {
            return Some((Source::Flag, values.clone()));
        }
        match self.environment.get(&key.env()) {
            Some(Ok(value)) => return Some((Source::Environment, vec![value.to_owned()])),
            Some(Err(_)) => {
                let fault = Fault::new("is not UTF-8", "set it to plain text");
                let error = ConfigError::new(key, Some(Source::Environment), fault);
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
            }
            None => {}
        }
        if let Some(values) = self.file.get(key.name) {
            return Some((Source::File, values.clone()));
        }
        match key.fallback {
            Fallback::Value(value) => Some((Source::Default, vec![value.to_owned()])),
            Fallback::Derived(_) | Fallback::Unset => None,
        }
    }
}
