//! The body of an answer as it is shown: JSON indented and coloured with its
//! numbers and duplicate names as they came, other text as it is, bytes not at all.

use serde::de::IgnoredAny;

/// Pieces that are coloured; what is behind them is shown in one colour, so
/// that a large answer stays a page that can be scrolled.
const COLOURED: usize = 1_500;
/// Levels that are indented further.
const DEEPEST: usize = 32;

/// A piece of a text with the class of its colour; empty for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// `t-key`, `t-str`, `t-num`, `t-kw`, or empty.
    pub(crate) class: &'static str,
    /// Its text, not escaped.
    pub(crate) text: String,
}

/// A body as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BodyView {
    /// There is none.
    Empty,
    /// Text in pieces.
    Text {
        /// What the block is called.
        label: &'static str,
        /// The pieces.
        pieces: Vec<Piece>,
    },
    /// Bytes.
    Binary,
}

/// How a body is shown.
pub(super) fn view(content_type: &str, encoded: bool, body: &[u8]) -> BodyView {
    if body.is_empty() {
        return BodyView::Empty;
    }
    let Some(text) = text_of(body).filter(|_| !encoded) else {
        return BodyView::Binary;
    };
    let essence = content_type.split(';').next().unwrap_or("").trim();
    let is_json = essence == "application/json" || essence.ends_with("+json");
    if (is_json || essence.is_empty()) && serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return BodyView::Text {
            label: "JSON",
            pieces: json(text),
        };
    }
    BodyView::Text {
        label: "Text",
        pieces: vec![Piece {
            class: "",
            text: text.to_owned(),
        }],
    }
}

/// The text of a body; where it was cut, a character may have been cut too.
fn text_of(body: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(body.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    text.chars().all(printable).then_some(text)
}

/// Indents valid JSON by two spaces a level and tells its pieces apart.
fn json(text: &str) -> Vec<Piece> {
    let mut out = Pieces::default();
    let mut level = 0_usize;
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let (lexeme, after) = rest.split_at(lexeme(rest, first));
        let next = after.trim_start();
        match first {
            '{' | '[' if next.starts_with(['}', ']']) => {
                out.put("", lexeme);
                out.put("", next.get(..1).unwrap_or(""));
                rest = next.get(1..).unwrap_or("").trim_start();
                continue;
            }
            '{' | '[' => {
                level += 1;
                out.put("", lexeme);
                out.line(level);
            }
            '}' | ']' => {
                level = level.saturating_sub(1);
                out.line(level);
                out.put("", lexeme);
            }
            ',' => {
                out.put("", lexeme);
                out.line(level);
            }
            ':' => out.put("", ": "),
            '"' if next.starts_with(':') => out.put("t-key", lexeme),
            '"' => out.put("t-str", lexeme),
            't' | 'f' | 'n' => out.put("t-kw", lexeme),
            _ => out.put("t-num", lexeme),
        }
        rest = next;
    }
    out.list
}

/// How long the piece is that begins a text.
fn lexeme(text: &str, first: char) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '}' | ']');
    match first {
        '{' | '[' | '}' | ']' | ',' | ':' => 1,
        '"' => {
            let mut escaped = false;
            let end = text.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            });
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        _ => text.find(ends).unwrap_or(text.len()),
    }
}

#[derive(Default)]
struct Pieces {
    list: Vec<Piece>,
}

impl Pieces {
    fn put(&mut self, class: &'static str, text: &str) {
        let class = if self.list.len() < COLOURED { class } else { "" };
        match self.list.last_mut() {
            Some(last) if last.class == class => last.text.push_str(text),
            _ => self.list.push(Piece {
                class,
                text: text.to_owned(),
            }),
        }
    }

    fn line(&mut self, level: usize) {
        self.put("", "\n");
        self.put("", &"  ".repeat(level.min(DEEPEST)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> (String, Vec<Piece>) {
        match view("application/json", false, body.as_bytes()) {
            BodyView::Text { pieces, .. } => {
                (pieces.iter().map(|piece| piece.text.as_str()).collect(), pieces)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn json_is_indented_and_told_apart_without_being_changed() {
        let body = r#"{"a" : 12345678901234567890.10,"a":[true,null,{}, [ ] ],"b\"}":"x, \\" }"#;
        let (text, pieces) = shown(body);
        let expected = "{\n  \"a\": 12345678901234567890.10,\n  \"a\": [\n    true,\n    null,\n    {},\n    []\n  ],\n  \"b\\\"}\": \"x, \\\\\"\n}";
        assert_eq!(text, expected);
        let class = |wanted: &str| {
            let found = pieces.iter().find(|piece| piece.text == wanted);
            found.map(|piece| piece.class)
        };
        assert_eq!(class("\"b\\\"}\""), Some("t-key"));
        assert_eq!(class("\"x, \\\\\""), Some("t-str"));
        assert_eq!(class("12345678901234567890.10"), Some("t-num"));
        assert_eq!(class("null"), Some("t-kw"));
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_is() {
        let (text, pieces) = shown("{\"cut\": \"he");
        assert_eq!((text.as_str(), pieces.len()), ("{\"cut\": \"he", 1));
        assert_eq!(view("image/png", false, &[0x89, 0x50, 0xff]), BodyView::Binary);
        assert_eq!(view("text/plain", true, b"abc"), BodyView::Binary);
        assert_eq!(view("text/plain", false, b""), BodyView::Empty);
        // A character that was cut in the middle does not make bytes of a text.
        assert!(matches!(
            view("text/plain", false, &[b'a', 0xe2, 0x82]),
            BodyView::Text { .. }
        ));
    }

    #[test]
    fn a_large_answer_stays_a_small_page() {
        let body = format!("[{}]", vec!["1"; 100_000].join(","));
        let (text, pieces) = shown(&body);
        assert!(pieces.len() <= COLOURED + 1);
        assert_eq!(text.matches('1').count(), 100_000);
    }

    proptest::proptest! {
        #[test]
        fn indenting_keeps_the_value(keys in proptest::collection::vec(".{0,12}", 0..6), depth in 0_usize..8) {
            let mut value = serde_json::json!({});
            for key in &keys {
                value[key] = serde_json::json!([key, 1.5e3, null]);
            }
            for _ in 0..depth {
                value = serde_json::json!([value, {"k": ""}]);
            }
            let text: String = json(&value.to_string()).iter().map(|piece| piece.text.as_str()).collect();
            let again: serde_json::Value = serde_json::from_str(&text).unwrap();
            proptest::prop_assert_eq!(again, value);
        }
    }
}
