//! Typed identifiers. On the wire an id is a TypeID: a prefix that names the
//! kind, `_`, and 26 characters of lower-case Crockford base32 that hold the
//! 128 bits of a UUIDv7 (TypeID specification 0.3).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_LEN: usize = 26;

/// A string that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form `{prefix}_` followed by 26 base32 characters")]
pub struct InvalidId {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

/// What every typed id offers, so that generic code (rows, path parameters)
/// can name the kind without knowing the type.
pub trait EntityId: Copy + Eq + std::hash::Hash + fmt::Display + FromStr<Err = InvalidId> {
    /// The prefix on the wire, without the underscore.
    const PREFIX: &'static str;
    /// Wraps a raw UUID that is known to belong to this kind.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The raw UUID, as the store keeps it.
    fn uuid(self) -> Uuid;
}

/// Makes a fresh, time-ordered UUID (RFC 9562, version 7) from the injected time and entropy.
#[must_use]
pub fn uuid_v7(now: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

fn encode(uuid: Uuid, out: &mut [u8; SUFFIX_LEN]) {
    let mut bits = uuid.as_u128();
    for slot in out.iter_mut().rev() {
        let index = usize::try_from(bits & 31).unwrap_or(0);
        *slot = ALPHABET.get(index).copied().unwrap_or(b'0');
        bits >>= 5;
    }
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = text.as_bytes();
    // Seven is the highest first digit: 26 characters carry 130 bits, an id only 128.
    if bytes.len() != SUFFIX_LEN || *bytes.first()? > b'7' {
        return None;
    }
    bytes
        .iter()
        .try_fold(0_u128, |bits, byte| {
            let digit = ALPHABET.iter().position(|known| known == byte)?;
            Some((bits << 5) | digit as u128)
        })
        .map(Uuid::from_u128)
}

/// An id as it stands on the wire, without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdText {
    bytes: [u8; MAX_TEXT],
    length: usize,
}

/// Longest prefix, underscore and suffix.
const MAX_TEXT: usize = 8 + SUFFIX_LEN;

impl IdText {
    /// The text of an id.
    #[must_use]
    pub fn of<I: EntityId>(id: I) -> Self {
        let mut suffix = [b'0'; SUFFIX_LEN];
        encode(id.uuid(), &mut suffix);
        let text = I::PREFIX.bytes().chain([b'_']).chain(suffix);
        let mut bytes = [0; MAX_TEXT];
        let mut length = 0;
        for (slot, byte) in bytes.iter_mut().zip(text) {
            *slot = byte;
            length += 1;
        }
        Self { bytes, length }
    }

    /// ASCII.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[doc(hidden)]
pub fn format_id(prefix: &str, uuid: Uuid, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut suffix = [b'0'; SUFFIX_LEN];
    encode(uuid, &mut suffix);
    f.write_str(prefix)?;
    f.write_str("_")?;
    f.write_str(std::str::from_utf8(&suffix).unwrap_or_default())
}

#[doc(hidden)]
#[must_use]
pub fn parse_id(prefix: &str, text: &str) -> Option<Uuid> {
    decode(text.strip_prefix(prefix)?.strip_prefix('_')?)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl EntityId for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
            fn uuid(self) -> Uuid { self.0 }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { format_id($prefix, self.0, f) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { format_id($prefix, self.0, f) }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_id($prefix, text).map(Self).ok_or(InvalidId { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serde::Serialize::serialize(self.0.as_bytes(), serializer)
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(|bytes| Self(Uuid::from_bytes(bytes)))
                }
            }
        }
    )*};
}

ids! {
    /// A tenant: the outermost wall between customers.
    TenantId = "ten";
    /// A team of people inside a tenant.
    TeamId = "team";
    /// A person.
    UserId = "usr";
    /// A role that a person holds in the tenant or in one team.
    MembershipId = "mem";
    /// A management token.
    TokenId = "tok";
    /// An API, the thing that is named and owned.
    ApiId = "api";
    /// A version of an API, the thing that is called.
    VersionId = "ver";
    /// An immutable revision of a version's document and configuration.
    RevisionId = "rev";
    /// A plan under which an API may be used.
    PlanId = "plan";
    /// An immutable version of a plan's limits.
    PlanVersionId = "plv";
    /// One limit of a plan; it survives plan versions so that counters do.
    LimitId = "lim";
    /// A consumer's application.
    ApplicationId = "app";
    /// An application's subscription to a plan.
    SubscriptionId = "sub";
    /// A credential of an application: an API key.
    CredentialId = "key";
    /// A request that somebody has to decide.
    ApprovalId = "apr";
    /// An audit event.
    AuditEventId = "aud";
    /// An outbox entry waiting for delivery.
    OutboxId = "out";
    /// A gateway node: one process that runs the gateway role.
    NodeId = "node";
    /// One call that passed through the gateway; also its request id.
    CallId = "call";
    /// A request to the management API or the pages.
    RequestId = "req";
    /// A lease of permits from a limit's authority.
    LeaseId = "lse";
    /// A session of a signed-in person.
    SessionId = "ses";
    /// Somebody's wish to have an account.
    SignUpId = "sup";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodes_like_the_typeid_specification() {
        let uuid: Uuid = "0188bac7-4afa-78aa-bc3b-bd1eef28d881".parse().unwrap();
        let id = UserId::from_uuid(uuid);
        assert_eq!(id.to_string(), "usr_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!("usr_01h2xcejqtf2nbrexx3vqjhp41".parse::<UserId>(), Ok(id));
    }

    #[test]
    fn refuses_other_kinds_overflow_and_upper_case() {
        for text in [
            "api_01h2xcejqtf2nbrexx3vqjhp41",
            "usr_81h2xcejqtf2nbrexx3vqjhp41",
            "usr_01H2XCEJQTF2NBREXX3VQJHP41",
            "usr_01h2xcejqtf2nbrexx3vqjhp4",
            "usr01h2xcejqtf2nbrexx3vqjhp41",
            "",
        ] {
            assert!(text.parse::<UserId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_uuid_survives_the_wire(bits: u128) {
            let id = CallId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<CallId>(), Ok(id));
            prop_assert!(IdText::of(id).as_bytes() == id.to_string().as_bytes());
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<CallId>(&json).unwrap(), id);
        }
    }
}
