//! Requests that wait for a decision, and deciding them.

use std::time::Duration;

use gatewright_model::api::{Api, VersionState};
use gatewright_model::approval::{Approval, ApprovalKind, ApprovalState, ApprovalSubject, ApprovalVerb};
use gatewright_model::consumer::SubscriptionVerb;
use gatewright_model::id::ApprovalId;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::tenancy::Tenant;
use gatewright_model::text::Remark;
use gatewright_store::{ApprovalFilter as StoredFilter, Tx};
use serde_json::json;

use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::lifecycle::{self, Transition};
use crate::{outbox_entry, subscriptions, tenants};

/// How long a request may wait before it is overdue.
const DUE_AFTER: Duration = Duration::from_secs(3 * 86_400);

/// Use cases of approvals.
#[derive(Debug, Clone, Copy)]
pub struct Approvals<'c>(pub(crate) &'c Control);

/// Which requests a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApprovalFilter {
    /// In which state.
    pub state: Option<ApprovalState>,
    /// Of which kind.
    pub kind: Option<ApprovalKind>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Grant it.
    Approve {
        /// For the requester.
        comment: Option<Remark>,
    },
    /// Refuse it.
    Reject {
        /// Why; the requester is told.
        comment: Remark,
    },
}

impl Control {
    /// Use cases of approvals.
    #[must_use]
    pub const fn approvals(&self) -> Approvals<'_> {
        Approvals(self)
    }
}

impl Approvals<'_> {
    /// Lists the requests that the caller may see, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &ApprovalFilter,
        page: PageRequest,
    ) -> Result<Page<Approval>> {
        caller.require_anywhere(Permission::ApprovalsRead)?;
        let mut tx = self.0.read(caller).await?;
        let stored = StoredFilter {
            state: filter.state,
            kind: filter.kind,
            teams: caller.rights.teams_with(Permission::ApprovalsRead),
        };
        Ok(tx.approvals().list(&stored, page).await?)
    }

    /// One request.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: ApprovalId) -> Result<Approval> {
        let mut tx = self.0.read(caller).await?;
        seen(&mut tx, caller, id).await
    }

    /// Decides a request and carries the decision out.
    ///
    /// # Errors
    /// [`Error::Illegal`] when it was decided before; [`Error::Guard`]
    /// `own_request` under the two-person rule; [`Error::Stale`].
    pub async fn decide(
        &self,
        caller: &Caller,
        id: ApprovalId,
        decision: Decision,
        if_match: IfMatch,
    ) -> Result<Approval> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let approval = seen(&mut tx, caller, id).await?;
        caller.require_in(Permission::ApprovalsDecide, approval.team_id)?;
        if_match.check(approval.row_version)?;
        let tenant = tenants::own(&mut tx, caller).await?;
        not_own(&mut tx, caller, &tenant, approval.subject).await?;
        let (verb, comment) = match &decision {
            Decision::Approve { comment } => (ApprovalVerb::Approve, comment.clone()),
            Decision::Reject { comment } => (ApprovalVerb::Reject, Some(comment.clone())),
        };
        let approval = settle(self.0, &mut tx, caller, approval, verb, comment).await?;
        carry_out(self.0, &mut tx, caller, &approval).await?;
        self.0.commit(tx, now).await?;
        Ok(approval)
    }
}

async fn seen(tx: &mut Tx, caller: &Caller, id: ApprovalId) -> Result<Approval> {
    let approval = tx.approvals().find(id).await?.ok_or(Error::missing("approval"))?;
    if caller.rights.in_team(Permission::ApprovalsRead, approval.team_id) {
        Ok(approval)
    } else {
        Err(Error::missing("approval"))
    }
}

/// Opens a request about a subject.
pub(crate) async fn open(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    subject: ApprovalSubject,
    note: Option<Remark>,
) -> Result<()> {
    let now = control.now();
    let approval = Approval {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        team_id: api.team_id,
        api_id: api.id,
        subject,
        state: ApprovalState::Open,
        requested_by: caller.author(),
        note,
        due_at: now.plus(DUE_AFTER),
        decided_by: None,
        decided_at: None,
        comment: None,
        created_at: now,
        row_version: 1,
    };
    tx.approvals().insert(&approval).await?;
    let details = json!({ "kind": subject.kind(), "api": api.id });
    tx.audit(entry(
        caller,
        now,
        "approval.open",
        "approval",
        approval.id,
        details.clone(),
    ));
    tx.outbox(outbox_entry::event(
        control,
        caller,
        now,
        "approval.open",
        approval.id,
        &details,
    ));
    Ok(())
}

/// Ends the open request about a subject, if there is one.
pub(crate) async fn settle_open(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    subject: ApprovalSubject,
    verb: ApprovalVerb,
    comment: Option<Remark>,
) -> Result<()> {
    if let Some(approval) = tx.approvals().find_open(subject).await? {
        settle(control, tx, caller, approval, verb, comment).await?;
    }
    Ok(())
}

async fn settle(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut approval: Approval,
    verb: ApprovalVerb,
    comment: Option<Remark>,
) -> Result<Approval> {
    let now = control.now();
    approval.state = approval.state.after(verb)?;
    approval.decided_by = caller.author();
    approval.decided_at = Some(now);
    approval.comment = comment;
    let approval = tx.approvals().update(&approval).await?;
    let action = match verb {
        ApprovalVerb::Approve => "approval.approve",
        ApprovalVerb::Reject => "approval.reject",
        ApprovalVerb::Cancel => "approval.cancel",
        ApprovalVerb::Expire => "approval.expire",
    };
    let details = json!({ "kind": approval.subject.kind(), "comment": approval.comment });
    tx.audit(entry(
        caller,
        now,
        action,
        "approval",
        approval.id,
        details.clone(),
    ));
    tx.outbox(outbox_entry::event(
        control,
        caller,
        now,
        action,
        approval.id,
        &details,
    ));
    Ok(approval)
}

/// Under the two-person rule nobody decides the own request.
pub(crate) async fn not_own(
    tx: &mut Tx,
    caller: &Caller,
    tenant: &Tenant,
    subject: ApprovalSubject,
) -> Result<()> {
    if !tenant.settings.two_person_rule {
        return Ok(());
    }
    let open = tx.approvals().find_open(subject).await?;
    if open.is_some_and(|open| open.requested_by.is_some() && open.requested_by == caller.user_id) {
        return Err(Error::guard(
            "own_request",
            "this tenant wants two people: somebody else must decide this request",
        ));
    }
    Ok(())
}

async fn carry_out(control: &Control, tx: &mut Tx, caller: &Caller, approval: &Approval) -> Result<()> {
    let approved = approval.state == ApprovalState::Approved;
    match approval.subject {
        ApprovalSubject::Subscription(id) => {
            let verb = if approved {
                SubscriptionVerb::Activate
            } else {
                SubscriptionVerb::Reject
            };
            subscriptions::decide(control, tx, caller, id, verb, approval.comment.clone()).await
        }
        ApprovalSubject::Version(id) => {
            let version = tx.versions().find(id).await?.ok_or(Error::missing("version"))?;
            if version.state != VersionState::InReview {
                return Ok(());
            }
            let api = tx
                .apis()
                .lock(version.api_id)
                .await?
                .ok_or(Error::missing("api"))?;
            let transition = if approved {
                Transition::Publish
            } else {
                Transition::Withdraw
            };
            lifecycle::apply(control, tx, caller, &api, version, transition)
                .await
                .map(|_| ())
        }
    }
}
