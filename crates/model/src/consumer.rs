//! The consumer's side: applications, their subscriptions and their credentials.

use std::time::Duration;

use crate::id::{
    ApiId, ApplicationId, CredentialId, PlanId, PlanVersionId, SubscriptionId, TeamId, TenantId, UserId,
};
use crate::secret::{SecretHash, SecretHint};
use crate::text::{Name, Remark, Slug};
use crate::time::Timestamp;
use crate::{machine, words};

words! {
    /// Which kind of keys an application gets.
    Environment {
        /// `gw_live_…`
        Live = "live",
        /// `gw_test_…`
        Test = "test",
    }
}

words! {
    /// The life of an application (governance, section 4.2).
    ApplicationState {
        /// Its keys work.
        Active = "active",
        /// Its keys are refused; nothing is lost.
        Suspended = "suspended",
        /// Its subscriptions are closed and its keys revoked.
        Archived = "archived",
    }
}

words! {
    /// What can be asked of an application.
    ApplicationVerb {
        /// Refuse its keys.
        Suspend = "suspend",
        /// Accept them again.
        Activate = "activate",
        /// End it.
        Archive = "archive",
    }
}

machine! { ApplicationState via ApplicationVerb as "application" {
    Active: Suspend => Suspended, Archive => Archived;
    Suspended: Activate => Active, Archive => Archived;
    Archived: Activate => Active;
}}

/// How long after its archiving an application can be brought back.
pub const UNARCHIVE_WITHIN: Duration = Duration::from_secs(30 * 86_400);

/// What calls an API: a program of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The owning team.
    pub team_id: TeamId,
    /// Unique in the tenant.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Which kind of keys it gets.
    pub environment: Environment,
    /// Where it is in its life.
    pub state: ApplicationState,
    /// When it was archived; present exactly while it is.
    pub archived_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

words! {
    /// The life of a subscription (governance, section 4.2).
    SubscriptionState {
        /// Waits for a decision.
        Pending = "pending",
        /// Works.
        Active = "active",
        /// Refused for a reason that can end.
        Suspended = "suspended",
        /// Works until its end.
        Closing = "closing",
        /// Ended.
        Closed = "closed",
        /// Was never granted.
        Rejected = "rejected",
        /// Was taken back before a decision.
        Withdrawn = "withdrawn",
        /// Ran out.
        Expired = "expired",
    }
}

words! {
    /// What can be asked of a subscription.
    SubscriptionVerb {
        /// Grant it.
        Activate = "activate",
        /// Refuse it.
        Reject = "reject",
        /// Take the request back.
        Withdraw = "withdraw",
        /// Stop it for a reason.
        Suspend = "suspend",
        /// Let it work again.
        Resume = "resume",
        /// End it after a grace.
        BeginClosing = "begin_closing",
        /// End it now.
        Close = "close",
        /// It ran out.
        Expire = "expire",
    }
}

machine! { SubscriptionState via SubscriptionVerb as "subscription" {
    Pending: Activate => Active, Reject => Rejected, Withdraw => Withdrawn;
    Active: Suspend => Suspended, BeginClosing => Closing, Close => Closed, Expire => Expired;
    Suspended: Resume => Active, BeginClosing => Closing, Close => Closed;
    Closing: Close => Closed;
    Expired: Activate => Active;
}}

impl SubscriptionState {
    /// Whether it occupies the place of (application, plan): a second one is refused.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Active | Self::Suspended | Self::Closing
        )
    }

    /// The live states, for the partial unique rule.
    pub const LIVE: [Self; 4] = [Self::Pending, Self::Active, Self::Suspended, Self::Closing];
}

/// An application's right to use an API under a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
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
    /// The consumer's own switch; the gateway refuses while it is set.
    pub paused: bool,
    /// What the consumer wrote with the request.
    pub request_note: Option<Remark>,
    /// Why it was suspended, rejected or closed.
    pub reason: Option<Remark>,
    /// When it ends by itself.
    pub ends_at: Option<Timestamp>,
    /// When a closing one is closed.
    pub closing_at: Option<Timestamp>,
    /// Who asked for it.
    pub created_by: Option<UserId>,
    /// When it was asked for; decides which versions it reaches (`plan::grants`).
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

