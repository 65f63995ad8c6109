//! How a page calls the fields of a form. A label stands once, at its field;
//! what is wrong is told in its words, also in the summary above the form,
//! which is why a refused form is rendered twice (see [`crate::page::Page::form`]).

use std::sync::{Arc, Mutex, PoisonError};

/// The label of one field.
#[derive(Debug, Clone)]
pub(super) struct Label {
    field: String,
    text: String,
    verb: &'static str,
    ask: String,
}

/// Labels that begin like a question are asked for as they stand.
const QUESTIONS: [&str; 8] = ["what", "who", "whom", "which", "how", "when", "where", "for"];
/// Words that make clear which one is meant.
const POINTING: [&str; 5] = [" of ", " to ", " at ", " between ", " until "];
const POINTING_FIRST: [&str; 4] = ["first", "last", "current", "new"];

impl Label {
    pub(super) fn new(field: &str, text: &str, verb: &'static str, ask: &str) -> Self {
        Self {
            field: field.to_owned(),
            text: text.to_owned(),
            verb,
            ask: ask.to_owned(),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What an empty field is told: "Enter a name", "Choose who finds it".
    pub(super) fn question(&self) -> String {
        if !self.ask.is_empty() {
            return [self.verb, " ", &self.ask].concat();
        }
        let text = lowered(&self.text);
        let first = text.split(' ').next().unwrap_or_default();
        let article = if QUESTIONS.contains(&first) || first == "your" || is_plural(&text) {
            ""
        } else if POINTING_FIRST.contains(&first) || POINTING.iter().any(|word| text.contains(word)) {
            "the "
        } else if text.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) {
            "an "
        } else {
            "a "
        };
        [self.verb, " ", article, &text].concat()
    }
}

/// With a small first letter, unless the word is written in capitals.
fn lowered(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn is_plural(text: &str) -> bool {
    text.ends_with('s') && !text.ends_with("ss")
}

/// What is known of the labels so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels(Arc<Mutex<Vec<Label>>>);

impl Labels {
    pub(super) fn add(&self, label: Label) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|other| other.field == label.field) {
            known.push(label);
        }
    }

    pub(super) fn of(&self, field: &str) -> Option<Label> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|label| label.field == field).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_field_is_asked_for_in_the_words_of_its_label() {
        for (label, asked) in [
            ("Name", "Enter a name"),
            ("E-mail address", "Enter an e-mail address"),
            ("API key", "Enter an API key"),
            ("Your name", "Enter your name"),
            ("New password", "Enter the new password"),
            ("Name of your application", "Enter the name of your application"),
            ("What it does", "Enter what it does"),
            ("Headers", "Enter headers"),
        ] {
            assert_eq!(Label::new("x", label, "Enter", "").question(), asked);
        }
        let label = Label::new("x", "Works until", "Enter", "the day on which it stops");
        assert_eq!(label.question(), "Enter the day on which it stops");
    }
}
