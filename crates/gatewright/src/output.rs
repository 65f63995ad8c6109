//! What a command prints to stdout: text for people, one JSON value for programs.

use std::io::Write;

use gatewright_config::OutputFormat;
use serde_json::Value;

use crate::failure::Failure;

/// Prints the result of a command in the form that was asked for.
pub(crate) fn print(format: OutputFormat, text: &str, json: &Value) -> Result<(), Failure> {
    match format {
        OutputFormat::Text => line(text),
        OutputFormat::Json => line(&json.to_string()),
    }
}

/// Prints one line, whole and at once: somebody may be reading lines from a pipe.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::finding(format!("stdout cannot be written: {error}")))
}

/// A number with its noun, which takes an `s` in the plural.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        let counts = [0, 1, 2].map(|count| counted(count, "error"));
        assert_eq!(counts, ["0 errors", "1 error", "2 errors"]);
    }
}
