//! Passwords: argon2id with 19 MiB, two passes, one lane (OWASP's floor), off
//! the async threads, at most two at a time and with a bounded queue before them.

use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use gatewright_model::invalid::Invalid;
use gatewright_model::secret::SecretText;
use tokio::sync::OwnedSemaphorePermit;

use crate::control::Control;
use crate::error::{Error, Result};

/// Length in characters (ASVS 6.2.1 and 6.2.9).
const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 256;

/// Passwords that everybody tries first, one on each line, in lower case (ASVS 6.2.4).
const COMMON: &str = include_str!("passwords/common.txt");
/// Rows of keys: what runs along one of them, either way and round its end, is a run.
const ROWS: [&[u8]; 7] = [
    b"1234567890",
    b"0123456789",
    b"qwertyuiop",
    b"qwertzuiop",
    b"asdfghjkl",
    b"zxcvbnm",
    b"abcdefghijklmnopqrstuvwxyz",
];

/// A password that meets the rules.
#[derive(Debug, Clone)]
pub struct Password(SecretText);

impl Password {
    /// Checks the length, and that it is none of those that are tried first;
    /// there are no rules of composition.
    ///
    /// # Errors
    /// Names the rule.
    pub fn parse(text: &str) -> std::result::Result<Self, Invalid> {
        let length = text.chars().count();
        if !(MIN_CHARS..=MAX_CHARS).contains(&length) {
            return Err(Invalid::new(
                "invalid_password",
                "must be 8 to 256 characters long",
            ));
        }
        if is_common(text) {
            return Err(Invalid::new(
                "common_password",
                "must not be one of the most common passwords or a plain run of keys: take several words instead",
            ));
        }
        Ok(Self(SecretText::new(text.to_owned())))
    }
}

fn is_common(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut chars = lower.chars();
    let first = chars.next();
    let all_one = chars.all(|char| Some(char) == first);
    all_one
        || COMMON.lines().any(|common| common == lower)
        || ROWS.iter().any(|row| is_run(lower.as_bytes(), row))
}

/// Whether each key is the next of the one before it, or each the one before.
fn is_run(keys: &[u8], row: &[u8]) -> bool {
    let places: Option<Vec<usize>> = keys
        .iter()
        .map(|key| row.iter().position(|known| known == key))
        .collect();
    let Some(places) = places else {
        return false;
    };
    let next = |place: usize| (place + 1) % row.len();
    let pairs = || places.iter().zip(places.iter().skip(1));
    pairs().all(|(one, other)| next(*one) == *other) || pairs().all(|(one, other)| next(*other) == *one)
}

/// A stored form that no password matches, of the same cost as a real one: who
/// tries an unknown account waits as long as who tries a known one.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Z2F0ZXdyaWdodC1ub25lIQ$bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4";

/// After this long the whole queue has had its turn.
const PASSWORD_WAIT: Duration = Duration::from_secs(3);

/// A place among those whose passwords are hashed.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Control {
    /// Takes a place among those whose passwords are hashed. The queue is
    /// bounded: a flood of sign-ins is turned away instead of piling up.
    ///
    /// # Errors
    /// [`Error::TooOften`] `too_busy`.
    pub(crate) fn password_turn(&self) -> Result<Turn> {
        let turn = Arc::clone(&self.password_queue).try_acquire_owned();
        turn.map_err(|_| Error::TooOften {
            code: "too_busy",
            message: "too many people sign in at this moment: try again in a few seconds".to_owned(),
            wait: PASSWORD_WAIT,
        })
    }

    /// The stored form of a password, a PHC string.
    pub(crate) async fn hash_password(&self, password: Password) -> Result<String> {
        let _turn = self.password_turn()?;
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

    /// Whether the password belongs to the stored form; without one it takes as
    /// long and belongs to nobody.
    ///
    /// # Errors
    /// [`Error::Internal`] when the stored form is damaged.
    pub(crate) async fn password_matches(
        &self,
        turn: Turn,
        password: SecretText,
        stored: Option<String>,
    ) -> Result<bool> {
        let _turn = turn;
        let _permit = self.passwords.acquire().await.map_err(|_| Error::Unavailable)?;
        let work = tokio::task::spawn_blocking(move || {
            let stored = stored.as_deref().unwrap_or(NOBODYS);
            let parsed = argon2::PasswordHash::new(stored).map_err(|error| error.to_string())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        Password::parse(text).err().map_or("ok", |invalid| invalid.code)
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        let common = [
            "password",
            "PassWord1",
            "aaaaaaaaaa",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "12345678",
            "1234567890123",
            "01234567",
            "87654321",
            "qwertyuiop",
            "POIUYTREWQ",
            "abcdefghij",
        ];
        for text in common {
            assert_eq!(code(text), "common_password", "{text}");
        }
    }

    #[test]
    fn words_of_ones_own_are_fine() {
        for text in [
            "correct horse",
            "secret-password",
            "long enough",
            "hunter2hunter3",
        ] {
            assert_eq!(code(text), "ok", "{text}");
        }
        assert_eq!(code("1234567"), "invalid_password");
        assert_eq!(code(&"ab".repeat(129)), "invalid_password");
    }

    #[test]
    fn nobodys_password_costs_what_a_real_one_costs() {
        let real = argon2id().hash_password(b"a real password").unwrap().to_string();
        let (real, nobodys) = (
            argon2::PasswordHash::new(&real).unwrap(),
            argon2::PasswordHash::new(NOBODYS).unwrap(),
        );
        assert_eq!(real.params, nobodys.params);
        assert_eq!(
            (real.algorithm, real.version),
            (nobodys.algorithm, nobodys.version)
        );
        assert!(argon2id().verify_password(b"a real password", &nobodys).is_err());
    }

    #[test]
    fn the_list_can_match() {
        for line in COMMON.lines() {
            assert!(
                line.chars().count() >= MIN_CHARS && line.to_lowercase() == line,
                "{line}"
            );
        }
    }
}
