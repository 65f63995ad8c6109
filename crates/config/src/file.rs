//! `gatewright.toml`. A key may stand flat (`gateway_listen`) or under tables
//! that spell its beginning (`[gateway]`, `listen`); dashes equal underscores.

use std::io::Read;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::error::{ConfigError, Fault};
use crate::key::{Fallback, KEYS, Key, Kind, Reach, Scope};
use crate::layers::{Given, Source};
use crate::nearest::nearest;

pub(crate) static CONFIG: Key = Key {
    name: "config",
    section: "Files and stores",
    kind: Kind::Path,
    fallback: Fallback::Derived("`gatewright.toml` in the working directory, when it is there"),
    scope: Scope::Every,
    reach: Reach::NotInFile,
    doc: "The configuration file.",
};

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "gatewright.toml";

/// A configuration is a page of text; more is a wrong file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads the named file, or the default one where it exists.
pub(crate) fn load(named: Option<PathBuf>) -> Result<Given, Vec<ConfigError>> {
    let path = match named {
        Some(path) => path,
        None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
        None => return Ok(Given::new()),
    };
    let refuse = |problem: String, fix: &str| {
        let fault = Fault::new(format!("{path:?}: {problem}"), fix);
        vec![ConfigError::new(&CONFIG, None, fault)]
    };
    let mut text = String::new();
    let read =
        std::fs::File::open(&path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(refuse(
            format!("cannot be read: {error}"),
            "name a readable TOML file or leave it out",
        )),
        Ok(bytes) if u64::try_from(bytes).unwrap_or(u64::MAX) > MAX_FILE_BYTES => {
            Err(refuse("is larger than 1 MiB".to_owned(), "name the right file"))
        }
        Ok(_) => parse(&text, &path),
    }
}

fn parse(text: &str, path: &Path) -> Result<Given, Vec<ConfigError>> {
    // The parser's own report quotes the line, which may hold a password.
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
        let fault = Fault::new(
            format!(
                "{path:?}: line {} is not TOML: {}",
                before.matches('\n').count() + 1,
                error.message().lines().next().unwrap_or("").escape_debug()
            ),
            "correct the line; texts stand in double quotes",
        );
        vec![ConfigError::new(&CONFIG, None, fault)]
    })?;
    let mut found = Found {
        given: Given::new(),
        errors: Vec::new(),
    };
    found.walk("", &table);
    if found.errors.is_empty() {
        Ok(found.given)
    } else {
        Err(found.errors)
    }
}

struct Found {
    given: Given,
    errors: Vec<ConfigError>,
}

impl Found {
    /// Tables nest as deep as the parser allows, which is bounded.
    fn walk(&mut self, prefix: &str, table: &Table) {
        for (name, value) in table {
            let name = format!("{prefix}{}", name.replace('-', "_"));
            match value {
                Value::Table(inner) => self.walk(&format!("{name}_"), inner),
                value => self.take(&name, value),
            }
        }
    }

    fn take(&mut self, name: &str, value: &Value) {
        let Some(key) = KEYS.iter().find(|key| key.snake() == name) else {
            self.errors.push(ConfigError::new(&CONFIG, None, unknown(name)));
            return;
        };
        let texts = match texts_of(key, value) {
            _ if key.reach != Reach::Everywhere => Err(Fault::new(
                "may not stand in the configuration file",
                format!("set {} instead", key.env()),
            )),
            _ if self.given.contains_key(key.name) => {
                Err(Fault::new("is set twice", "keep one of the two spellings"))
            }
            texts => texts,
        };
        match texts {
            Ok(texts) => {
                self.given.insert(key.name, texts);
            }
            Err(fault) => self.errors.push(ConfigError::new(key, Some(Source::File), fault)),
        }
    }
}

fn unknown(name: &str) -> Fault {
    let known: Vec<String> = KEYS.iter().filter_map(|key| key.toml()).collect();
    let meant = nearest(
        name,
        known.iter().map(String::as_str),
        (name.chars().count() / 3).max(2),
    );
    let fix = meant.map_or_else(
        || "remove it; docs/configuration.md lists the keys".to_owned(),
        |meant| format!("did you mean {meant:?}?"),
    );
    Fault::new(format!("holds the unknown key {name:?}"), fix)
}

/// The value as the texts that the other layers would hold. A wrong type is
/// refused here, since `data_dir = true` would pass as a path.
fn texts_of(key: &Key, value: &Value) -> Result<Vec<String>, Fault> {
    let wrong = || {
        Fault::new(
            format!("has the wrong type ({})", value.type_str()),
            format!("give a value of this type: {}", key.kind.describe()),
        )
    };
    match (key.kind, value) {
        (_, Value::String(text)) => Ok(vec![text.clone()]),
        (Kind::Integer(_), Value::Integer(number)) => Ok(vec![number.to_string()]),
        (Kind::Switch, Value::Boolean(on)) => Ok(vec![on.to_string()]),
        (Kind::List(_), Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Given, String> {
        parse(text, Path::new("gatewright.toml")).map_err(|errors| {
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        })
    }

    #[test]
    fn flat_nested_and_dashed_keys_are_the_same() {
        let expected = Some(&vec!["127.0.0.1:9000".to_owned()]);
        for text in [
            "gateway_listen = '127.0.0.1:9000'",
            "gateway-listen = '127.0.0.1:9000'",
            "[gateway]\nlisten = '127.0.0.1:9000'",
        ] {
            assert_eq!(parsed(text).unwrap().get("gateway-listen"), expected, "{text}");
        }
        let error = parsed("gateway_listen = 'a'\n[gateway]\nlisten = 'b'").unwrap_err();
        assert!(error.contains("is set twice"), "{error}");
    }

    #[test]
    fn unknown_keys_name_the_nearest_known_one() {
        let error = parsed("[gateway]\nlisen = '127.0.0.1:9000'").unwrap_err();
        assert!(
            error.contains(r#""gateway_lisen""#) && error.contains(r#"did you mean "gateway_listen"?"#),
            "{error}"
        );
    }

    #[test]
    fn secrets_and_wrong_types_are_refused_without_being_shown() {
        let error = parsed("master_key = 'c2VjcmV0'").unwrap_err();
        assert!(
            error.contains("GATEWRIGHT_MASTER_KEY") && !error.contains("c2VjcmV0"),
            "{error}"
        );
        assert!(
            parsed("data_dir = true")
                .unwrap_err()
                .contains("wrong type (boolean)")
        );
        assert!(parsed("fetch_allow = [1]").unwrap_err().contains("list of CIDR"));
    }

    #[test]
    fn a_syntax_error_names_the_line_and_not_its_content() {
        let error = parsed("workers = 2\nredis_url = \"redis://:hunter2@host\" oops").unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
    }
}
