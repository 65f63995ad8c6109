//! Messages on their way out. They are written with the change they tell of
//! (`change.rs`), claimed by a worker, and removed when they were delivered.

use gatewright_model::id::{OutboxId, TenantId};
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query};
use serde_json::Value;

use crate::column::Column;
use crate::dialect;
use crate::error::StoreError;
use crate::row::{Record, is, record};
use crate::tx::repository;

repository! {
    /// Messages on their way out; for system transactions.
    Outbox via outbox_messages
}

/// A message that waits for delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxMessage {
    /// The same on every attempt, so that receivers can tell repeats.
    pub id: OutboxId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The change it tells of.
    pub seq: i64,
    /// What it is about.
    pub topic: String,
    /// What the receiver gets.
    pub payload: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it may be claimed (again).
    pub due_at: Timestamp,
    /// How often it was claimed before this time.
    pub attempts: u32,
    /// How the last attempt failed.
    pub last_error: Option<String>,
}

/// Which messages are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topics {
    /// Those of one topic.
    Only(&'static str),
    /// Those of every other topic.
    AllBut(&'static str),
}

impl Topics {
    fn condition(self) -> Expr {
        match self {
            Self::Only(topic) => Expr::col("topic").eq(topic),
            Self::AllBut(topic) => Expr::col("topic").ne(topic),
        }
    }
}

record! { OutboxMessage in "outbox" owned by Some("tenant_id") => {
    id, tenant_id, seq, topic, payload, created_at, due_at, attempts, last_error,
} }

impl Outbox<'_> {
    /// Whether there is anything to claim.
    ///
    /// # Errors
    /// As for every read.
    pub async fn any_due(self, topics: Topics, now: Timestamp) -> Result<bool, StoreError> {
        let mut select = self.0.select::<OutboxMessage>();
        select
            .and_where(Expr::col("due_at").lte(now.value()))
            .and_where(topics.condition())
            .limit(1);
        Ok(self.0.conn.fetch_optional(&select).await?.is_some())
    }

    /// Takes due messages until `until`: a worker that dies leaves them to the next one then.
    /// Who delivers one topic takes [`Topics::Only`] it and leaves the others alone.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn claim(
        self,
        topics: Topics,
        now: Timestamp,
        until: Timestamp,
        limit: u16,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut select = self.0.select::<OutboxMessage>();
        select
            .and_where(Expr::col("due_at").lte(now.value()))
            .and_where(topics.condition())
            .order_by("due_at", Order::Asc)
            .order_by("id", Order::Asc)
            .limit(u64::from(limit));
        dialect::lock_free_rows(&self.0.conn, &mut select);
        let messages: Vec<OutboxMessage> = self.0.all(&select).await?;
        let mut update = Query::update();
        update
            .table(OutboxMessage::TABLE)
            .value("due_at", until.value())
            .value("attempts", Expr::col("attempts").add(1_i64))
            .and_where(Expr::col("id").is_in(messages.iter().map(|message| message.id.value())));
        self.0.conn.execute(&update).await?;
        Ok(messages)
    }

    /// Removes messages that were made before this time and says how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove_before(self, topics: Topics, before: Timestamp) -> Result<u64, StoreError> {
        let old = Expr::col("created_at").lt(before.value());
        self.0.delete::<OutboxMessage>(old.and(topics.condition())).await
    }

    /// Removes a message that was delivered or given up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove(self, id: OutboxId) -> Result<(), StoreError> {
        self.0.delete::<OutboxMessage>(is("id", &id)).await.map(drop)
    }

    /// Puts a message back after a failure.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn retry(self, id: OutboxId, due_at: Timestamp, error: &str) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table(OutboxMessage::TABLE)
            .value("due_at", due_at.value())
            .value("last_error", error.to_owned().value())
            .and_where(is("id", &id));
        self.0.conn.execute(&update).await.map(drop)
    }
}
