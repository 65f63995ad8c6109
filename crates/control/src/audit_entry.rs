//! One line for an audit event.

use gatewright_model::id::EntityId;
use gatewright_model::time::Timestamp;
use gatewright_store::AuditEntry;
use serde_json::Value;

use crate::caller::Caller;

/// What the caller did to a thing. `details` never hold a secret.
pub(crate) fn entry(
    caller: &Caller,
    at: Timestamp,
    action: &'static str,
    subject_kind: &'static str,
    subject: impl EntityId,
    details: Value,
) -> AuditEntry {
    AuditEntry {
        tenant_id: caller.tenant_id,
        at,
        actor: caller.actor(),
        action: action.to_owned(),
        subject_kind: subject_kind.to_owned(),
        subject_id: subject.to_string(),
        details,
    }
}
