//! How values stand in columns, once for both databases: ids as UUID, times
//! and counts as 64-bit integers, words and short texts as TEXT, settings as JSON.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_model::account::{LinkPurpose, SignUpState};
use gatewright_model::api::{ApiKind, Balancing, DocumentFormat, Unmatched, VersionState, Visibility};
use gatewright_model::approval::{ApprovalKind, ApprovalState};
use gatewright_model::audit::AuditSource;
use gatewright_model::consumer::{
    ApplicationState, CredentialKind, CredentialState, Environment, SubscriptionState,
};
use gatewright_model::histogram::LatencyHistogram;
use gatewright_model::id::EntityId;
use gatewright_model::limit::{LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind, Window};
use gatewright_model::permission::{Permission, Role};
use gatewright_model::plan::{ApprovalMode, PlanState, Security};
use gatewright_model::secret::SecretHash;
use gatewright_model::snapshot::{PartHash, PartKind};
use gatewright_model::state::Word;
use gatewright_model::tenancy::{StandingState, TeamKind, TenantSettings, UserState};
use gatewright_model::text::{ContextPath, Email, Name, Remark, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use sea_query::Value;
use uuid::Uuid;

use crate::node::NodeState;
use crate::row::{Fault, Row};
use crate::usage_sum::{Kind, Span};

/// A type that fills one column and is never NULL.
pub(crate) trait Scalar: Sized {
    /// What the drivers decode.
    type Raw: crate::row::Raw;
    /// Reads the decoded value; `None` when it cannot be one of this type.
    fn from_raw(raw: Self::Raw) -> Option<Self>;
    /// What is bound.
    fn to_value(&self) -> Value;
    /// The NULL of this column's type.
    fn null() -> Value;
}

/// What a column of a row holds: a scalar or, in a nullable column, an option of one.
pub(crate) trait Column: Sized {
    /// Reads the column by its name.
    fn read(row: &Row, name: &'static str) -> Result<Self, Fault>;
    /// What is bound.
    fn value(&self) -> Value;
}

impl<T: Scalar> Column for Option<T> {
    fn read(row: &Row, name: &'static str) -> Result<Self, Fault> {
        match row.raw::<T::Raw>(name)? {
            None => Ok(None),
            Some(raw) => T::from_raw(raw).map(Some).ok_or(Fault { column: name }),
        }
    }

    fn value(&self) -> Value {
        self.as_ref().map_or_else(T::null, Scalar::to_value)
    }
}

macro_rules! scalars {
    ($($type:ty: $raw:ty, $variant:ident, |$from:ident| $read:expr, |$to:ident| $write:expr;)*) => {$(
        impl Scalar for $type {
            type Raw = $raw;
            fn from_raw($from: $raw) -> Option<Self> { $read }
            fn to_value(&self) -> Value { let $to = self; Value::$variant(Some($write)) }
            fn null() -> Value { Value::$variant(None) }
        }
        impl Column for $type {
            fn read(row: &Row, name: &'static str) -> Result<Self, Fault> {
                <Option<Self> as Column>::read(row, name)?.ok_or(Fault { column: name })
            }
            fn value(&self) -> Value { self.to_value() }
        }
    )*};
}

macro_rules! ids {
    ($($type:ident),*) => {
        scalars! { $(gatewright_model::id::$type: Uuid, Uuid, |raw| Some(Self::from_uuid(raw)), |id| id.uuid();)* }
    };
}

macro_rules! words {
    ($($type:ty),*) => {
        scalars! { $($type: String, String, |raw| Word::parse(&raw).ok(), |word| word.as_str().to_owned();)* }
    };
}

macro_rules! texts {
    ($($type:ty),*) => {
        scalars! { $($type: String, String, |raw| raw.parse().ok(), |text| text.to_string();)* }
    };
}

macro_rules! counts {
    ($($type:ty),*) => {
        scalars! { $($type: i64, BigInt, |raw| Self::try_from(raw).ok(), |count| i64::try_from(*count).unwrap_or(i64::MAX);)* }
    };
}

macro_rules! documents {
    ($($type:ty),*) => {
        scalars! { $($type: serde_json::Value, Json, |raw| serde_json::from_value(raw).ok(),
            |document| Box::new(clean_json(serde_json::to_value(document).unwrap_or_default()));)* }
    };
}

ids! {
    TenantId, TeamId, UserId, MembershipId, TokenId, ApiId, VersionId, RevisionId, PlanId, PlanVersionId, LimitId,
    ApplicationId, SubscriptionId, CredentialId, ApprovalId, AuditEventId, OutboxId, NodeId, CallId, LeaseId,
    SessionId, SignUpId
}
words! {
    StandingState, TeamKind, UserState, Role, ApiKind, Visibility, VersionState, DocumentFormat, Balancing, PlanState,
    Security, ApprovalMode, LimitKind, LimitUnit, ResetKind, Partition, OnExceed, OnStoreFailure, Environment,
    ApplicationState, SubscriptionState, CredentialKind, CredentialState, ApprovalKind, ApprovalState, AuditSource,
    PartKind, CallSource, NodeState, SignUpState, LinkPurpose, Span, Kind
}
texts! { Slug, Name, Email, VersionLabel, ContextPath, Remark, Window, IpAddr, url::Url }
counts! { u16, u32, u64 }
documents! { TenantSettings, Vec<Permission>, Vec<String> }
scalars! {
    Uuid: Uuid, Uuid, |raw| Some(raw), |id| *id;
    i64: i64, BigInt, |raw| Some(raw), |number| *number;
    bool: bool, Bool, |raw| Some(raw), |flag| *flag;
    String: String, String, |raw| Some(raw), |text| clean_text(text);
    Arc<str>: String, String, |raw| Some(raw.into()), |text| clean_text(text);
    Vec<u8>: Vec<u8>, Bytes, |raw| Some(raw), |bytes| bytes.clone();
    [u8; 32]: Vec<u8>, Bytes, |raw| raw.try_into().ok(), |bytes| bytes.to_vec();
    serde_json::Value: serde_json::Value, Json, |raw| Some(raw), |json| Box::new(clean_json(json.clone()));
    Timestamp: i64, BigInt, |raw| Some(Self::from_millis(raw)), |time| time.as_millis();
    SecretHash: Vec<u8>, Bytes, |raw| raw.try_into().ok().map(Self), |hash| hash.0.to_vec();
    PartHash: Vec<u8>, Bytes, |raw| raw.try_into().ok().map(Self), |hash| hash.0.to_vec();
    LatencyHistogram: Vec<u8>, Bytes, |raw| Self::from_bytes(&raw), |histogram| histogram.to_bytes();
    Unmatched: String, String, |raw| unmatched(&raw), |rule| unmatched_word(*rule).to_owned();
}

/// Postgres has no NUL in texts; both databases keep the replacement character instead.
pub(crate) fn clean_text(text: &str) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text.to_owned()
    }
}

/// The same for every text inside of JSON.
pub(crate) fn clean_json(json: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::String(text) => Json::String(clean_text(&text)),
        Json::Array(items) => items.into_iter().map(clean_json).collect(),
        Json::Object(members) => {
            let clean = members
                .into_iter()
                .map(|(key, value)| (clean_text(&key), clean_json(value)));
            Json::Object(clean.collect())
        }
        other => other,
    }
}

fn unmatched(word: &str) -> Option<Unmatched> {
    match word {
        "refuse" => Some(Unmatched::Refuse),
        "forward" => Some(Unmatched::Forward),
        _ => None,
    }
}

const fn unmatched_word(rule: Unmatched) -> &'static str {
    match rule {
        Unmatched::Refuse => "refuse",
        Unmatched::Forward => "forward",
    }
}
