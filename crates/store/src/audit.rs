//! The audit trail, read. It is written by `change.rs` alone.

use gatewright_model::audit::{Actor, AuditEvent};
use gatewright_model::id::{AuditEventId, EntityId, TenantId, UserId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query, Value};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is, is_some};
use crate::tx::repository;

repository! {
    /// The audit trail.
    AuditEvents via audit_events
}

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// About this kind of thing.
    pub subject_kind: Option<String>,
    /// About this thing, by its id on the wire.
    pub subject_id: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// By this person.
    pub user_id: Option<UserId>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

/// What an examination of a tenant's chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainVerdict {
    /// How many events were examined.
    pub checked: u64,
    /// The number of the first event that is not what it must be.
    pub broken_at: Option<i64>,
}

pub(crate) const TABLE: &str = "audit_event";
pub(crate) const COLUMNS: &[&str] = &[
    "id",
    "tenant_id",
    "seq",
    "at",
    "user_id",
    "token_id",
    "source",
    "request_id",
    "action",
    "subject_kind",
    "subject_id",
    "details",
    "prev_hash",
    "hash",
    "position",
];

pub(crate) fn values(event: &AuditEvent, position: i64) -> Vec<Value> {
    let mut values = event.values();
    values.push(position.value());
    values
}

impl Record for AuditEvent {
    const TABLE: &'static str = TABLE;
    const COLUMNS: &'static [&'static str] = COLUMNS;
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            seq: row.get("seq")?,
            at: row.get("at")?,
            actor: Actor {
                user_id: row.get("user_id")?,
                token_id: row.get("token_id")?,
                source: row.get("source")?,
                request_id: row.get("request_id")?,
            },
            action: row.get("action")?,
            subject_kind: row.get("subject_kind")?,
            subject_id: row.get("subject_id")?,
            details: row.get("details")?,
            prev_hash: row.get("prev_hash")?,
            hash: row.get("hash")?,
        })
    }

    /// All but the position, which [`values`] adds.
    fn values(&self) -> Vec<Value> {
        vec![
            self.id.value(),
            self.tenant_id.value(),
            self.seq.value(),
            self.at.value(),
            self.actor.user_id.value(),
            self.actor.token_id.value(),
            self.actor.source.value(),
            self.actor.request_id.value(),
            self.action.value(),
            self.subject_kind.value(),
            self.subject_id.value(),
            self.details.value(),
            self.prev_hash.value(),
            self.hash.value(),
        ]
    }
}

impl AuditEvents<'_> {
    /// Events, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn list(self, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditEvent>, StoreError> {
        let mut select = self.0.select::<AuditEvent>();
        select
            .and_where_option(is_some("subject_kind", filter.subject_kind.as_ref()))
            .and_where_option(is_some("subject_id", filter.subject_id.as_ref()))
            .and_where_option(is_some("action", filter.action.as_ref()))
            .and_where_option(is_some("user_id", filter.user_id.as_ref()))
            .and_where_option(filter.from.map(|from| Expr::col("at").gte(from.value())))
            .and_where_option(filter.to.map(|to| Expr::col("at").lt(to.value())));
        self.0
            .page(select, page, Order::Desc, |event: &AuditEvent| event.id.uuid())
            .await
    }

    /// The event with this id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, id: AuditEventId) -> Result<Option<AuditEvent>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// Walks a tenant's chain from its start.
    ///
    /// # Errors
    /// As for every read.
    pub async fn verify(self, tenant: TenantId) -> Result<ChainVerdict, StoreError> {
        use futures_util::TryStreamExt;
        let mut select = self.0.select::<AuditEvent>();
        select
            .and_where(is("tenant_id", &tenant))
            .order_by("seq", Order::Asc)
            .order_by("position", Order::Asc);
        let mut verdict = ChainVerdict {
            checked: 0,
            broken_at: None,
        };
        let mut expected = [0_u8; 32];
        let mut rows = self.0.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let event: AuditEvent = row.record()?;
            verdict.checked += 1;
            if event.prev_hash != expected || event.hash != event.expected_hash() {
                verdict.broken_at = Some(event.seq);
                break;
            }
            expected = event.hash;
        }
        Ok(verdict)
    }

    /// The hash at the end of a tenant's chain; zeros when it has none.
    ///
    /// # Errors
    /// As for every read.
    pub async fn last_hash(self, tenant: TenantId) -> Result<[u8; 32], StoreError> {
        let mut select = Query::select();
        select
            .column("hash")
            .from(TABLE)
            .and_where(is("tenant_id", &tenant))
            .order_by("seq", Order::Desc)
            .order_by("position", Order::Desc)
            .limit(1);
        let row = self.0.conn.fetch_optional(&select).await?;
        row.map_or(Ok([0; 32]), |row| row.take(TABLE, "hash"))
    }
}