words! {
    /// What a credential is. Kinds are added with the code that checks them.
    CredentialKind {
        /// A secret in a header.
        ApiKey = "api_key",
    }
}

words! {
    /// The life of a credential (governance, section 4.2).
    CredentialState {
        /// Not valid yet.
        Scheduled = "scheduled",
        /// Works.
        Active = "active",
        /// Has a successor and works until the end of its grace.
        Rotating = "rotating",
        /// Switched off.
        Disabled = "disabled",
        /// Ran out.
        Expired = "expired",
        /// Ended for good.
        Revoked = "revoked",
    }
}

words! {
    /// What can be asked of a credential.
    CredentialVerb {
        /// Its time has come.
        Start = "start",
        /// Issue a successor.
        Rotate = "rotate",
        /// Switch it off.
        Disable = "disable",
        /// Switch it on.
        Enable = "enable",
        /// It ran out.
        Expire = "expire",
        /// End it for good.
        Revoke = "revoke",
    }
}

machine! { CredentialState via CredentialVerb as "credential" {
    Scheduled: Start => Active, Revoke => Revoked;
    Active: Rotate => Rotating, Disable => Disabled, Expire => Expired, Revoke => Revoked;
    Rotating: Revoke => Revoked;
    Disabled: Enable => Active, Revoke => Revoked;
    Expired: Revoke => Revoked;
}}

/// The longest overlap of an old and a new key.
pub const MAX_ROTATION_GRACE: Duration = Duration::from_secs(30 * 86_400);

/// A credential of an application. It opens every subscription of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Whose it is.
    pub application_id: ApplicationId,
    /// What it is.
    pub kind: CredentialKind,
    /// What it is for, in the consumer's words.
    pub name: Option<Name>,
    /// The harmless ends of the secret.
    pub hint: SecretHint,
    /// What the gateway looks up.
    pub hash: SecretHash,
    /// Where it is in its life.
    pub state: CredentialState,
    /// When it starts to work.
    pub not_before: Option<Timestamp>,
    /// When it stops by itself.
    pub expires_at: Option<Timestamp>,
    /// How long a rotating one still works; never past `expires_at`.
    pub grace_until: Option<Timestamp>,
    /// Its successor.
    pub replaced_by: Option<CredentialId>,
    /// When it was last accepted; written at most once a minute.
    pub last_used_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revoked_reason: Option<Remark>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}

/// Whether a credential opens anything at `now`. Control and gateway both ask
/// here, so that a key dies on time even when the worker that moves its state
/// is late.
#[must_use]
pub fn credential_works(
    state: CredentialState,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    grace_until: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let in_time = not_before.is_none_or(|start| start <= now) && expires_at.is_none_or(|end| now < end);
    match state {
        CredentialState::Scheduled | CredentialState::Active => in_time,
        CredentialState::Rotating => in_time && grace_until.is_none_or(|end| now < end),
        CredentialState::Disabled | CredentialState::Expired | CredentialState::Revoked => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_states_stay_terminal() {
        for state in [
            SubscriptionState::Closed,
            SubscriptionState::Rejected,
            SubscriptionState::Withdrawn,
        ] {
            assert!(state.is_terminal(), "{state}");
        }
        assert!(CredentialState::Revoked.is_terminal());
    }

    #[test]
    fn a_pending_subscription_cannot_be_suspended() {
        let refused = SubscriptionState::Pending
            .after(SubscriptionVerb::Suspend)
            .unwrap_err();
        assert_eq!(refused.allowed, ["active", "rejected", "withdrawn"]);
    }

    #[test]
    fn time_alone_ends_a_key() {
        let at = Timestamp::from_millis;
        let works = |state, now| credential_works(state, Some(at(10)), Some(at(100)), Some(at(50)), at(now));
        assert!(!works(CredentialState::Scheduled, 9));
        assert!(works(CredentialState::Scheduled, 10));
        assert!(works(CredentialState::Active, 99));
        assert!(!works(CredentialState::Active, 100));
        assert!(works(CredentialState::Rotating, 49));
        assert!(!works(CredentialState::Rotating, 50));
        assert!(!works(CredentialState::Revoked, 20));
    }
}
