//! A form between the browser and a use case: what was typed, and what is
//! wrong with it. A refused form is shown again with both.

use gatewright_control::Error;
use gatewright_model::invalid::Invalid;
use gatewright_webkit::problem::Problem;
use http::StatusCode;

use crate::fields::Fields;

/// One fault, as the summary above the form lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FormError {
    /// The name of the field; empty for a fault of the whole form.
    pub(crate) field: String,
    /// A sentence that begins with a capital letter.
    pub(crate) message: String,
}

/// What a form shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct FormState {
    values: Vec<(String, String)>,
    errors: Vec<FormError>,
    too_often: bool,
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
        Self::new(
            fields
                .pairs()
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
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
        self
    }

    /// What is wrong with a field.
    pub(crate) fn error(&self, field: &str) -> Option<&str> {
        self.errors
            .iter()
            .find(|error| error.field == field)
            .map(|error| error.message.as_str())
    }

    /// Every fault, in the order in which they were found.
    pub(crate) fn summary(&self) -> &[FormError] {
        &self.errors
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// The status of a page that shows the form.
    pub(crate) fn status(&self) -> StatusCode {
        if self.is_ok() {
            StatusCode::OK
        } else if self.too_often {
            StatusCode::TOO_MANY_REQUESTS
        } else {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }

    /// Records a fault of a field. Messages of the model read on from the
    /// field's name ("must be …"), so the name is put before them.
    pub(crate) fn fail(&mut self, field: &str, invalid: &Invalid) {
        self.errors.push(FormError {
            field: field.to_owned(),
            message: sentence(field, &invalid.message),
        });
    }

    /// Records a fault of a field as a sentence of its own.
    pub(crate) fn fail_field(&mut self, field: &str, sentence: impl Into<String>) {
        self.errors.push(FormError {
            field: field.to_owned(),
            message: capital(&sentence.into()),
        });
    }

    /// Records a fault of the whole form, as a sentence.
    pub(crate) fn fail_whole(&mut self, message: impl Into<String>) {
        self.errors.push(FormError {
            field: String::new(),
            message: capital(&message.into()),
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
                    let field = field_of(&error.pointer);
                    let message = sentence(&field, &error.message);
                    self.errors.push(FormError { field, message });
                }
            }
            Error::Duplicate { field, .. } => self.errors.push(FormError {
                field: field.to_owned(),
                message: capital(&format!("{} is taken already: choose another", words(field))),
            }),
            Error::Guard { code, .. } => {
                self.too_often |= matches!(code, "too_many_attempts" | "too_busy");
                self.fail_whole(error.to_string());
            }
            Error::Illegal(_) | Error::Stale => self.fail_whole(error.to_string()),
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

fn sentence(field: &str, message: &str) -> String {
    if field.is_empty() {
        capital(message)
    } else {
        let name = field.rsplit('.').next().unwrap_or(field);
        capital(&[&words(name), " ", message].concat())
    }
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
        assert_eq!(form.error("slug"), Some("Slug must be a slug"));
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
        let told: Vec<_> = form
            .summary()
            .iter()
            .map(|error| (error.field.as_str(), error.message.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("limits.0.amount", "Amount must be at least 1"),
                ("", "The version has no plan")
            ]
        );
        assert_eq!(form.absorb(Error::Unavailable).unwrap_err().status(), 503);
    }

    #[test]
    fn a_form_that_was_sent_too_often_has_a_status_of_its_own() {
        let form = FormState::default();
        assert_eq!(form.status(), 200);
        let form = form
            .refused(Error::guard("wrong_password", "it is wrong"))
            .unwrap();
        assert_eq!(form.status(), 422);
        let form = form.refused(Error::guard("too_many_attempts", "wait")).unwrap();
        assert_eq!(form.status(), 429);
    }

    #[test]
    fn a_value_that_was_sent_stays() {
        let form = FormState::new([("role", "owner"), ("name", "")]);
        let form = form.or("role", "developer").or("name", "x").or("days", "0");
        let values = ["role", "name", "days"].map(|name| form.value(name));
        assert_eq!(values, ["owner", "", "0"]);
    }
}
