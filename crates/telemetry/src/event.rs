//! One event as one line, for people or for programs.

use std::fmt::{self, Write};

use serde_json::{Map, Value};
use tracing::Level;
use tracing::field::{Field, Visit};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::capped::{Capped, is_unsafe, push_escaped};

/// The longest message, in bytes.
const MAX_MESSAGE: usize = 4096;
/// The longest value of a field, in bytes. A backtrace has the room of a message.
const MAX_VALUE: usize = 1024;
/// The most fields of an event, those of its spans among them.
const MAX_FIELDS: usize = 64;

/// The fields of an event or a span.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) message: String,
    values: Map<String, Value>,
}

impl Fields {
    /// Takes the fields of an enclosing span that the event does not name itself.
    pub(crate) fn inherit(&mut self, outer: &Self) {
        for (name, value) in &outer.values {
            if !self.values.contains_key(name) {
                self.put(name, value.clone());
            }
        }
    }

    /// Takes a field out, when it is a text.
    pub(crate) fn take_text(&mut self, name: &str) -> Option<String> {
        match self.values.shift_remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Drops the fields whose names begin so.
    pub(crate) fn drop_prefixed(&mut self, prefix: &str) {
        self.values.retain(|name, _| !name.starts_with(prefix));
    }

    fn put(&mut self, name: &str, value: Value) {
        if self.values.len() < MAX_FIELDS {
            self.values.insert(name.to_owned(), value);
        }
    }

    fn put_text(&mut self, field: &Field, value: &dyn fmt::Display) {
        match field.name() {
            "message" => self.message = Capped::of(value, MAX_MESSAGE),
            name @ "backtrace" => self.put(name, Capped::of(value, MAX_MESSAGE).into()),
            name => self.put(name, Capped::of(value, MAX_VALUE).into()),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, &value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put_text(field, &Chain(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, &format_args!("{value:?}"));
    }
}

/// An error and its causes: "cannot publish: store unavailable: connection refused".
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// An event, ready to be written.
pub(crate) struct Line<'a> {
    pub(crate) level: Level,
    pub(crate) target: &'a str,
    pub(crate) fields: &'a Fields,
}

impl Line<'_> {
    /// A JSON object and a line end. Field names never hide `time`, `level`,
    /// `target` and `message`, since those are written last.
    pub(crate) fn json(&self) -> String {
        let mut object = Map::new();
        for name in ["time", "level", "target", "message"] {
            object.insert(name.to_owned(), Value::Null);
        }
        for (name, value) in &self.fields.values {
            object.insert(name.clone(), value.clone());
        }
        object.insert("time".to_owned(), now().into());
        object.insert("level".to_owned(), self.level.as_str().into());
        object.insert("target".to_owned(), self.target.into());
        object.insert("message".to_owned(), self.fields.message.as_str().into());
        let text = Value::Object(object).to_string();
        let mut line = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            // JSON leaves DEL, C1 and the direction marks as they are; they stand inside strings alone.
            if is_unsafe(c) {
                push_json_escape(&mut line, c);
            } else {
                line.push(c);
            }
        }
        line.push('\n');
        line
    }

    /// `time LEVEL target: message name=value …` and a line end.
    pub(crate) fn pretty(&self, colour: bool) -> String {
        let (on, off) = if colour {
            (colour_of(self.level), "\u{1b}[0m")
        } else {
            ("", "")
        };
        let mut line = format!("{} {on}{:>5}{off} {}: ", now(), self.level.as_str(), self.target);
        push_escaped(&mut line, &self.fields.message);
        for (name, value) in &self.fields.values {
            line.push(' ');
            push_escaped(&mut line, name);
            line.push('=');
            push_value(&mut line, value);
        }
        line.push('\n');
        line
    }
}

/// A value that could be read as two fields stands in quotes.
fn push_value(line: &mut String, value: &Value) {
    match value {
        Value::String(text) if text.is_empty() || text.contains([' ', '=', '"', '\\']) => {
            line.push('"');
            push_escaped(line, &text.replace('\\', "\\\\").replace('"', "\\\""));
            line.push('"');
        }
        Value::String(text) => push_escaped(line, text),
        other => push_escaped(line, &other.to_string()),
    }
}

fn push_json_escape(line: &mut String, c: char) {
    let mut units = [0_u16; 2];
    for unit in c.encode_utf16(&mut units) {
        // Writing to a String cannot fail.
        let _infallible = write!(line, "\\u{unit:04x}");
    }
}

fn now() -> String {
    let mut text = String::new();
    match SystemTime.format_time(&mut Writer::new(&mut text)) {
        Ok(()) => text,
        Err(_) => "-".to_owned(),
    }
}

const fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        Level::DEBUG => "\u{1b}[34m",
        Level::TRACE => "\u{1b}[35m",
    }
}
