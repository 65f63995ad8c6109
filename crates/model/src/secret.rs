//! Secrets that Gatewright issues: API keys and management tokens. A secret is
//! `prefix` + 32 base62 characters (190 bits) + 6 base62 characters of CRC-32
//! over everything before, so that garbage is refused without a look-up. What
//! is stored is an HMAC under a sub-key of the master key, never the secret.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::invalid::Invalid;
use crate::time::Entropy;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LEN: usize = 32;
const CHECKSUM_LEN: usize = 6;

/// What a secret opens, told by its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// An API key of a live application.
    LiveKey,
    /// An API key of a test application.
    TestKey,
    /// A token of the management API.
    ManagementToken,
}

impl SecretKind {
    /// Every kind, for parsers and for the pattern that leak scanners use.
    pub const ALL: [Self; 3] = [Self::LiveKey, Self::TestKey, Self::ManagementToken];

    /// The characters before the random part.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::LiveKey => "gw_live_",
            Self::TestKey => "gw_test_",
            Self::ManagementToken => "gwm_",
        }
    }
}

/// A text that must not leak: it has neither `Debug` of its content nor
/// `Display` nor `Serialize`, and is wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes a text into custody.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Hands the text out. Every caller is a place where it can leak.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown later to recognise the secret: its prefix and its last four characters.
    #[must_use]
    pub fn hint(&self) -> SecretHint {
        let kind = SecretKind::ALL
            .into_iter()
            .find(|kind| self.0.starts_with(kind.prefix()));
        let random = kind.map_or("", |kind| self.0.get(kind.prefix().len()..).unwrap_or(""));
        SecretHint {
            prefix: format!(
                "{}{}",
                kind.map_or("", SecretKind::prefix),
                random.get(..4).unwrap_or("")
            ),
            last4: self
                .0
                .get(self.0.len().saturating_sub(4)..)
                .unwrap_or("")
                .to_owned(),
        }
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// The harmless ends of a secret.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SecretHint {
    /// The kind's prefix and the first four random characters, `gw_live_3fZk`.
    pub prefix: String,
    /// The last four characters.
    pub last4: String,
}

/// The HMAC-SHA-256 of a secret under the credential sub-key: what is stored and looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// Makes the stored form of secrets. Holds the sub-key, keyed once.
#[derive(Clone)]
pub struct SecretHasher(Hmac<Sha256>);

impl SecretHasher {
    /// Takes the 32 bytes of the sub-key (HKDF of the master key, `keys.rs`).
    #[must_use]
    pub fn new(sub_key: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to the block of 64 bytes (RFC 2104, section 2).
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(sub_key);
        Self(<Hmac<Sha256> as KeyInit>::new(&block.into()))
    }

    /// The stored form of a presented secret.
    #[must_use]
    pub fn hash(&self, secret: &str) -> SecretHash {
        let mut mac = self.0.clone();
        mac.update(secret.as_bytes());
        SecretHash(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for SecretHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHasher(…)")
    }
}

/// Makes a new secret of a kind.
#[must_use]
pub fn generate(kind: SecretKind, entropy: &dyn Entropy) -> SecretText {
    let mut text = String::with_capacity(kind.prefix().len() + RANDOM_LEN + CHECKSUM_LEN);
    text.push_str(kind.prefix());
    let mut pool = [0_u8; 64];
    let wanted = text.len() + RANDOM_LEN;
    while text.len() < wanted {
        entropy.fill(&mut pool);
        // 248 is the largest multiple of 62 below 256: rejecting the rest keeps every character equally likely.
        let usable = pool
            .iter()
            .filter(|byte| **byte < 248)
            .map(|byte| base62(u32::from(*byte)));
        text.extend(usable.take(wanted - text.len()));
    }
    pool.zeroize();
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.map(char::from));
    SecretText(text)
}

/// Checks prefix, length, alphabet and checksum of a presented secret. No I/O, no allocation.
///
/// # Errors
/// When the text cannot be a secret that Gatewright issued.
pub fn recognise(text: &str) -> Result<SecretKind, Invalid> {
    let malformed = || Invalid::new("malformed_secret", "is not a key or token that Gatewright issued");
    let kind = SecretKind::ALL
        .into_iter()
        .find(|kind| text.starts_with(kind.prefix()))
        .ok_or_else(malformed)?;
    let random_end = kind.prefix().len() + RANDOM_LEN;
    let (head, tail) = text
        .as_bytes()
        .split_at_checked(random_end)
        .ok_or_else(malformed)?;
    let alphabet = head
        .iter()
        .skip(kind.prefix().len())
        .all(u8::is_ascii_alphanumeric);
    if alphabet && tail == checksum(head) {
        Ok(kind)
    } else {
        Err(malformed())
    }
}

fn base62(value: u32) -> char {
    BASE62
        .get(usize::try_from(value % 62).unwrap_or(0))
        .copied()
        .map_or('0', char::from)
}

fn checksum(head: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut crc = crc32fast::hash(head);
    let mut out = [b'0'; CHECKSUM_LEN];
    for slot in out.iter_mut().rev() {
        *slot = BASE62
            .get(usize::try_from(crc % 62).unwrap_or(0))
            .copied()
            .unwrap_or(b'0');
        crc /= 62;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::SystemEntropy;

    #[test]
    fn a_generated_secret_is_recognised_and_one_word_long() {
        for kind in SecretKind::ALL {
            let secret = generate(kind, &SystemEntropy);
            assert_eq!(recognise(secret.expose()), Ok(kind));
            assert_eq!(secret.expose().len(), kind.prefix().len() + 38);
            assert!(secret.hint().prefix.starts_with(kind.prefix()));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = generate(SecretKind::LiveKey, &SystemEntropy);
        assert!(!format!("{secret:?}").contains(&secret.expose()[8..]));
    }

    #[test]
    fn the_hash_depends_on_the_sub_key() {
        let (a, b) = (SecretHasher::new(&[1; 32]), SecretHasher::new(&[2; 32]));
        assert_eq!(a.hash("x"), a.hash("x"));
        assert_ne!(a.hash("x"), b.hash("x"));
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(at in 0_usize..46, with in "[0-9A-Za-z_]") {
            let secret = generate(SecretKind::LiveKey, &SystemEntropy);
            let mut text = secret.expose().to_owned();
            text.replace_range(at..=at, &with);
            prop_assume!(text != secret.expose());
            prop_assert!(recognise(&text).is_err());
        }

        #[test]
        fn arbitrary_text_is_refused_without_panic(text in any::<String>()) {
            prop_assert!(recognise(&text).is_err());
        }
    }
}
