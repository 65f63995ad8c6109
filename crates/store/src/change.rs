//! The end of a change: its number, and everything that carries the number.

use std::collections::{BTreeMap, BTreeSet};

use gatewright_model::audit::{Actor, AuditEvent};
use gatewright_model::id::{
    ApplicationId, AuditEventId, CredentialId, EntityId, OutboxId, SubscriptionId, TenantId, uuid_v7,
};
use gatewright_model::snapshot::PartKind;
use gatewright_model::time::{Entropy, Timestamp};
use sea_query::{Expr, ExprTrait, Query};
use serde_json::Value;
use uuid::Uuid;

use crate::dialect;
use crate::error::StoreError;
use crate::outbox::OutboxMessage;
use crate::row::is;
use crate::snapshot;
use crate::tx::Tx;

/// What is to be noted in the audit trail; the transaction adds id, number and chain.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// In whose trail it stands.
    pub tenant_id: TenantId,
    /// When it was done.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What was done: `version.publish`.
    pub action: String,
    /// To which kind of thing: `version`.
    pub subject_kind: String,
    /// The id of that thing on the wire.
    pub subject_id: String,
    /// What changed; never a secret, and no fractions: databases write them differently.
    pub details: Value,
}

/// A message that has to leave the store when the change is permanent.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// Its id, the same on every attempt.
    pub id: OutboxId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What it is about: `subscription.approved`.
    pub topic: String,
    /// What the receiver gets.
    pub payload: Value,
    /// When it was made; it is due at once.
    pub created_at: Timestamp,
}

/// What a transaction has collected for its end.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    audit: Vec<AuditEntry>,
    outbox: Vec<OutboxEntry>,
    applications: BTreeSet<Uuid>,
    subscriptions: BTreeSet<Uuid>,
    credentials: BTreeSet<Uuid>,
    pub(crate) parts: BTreeMap<(PartKind, Uuid), Option<Vec<u8>>>,
}

impl Journal {
    fn is_empty(&self) -> bool {
        self.audit.is_empty()
            && self.outbox.is_empty()
            && self.applications.is_empty()
            && self.subscriptions.is_empty()
            && self.credentials.is_empty()
            && self.parts.is_empty()
    }

    /// What the history of configurations names as the cause: the first thing that was done.
    pub(crate) fn cause(&self) -> (String, Option<Uuid>) {
        let first = self.audit.first();
        let user = first.and_then(|entry| entry.actor.user_id).map(EntityId::uuid);
        (
            first.map_or_else(|| "system".to_owned(), |entry| entry.action.clone()),
            user,
        )
    }
}

impl Tx {
    /// Notes in the tenant's audit trail what this transaction does.
    pub fn audit(&mut self, entry: AuditEntry) {
        self.journal.audit.push(entry);
    }

    /// Sends a message once the change is permanent.
    pub fn outbox(&mut self, entry: OutboxEntry) {
        self.journal.outbox.push(entry);
    }

    /// Sends the application to gateways again. Insert and update do so by themselves.
    pub fn touch_application(&mut self, id: ApplicationId) {
        self.journal.applications.insert(id.uuid());
    }

    /// Sends the subscription to gateways again. Insert and update do so by themselves.
    pub fn touch_subscription(&mut self, id: SubscriptionId) {
        self.journal.subscriptions.insert(id.uuid());
    }

    /// Sends the credential to gateways again. Insert and update do so by themselves.
    pub fn touch_credential(&mut self, id: CredentialId) {
        self.journal.credentials.insert(id.uuid());
    }

    /// Puts a part of the configuration into force with this change; `None` takes it out.
    ///
    /// The body must be made of rows that this transaction has locked (`lock`
    /// of the repositories), or two changes at once could each forget the other.
    pub fn put_part(&mut self, kind: PartKind, key: Uuid, body: Option<Vec<u8>>) {
        self.journal.parts.insert((kind, key), body);
    }

    /// Makes everything permanent. When anything was collected the change gets
    /// a number, which is returned.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or what the collected rows break.
    pub async fn commit(mut self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let journal = std::mem::take(&mut self.journal);
        if journal.is_empty() {
            return self.conn.commit().await.map(|()| None);
        }
        let seq = self.take_head().await?;
        self.stamp("application", &journal.applications, seq).await?;
        self.stamp("subscription", &journal.subscriptions, seq).await?;
        self.stamp("credential", &journal.credentials, seq).await?;
        snapshot::write_parts(&mut self, &journal, seq, now).await?;
        self.write_audit(journal.audit, seq).await?;
        self.write_outbox(journal.outbox, seq).await?;
        self.conn.commit().await?;
        Ok(Some(seq))
    }

