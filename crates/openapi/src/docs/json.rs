//! JSON with the kinds of its pieces.

use serde_json::Value;

use super::code::{Kind, Tokens};

/// Levels that are indented further.
const DEEPEST: usize = 64;

/// A value, indented by two spaces a level.
#[must_use]
pub fn pretty(value: &Value) -> Tokens {
    let mut tokens = Tokens::default();
    write(value, 0, &mut tokens);
    tokens
}

/// A text that may be JSON: indented when it is, as it stands when not.
#[must_use]
pub fn tokens(text: &str) -> Tokens {
    serde_json::from_str::<Value>(text).map_or_else(|_| Tokens::plain(text), |value| pretty(&value))
}

fn write(value: &Value, level: usize, out: &mut Tokens) {
    match value {
        Value::Null | Value::Bool(_) => {
            out.put(Kind::Keyword, value.to_string());
        }
        Value::Number(number) => {
            out.put(Kind::Num, number.to_string());
        }
        Value::String(text) => {
            out.put(Kind::Str, quoted(text));
        }
        Value::Array(items) if items.is_empty() => {
            out.put(Kind::Plain, "[]");
        }
        Value::Object(members) if members.is_empty() => {
            out.put(Kind::Plain, "{}");
        }
        Value::Array(items) => {
            out.put(Kind::Plain, "[");
            for (at, item) in items.iter().enumerate() {
                next_line(at > 0, level + 1, out);
                write(item, level + 1, out);
            }
            next_line(false, level, out);
            out.put(Kind::Plain, "]");
        }
        Value::Object(members) => {
            out.put(Kind::Plain, "{");
            for (at, (name, member)) in members.iter().enumerate() {
                next_line(at > 0, level + 1, out);
                out.put(Kind::Key, quoted(name)).put(Kind::Plain, ": ");
                write(member, level + 1, out);
            }
            next_line(false, level, out);
            out.put(Kind::Plain, "}");
        }
    }
}

fn next_line(comma: bool, level: usize, out: &mut Tokens) {
    out.put(Kind::Plain, if comma { ",\n" } else { "\n" });
    out.put(Kind::Plain, "  ".repeat(level.min(DEEPEST)));
}

/// Text as JSON has it.
pub(super) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{pretty, tokens};
    use crate::docs::code::Kind;

    #[test]
    fn the_text_is_the_same_json_and_its_pieces_are_known() {
        let value = json!({"a\"": [1, true, null, "x"], "b": {}, "c": []});
        let tokens = pretty(&value);
        assert_eq!(serde_json::from_str::<Value>(&tokens.text()).unwrap(), value);
        assert_eq!(tokens.text(), serde_json::to_string_pretty(&value).unwrap());
        let kinds: Vec<(Kind, &str)> = tokens.list().iter().map(|t| (t.kind, t.text.as_str())).collect();
        assert!(kinds.contains(&(Kind::Key, "\"a\\\"\"")));
        assert!(kinds.contains(&(Kind::Num, "1")) && kinds.contains(&(Kind::Keyword, "true")));
    }

    #[test]
    fn what_is_no_json_stays_as_it_is() {
        assert_eq!(tokens("<a>").text(), "<a>");
        assert_eq!(tokens("{\"a\":1}").text(), "{\n  \"a\": 1\n}");
    }
}
