//! Tenants, teams, users and what they may do.

use crate::id::{MembershipId, TeamId, TenantId, TokenId, UserId};
use crate::permission::{Permission, Role};
use crate::secret::SecretHint;
use crate::text::{Email, Name, Slug};
use crate::time::Timestamp;
use crate::{machine, words};

words! {
    /// Whether a tenant or a team may act.
    StandingState {
        /// May act.
        Active = "active",
        /// May not act; nothing is lost.
        Suspended = "suspended",
    }
}

words! {
    /// What can be done with a tenant or a team.
    StandingVerb {
        /// Let it do nothing for now.
        Suspend = "suspend",
        /// Let it act again.
        Activate = "activate",
    }
}

machine! { StandingState via StandingVerb as "tenant or team" {
    Active: Suspend => Suspended;
    Suspended: Activate => Active;
}}

words! {
    /// Whether a user may sign in.
    UserState {
        /// Invited; has not chosen a password yet.
        Invited = "invited",
        /// May sign in.
        Active = "active",
        /// May not sign in.
        Suspended = "suspended",
    }
}

words! {
    /// What can be done with a person's account.
    UserVerb {
        /// Let them not sign in.
        Suspend = "suspend",
        /// Let them sign in again.
        Activate = "activate",
    }
}

machine! { UserState via UserVerb as "user" {
    Invited: Suspend => Suspended, Activate => Active;
    Active: Suspend => Suspended;
    Suspended: Activate => Active;
}}

words! {
    /// Which side of an API a team stands on.
    TeamKind {
        /// Publishes APIs.
        Provider = "provider",
        /// Consumes APIs.
        Consumer = "consumer",
        /// Does both.
        Both = "both",
    }
}

words! {
    /// Who may make an account in a tenant without being invited.
    SignUpMode {
        /// Nobody.
        Off = "off",
        /// Everybody, at once.
        Open = "open",
        /// Everybody, once somebody who may invite people agrees.
        Approval = "approval",
    }
}

/// A customer of the installation. Everything else belongs to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Unique in the installation; `default` stands at the root of the gateway.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Whether it may act.
    pub state: StandingState,
    /// What its administrators chose.
    pub settings: TenantSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts the changes; the entity tag on the wire.
    pub row_version: i64,
}

/// What a tenant's administrators choose.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantSettings {
    /// A requester may not decide the own request when set.
    pub two_person_rule: bool,
    /// The catalogue can be read without signing in.
    pub public_portal: bool,
    /// Who may make an account without being invited.
    pub sign_up: SignUpMode,
    /// How many days at least lie between a deprecation and its sunset.
    pub min_deprecation_days: u32,
    /// A version goes through review before it is published.
    pub review_required: bool,
    /// Host names under which the gateway and the portal serve this tenant.
    pub hosts: Vec<String>,
    /// Upstream addresses (CIDR) that this tenant may reach beside global ones; set by a platform admin.
    pub upstream_allow: Vec<String>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            two_person_rule: false,
            public_portal: true,
            sign_up: SignUpMode::Approval,
            min_deprecation_days: 0,
            review_required: false,
            hosts: Vec::new(),
            upstream_allow: Vec::new(),
        }
    }
}

/// The slug of the tenant that stands at the root.
pub const DEFAULT_TENANT: &str = "default";
/// The slug of the team that owns what names no team.
pub const DEFAULT_TEAM: &str = "default";

/// People who own APIs or applications together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Unique in the tenant.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Which side it stands on.
    pub kind: TeamKind,
    /// Where its mail goes.
    pub contact: Option<Email>,
    /// Whether it may act.
    pub state: StandingState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Unique in the tenant.
    pub email: Email,
    /// As people read it.
    pub name: Name,
    /// Whether it may sign in.
    pub state: UserState,
    /// Runs the installation: tenants, nodes, keys.
    pub platform_admin: bool,
    /// Raised to end every session and to make every old cookie worthless.
    pub auth_epoch: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

/// A role that a user holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Its id.
    pub id: MembershipId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Who holds the role.
    pub user_id: UserId,
    /// In which team; `None` holds it in the whole tenant.
    pub team_id: Option<TeamId>,
    /// Which role.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
}

/// A bearer token of the management API. It never has more rights than its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagementToken {
    /// Its id.
    pub id: TokenId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Whose rights it carries.
    pub user_id: UserId,
    /// What it is for.
    pub name: Name,
    /// Narrows the user's rights; empty means all of them.
    pub scopes: Vec<Permission>,
    /// The harmless ends of the secret.
    pub hint: SecretHint,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// When somebody ended it.
    pub revoked_at: Option<Timestamp>,
    /// When it was last accepted; written at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}
