//! The first administrator, for starts without a person at the screen.

use std::fmt;

use gatewright_model::secret::SecretText;
use gatewright_model::text::Email;

use crate::environment::Environment;
use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static ADMIN_EMAIL: Key = Key {
    name: "admin-email",
    section: "First administrator",
    kind: Kind::Text,
    fallback: Fallback::Derived("none: the log prints a one-time /setup link"),
    scope: Scope::Serve,
    reach: Reach::EnvironmentOnly,
    doc: "E-mail address of the first administrator; ignored once there is one.",
};

pub(crate) static ADMIN_PASSWORD: Key = Key {
    name: "admin-password",
    section: "First administrator",
    kind: Kind::Secret,
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::EnvironmentOnly,
    doc: "Password of the first administrator.",
};

/// Whom to make administrator when there is none.
#[derive(Clone)]
pub struct FirstAdmin {
    /// The address to sign in with.
    pub email: Email,
    /// The password to sign in with.
    pub password: SecretText,
}

impl FirstAdmin {
    /// The password alone, for the command that makes an administrator of
    /// another address. `None` when it is not set or is not UTF-8.
    #[must_use]
    pub fn password_in(environment: &Environment) -> Option<SecretText> {
        let password = environment.get(&ADMIN_PASSWORD.env())?.ok()?;
        Some(SecretText::new(password.to_owned()))
    }

    /// `Some(None)` when nobody is named.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let given = (reader.is_given(&ADMIN_EMAIL), reader.is_given(&ADMIN_PASSWORD));
        match given {
            (false, false) => Some(None),
            (true, false) => {
                let fix = format!("set {} too, or neither", ADMIN_PASSWORD.env());
                reader.refuse(&ADMIN_EMAIL, Fault::new("comes without a password", fix));
                None
            }
            (false, true) => {
                let fix = format!("set {} too, or neither", ADMIN_EMAIL.env());
                reader.refuse(
                    &ADMIN_PASSWORD,
                    Fault::new("comes without an e-mail address", fix),
                );
                None
            }
            (true, true) => {
                let email = reader.read(&ADMIN_EMAIL, |text| {
                    Email::parse(text).map_err(|invalid| {
                        Fault::new(invalid.to_string(), "give an address such as ana@example.com")
                    })
                });
                let password = reader.read_untrimmed(&ADMIN_PASSWORD).map(SecretText::new);
                Some(Some(Self {
                    email: email?,
                    password: password?,
                }))
            }
        }
    }
}

impl fmt::Debug for FirstAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstAdmin").finish_non_exhaustive()
    }
}
