//! What the process says and how.

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static LOG_FORMAT: Key = Key {
    name: "log-format",
    section: "Output",
    kind: Kind::Choice(&["pretty", "json"]),
    fallback: Fallback::Value("pretty"),
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "How log lines are written to stderr.",
};

pub(crate) static LOG_LEVEL: Key = Key {
    name: "log-level",
    section: "Output",
    kind: Kind::Text,
    fallback: Fallback::Value("info"),
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "off, error, warn, info, debug or trace, also per module: info,gatewright_gateway=debug.",
};

pub(crate) static OUTPUT: Key = Key {
    name: "output",
    section: "Output",
    kind: Kind::Choice(&["text", "json"]),
    fallback: Fallback::Value("text"),
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "How a command prints its result to stdout.",
};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How a command prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// Checked directives: `level` or `module=level`, separated by commas.
    pub level: String,
}

impl LogConfig {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let format = reader.read(&LOG_FORMAT, |text| match text {
            "pretty" => Ok(LogFormat::Pretty),
            "json" => Ok(LogFormat::Json),
            _ => Err(choice(text, "pretty or json")),
        });
        let level = reader.read(&LOG_LEVEL, parse_level);
        Some(Self {
            format: format?,
            level: level?,
        })
    }
}

impl OutputFormat {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.read(&OUTPUT, |text| match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(choice(text, "text or json")),
        })
    }
}

fn choice(text: &str, words: &str) -> Fault {
    Fault::new(format!("{text:?} is not known"), format!("choose {words}"))
}

fn parse_level(text: &str) -> Result<String, Fault> {
    for directive in text.split(',') {
        let (module, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        let module_fits = module
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
        let known = ["off", "error", "warn", "info", "debug", "trace"].contains(&level);
        if !module_fits || !known || directive.starts_with('=') {
            return Err(Fault::new(
                format!("{directive:?} is no log directive"),
                "give off, error, warn, info, debug or trace, or module=level, separated by commas without spaces",
            ));
        }
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_checked() {
        for text in ["info", "warn,gatewright_gateway::proxy=trace", "off"] {
            assert_eq!(parse_level(text).as_deref(), Ok(text));
        }
        for text in ["loud", "info,", "=info", "a[b]=info", "info, x=warn"] {
            assert!(parse_level(text).is_err(), "{text}");
        }
    }
}
