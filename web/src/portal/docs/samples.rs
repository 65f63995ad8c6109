//! Code as HTML, coloured by the kinds of its pieces.

use std::fmt;

use askama::filters::HtmlSafe;
use gatewright_openapi::docs::code::{Kind, Tokens};
use gatewright_openapi::docs::operation::OperationDoc;
use gatewright_openapi::docs::samples::{Call, Language};

use super::room::Room;

/// The cookie with the language in which samples are shown first.
pub(super) const LANGUAGE: &str = "gw_samples";

/// Code in pieces, escaped.
#[derive(Debug, Clone)]
pub(super) struct CodeHtml(Tokens);

impl CodeHtml {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self(tokens)
    }
}

impl HtmlSafe for CodeHtml {}

impl fmt::Display for CodeHtml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in self.0.list() {
            let class = match token.kind {
                Kind::Plain => None,
                Kind::Keyword => Some("t-kw"),
                Kind::Key => Some("t-key"),
                Kind::Str => Some("t-str"),
                Kind::Num => Some("t-num"),
                Kind::Function => Some("t-fn"),
                Kind::Comment => Some("t-com"),
            };
            match class {
                Some(class) => {
                    write!(f, "<span class=\"{class}\">")?;
                    escape(&token.text, f)?;
                    f.write_str("</span>")?;
                }
                None => escape(&token.text, f)?,
            }
        }
        Ok(())
    }
}

fn escape(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>']) {
        let (plain, special) = rest.split_at(at);
        f.write_str(plain)?;
        let (entity, after) = match special.as_bytes().first() {
            Some(b'&') => ("&amp;", special.get(1..)),
            Some(b'<') => ("&lt;", special.get(1..)),
            _ => ("&gt;", special.get(1..)),
        };
        f.write_str(entity)?;
        rest = after.unwrap_or_default();
    }
    f.write_str(rest)
}

/// A sample in one language.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) key: &'static str,
    pub(super) label: String,
    pub(super) code: CodeHtml,
    pub(super) chosen: bool,
}

/// The samples of an operation: the publisher's own where there are any, ours
/// in all other languages. Then those in languages that have no tab.
pub(super) fn of(
    doc: &OperationDoc,
    base_url: &str,
    chosen: Option<&str>,
    room: &Room,
) -> (Vec<Sample>, Vec<(String, String)>) {
    let call = Call::of(doc, base_url);
    let known = Language::ALL
        .iter()
        .any(|language| Some(language.key()) == chosen);
    let chosen = if known {
        chosen.unwrap_or_default()
    } else {
        Language::Curl.key()
    };
    let tabs = Language::ALL.into_iter().map(|language| {
        let given = doc
            .samples
            .iter()
            .find(|sample| Language::named(&sample.lang) == Some(language));
        Sample {
            key: language.key(),
            label: language.label().to_owned(),
            code: room
                .code(given.map_or_else(|| call.sample(language), |given| Tokens::plain(&given.source))),
            chosen: language.key() == chosen,
        }
    });
    let more = doc
        .samples
        .iter()
        .filter(|sample| Language::named(&sample.lang).is_none())
        .map(|sample| (sample.label.clone(), sample.source.clone()));
    (tabs.collect(), more.collect())
}

#[cfg(test)]
mod tests {
    use gatewright_openapi::docs::json::tokens;

    use super::CodeHtml;

    #[test]
    fn code_is_escaped_and_coloured() {
        let html = CodeHtml::new(tokens("{\"<b>\":\"a&b</span>\"}")).to_string();
        assert_eq!(
            html,
            "{\n  <span class=\"t-key\">\"&lt;b&gt;\"</span>: <span class=\"t-str\">\"a&amp;b&lt;/span&gt;\"</span>\n}"
        );
    }
}