    /// The last lock: from here on no other change can be numbered until this one has ended.
    async fn take_head(&mut self) -> Result<i64, StoreError> {
        let mut update = Query::update();
        update
            .table("change_head")
            .value("seq", Expr::col("seq").add(1_i64))
            .and_where(Expr::col("id").eq(1_i64))
            .returning_col("seq");
        let row = self.conn.fetch_optional(&update).await?;
        row.ok_or_else(missing_head)?.take("change_head", "seq")
    }

    /// Keeps others from being numbered without taking a number.
    pub(crate) async fn hold_head(&mut self) -> Result<(), StoreError> {
        let mut select = Query::select();
        select.column("seq").from("change_head");
        dialect::lock_rows(&self.conn, &mut select);
        self.conn.fetch_optional(&select).await.map(drop)
    }

    async fn stamp(&mut self, table: &'static str, ids: &BTreeSet<Uuid>, seq: i64) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = ids.iter().copied().collect();
        for chunk in ids.chunks(10_000) {
            let mut update = Query::update();
            update
                .table(table)
                .value("change_seq", seq)
                .and_where(Expr::col("id").is_in(chunk.iter().copied()))
                .and_where_option(self.scope.tenant().map(|tenant| is("tenant_id", &tenant)));
            self.conn.execute(&update).await?;
        }
        Ok(())
    }

    async fn write_audit(&mut self, entries: Vec<AuditEntry>, seq: i64) -> Result<(), StoreError> {
        let mut ends: BTreeMap<Uuid, [u8; 32]> = BTreeMap::new();
        let mut rows = Vec::with_capacity(entries.len());
        for (position, entry) in (0_i64..).zip(entries) {
            let tenant = entry.tenant_id;
            // One look-up for each tenant of the change, and nearly every change has one.
            let prev_hash = match ends.get(&tenant.uuid()) {
                Some(hash) => *hash,
                None => self.audit_events().last_hash(tenant).await?,
            };
            let id = event_id(entry.at, seq, position, self.entropy.as_ref());
            let event = chained(id, entry, prev_hash, seq);
            ends.insert(tenant.uuid(), event.hash);
            rows.push(crate::audit::values(&event, position));
        }
        self.insert_rows(
            crate::audit::TABLE,
            crate::audit::COLUMNS,
            Some("tenant_id"),
            rows,
        )
        .await
    }

    async fn write_outbox(&mut self, entries: Vec<OutboxEntry>, seq: i64) -> Result<(), StoreError> {
        let rows: Vec<OutboxMessage> = entries
            .into_iter()
            .map(|entry| OutboxMessage {
                id: entry.id,
                tenant_id: entry.tenant_id,
                seq,
                topic: entry.topic,
                payload: entry.payload,
                created_at: entry.created_at,
                due_at: entry.created_at,
                attempts: 0,
                last_error: None,
            })
            .collect();
        self.insert_all(&rows).await
    }
}

impl Tx {
    /// The number of the newest change that this transaction sees.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn head(&mut self) -> Result<i64, StoreError> {
        let mut select = Query::select();
        select.column("seq").from("change_head");
        let row = self.conn.fetch_optional(&select).await?;
        row.ok_or_else(missing_head)?.take("change_head", "seq")
    }
}

fn missing_head() -> StoreError {
    StoreError::Corrupt {
        table: "change_head",
        column: "seq",
        row: "1".to_owned(),
    }
}

/// An id whose order is that of the trail also inside of a millisecond: the
/// first bits after the time count (RFC 9562, section 6.2, method 1).
fn event_id(at: Timestamp, seq: i64, position: i64, entropy: &dyn Entropy) -> AuditEventId {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let [.., seq_high, seq_low] = seq.to_be_bytes();
    let [.., position_high, position_low] = position.to_be_bytes();
    let [first, second, third, fourth, ..] = &mut random;
    (*first, *second, *third, *fourth) = (seq_high, seq_low, position_high, position_low);
    AuditEventId::from_uuid(uuid_v7(at, random))
}

fn chained(id: AuditEventId, entry: AuditEntry, prev_hash: [u8; 32], seq: i64) -> AuditEvent {
    let mut event = AuditEvent {
        id,
        tenant_id: entry.tenant_id,
        seq,
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        subject_kind: entry.subject_kind,
        subject_id: entry.subject_id,
        details: crate::column::clean_json(entry.details),
        prev_hash,
        hash: [0; 32],
    };
    event.hash = event.expected_hash();
    event
}
