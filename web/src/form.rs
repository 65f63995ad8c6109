//! A form between the browser and a use case: what was typed, and what is
//! wrong with it. A refused form is shown again with both.

mod label;

use std::fmt::Display;
use std::time::Duration;

use gatewright_control::{Error, IfMatch};
use gatewright_model::invalid::Invalid;
use gatewright_model::state::IllegalTransition;
use gatewright_webkit::problem::Problem;
use http::StatusCode;

use crate::fields::Fields;
use crate::form::label::{Label, Labels};

/// The field with the version of a thing that a form was filled in from.
pub(crate) const ROW_VERSION: &str = "row_version";

/// What a form says that comes too late.
const OVERTAKEN: &str = "somebody else changed this in the meantime. Open this page once more in another tab \
                         to see what they saved; save here again to replace it with what you typed";

/// One fault, as the summary above the form lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormError {
    /// The name of the field; empty for a fault of the whole form.
    pub(crate) field: String,
    /// A sentence that begins with a capital letter.
    pub(crate) message: String,
}

/// What is wrong, before it is known how the page calls the field.
#[derive(Debug, Clone)]
enum Said {
    /// A sentence of its own.
    Sentence(String),
    /// Reads on from the field's name.
    Rule(String),
    /// The field is empty and must not be; with the rule.
    Missing(String),
    /// Something else has this value.
    Taken,
}

#[derive(Debug, Clone)]
struct Fault {
    field: String,
    said: Said,
}

/// What a form shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct FormState {
    values: Vec<(String, String)>,
    /// Whether the values are what somebody sent.
    sent: bool,
    /// Secrets that are left out of the values.
    withheld: Vec<String>,
    faults: Vec<Fault>,
    labels: Labels,
    /// How long to wait before it is sent again, when it was sent too often.
    wait: Option<Duration>,
    /// Somebody else changed what it shows since it was filled in.
    stale: bool,
}

