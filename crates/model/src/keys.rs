//! The master key and the sub-keys that are derived from it. Each purpose has
//! its own sub-key (HKDF-SHA-256, RFC 5869), so that one leaked purpose does
//! not open another.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::console_token::ConsoleSigner;
use crate::invalid::Invalid;
use crate::secret::SecretHasher;
use crate::time::Entropy;

/// What a sub-key is for. The label is part of the derivation: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Credentials,
    Sealing,
    Check,
    Console,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Credentials => b"gatewright/credentials/1",
            Self::Sealing => b"gatewright/sealing/1",
            Self::Check => b"gatewright/check/1",
            Self::Console => b"gatewright/console/1",
        }
    }
}

/// The 32 random bytes from which every other key is derived.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// A sealed value could not be opened: another key, another place, or a changed byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value could not be opened: it was sealed under another master key or for another row")]
pub struct Unsealable;

impl MasterKey {
    /// Makes a new key.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// Reads the base64 form, as it stands in the key file.
    ///
    /// # Errors
    /// When it is not base64 of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, Invalid> {
        let bytes = STANDARD.decode(text.trim()).ok();
        bytes
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| {
                Invalid::new(
                    "invalid_master_key",
                    "must be 32 bytes in base64; make one with: head -c 32 /dev/urandom | base64",
                )
            })
    }

    /// The base64 form for the key file.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// A value that tells whether a store was made with this key without saying anything about it.
    #[must_use]
    pub fn check_value(&self) -> String {
        hex::encode(Sha256::digest(self.sub_key(Purpose::Check)))
    }

    /// The hasher of API keys and management tokens.
    #[must_use]
    pub fn secret_hasher(&self) -> SecretHasher {
        SecretHasher::new(&self.sub_key(Purpose::Credentials))
    }

    /// Makes and checks the tokens of the try-it console.
    #[must_use]
    pub fn console_signer(&self) -> ConsoleSigner {
        ConsoleSigner::new(&self.sub_key(Purpose::Console))
    }

    /// Seals a secret for one place: `place` (tenant, table, row, column) is
    /// authenticated, so a ciphertext that is moved to another row does not open.
    #[must_use]
    pub fn seal(&self, place: &str, plain: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0_u8; 24];
        entropy.fill(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: place.as_bytes(),
        };
        // The cipher fails only above 256 GiB, which no input bound lets through.
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .unwrap_or_default();
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`MasterKey::seal`] made for the same place.
    ///
    /// # Errors
    /// [`Unsealable`] when key, place or bytes differ.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (nonce, sealed) = sealed.split_first_chunk::<24>().ok_or(Unsealable)?;
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        self.cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Unsealable)
    }

    /// The same as [`MasterKey::seal`] as text that fits a cookie or an address.
    #[must_use]
    pub fn seal_text(&self, place: &str, plain: &[u8], entropy: &dyn Entropy) -> String {
        URL_SAFE_NO_PAD.encode(self.seal(place, plain, entropy))
    }

    /// Opens what [`MasterKey::seal_text`] made for the same place.
    ///
    /// # Errors
    /// As [`MasterKey::open`].
    pub fn open_text(&self, place: &str, sealed: &str) -> Result<Vec<u8>, Unsealable> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Unsealable)?;
        self.open(place, &sealed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.sub_key(Purpose::Sealing).into())
    }

    fn sub_key(&self, purpose: Purpose) -> [u8; 32] {
        let mut key = [0; 32];
        // Expanding to 32 bytes cannot fail: the limit is 255 × 32.
        if Hkdf::<Sha256>::new(None, &self.0)
            .expand(purpose.label(), &mut key)
            .is_err()
        {
            key.zeroize();
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemEntropy;

    #[test]
    fn sealed_values_open_only_in_their_place_and_with_their_key() {
        let (ours, other) = (
            MasterKey::generate(&SystemEntropy),
            MasterKey::generate(&SystemEntropy),
        );
        let sealed = ours.seal("ten_a/secret/1/value", b"hunter2", &SystemEntropy);
        assert_eq!(ours.open("ten_a/secret/1/value", &sealed).unwrap(), b"hunter2");
        assert_eq!(ours.open("ten_a/secret/2/value", &sealed), Err(Unsealable));
        assert_eq!(other.open("ten_a/secret/1/value", &sealed), Err(Unsealable));
        assert_eq!(ours.open("ten_a/secret/1/value", &sealed[..10]), Err(Unsealable));
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        let text = ours.seal_text("try/1", b"hunter2", &SystemEntropy);
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(ours.open_text("try/1", &text).unwrap(), b"hunter2");
        assert_eq!(ours.open_text("try/2", &text), Err(Unsealable));
        assert_eq!(ours.open_text("try/1", "no base64!"), Err(Unsealable));
    }

    #[test]
    fn the_check_value_differs_by_key_and_survives_the_file() {
        let key = MasterKey::generate(&SystemEntropy);
        let read = MasterKey::from_base64(&format!("{}\n", key.to_base64())).unwrap();
        assert_eq!(read.check_value(), key.check_value());
        assert_ne!(
            MasterKey::generate(&SystemEntropy).check_value(),
            key.check_value()
        );
        assert_eq!(
            MasterKey::from_base64("short").unwrap_err().code,
            "invalid_master_key"
        );
    }
}
