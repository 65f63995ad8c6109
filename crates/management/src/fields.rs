//! The types that fields, parameters and members have: how each is read, and
//! how it looks in the description.

use gatewright_control::passwords::Password;
use gatewright_control::usage::{UsageGroup, UsageStep};
use gatewright_model::account::SignUpState;
use gatewright_model::api::{ApiKind, Balancing, DocumentFormat, VersionState, Visibility};
use gatewright_model::approval::{ApprovalKind, ApprovalState};
use gatewright_model::audit::AuditSource;
use gatewright_model::consumer::{
    ApplicationState, CredentialKind, CredentialState, Environment, SubscriptionState,
};
use gatewright_model::id::{
    ApiId, ApplicationId, ApprovalId, AuditEventId, CallId, CredentialId, EntityId, LimitId, MembershipId,
    NodeId, PlanId, PlanVersionId, RevisionId, SessionId, SignUpId, SubscriptionId, TeamId, TenantId,
    TokenId, UserId, VersionId,
};
use gatewright_model::invalid::Invalid;
use gatewright_model::limit::{LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind, Window};
use gatewright_model::permission::{Permission, Role};
use gatewright_model::plan::{ApprovalMode, PlanState, Security};
use gatewright_model::reference::{PersonRef, Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::tenancy::{SignUpMode, StandingState, TeamKind, UserState};
use gatewright_model::text::{ContextPath, Email, Name, Remark, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use gatewright_webkit::query::QueryReader;
use url::Url;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, Type};

use crate::schema::{Schemas, Shape, formatted, text};

/// A value that is one text on the wire, in a body as in a query.
pub(crate) trait Scalar: Shape + Sized {
    /// Reads it.
    fn parse(text: &str) -> Result<Self, Invalid>;
}

/// A value of a query parameter.
pub(crate) trait Param: Shape + Sized {
    /// Reads it.
    fn read(text: &str) -> Result<Self, Invalid>;

    /// Takes it out of a query. An empty one counts as absent.
    fn take(query: &mut QueryReader<'_>, name: &str) -> Option<Self> {
        query.take(name, Self::read)
    }
}

impl<T: Scalar> Param for T {
    fn read(text: &str) -> Result<Self, Invalid> {
        T::parse(text)
    }
}

impl Param for bool {
    fn read(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .map_err(|_| Invalid::new("wrong_type", "must be true or false"))
    }

    /// `?dry_run` alone could mean either: it is refused, not ignored.
    fn take(query: &mut QueryReader<'_>, name: &str) -> Option<Self> {
        query.take_given(name, Self::read)
    }
}

impl Param for u16 {
    fn read(text: &str) -> Result<Self, Invalid> {
        text.parse()
            .map_err(|_| Invalid::new("wrong_type", "must be a whole number from 0 to 65,535"))
    }
}

macro_rules! texts {
    ($($type:ty: $pattern:expr;)+) => {$(
        impl Shape for $type {
            fn schema(_: &mut Schemas) -> RefOr<Schema> {
                text($pattern)
            }
        }

        impl Scalar for $type {
            fn parse(text: &str) -> Result<Self, Invalid> {
                text.parse()
            }
        }
    )+};
}

texts! {
    Slug: Some("^[a-z0-9][a-z0-9-]{0,62}$");
    VersionLabel: Some("^[a-z0-9][a-z0-9.-]{0,62}$");
    ContextPath: Some("^(/[a-z0-9][a-z0-9._-]*){1,4}$");
    Window: Some("^[0-9]+(s|m|h|d|w|mo)$");
    Name: None;
    Remark: None;
    VersionRef: None;
}

macro_rules! words {
    ($($type:ident,)+) => {$(
        impl Shape for $type {
            fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
                schemas.named(stringify!($type), |_| {
                    let words = <$type as Word>::ALL.iter().map(|word| word.as_str());
                    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
                })
            }
        }

        impl Scalar for $type {
            fn parse(text: &str) -> Result<Self, Invalid> {
                <$type as Word>::parse(text)
            }
        }
    )+};
}

words! {
    ApiKind,
    ApplicationState,
    ApprovalKind,
    ApprovalMode,
    ApprovalState,
    AuditSource,
    Balancing,
    CallSource,
    CredentialKind,
    CredentialState,
    DocumentFormat,
    Environment,
    LimitKind,
    LimitUnit,
    OnExceed,
    OnStoreFailure,
    Partition,
    Permission,
    PlanState,
    ResetKind,
    Role,
    Security,
    SignUpMode,
    SignUpState,
    StandingState,
    SubscriptionState,
    TeamKind,
    UsageGroup,
    UsageStep,
    UserState,
    VersionState,
    Visibility,
}

macro_rules! ids {
    ($($type:ident,)+) => {$(
        impl Shape for $type {
            fn schema(_: &mut Schemas) -> RefOr<Schema> {
                text(Some(concat_pattern(<$type as EntityId>::PREFIX).as_str()))
            }
        }

        impl Scalar for $type {
            fn parse(text: &str) -> Result<Self, Invalid> {
                text.parse().map_err(|refused: <$type as std::str::FromStr>::Err| {
                    Invalid::new("invalid_id", refused.to_string())
                })
            }
        }
    )+};
}

fn concat_pattern(prefix: &str) -> String {
    ["^", prefix, "_[0-9a-hjkmnp-tv-z]{26}$"].concat()
}

ids! {
    ApiId,
    ApplicationId,
    ApprovalId,
    AuditEventId,
    CallId,
    CredentialId,
    LimitId,
    MembershipId,
    NodeId,
    PlanId,
    PlanVersionId,
    RevisionId,
    SessionId,
    SignUpId,
    SubscriptionId,
    TeamId,
    TenantId,
    TokenId,
    UserId,
    VersionId,
}

/// An id or an address.
impl Shape for PersonRef {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        text(None)
    }
}

impl Scalar for PersonRef {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse()
    }
}

/// An id or a slug.
impl<I> Shape for Ref<I> {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        text(None)
    }
}

impl<I: EntityId> Scalar for Ref<I> {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl Scalar for String {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Ok(text.to_owned())
    }
}

impl Shape for Email {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(utoipa::openapi::schema::SchemaFormat::Custom(
                "email".to_owned(),
            )))
            .into()
    }
}

impl Scalar for Email {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Email::parse(text)
    }
}

impl Shape for Timestamp {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        formatted(KnownFormat::DateTime)
    }
}

impl Scalar for Timestamp {
    fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl Shape for Password {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        formatted(KnownFormat::Password)
    }
}

impl Scalar for Password {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Password::parse(text)
    }
}

impl Shape for Url {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(utoipa::openapi::schema::SchemaFormat::Custom(
                "uri".to_owned(),
            )))
            .into()
    }
}

impl Scalar for Url {
    fn parse(text: &str) -> Result<Self, Invalid> {
        Url::parse(text).map_err(|_| {
            Invalid::new(
                "invalid_url",
                "must be an absolute address, for example https://api.example.com/v1",
            )
        })
    }
}