impl FormState {
    /// A form with its first values.
    pub(crate) fn new<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        let values = values
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            values,
            ..Self::default()
        }
    }

    /// What was typed.
    pub(crate) fn from_fields(fields: &Fields) -> Self {
        Self {
            sent: true,
            ..Self::new(fields.pairs())
        }
    }

    /// The (first) value of a field; empty when it has none.
    pub(crate) fn value(&self, field: &str) -> &str {
        self.values
            .iter()
            .find(|(name, _)| name == field)
            .map_or("", |(_, value)| value.as_str())
    }

    /// Whether a choice is made: a radio button, a checkbox, an option.
    pub(crate) fn checked(&self, field: &str, value: &str) -> bool {
        self.values
            .iter()
            .any(|(name, chosen)| name == field && chosen == value)
    }

    /// With another value.
    #[must_use]
    pub(crate) fn set(mut self, field: &str, value: impl Into<String>) -> Self {
        self.values.retain(|(name, _)| name != field);
        self.values.push((field.to_owned(), value.into()));
        self
    }

    /// With a value for a field that came without one.
    #[must_use]
    pub(crate) fn or(self, field: &str, value: &str) -> Self {
        if self.values.iter().any(|(name, _)| name == field) {
            self
        } else {
            self.set(field, value)
        }
    }

    /// Secrets are never sent back.
    #[must_use]
    pub(crate) fn without(mut self, field: &str) -> Self {
        self.values.retain(|(name, _)| name != field);
        self.withheld.push(field.to_owned());
        self
    }

    /// Remembers how the page calls a field; what is wrong with it is told in
    /// these words. Shows nothing. `ask` completes the sentence that an empty
    /// field gets ("Enter …"), where the label itself does not.
    pub(crate) fn named(
        &self,
        field: &str,
        label: impl Display,
        verb: &'static str,
        ask: &str,
    ) -> &'static str {
        if !self.is_ok() {
            self.labels.add(Label::new(field, &label.to_string(), verb, ask));
        }
        ""
    }

    /// What is wrong with a field.
    pub(crate) fn error(&self, field: &str) -> Option<String> {
        self.faults
            .iter()
            .find(|fault| fault.field == field)
            .map(|fault| self.sentence(fault))
    }

    /// Every fault, in the order in which they were found.
    pub(crate) fn summary(&self) -> Vec<FormError> {
        let told = self.faults.iter().map(|fault| FormError {
            field: fault.field.clone(),
            message: self.sentence(fault),
        });
        told.collect()
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_ok(&self) -> bool {
        self.faults.is_empty()
    }

    fn sentence(&self, fault: &Fault) -> String {
        let label = self.labels.of(&fault.field);
        let name = || match &label {
            Some(label) => label.text().to_owned(),
            None => words(fault.field.rsplit('.').next().unwrap_or(&fault.field)),
        };
        let text = match (&fault.said, &label) {
            (Said::Sentence(text), _) => text.clone(),
            (Said::Missing(_), Some(label)) => label.question(),
            (Said::Rule(rule) | Said::Missing(rule), _) if fault.field.is_empty() => rule.clone(),
            (Said::Rule(rule) | Said::Missing(rule), _) => [&name(), " ", rule].concat(),
            (Said::Taken, _) => format!("{} is taken already: choose another", name()),
        };
        capital(&text)
    }

    /// The status of a page that shows the form.
    pub(crate) fn status(&self) -> StatusCode {
        if self.is_ok() {
            StatusCode::OK
        } else if self.wait.is_some() {
            StatusCode::TOO_MANY_REQUESTS
        } else if self.stale {
            StatusCode::CONFLICT
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }

    /// How long to wait before it is sent again, when it was sent too often.
    pub(crate) fn wait(&self) -> Option<Duration> {
        self.wait
    }

    /// The condition under which it is saved: nobody changed the thing since the
    /// form was filled in.
    pub(crate) fn if_match(&self) -> IfMatch {
        IfMatch(self.value(ROW_VERSION).parse().ok())
    }

    /// After a refusal because somebody else changed the thing meanwhile: what
    /// was typed stays, and sent once more it replaces what they saved.
    #[must_use]
    pub(crate) fn overtaken_by(self, row_version: i64) -> Self {
        if self.stale {
            self.set(ROW_VERSION, row_version.to_string())
        } else {
            self
        }
    }

    /// Records a fault of a field. Messages of the model read on from the
    /// field's name ("must be …"), so the label is put before them.
    pub(crate) fn fail(&mut self, field: &str, invalid: &Invalid) {
        self.break_rule(field, &invalid.message);
    }

    /// Records a fault of a field as a sentence of its own.
    pub(crate) fn fail_field(&mut self, field: &str, sentence: impl Into<String>) {
        self.add(field, Said::Sentence(sentence.into()));
    }

    /// Records a fault of the whole form, as a sentence.
    pub(crate) fn fail_whole(&mut self, message: impl Into<String>) {
        self.add("", Said::Sentence(message.into()));
    }

    fn break_rule(&mut self, field: &str, rule: &str) {
        // Why a value that may be empty has to be given now is for the rule to say.
        let missing = self.is_blank(field) && !rule.starts_with("must be given");
        let rule = rule.to_owned();
        self.add(
            field,
            if missing {
                Said::Missing(rule)
            } else {
                Said::Rule(rule)
            },
        );
    }

    /// Whether the field was sent without a value, or not at all.
    fn is_blank(&self, field: &str) -> bool {
        let withheld = self.withheld.iter().any(|name| name == field);
        self.sent && !withheld && self.value(field).trim().is_empty()
    }

    fn add(&mut self, field: &str, said: Said) {
        self.faults.push(Fault {
            field: field.to_owned(),
            said,
        });
    }

    /// Keeps a value or records its fault.
    pub(crate) fn take<T>(&mut self, field: &str, read: Result<T, Invalid>) -> Option<T> {
        read.map_err(|invalid| self.fail(field, &invalid)).ok()
    }

    /// The form with what a use case refused, to be shown again.
    ///
    /// # Errors
    /// As for [`FormState::absorb`].
    pub(crate) fn refused(mut self, error: Error) -> Result<Self, Problem> {
        self.absorb(error)?;
        Ok(self)
    }

    /// Turns what a use case refused into faults of the form. What no change
    /// of the form can mend stays a problem.
    ///
    /// # Errors
    /// The problem.
    pub(crate) fn absorb(&mut self, error: Error) -> Result<(), Problem> {
        match error {
            Error::Invalid(errors) => {
                for error in errors.as_slice() {
                    self.break_rule(&field_of(&error.pointer), &error.message);
                }
            }
            Error::Duplicate { field, .. } => self.add(field, Said::Taken),
            Error::TooOften { wait, .. } => {
                self.wait = Some(wait);
                self.fail_whole(error.to_string());
            }
            Error::Stale => {
                self.stale = true;
                self.fail_whole(OVERTAKEN);
            }
            Error::Illegal(refused) => self.fail_whole(moved_on(&refused)),
            Error::Guard { .. } | Error::Raced(_) => self.fail_whole(error.to_string()),
            Error::Findings(findings) => {
                for finding in findings.iter().take(20) {
                    self.fail_whole(format!("{} ({})", finding.message, finding.pointer));
                }
            }
            other => return Err(other.into()),
        }
        Ok(())
    }
}

/// `/limits/0/amount` is the field `limits.0.amount`.
fn field_of(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// Why a step is not possible any more, and what to do.
fn moved_on(refused: &IllegalTransition) -> String {
    let thing = match refused.entity {
        "api version" => "version",
        "credential" => "key",
        "approval" => "request",
        entity => entity,
    };
    let state = match refused.state {
        "draft" => "a draft",
        "preview" => "a preview",
        state => state,
    };
    let verb = refused.verb;
    let text = format!("This {thing} is {state} now, so you cannot {verb} it. The page shows how it stands");
    text.replace('_', " ")
}

fn words(name: &str) -> String {
    name.replace(['_', '-'], " ")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use gatewright_model::approval::{ApprovalState, ApprovalVerb};
    use gatewright_model::invalid::FieldErrors;

    use super::*;

    #[test]
    fn what_was_typed_stays_and_each_fault_names_its_field() {
        let mut form = FormState::new([("name", "Shop"), ("slug", "A B"), ("tag", "x"), ("tag", "y")]);
        assert_eq!(
            form.take::<()>("slug", Err(Invalid::new("invalid_slug", "must be a slug"))),
            None
        );
        assert_eq!((form.value("slug"), form.value("absent")), ("A B", ""));
        assert!(form.checked("tag", "y") && !form.checked("tag", "z"));
        assert_eq!(form.error("slug").unwrap(), "Slug must be a slug");
        assert!(!form.is_ok());
    }

    #[test]
    fn refusals_of_a_use_case_become_faults_of_the_form() {
        let mut form = FormState::default();
        let invalid = Invalid::new("invalid_amount", "must be at least 1");
        form.absorb(FieldErrors::one("/limits/0/amount", invalid).into())
            .unwrap();
        form.absorb(Error::guard("no_plan", "the version has no plan"))
            .unwrap();
        let told = form.summary();
        let told = told
            .iter()
            .map(|error| (error.field.as_str(), error.message.as_str()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("limits.0.amount", "Amount must be at least 1"),
                ("", "The version has no plan")
            ]
        );
        assert_eq!(form.absorb(Error::Unavailable).unwrap_err().status(), 503);
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_label() {
        let fields = Fields::of(&[("reason", " "), ("url", "ftp:"), ("key", "gw_live_x")]);
        let mut form = FormState::from_fields(&fields).without("key");
        form.fail("key", &Invalid::new("unknown", "must be a key"));
        form.fail("reason", &Invalid::new("empty", "must be 1 to 2,000 characters"));
        form.fail("url", &Invalid::new("invalid_url", "must be absolute"));
        form.fail(
            "slug",
            &Invalid::new("empty", "must be given: the name has no letter"),
        );
        form.named("reason", "Note to the approver", "Enter", "");
        form.named("url", "Address", "Enter", "");
        form.named("slug", "Short name", "Enter", "");
        let told = form.summary();
        let told: Vec<_> = told.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "Key must be a key",
                "Enter the note to the approver",
                "Address must be absolute",
                "Short name must be given: the name has no letter"
            ]
        );
        assert_eq!(form.error("url").unwrap(), "Address must be absolute");
    }

    #[test]
    fn a_step_that_is_not_possible_any_more_says_why() {
        let refused = ApprovalState::Approved.after(ApprovalVerb::Reject).unwrap_err();
        let form = FormState::default().refused(Error::Illegal(refused)).unwrap();
        assert_eq!(
            form.error("").unwrap(),
            "This request is approved now, so you cannot reject it. The page shows how it stands"
        );
    }

    #[test]
    fn a_form_that_was_sent_too_often_has_a_status_of_its_own() {
        let form = FormState::default();
        assert_eq!(form.status(), 200);
        let form = form
            .refused(Error::guard("wrong_password", "it is wrong"))
            .unwrap();
        assert_eq!(form.status(), 422);
        let wait = Duration::from_secs(7);
        let tired = Error::TooOften {
            code: "too_many_attempts",
            message: "wait".to_owned(),
            wait,
        };
        let form = form.refused(tired).unwrap();
        assert_eq!((form.status().as_u16(), form.wait()), (429, Some(wait)));
    }

    #[test]
    fn a_form_that_comes_too_late_can_be_sent_once_more() {
        let form = FormState::new([("name", "Shop"), ("row_version", "3")]).overtaken_by(5);
        assert_eq!(form.if_match(), IfMatch(Some(3)));
        let form = form.refused(Error::Stale).unwrap().overtaken_by(5);
        assert_eq!((form.status().as_u16(), form.value("name")), (409, "Shop"));
        assert_eq!(form.if_match(), IfMatch(Some(5)));
    }

    #[test]
    fn a_value_that_was_sent_stays() {
        let form = FormState::new([("role", "owner"), ("name", "")]);
        let form = form.or("role", "developer").or("name", "x").or("days", "0");
        let values = ["role", "name", "days"].map(|name| form.value(name));
        assert_eq!(values, ["owner", "", "0"]);
    }
}
