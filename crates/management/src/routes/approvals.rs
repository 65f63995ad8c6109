//! Requests that a person has to decide.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::approvals::{ApprovalFilter, Decision};
use gatewright_model::approval::{Approval, ApprovalKind, ApprovalState, ApprovalSubject};
use gatewright_model::id::{ApiId, ApprovalId, TeamId, UserId};
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApprovalsDecide, ApprovalsRead};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Listing;

use crate::answer::{Found, Listed};
use crate::filters::filter;
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

const DECIDING: &[&str] = &["illegal_transition", "own_request"];

pub(crate) fn add(api: Api) -> Api {
    api.tag("approvals")
        .get(
            "/approvals",
            about(
                "list_approvals",
                "Lists requests that wait, or waited, for a decision.",
            ),
            list,
        )
        .get(
            "/approvals/{approval}",
            about("get_approval", "One request."),
            get,
        )
        .post(
            "/approvals/{approval}/approve",
            about("approve", "Grants a request.").conflicts(DECIDING),
            approve,
        )
        .post(
            "/approvals/{approval}/reject",
            about("reject", "Refuses a request.").conflicts(DECIDING),
            reject,
        )
}

input! {
    /// A grant.
    Approve {
        /// What the requester reads.
        comment: Option<Remark>,
    }
}

input! {
    /// A refusal.
    Reject {
        /// What the requester reads.
        comment: Remark,
    }
}

filter! {
    /// Which requests are listed.
    ApprovalQuery {
        /// Where it is in its life.
        state: ApprovalState,
        /// What is asked.
        kind: ApprovalKind,
    }
}

output! {
    /// A request and its decision.
    ApprovalBody as "Approval" {
        /// Its id.
        id: ApprovalId,
        /// What is asked.
        kind: ApprovalKind,
        /// The id of the subscription or the version that it is about.
        subject_id: String,
        /// The API it is about.
        api_id: ApiId,
        /// The team whose API it is about.
        team_id: TeamId,
        /// Where it is in its life.
        state: ApprovalState,
        /// Who asked.
        requested_by: Option<UserId>,
        /// What the requester wrote.
        note: Option<Remark>,
        /// When it should be decided.
        due_at: Timestamp,
        /// Who decided.
        decided_by: Option<UserId>,
        /// When.
        decided_at: Option<Timestamp>,
        /// What the decider wrote.
        comment: Option<Remark>,
        /// When it was asked.
        created_at: Timestamp,
    }
}

impl From<Approval> for ApprovalBody {
    fn from(approval: Approval) -> Self {
        let subject_id = match approval.subject {
            ApprovalSubject::Subscription(id) => id.to_string(),
            ApprovalSubject::Version(id) => id.to_string(),
        };
        Self {
            id: approval.id,
            kind: approval.subject.kind(),
            subject_id,
            api_id: approval.api_id,
            team_id: approval.team_id,
            state: approval.state,
            requested_by: approval.requested_by,
            note: approval.note,
            due_at: approval.due_at,
            decided_by: approval.decided_by,
            decided_at: approval.decided_at,
            comment: approval.comment,
            created_at: approval.created_at,
        }
    }
}

fn found(approval: Approval) -> Found<ApprovalBody> {
    let row_version = approval.row_version;
    Found::tagged(approval.into(), row_version)
}

async fn list(
    caller: Authorized<ApprovalsRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<ApprovalQuery>,
) -> Result<Listed<ApprovalBody>, Problem> {
    let filter = ApprovalFilter {
        state: filter.state,
        kind: filter.kind,
    };
    Ok(Listed::page(
        control.approvals().list(&caller, &filter, page).await?,
        ApprovalBody::from,
    ))
}

async fn get(
    caller: Authorized<ApprovalsRead>,
    State(control): State<Control>,
    At(approval): At<ApprovalId>,
) -> Result<Found<ApprovalBody>, Problem> {
    Ok(found(control.approvals().get(&caller, approval).await?))
}

async fn approve(
    caller: Authorized<ApprovalsDecide>,
    State(control): State<Control>,
    At(approval): At<ApprovalId>,
    Expected(if_match): Expected,
    Json(body): Json<Approve>,
) -> Result<Found<ApprovalBody>, Problem> {
    let decision = Decision::Approve {
        comment: body.comment,
    };
    Ok(found(
        control
            .approvals()
            .decide(&caller, approval, decision, if_match)
            .await?,
    ))
}

async fn reject(
    caller: Authorized<ApprovalsDecide>,
    State(control): State<Control>,
    At(approval): At<ApprovalId>,
    Expected(if_match): Expected,
    Json(body): Json<Reject>,
) -> Result<Found<ApprovalBody>, Problem> {
    let decision = Decision::Reject {
        comment: body.comment,
    };
    Ok(found(
        control
            .approvals()
            .decide(&caller, approval, decision, if_match)
            .await?,
    ))
}
