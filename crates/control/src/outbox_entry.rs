//! One line for an event that is delivered after the transaction.

use gatewright_model::id::EntityId;
use gatewright_model::time::Timestamp;
use gatewright_store::OutboxEntry;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::control::Control;

/// An event about a thing. The worker delivers it to whoever wants it.
pub(crate) fn event(
    control: &Control,
    caller: &Caller,
    at: Timestamp,
    topic: &'static str,
    subject: impl EntityId,
    details: &Value,
) -> OutboxEntry {
    OutboxEntry {
        id: control.new_id(at),
        tenant_id: caller.tenant_id,
        topic: topic.to_owned(),
        payload: json!({ "subject": subject.to_string(), "at": at, "by": caller.user_id, "details": details }),
        created_at: at,
    }
}
