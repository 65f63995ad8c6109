//! Requests that a person has to decide.

use crate::id::{ApiId, ApprovalId, SubscriptionId, TeamId, TenantId, UserId, VersionId};
use crate::text::Remark;
use crate::time::Timestamp;
use crate::{machine, words};

words! {
    /// What is asked. Kinds are added with the features that need them.
    ApprovalKind {
        /// A subscription to a plan with manual approval.
        Subscribe = "subscribe",
        /// A version that was submitted for review.
        Publish = "publish",
    }
}

words! {
    /// The life of a request (governance, section 4.2).
    ApprovalState {
        /// Waits.
        Open = "open",
        /// Granted.
        Approved = "approved",
        /// Refused.
        Rejected = "rejected",
        /// Taken back, or its subject is gone.
        Cancelled = "cancelled",
        /// Nobody decided in time.
        Expired = "expired",
    }
}

words! {
    /// What can be asked of a request.
    ApprovalVerb {
        /// Grant it.
        Approve = "approve",
        /// Refuse it.
        Reject = "reject",
        /// Take it back.
        Cancel = "cancel",
        /// Nobody decided in time.
        Expire = "expire",
    }
}

machine! { ApprovalState via ApprovalVerb as "approval" {
    Open: Approve => Approved, Reject => Rejected, Cancel => Cancelled, Expire => Expired;
}}

/// What the decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalSubject {
    /// A pending subscription.
    Subscription(SubscriptionId),
    /// A version in review.
    Version(VersionId),
}

impl ApprovalSubject {
    /// The kind of request that this subject makes.
    #[must_use]
    pub const fn kind(self) -> ApprovalKind {
        match self {
            Self::Subscription(_) => ApprovalKind::Subscribe,
            Self::Version(_) => ApprovalKind::Publish,
        }
    }
}

/// A request and its decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// The team whose API it is about.
    pub team_id: TeamId,
    /// The API it is about.
    pub api_id: ApiId,
    /// What the decision is about; one open request for each subject.
    pub subject: ApprovalSubject,
    /// Where it is in its life.
    pub state: ApprovalState,
    /// Who asked.
    pub requested_by: Option<UserId>,
    /// What the requester wrote.
    pub note: Option<Remark>,
    /// When it should be decided.
    pub due_at: Timestamp,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// What the decider wrote.
    pub comment: Option<Remark>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// Counts the changes.
    pub row_version: i64,
}
