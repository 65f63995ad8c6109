//! The token with which the portal tries a call: short-lived, signed, good for
//! one subscription and one API. Nothing of it is stored: a gateway checks the
//! signature and asks nobody.
//!
//! It is `gwc_` and the base64url form (RFC 4648, section 5) of the claims, a
//! nonce, and an HMAC-SHA-256 over both under a sub-key of the master key.
//!
//! A call that needs no key carries a token of a second kind: it opens nothing
//! and says only that the portal sent the call, so that nobody else can have
//! their calls taken for tries.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::id::{ApiId, ApplicationId, EntityId, SubscriptionId, UserId};
use crate::secret::SecretText;
use crate::time::{Entropy, Timestamp};

/// The characters that every console token begins with.
pub const PREFIX: &str = "gwc_";
/// How long a token is good for.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The layout of the claims; another layout gets another number.
const LAYOUT: u8 = 1;
const ID: usize = 16;
const NONCE: usize = 12;
const CLAIMS: usize = 1 + 4 * ID + 8 + NONCE;
const MAC: usize = 32;
/// The layout of the claims of a call without a key.
const KEYLESS_LAYOUT: u8 = 2;
const KEYLESS_CLAIMS: usize = 1 + ID + 8 + NONCE;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleGrant {
    /// Under which subscription calls are made and counted.
    pub subscription_id: SubscriptionId,
    /// The application that holds it.
    pub application_id: ApplicationId,
    /// The only API that it opens.
    pub api_id: ApiId,
    /// Who tries.
    pub user_id: UserId,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

/// Makes and checks console tokens. Holds the sub-key, keyed once.
#[derive(Clone)]
pub struct ConsoleSigner(Hmac<Sha256>);

impl fmt::Debug for ConsoleSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsoleSigner(…)")
    }
}

impl ConsoleSigner {
    /// Takes the 32 bytes of the sub-key (HKDF of the master key, `keys.rs`).
    #[must_use]
    pub fn new(sub_key: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to the block of 64 bytes (RFC 2104, section 2).
        let mut block = [0_u8; 64];
        block[..32].copy_from_slice(sub_key);
        Self(<Hmac<Sha256> as KeyInit>::new(&block.into()))
    }

    /// Makes a token.
    #[must_use]
    pub fn sign(&self, grant: &ConsoleGrant, entropy: &dyn Entropy) -> SecretText {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        let mut bytes = Vec::with_capacity(CLAIMS + MAC);
        bytes.push(LAYOUT);
        bytes.extend_from_slice(grant.subscription_id.uuid().as_bytes());
        bytes.extend_from_slice(grant.application_id.uuid().as_bytes());
        bytes.extend_from_slice(grant.api_id.uuid().as_bytes());
        bytes.extend_from_slice(grant.user_id.uuid().as_bytes());
        bytes.extend_from_slice(&grant.expires_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&nonce);
        self.signed(bytes)
    }

    /// Makes a token that says of a call without a key that the portal sent it.
    #[must_use]
    pub fn sign_keyless(&self, api: ApiId, expires_at: Timestamp, entropy: &dyn Entropy) -> SecretText {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        let mut bytes = Vec::with_capacity(KEYLESS_CLAIMS + MAC);
        bytes.push(KEYLESS_LAYOUT);
        bytes.extend_from_slice(api.uuid().as_bytes());
        bytes.extend_from_slice(&expires_at.as_millis().to_be_bytes());
        bytes.extend_from_slice(&nonce);
        self.signed(bytes)
    }

    fn signed(&self, mut bytes: Vec<u8>) -> SecretText {
        let mut mac = self.0.clone();
        mac.update(&bytes);
        bytes.extend_from_slice(&mac.finalize().into_bytes());
        SecretText::new([PREFIX, &URL_SAFE_NO_PAD.encode(bytes)].concat())
    }

    /// The API of which a token says that a call to it without a key was sent
    /// by the portal; `None` when it was not made with this key or is too old.
    #[must_use]
    pub fn verify_keyless(&self, token: &str, now: Timestamp) -> Option<ApiId> {
        let text = token.strip_prefix(PREFIX)?;
        let mut bytes = [0_u8; KEYLESS_CLAIMS + MAC];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (claims, signature) = bytes.get(..length)?.split_first_chunk::<KEYLESS_CLAIMS>()?;
        let mut mac = self.0.clone();
        mac.update(claims);
        mac.verify_slice(signature).ok()?;
        let ([KEYLESS_LAYOUT], rest) = claims.split_first_chunk::<1>()? else {
            return None;
        };
        let (api, rest) = id(rest)?;
        let expires_at = i64::from_be_bytes(*rest.first_chunk::<8>()?);
        (now < Timestamp::from_millis(expires_at)).then_some(api)
    }

