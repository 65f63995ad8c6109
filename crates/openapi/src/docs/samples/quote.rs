//! Text as a literal of each language. What a literal says is exactly the
//! text, whatever stands in it.

use std::fmt::Write;

/// Characters that change the direction of what follows: they would let code
/// look like other code.
const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

fn is_odd(c: char) -> bool {
    c.is_control() || is_bidi(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// In single quotes of a POSIX shell. NUL cannot be said there and is left out.
pub(super) fn shell(text: &str) -> String {
    let inner = text.replace('\0', "").replace('\'', "'\\''");
    format!("'{inner}'")
}

/// In double quotes, where `escape` writes what has no short form.
fn double(text: &str, escape: fn(char, &mut String)) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            odd if is_odd(odd) => escape(odd, &mut quoted),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

/// Four hexadecimal digits: all odd characters are below U+10000.
fn four_digits(c: char, out: &mut String) {
    // Writing to memory cannot fail.
    write!(out, "\\u{:04x}", u32::from(c)).unwrap_or_default();
}

pub(super) fn javascript(text: &str) -> String {
    double(text, four_digits)
}

pub(super) fn python(text: &str) -> String {
    double(text, four_digits)
}

pub(super) fn csharp(text: &str) -> String {
    double(text, four_digits)
}

pub(super) fn go(text: &str) -> String {
    double(text, four_digits)
}

pub(super) fn rust(text: &str) -> String {
    double(text, |c, out| {
        write!(out, "\\u{{{:x}}}", u32::from(c)).unwrap_or_default();
    })
}

/// Java reads `\u000a` as a line end before it looks for literals, so control
/// characters are written in octal (JLS 3.3, 3.10.7).
pub(super) fn java(text: &str) -> String {
    double(text, |c, out| {
        let code = u32::from(c);
        if code < 256 {
            write!(out, "\\{code:03o}").unwrap_or_default();
        } else {
            four_digits(c, out);
        }
    })
}

/// In single quotes of PHP, where only two characters mean anything.
pub(super) fn php(text: &str) -> String {
    let inner = text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{inner}'")
}

/// A raw string of Go, where that can hold the text.
pub(super) fn go_raw(text: &str) -> Option<String> {
    let fits = !text
        .chars()
        .any(|c| c == '`' || (is_odd(c) && c != '\n' && c != '\t'));
    fits.then(|| format!("`{text}`"))
}

/// A raw string of Rust with as many `#` as it takes.
pub(super) fn rust_raw(text: &str) -> Option<String> {
    if text.chars().any(|c| is_odd(c) && c != '\n' && c != '\t') {
        return None;
    }
    let mut marks = "#".to_owned();
    while text.contains(&format!("\"{marks}")) {
        marks.push('#');
    }
    Some(format!("r{marks}\"{text}\"{marks}"))
}
