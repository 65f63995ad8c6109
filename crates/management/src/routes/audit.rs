//! The audit trail: who did what, and whether anybody changed it.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::audit::AuditFilter;
use gatewright_model::audit::{AuditEvent, AuditSource};
use gatewright_model::id::{AuditEventId, TokenId, UserId};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::AuditRead;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Listing;
use serde_json::Value;

use crate::answer::{Found, Listed};
use crate::filters::filter;
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("audit")
        .get(
            "/audit-events",
            about("list_audit_events", "Lists who did what, newest first."),
            list,
        )
        .get(
            "/audit-events/{event}",
            about("get_audit_event", "One event."),
            get,
        )
        .get(
            "/audit-chain",
            about(
                "verify_audit_chain",
                "Follows the chain of the tenant's events from its start.",
            ),
            verify,
        )
}

filter! {
    /// Which events are listed.
    AuditQuery {
        /// What was done: version.publish.
        action: String,
        /// The kind of thing it was done to: version.
        subject_kind: String,
        /// The id of that thing.
        subject_id: String,
        /// Who did it.
        actor: UserId,
        /// From when on.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    }
}

output! {
    /// One thing that was done.
    AuditEventBody as "AuditEvent" {
        /// Its id.
        id: AuditEventId,
        /// Its place in the order of all changes.
        seq: i64,
        /// When.
        at: Timestamp,
        /// Who; null for Gatewright itself.
        user_id: Option<UserId>,
        /// The token that spoke for the person.
        token_id: Option<TokenId>,
        /// Through which door.
        source: AuditSource,
        /// The request that caused it.
        request_id: Option<String>,
        /// What: version.publish.
        action: String,
        /// The kind of thing it was done to: version.
        subject_kind: String,
        /// The id of that thing.
        subject_id: String,
        /// What changed.
        details: Value,
    }
}

output! {
    /// Whether the chain of events is whole.
    AuditChainBody as "AuditChain" {
        /// Whether every event follows from the one before.
        intact: bool,
        /// How many events were checked.
        checked: u64,
        /// The number of the first event that does not follow.
        broken_at: Option<i64>,
    }
}

impl From<AuditEvent> for AuditEventBody {
    fn from(event: AuditEvent) -> Self {
        Self {
            id: event.id,
            seq: event.seq,
            at: event.at,
            user_id: event.actor.user_id,
            token_id: event.actor.token_id,
            source: event.actor.source,
            request_id: event.actor.request_id,
            action: event.action,
            subject_kind: event.subject_kind,
            subject_id: event.subject_id,
            details: event.details,
        }
    }
}

async fn list(
    caller: Authorized<AuditRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<AuditQuery>,
) -> Result<Listed<AuditEventBody>, Problem> {
    let AuditQuery {
        action,
        subject_kind,
        subject_id,
        actor,
        from,
        to,
    } = filter;
    let filter = AuditFilter {
        action,
        subject_kind,
        subject_id,
        user: actor,
        from,
        to,
    };
    Ok(Listed::page(
        control.audit().list(&caller, &filter, page).await?,
        AuditEventBody::from,
    ))
}

async fn get(
    caller: Authorized<AuditRead>,
    State(control): State<Control>,
    At(event): At<AuditEventId>,
) -> Result<Found<AuditEventBody>, Problem> {
    Ok(Found::plain(control.audit().get(&caller, event).await?.into()))
}

async fn verify(
    caller: Authorized<AuditRead>,
    State(control): State<Control>,
) -> Result<Found<AuditChainBody>, Problem> {
    let verdict = control.audit().verify(&caller).await?;
    let intact = verdict.broken_at.is_none();
    Ok(Found::plain(AuditChainBody {
        intact,
        checked: verdict.checked,
        broken_at: verdict.broken_at,
    }))
}
