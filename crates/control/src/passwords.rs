//! Passwords: argon2id with 19 MiB, two passes, one lane (OWASP's floor), off
//! the async threads and at most two at a time.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use gatewright_model::invalid::Invalid;
use gatewright_model::secret::SecretText;

use crate::control::Control;
use crate::error::{Error, Result};

/// Length in characters (ASVS 6.2.1 and 6.2.9).
const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 256;

/// A password that meets the rules.
#[derive(Debug, Clone)]
pub struct Password(SecretText);

impl Password {
    /// Checks the length; there are no rules of composition.
    ///
    /// # Errors
    /// Names the rule.
    pub fn parse(text: &str) -> std::result::Result<Self, Invalid> {
        let length = text.chars().count();
        if (MIN_CHARS..=MAX_CHARS).contains(&length) {
            Ok(Self(SecretText::new(text.to_owned())))
        } else {
            Err(Invalid::new(
                "invalid_password",
                "must be 8 to 256 characters long",
            ))
        }
    }
}

impl Control {
    /// The stored form of a password, a PHC string.
    pub(crate) async fn hash_password(&self, password: Password) -> Result<String> {
        let _permit = self.passwords.acquire().await.map_err(|_| Error::Unavailable)?;
        let work = tokio::task::spawn_blocking(move || {
            argon2id()
                .hash_password(password.0.expose().as_bytes())
                .map(|hash| hash.to_string())
        });
        match work.await {
            Ok(Ok(hash)) => Ok(hash),
            Ok(Err(error)) => Err(Error::Internal(format!(
                "a password could not be hashed: {error}"
            ))),
            Err(error) => Err(Error::Internal(format!(
                "the hashing of a password stopped: {error}"
            ))),
        }
    }

    /// Whether the password belongs to the stored form.
    ///
    /// # Errors
    /// [`Error::Internal`] when the stored form is damaged.
    pub async fn password_matches(&self, password: SecretText, stored: String) -> Result<bool> {
        let _permit = self.passwords.acquire().await.map_err(|_| Error::Unavailable)?;
        let work = tokio::task::spawn_blocking(move || {
            let parsed = argon2::PasswordHash::new(&stored).map_err(|error| error.to_string())?;
            Ok::<_, String>(
                argon2id()
                    .verify_password(password.expose().as_bytes(), &parsed)
                    .is_ok(),
            )
        });
        match work.await {
            Ok(verdict) => {
                verdict.map_err(|error| Error::Internal(format!("a stored password is damaged: {error}")))
            }
            Err(error) => Err(Error::Internal(format!(
                "the check of a password stopped: {error}"
            ))),
        }
    }
}

fn argon2id() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}