    /// What a token says, when it was made with this key and is still good at
    /// `now`. The signature is compared in constant time and before anything
    /// else is looked at.
    #[must_use]
    pub fn verify(&self, token: &str, now: Timestamp) -> Option<ConsoleGrant> {
        let text = token.strip_prefix(PREFIX)?;
        let mut bytes = [0_u8; CLAIMS + MAC];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (claims, signature) = bytes.get(..length)?.split_first_chunk::<CLAIMS>()?;
        let mut mac = self.0.clone();
        mac.update(claims);
        mac.verify_slice(signature).ok()?;
        let grant = read(claims)?;
        (now < grant.expires_at).then_some(grant)
    }
}

fn read(claims: &[u8; CLAIMS]) -> Option<ConsoleGrant> {
    let ([LAYOUT], rest) = claims.split_first_chunk::<1>()? else {
        return None;
    };
    let (subscription_id, rest) = id(rest)?;
    let (application_id, rest) = id(rest)?;
    let (api_id, rest) = id(rest)?;
    let (user_id, rest) = id(rest)?;
    let expires_at = i64::from_be_bytes(*rest.first_chunk::<8>()?);
    Some(ConsoleGrant {
        subscription_id,
        application_id,
        api_id,
        user_id,
        expires_at: Timestamp::from_millis(expires_at),
    })
}

fn id<I: EntityId>(bytes: &[u8]) -> Option<(I, &[u8])> {
    let (id, rest) = bytes.split_first_chunk::<ID>()?;
    Some((I::from_uuid(Uuid::from_bytes(*id)), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::SystemEntropy;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn grant() -> ConsoleGrant {
        fn id<I: EntityId>(number: u128) -> I {
            I::from_uuid(Uuid::from_u128(number))
        }
        ConsoleGrant {
            subscription_id: id(1),
            application_id: id(2),
            api_id: id(3),
            user_id: id(4),
            expires_at: NOW.plus(LIFETIME),
        }
    }

    fn signer() -> ConsoleSigner {
        ConsoleSigner::new(&[7; 32])
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let token = signer().sign(&grant(), &SystemEntropy);
        let text = token.expose();
        assert_eq!(signer().verify(text, NOW), Some(grant()));
        let last = Timestamp::from_millis(grant().expires_at.as_millis() - 1);
        assert_eq!(signer().verify(text, last), Some(grant()));
        assert_eq!(signer().verify(text, grant().expires_at), None);
        assert_eq!(ConsoleSigner::new(&[8; 32]).verify(text, NOW), None);
    }

    #[test]
    fn the_two_kinds_are_never_taken_for_each_other() {
        let api = grant().api_id;
        let token = signer().sign_keyless(api, grant().expires_at, &SystemEntropy);
        let text = token.expose();
        assert_eq!(signer().verify_keyless(text, NOW), Some(api));
        assert_eq!(signer().verify_keyless(text, grant().expires_at), None);
        assert_eq!(ConsoleSigner::new(&[8; 32]).verify_keyless(text, NOW), None);
        assert_eq!(signer().verify(text, NOW), None);
        let other = signer().sign(&grant(), &SystemEntropy);
        assert_eq!(signer().verify_keyless(other.expose(), NOW), None);
    }

    #[test]
    fn two_tokens_of_one_grant_differ_and_fit_a_header() {
        let token = || signer().sign(&grant(), &SystemEntropy);
        assert_ne!(token().expose(), token().expose());
        assert!(token().expose().len() < 200);
    }

    proptest! {
        #[test]
        fn any_changed_character_is_noticed(at in 0_usize..160, with in "[0-9A-Za-z_-]") {
            let token = signer().sign(&grant(), &SystemEntropy);
            let mut text = token.expose().to_owned();
            let at = at % text.len();
            text.replace_range(at..=at, &with);
            prop_assume!(text != token.expose());
            prop_assert_eq!(signer().verify(&text, NOW), None);
        }

        #[test]
        fn arbitrary_text_is_refused_without_panic(text in any::<String>()) {
            prop_assert_eq!(signer().verify(&text, NOW), None);
            prop_assert_eq!(signer().verify(&[PREFIX, &text].concat(), NOW), None);
            prop_assert_eq!(signer().verify_keyless(&[PREFIX, &text].concat(), NOW), None);
        }
    }
}
