//! An API description in a form: pasted, as a file, or by its address. Between
//! "check" and "import" it travels in the form itself, so that nothing is lost
//! and nothing is kept.

use std::fmt;

use askama::filters::HtmlSafe;
use gatewright_control::import::ImportSource;
use gatewright_model::invalid::Invalid;
use url::Url;

use crate::fields::Fields;
use crate::form::FormState;

/// The field with the text.
pub(super) const TEXT: &str = "document";
/// The field with the file.
const FILE: &str = "file";
/// The field with the address.
const ADDRESS: &str = "url";
/// A longer document is kept out of sight: no browser edits it at ease.
const LONGEST_SHOWN: usize = 200_000;

/// A document too long to be shown, in a hidden field. Within a text area only
/// `&` and `<` mean something.
#[derive(Debug, Clone)]
pub(super) struct KeptText(String);

impl fmt::Display for KeptText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find(['&', '<']) {
            let (plain, special) = rest.split_at(at);
            f.write_str(plain)?;
            f.write_str(if special.starts_with('&') { "&amp;" } else { "&lt;" })?;
            rest = special.get(1..).unwrap_or("");
        }
        f.write_str(rest)
    }
}

impl HtmlSafe for KeptText {}

impl KeptText {
    /// How long it is.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// What was sent.
#[derive(Debug)]
pub(super) struct Sent {
    /// The form with the text of a file in the place of the file.
    pub(super) form: FormState,
    /// The document, when it is long.
    pub(super) kept: Option<KeptText>,
    /// What to import, when exactly one thing was given.
    pub(super) source: Option<ImportSource>,
}

/// Reads the document of a form. A file counts before what is in the text field,
/// which may hold the document of the check before.
pub(super) fn read(fields: &Fields, form: FormState) -> Sent {
    let mut form = form;
    let mut text = fields.raw(TEXT).replace("\r\n", "\n");
    if let Some(file) = fields.file(FILE) {
        match std::str::from_utf8(&file.bytes) {
            Ok(content) => content.clone_into(&mut text),
            Err(_) => form.fail_field(FILE, "The file is not text: choose a JSON or YAML file in UTF-8"),
        }
    }
    let address = fields.get(ADDRESS);
    let source = if !form.is_ok() {
        None
    } else if text.trim().is_empty() {
        read_address(address, &mut form)
    } else if address.is_empty() {
        Some(ImportSource::Text(text.clone().into()))
    } else {
        form.fail_field(ADDRESS, "Give either an address or a document, not both");
        None
    };
    let kept = (text.len() > LONGEST_SHOWN).then(|| KeptText(text.clone()));
    let form = if kept.is_some() {
        form.without(TEXT)
    } else {
        form.set(TEXT, text)
    };
    Sent { form, kept, source }
}

fn read_address(address: &str, form: &mut FormState) -> Option<ImportSource> {
    if address.is_empty() {
        form.fail_field(
            TEXT,
            "Give an API description: paste it, choose a file, or name its address",
        );
        return None;
    }
    let rule = "must be an absolute http or https address";
    let url = Url::parse(address)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| Invalid::new("invalid_url", rule));
    form.take(ADDRESS, url).map(ImportSource::Url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_is_taken_and_two_are_refused() {
        let sent = read(
            &Fields::of(&[("document", "openapi: 3.0.3\r\n"), ("url", "")]),
            FormState::default(),
        );
        assert!(matches!(sent.source, Some(ImportSource::Text(text)) if text == "openapi: 3.0.3\n"));
        let sent = read(
            &Fields::of(&[("url", "https://example.com/a.yaml")]),
            FormState::default(),
        );
        assert!(matches!(sent.source, Some(ImportSource::Url(_))));
        for fields in [
            &[("document", "x"), ("url", "https://example.com/")][..],
            &[("url", "ftp://example.com/")],
            &[],
        ] {
            let sent = read(&Fields::of(fields), FormState::default());
            assert!(sent.source.is_none() && !sent.form.is_ok(), "{fields:?}");
        }
    }

    #[test]
    fn a_long_document_is_kept_out_of_sight_and_inert() {
        let long = format!("</textarea><b>&amp;{}", "x".repeat(LONGEST_SHOWN));
        let sent = read(&Fields::of(&[("document", &long)]), FormState::default());
        let kept = sent.kept.unwrap().to_string();
        assert!(kept.starts_with("&lt;/textarea>&lt;b>&amp;amp;xxx"));
        assert_eq!(sent.form.value(TEXT), "");
    }
}
