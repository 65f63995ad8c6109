//! Requests that somebody has to decide.

use gatewright_model::approval::{Approval, ApprovalKind, ApprovalState, ApprovalSubject};
use gatewright_model::id::{ApprovalId, EntityId, SubscriptionId, TeamId, VersionId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Value};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is, is_in, is_some, versioned};
use crate::tx::repository;

repository! {
    /// Requests that somebody has to decide.
    Approvals via approvals
}

/// Which requests are wanted.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// In this state.
    pub state: Option<ApprovalState>,
    /// Of this kind.
    pub kind: Option<ApprovalKind>,
    /// Only about APIs of these teams; `None` for all.
    pub teams: Option<Vec<TeamId>>,
}

impl Record for Approval {
    const TABLE: &'static str = "approval";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "tenant_id",
        "team_id",
        "api_id",
        "kind",
        "subscription_id",
        "version_id",
        "state",
        "requested_by",
        "note",
        "due_at",
        "decided_by",
        "decided_at",
        "comment",
        "created_at",
        "row_version",
    ];
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        // The schema has exactly one of the two.
        let subscription: Option<SubscriptionId> = row.get("subscription_id")?;
        let subject = match subscription {
            Some(id) => ApprovalSubject::Subscription(id),
            None => ApprovalSubject::Version(row.get("version_id")?),
        };
        Ok(Self {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            team_id: row.get("team_id")?,
            api_id: row.get("api_id")?,
            subject,
            state: row.get("state")?,
            requested_by: row.get("requested_by")?,
            note: row.get("note")?,
            due_at: row.get("due_at")?,
            decided_by: row.get("decided_by")?,
            decided_at: row.get("decided_at")?,
            comment: row.get("comment")?,
            created_at: row.get("created_at")?,
            row_version: row.get("row_version")?,
        })
    }

    fn values(&self) -> Vec<Value> {
        let (subscription, version) = halves(self.subject);
        vec![
            self.id.value(),
            self.tenant_id.value(),
            self.team_id.value(),
            self.api_id.value(),
            self.subject.kind().value(),
            subscription.value(),
            version.value(),
            self.state.value(),
            self.requested_by.value(),
            self.note.value(),
            self.due_at.value(),
            self.decided_by.value(),
            self.decided_at.value(),
            self.comment.value(),
            self.created_at.value(),
            self.row_version.value(),
        ]
    }
}
versioned!(Approval);

const fn halves(subject: ApprovalSubject) -> (Option<SubscriptionId>, Option<VersionId>) {
    match subject {
        ApprovalSubject::Subscription(id) => (Some(id), None),
        ApprovalSubject::Version(id) => (None, Some(id)),
    }
}

impl Approvals<'_> {
    /// The request with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The one open request about a subject.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_open(self, subject: ApprovalSubject) -> Result<Option<Approval>, StoreError> {
        let about = match subject {
            ApprovalSubject::Subscription(id) => is("subscription_id", &id),
            ApprovalSubject::Version(id) => is("version_id", &id),
        };
        self.0.one(about.and(is("state", &ApprovalState::Open))).await
    }

    /// Requests, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(
        self,
        filter: &ApprovalFilter,
        page: PageRequest,
    ) -> Result<Page<Approval>, StoreError> {
        let mut select = self.0.select::<Approval>();
        select
            .and_where_option(is_some("state", filter.state.as_ref()))
            .and_where_option(is_some("kind", filter.kind.as_ref()))
            .and_where_option(filter.teams.as_deref().map(|teams| is_in("team_id", teams)));
        self.0
            .page(select, page, Order::Desc, |approval: &Approval| {
                approval.id.uuid()
            })
            .await
    }

    /// Open requests that are overdue, the longest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn due(self, now: Timestamp, limit: u16) -> Result<Vec<Approval>, StoreError> {
        let mut select = self.0.select::<Approval>();
        select
            .and_where(is("state", &ApprovalState::Open))
            .and_where(Expr::col("due_at").lte(now.value()))
            .order_by("due_at", Order::Asc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }

    /// Adds a request.
    ///
    /// # Errors
    /// `Conflict(OpenApprovalOfSubscription)`, `Conflict(OpenApprovalOfVersion)`.
    pub async fn insert(self, approval: &Approval) -> Result<(), StoreError> {
        self.0.insert(approval).await
    }

    /// Writes a request and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`].
    pub async fn update(self, approval: &Approval) -> Result<Approval, StoreError> {
        self.0.update(approval).await
    }
}
