//! Secrets of sessions and of links: 256 random bits, written as 64
//! hexadecimal characters so that no mail program breaks them. What is stored
//! is a keyed hash that depends on the purpose.

use gatewright_model::secret::{SecretHash, SecretText};

use crate::control::Control;

/// Length in characters.
const LENGTH: usize = 64;

/// What a secret is for. The label is part of the hash: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Session,
    Link,
    Setup,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Session => "session/",
            Self::Link => "link/",
            Self::Setup => "setup/",
        }
    }
}

impl Control {
    /// Makes a secret, and its stored form.
    pub(crate) fn new_secret(&self, purpose: Purpose) -> (SecretText, SecretHash) {
        let mut random = [0; LENGTH / 2];
        self.parts.entropy.fill(&mut random);
        let secret = SecretText::new(hex::encode(random));
        let hash = self.stored_form(purpose, secret.expose());
        (secret, hash)
    }

    /// The stored form of a presented secret; `None` for what cannot be one.
    pub(crate) fn secret_hash(&self, purpose: Purpose, secret: &SecretText) -> Option<SecretHash> {
        let text = secret.expose();
        let well_formed = text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        well_formed.then(|| self.stored_form(purpose, text))
    }

    fn stored_form(&self, purpose: Purpose, text: &str) -> SecretHash {
        self.hasher.hash(&[purpose.label(), text].concat())
    }

    /// A key under which is kept how often something was tried.
    pub(crate) fn attempt_key(&self, parts: &[&str]) -> SecretHash {
        self.hasher.hash(&["attempt", &parts.join("\n")].join("/"))
    }
}
