//! The configuration as the gateway gets it: a small numbered manifest of
//! content-hashed parts, and keyed deltas for what comes in millions.
//!
//! Parts are JSON, so that a node of the release before can still read them:
//! unknown fields are ignored and new ones have defaults. A part that did not
//! change keeps its hash and is neither sent nor compiled again.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::api::{Unmatched, Upstream, VersionState};
use crate::consumer::{ApplicationState, CredentialState, Environment, SubscriptionState};
use crate::id::{
    ApiId, ApplicationId, CredentialId, PlanId, PlanVersionId, SubscriptionId, TenantId, VersionId,
};
use crate::limit::Limit;
use crate::plan::{Coverage, PlanState, Security};
use crate::secret::SecretHash;
use crate::tenancy::StandingState;
use crate::text::{ContextPath, Name, Slug, VersionLabel};
use crate::time::Timestamp;
use crate::words;

/// SHA-256 of a part's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartHash(pub [u8; 32]);

impl PartHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for PartHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for PartHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for PartHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for PartHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

words! {
    /// What a part describes.
    PartKind {
        /// A tenant ([`TenantPart`]).
        Tenant = "tenant",
        /// An API and its plans ([`ApiPart`]).
        Api = "api",
        /// A version ([`VersionPart`]).
        Version = "version",
    }
}

/// One entry of a manifest: whose part it is and which content it has.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartRef {
    /// What it describes.
    pub kind: PartKind,
    /// The id of the tenant, API or version.
    pub key: Uuid,
    /// Its content.
    pub hash: PartHash,
}

/// A whole configuration: immutable, numbered by `change_head`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Manifest {
    /// Its number.
    pub seq: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its parts, sorted by kind and key.
    pub parts: Vec<PartRef>,
}

/// A tenant at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TenantPart {
    /// Its id.
    pub id: TenantId,
    /// `default` stands at the root, others under `/t/{slug}/` and their hosts.
    pub slug: Slug,
    /// A suspended tenant is not routed.
    pub state: StandingState,
    /// Host names, lower case, without port.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Whether upstreams at private and loopback addresses are allowed.
    #[serde(default)]
    pub private_upstreams: bool,
    /// Further upstream addresses (CIDR) that are allowed.
    #[serde(default)]
    pub upstream_allow: Vec<String>,
}

/// An API at the gateway, with its plans.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApiPart {
    /// Its id.
    pub id: ApiId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its slug.
    pub slug: Slug,
    /// Where it stands.
    pub context_path: ContextPath,
    /// Its plans that anybody can still hold: published and deprecated ones.
    pub plans: Vec<PlanPart>,
}

/// A plan at the gateway, with every version of its limits that a subscription is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanPart {
    /// Its id.
    pub id: PlanId,
    /// Its slug, which the upstream gets as `X-Plan`.
    pub slug: Slug,
    /// Where it is in its life.
    pub state: PlanState,
    /// How callers prove who they are.
    pub security: Security,
    /// Which versions it covers.
    pub versions: Coverage,
    /// Its limits, oldest version first; the last one is current.
    pub limits: Vec<PlanLimits>,
}

/// One version of a plan's limits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanLimits {
    /// The plan version.
    pub id: PlanVersionId,
    /// In the order in which they are checked.
    pub limits: Vec<Limit>,
}

/// A version at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VersionPart {
    /// Its id.
    pub id: VersionId,
    /// Its API.
    pub api_id: ApiId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its path locator.
    pub label: VersionLabel,
    /// Only routed states appear.
    pub state: VersionState,
    /// Why it is blocked.
    #[serde(default)]
    pub blocked_reason: Option<String>,
    /// Its announced end.
    #[serde(default)]
    pub deprecation: Option<DeprecationPart>,
    /// What happens to calls that match no operation.
    #[serde(default)]
    pub unmatched: Unmatched,
    /// What can be called. Empty for a retired version.
    pub operations: Vec<OperationPart>,
    /// Where calls go; absent for a retired version.
    pub upstream: Option<Upstream>,
}

/// The announced end of a version, with its links made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DeprecationPart {
    /// RFC 9745.
    pub deprecated_at: Timestamp,
    /// RFC 8594.
    pub sunset_at: Timestamp,
    /// Where the portal explains it; absolute.
    pub info_url: Option<String>,
    /// What replaces it.
    pub successor: Option<SuccessorPart>,
}

/// The version that replaces a deprecated one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SuccessorPart {
    /// Its label.
    pub label: VersionLabel,
    /// Its address at the gateway; absolute when the gateway's public URL is known.
    pub url: String,
}

/// An operation at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OperationPart {
    /// Its stable key.
    pub key: String,
    /// Upper-case method.
    pub method: String,
    /// `/pets/{id}`.
    pub template: String,
    /// Marked as deprecated in the document.
    #[serde(default)]
    pub deprecated: bool,
}

/// One change of something that comes in millions. Applying a delta twice, or
/// an older one after a newer, changes nothing: `seq` decides.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Delta {
    /// An application is as follows.
    Application(ApplicationDelta),
    /// A subscription is as follows.
    Subscription(SubscriptionDelta),
    /// A credential is as follows.
    Credential(CredentialDelta),
}

impl Delta {
    /// The change that made it so.
    #[must_use]
    pub const fn seq(&self) -> i64 {
        match self {
            Self::Application(delta) => delta.seq,
            Self::Subscription(delta) => delta.seq,
            Self::Credential(delta) => delta.seq,
        }
    }
}

/// An application at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApplicationDelta {
    /// The change that made it so.
    pub seq: i64,
    /// Its id.
    pub id: ApplicationId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// What the upstream gets as `X-Consumer-Name`.
    pub name: Name,
    /// Which kind of keys it has.
    pub environment: Environment,
    /// Where it is in its life.
    pub state: ApplicationState,
}

/// A subscription at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SubscriptionDelta {
    /// The change that made it so.
    pub seq: i64,
    /// Its id.
    pub id: SubscriptionId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Who holds it.
    pub application_id: ApplicationId,
    /// Which API it opens.
    pub api_id: ApiId,
    /// Under which plan.
    pub plan_id: PlanId,
    /// The terms it is pinned to.
    pub plan_version_id: PlanVersionId,
    /// Where it is in its life.
    pub state: SubscriptionState,
    /// The consumer's own switch.
    pub paused: bool,
    /// When it was asked for (`plan::grants`).
    pub created_at: Timestamp,
    /// When it ends by itself, by its term or because it is closing.
    pub ends_at: Option<Timestamp>,
}

/// A credential at the gateway.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CredentialDelta {
    /// The change that made it so.
    pub seq: i64,
    /// Its id.
    pub id: CredentialId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub application_id: ApplicationId,
    /// What is looked up.
    pub hash: SecretHash,
    /// Where it is in its life.
    pub state: CredentialState,
    /// When it starts to work.
    pub not_before: Option<Timestamp>,
    /// When it stops by itself.
    pub expires_at: Option<Timestamp>,
    /// How long a rotating one still works.
    pub grace_until: Option<Timestamp>,
}
