//! Typed path parameters. What cannot be an id or a slug names nothing, so it
//! is "not found", never "bad request".

use axum::extract::{FromRequestParts, RawPathParams};
use gatewright_model::id::{
    ApiId, ApplicationId, ApprovalId, AuditEventId, CallId, CredentialId, MembershipId, NodeId, PlanId,
    SessionId, SignUpId, SubscriptionId, TeamId, TenantId, TokenId, UserId,
};
use gatewright_model::permission::Role;
use gatewright_model::reference::{Ref, VersionRef};
use http::request::Parts;

use crate::problem::Problem;

/// A type that stands in a path under one fixed parameter name.
pub trait PathPart: Sized + Send {
    /// The name in the route's template.
    const NAME: &'static str;
    /// What it names, in words, for "there is no such …".
    const KIND: &'static str;
    /// Reads it; `None` when nothing can have this name.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! path_parts {
    ($($type:ty as $name:literal, $kind:literal;)+) => {$(
        impl PathPart for $type {
            const NAME: &'static str = $name;
            const KIND: &'static str = $kind;

            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}

path_parts! {
    Ref<ApiId> as "api", "api";
    VersionRef as "version", "version";
    PlanId as "plan", "plan";
    Ref<PlanId> as "plan", "plan";
    Ref<ApplicationId> as "application", "application";
    SubscriptionId as "subscription", "subscription";
    CredentialId as "credential", "credential";
    ApprovalId as "approval", "approval";
    CallId as "call", "call";
    AuditEventId as "event", "audit event";
    NodeId as "node", "node";
    Ref<TenantId> as "tenant", "tenant";
    Ref<TeamId> as "team", "team";
    UserId as "user", "user";
    MembershipId as "member", "member";
    SessionId as "session", "session";
    SignUpId as "sign_up", "sign-up";
    TokenId as "token", "token";
    Role as "role", "role";
    SnapshotSeq as "seq", "snapshot";
}

/// The number of a configuration snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSeq(pub i64);

impl std::str::FromStr for SnapshotSeq {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// What a path names: one part, or two of them.
pub trait PathParts: Sized + Send {
    /// The name and the kind of each part, in the order of the path.
    const PARTS: &'static [(&'static str, &'static str)];

    /// Reads them.
    ///
    /// # Errors
    /// 404 when nothing can have this name.
    fn read_all(params: &RawPathParams) -> Result<Self, Problem>;
}

impl<T: PathPart> PathParts for T {
    const PARTS: &'static [(&'static str, &'static str)] = &[(T::NAME, T::KIND)];

    fn read_all(params: &RawPathParams) -> Result<Self, Problem> {
        let text = params
            .iter()
            .find(|(name, _)| *name == T::NAME)
            .map(|(_, text)| text);
        text.and_then(T::read).ok_or_else(|| Problem::not_found(T::KIND))
    }
}

impl<A: PathPart, B: PathPart> PathParts for (A, B) {
    const PARTS: &'static [(&'static str, &'static str)] = &[(A::NAME, A::KIND), (B::NAME, B::KIND)];

    fn read_all(params: &RawPathParams) -> Result<Self, Problem> {
        Ok((A::read_all(params)?, B::read_all(params)?))
    }
}

/// The things that the path names.
#[derive(Debug, Clone, Copy)]
pub struct At<T>(pub T);

impl<S: Send + Sync, T: PathParts> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // The only way to fail is a segment that is no UTF-8, and no name is.
        let params = RawPathParams::from_request_parts(parts, state).await;
        T::read_all(&params.map_err(|_| Problem::not_found("thing"))?).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_name_names_nothing() {
        assert!(<Ref<ApiId>>::read("shop").is_some());
        assert!(<Ref<ApiId>>::read("plan_01h2xcejqtf2nbrexx3vqjhp41").is_none());
        assert!(PlanId::read("free").is_none());
        assert!(VersionRef::read("V 1").is_none());
        assert_eq!(SnapshotSeq::read("17"), Some(SnapshotSeq(17)));
        assert_eq!(SnapshotSeq::read("seventeen"), None);
    }
}
