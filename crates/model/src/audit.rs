//! The audit trail: who did what, chained so that a change of history shows.
//!
//! Each event carries the hash of the one before it in its tenant. A chain
//! detects tampering, it does not prevent it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::id::{AuditEventId, TenantId, TokenId, UserId};
use crate::time::Timestamp;
use crate::words;

words! {
    /// Through which door the change came.
    AuditSource {
        /// The management API.
        Api = "api",
        /// The portal or the console.
        Ui = "ui",
        /// The command line.
        Cli = "cli",
        /// A schedule or a consequence of another change.
        System = "system",
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person, if there is one.
    pub user_id: Option<UserId>,
    /// The token that spoke for the person.
    pub token_id: Option<TokenId>,
    /// Through which door.
    pub source: AuditSource,
    /// The request that caused it.
    pub request_id: Option<String>,
}

impl Actor {
    /// Gatewright itself.
    #[must_use]
    pub const fn system() -> Self {
        Self {
            user_id: None,
            token_id: None,
            source: AuditSource::System,
            request_id: None,
        }
    }
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its place in the order of all changes (`change_head`).
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What: `version.publish`, `credential.revoke`.
    pub action: String,
    /// The kind of thing it was done to: `version`.
    pub subject_kind: String,
    /// The id of that thing on the wire.
    pub subject_id: String,
    /// What changed; never a secret.
    pub details: Value,
    /// The hash of the tenant's event before this one; zeros at the start.
    pub prev_hash: [u8; 32],
    /// SHA-256 over `prev_hash` and the canonical form.
    pub hash: [u8; 32],
}

impl AuditEvent {
    /// The hash that this event must carry.
    #[must_use]
    pub fn expected_hash(&self) -> [u8; 32] {
        let canonical = serde_json::json!([
            self.id.to_string(),
            self.tenant_id.to_string(),
            self.seq,
            self.at.as_millis(),
            self.actor.user_id,
            self.actor.token_id,
            self.actor.source,
            self.actor.request_id,
            self.action,
            self.subject_kind,
            self.subject_id,
            canonical_text(&self.details),
        ]);
        let mut digest = Sha256::new();
        digest.update(self.prev_hash);
        digest.update(canonical.to_string().as_bytes());
        digest.finalize().into()
    }
}

/// JSON with sorted keys, so that a database that re-orders them (JSONB) does not break the chain.
#[must_use]
pub fn canonical_text(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.cmp(b.0));
            let members: Vec<_> = members
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical_text(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical_text).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::EntityId;

    #[test]
    fn the_hash_covers_every_field_and_ignores_key_order() {
        let event = AuditEvent {
            id: AuditEventId::from_uuid(uuid::Uuid::from_u128(1)),
            tenant_id: TenantId::from_uuid(uuid::Uuid::from_u128(2)),
            seq: 7,
            at: Timestamp::from_millis(1),
            actor: Actor::system(),
            action: "plan.publish".into(),
            subject_kind: "plan".into(),
            subject_id: "plan_x".into(),
            details: json!({"b": 1, "a": [{"d": 1, "c": 2}]}),
            prev_hash: [0; 32],
            hash: [0; 32],
        };
        let reordered = AuditEvent {
            details: json!({"a": [{"c": 2, "d": 1}], "b": 1}),
            ..event.clone()
        };
        assert_eq!(event.expected_hash(), reordered.expected_hash());
        let others = [
            AuditEvent {
                seq: 8,
                ..event.clone()
            },
            AuditEvent {
                action: "plan.close".into(),
                ..event.clone()
            },
            AuditEvent {
                details: json!({}),
                ..event.clone()
            },
            AuditEvent {
                prev_hash: [1; 32],
                ..event.clone()
            },
        ];
        for other in others {
            assert_ne!(event.expected_hash(), other.expected_hash());
        }
    }
}
