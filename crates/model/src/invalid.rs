//! What is wrong with an input: one fault of one value, and the list of them
//! that a form or a request body collects before it is refused as a whole.

use std::borrow::Cow;

/// Why one value was refused: a stable code for programs and a sentence for
/// people that names the rule and the fix. It reads on from the field's name
/// ("must be …").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// Stable, snake case.
    pub code: &'static str,
    /// Reads on from the field's name.
    pub message: Cow<'static, str>,
}

impl Invalid {
    /// A fault with a fixed or a made-up message.
    pub fn new(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// One fault at one place of an input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request body.
    pub pointer: String,
    /// Stable, snake case.
    pub code: Cow<'static, str>,
    /// A sentence that names the rule and the fix.
    pub message: String,
}

/// All faults of one input. Never empty once it has become an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
#[error("{} field(s) are invalid", .0.len())]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Keeps the value or records its fault under `pointer`.
    pub fn take<T>(&mut self, pointer: &str, result: Result<T, Invalid>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.add(pointer, invalid);
                None
            }
        }
    }

    /// Records a fault.
    pub fn add(&mut self, pointer: &str, invalid: Invalid) {
        self.0.push(FieldError {
            pointer: pointer.to_owned(),
            code: Cow::Borrowed(invalid.code),
            message: invalid.message.into_owned(),
        });
    }

    /// Adds the faults of a nested input below `pointer`.
    pub fn nest(&mut self, pointer: &str, inner: Self) {
        self.0.extend(inner.0.into_iter().map(|error| FieldError {
            pointer: format!("{pointer}{}", error.pointer),
            ..error
        }));
    }

    /// A list with one fault.
    #[must_use]
    pub fn one(pointer: &str, invalid: Invalid) -> Self {
        let mut errors = Self::default();
        errors.add(pointer, invalid);
        errors
    }

    /// True while nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order in which they were found.
    #[must_use]
    pub fn as_slice(&self) -> &[FieldError] {
        &self.0
    }

    /// `Ok` with the value when every part was there, otherwise the faults.
    ///
    /// # Errors
    /// The collected faults, when there are any or when `value` is `None`.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(self),
        }
    }
}
