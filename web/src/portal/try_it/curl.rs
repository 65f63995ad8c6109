//! The same call as a line for a shell. Secrets stand in it as variables.

use std::fmt::Write;

use gatewright_control::console::{Call, Proof};
use http::header::{AUTHORIZATION, COOKIE};

/// The longest body that is written into the line.
const MAX_BODY: usize = 4_000;

/// The line for a call.
pub(super) fn line(method: &str, gateway_url: &str, call: &Call) -> String {
    let mark = if call.query.is_empty() { "" } else { "?" };
    let url = [gateway_url, &call.path, mark, &call.query].concat();
    let mut line = match method {
        "GET" => "curl ".to_owned(),
        "HEAD" => "curl --head ".to_owned(),
        method => format!("curl -X {} ", quoted(method)),
    };
    line.push_str(&quoted(&url));
    if !matches!(call.proof, Proof::Nothing) {
        line.push_str(" \\\n  -H \"X-API-Key: $API_KEY\"");
    }
    for (name, value) in call.headers.as_map() {
        // Writing to a string cannot fail.
        let _ = if *name == AUTHORIZATION {
            write!(line, " \\\n  -H \"Authorization: $AUTHORIZATION\"")
        } else if *name == COOKIE {
            write!(
                line,
                " \\\n  -b {}",
                quoted(&String::from_utf8_lossy(value.as_bytes()))
            )
        } else {
            let field = format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
            write!(line, " \\\n  -H {}", quoted(&field))
        };
    }
    match std::str::from_utf8(&call.body) {
        Ok("") => {}
        Ok(body) if body.len() <= MAX_BODY => {
            line.push_str(" \\\n  --data-binary ");
            // An @ at the beginning would be the name of a file.
            match body.strip_prefix('@') {
                Some(_) => line.push_str("@body.txt"),
                None => line.push_str(&quoted(body)),
            }
        }
        _ => line.push_str(" \\\n  --data-binary @body.txt"),
    }
    line
}

/// A word of a POSIX shell that means exactly this text.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use gatewright_control::console::CallHeaders;
    use gatewright_model::secret::SecretText;

    use super::*;

    fn call(proof: Proof, body: &'static str) -> Call {
        let mut headers = CallHeaders::default();
        headers.add("Authorization", "Bearer s3cret").unwrap();
        headers.add("X-Note", "it's; $(rm -rf /) \"x\"").unwrap();
        Call {
            path: "/pets/7".to_owned(),
            query: "a=1&b=2".to_owned(),
            headers,
            body: Bytes::from_static(body.as_bytes()),
            proof,
        }
    }

    #[test]
    fn nothing_typed_becomes_a_command_and_no_secret_is_shown() {
        let proof = Proof::Key(SecretText::new("gw_live_s3cret".to_owned()));
        let line = line(
            "POST",
            "https://api.example.com/shop/v1",
            &call(proof, "{\"a\": \"it's\"}"),
        );
        let expected = "curl -X POST 'https://api.example.com/shop/v1/pets/7?a=1&b=2' \\\n  -H \"X-API-Key: $API_KEY\" \\\n  -H \"Authorization: $AUTHORIZATION\" \\\n  -H 'x-note: it'\\''s; $(rm -rf /) \"x\"' \\\n  --data-binary '{\"a\": \"it'\\''s\"}'";
        assert_eq!(line, expected);
        assert!(!line.contains("s3cret"));
    }

    #[test]
    fn a_plain_call_is_a_plain_line() {
        let mut plain = call(Proof::Nothing, "");
        plain.headers = CallHeaders::default();
        plain.query = String::new();
        assert_eq!(
            line("GET", "http://127.0.0.1:8000/a/v1", &plain),
            "curl http://127.0.0.1:8000/a/v1/pets/7"
        );
        plain.body = Bytes::from_static(b"@/etc/passwd");
        assert!(line("PUT", "http://g", &plain).ends_with("--data-binary @body.txt"));
    }
}
