//! Answers that are kept so that a repeated request gets the same one.

use std::time::Duration;

use gatewright_model::id::TenantId;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, OnConflict, Query};

use crate::column::Column;
use crate::conn::Scope;
use crate::error::StoreError;
use crate::row::is;
use crate::store::Store;
use crate::tx::insert_into;

const TABLE: &str = "idempotency_key";
const COLUMNS: &[&str] = &[
    "tenant_id",
    "principal",
    "method",
    "path",
    "key",
    "body_hash",
    "status",
    "location",
    "body",
    "created_at",
];
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(86_400);
/// A request that has not answered by then has died with its process; the next one takes over.
const UNDER_WAY: Duration = Duration::from_secs(180);
/// The status of a request that has not answered yet: no HTTP status.
const PENDING: i64 = 0;

/// What makes two requests the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// In which tenant.
    pub tenant: TenantId,
    /// Who asks.
    pub principal: String,
    /// Upper-case method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The client's key.
    pub key: String,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAnswer {
    /// Nothing: it now belongs to the one who asked.
    Fresh,
    /// Another request with it is under way.
    InProgress,
    /// It belongs to a request with another body.
    Mismatch,
    /// The sealed answer.
    Kept(Vec<u8>),
}

impl IdempotencyKey {
    fn condition(&self) -> Expr {
        is("tenant_id", &self.tenant)
            .and(is("principal", &self.principal))
            .and(is("method", &self.method))
            .and(is("path", &self.path))
            .and(is("key", &self.key))
    }
}

impl Store {
    /// Takes a key, or says what is known of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_idempotent(
        &self,
        key: &IdempotencyKey,
        body_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<StoredAnswer, StoreError> {
        let mut tx = self.begin(Scope::Tenant(key.tenant)).await?;
        let over = Expr::col("created_at").lt(now.minus(KEPT).value());
        let died = is("status", &PENDING).and(Expr::col("created_at").lt(now.minus(UNDER_WAY).value()));
        let mut delete = Query::delete();
        delete
            .from_table(TABLE)
            .and_where(key.condition())
            .and_where(over.or(died));
        tx.conn.execute(&delete).await?;
        let row = vec![
            key.tenant.value(),
            key.principal.value(),
            key.method.value(),
            key.path.value(),
            key.key.value(),
            body_hash.value(),
            PENDING.value(),
            None::<String>.value(),
            Vec::<u8>::new().value(),
            now.value(),
        ];
        let mut insert = insert_into(TABLE, COLUMNS, std::iter::once(row));
        insert.on_conflict(
            OnConflict::columns(["tenant_id", "principal", "method", "path", "key"])
                .do_nothing()
                .to_owned(),
        );
        if tx.conn.execute(&insert).await? > 0 {
            tx.commit(now).await?;
            return Ok(StoredAnswer::Fresh);
        }
        let mut select = Query::select();
        select
            .columns(["body_hash", "status", "body"])
            .from(TABLE)
            .and_where(key.condition());
        let row = tx.conn.fetch_optional(&select).await?;
        tx.rollback().await?;
        // Gone between the two statements: whoever had it has just abandoned it.
        let Some(row) = row else {
            return Ok(StoredAnswer::InProgress);
        };
        if row.take::<[u8; 32]>(TABLE, "body_hash")? != body_hash {
            return Ok(StoredAnswer::Mismatch);
        }
        if row.take::<i64>(TABLE, "status")? == PENDING {
            return Ok(StoredAnswer::InProgress);
        }
        Ok(StoredAnswer::Kept(row.take(TABLE, "body")?))
    }

    /// Keeps the sealed answer of the request that took the key at `since`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn finish_idempotent(
        &self,
        key: &IdempotencyKey,
        since: Timestamp,
        status: u16,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(Scope::Tenant(key.tenant)).await?;
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("status", status.value())
            .value("body", sealed.to_vec().value())
            .and_where(key.condition())
            .and_where(is("created_at", &since));
        tx.conn.execute(&update).await?;
        tx.conn.commit().await
    }

    /// Gives the key back: the request had no effect.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn abandon_idempotent(&self, key: &IdempotencyKey, since: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin(Scope::Tenant(key.tenant)).await?;
        let mut delete = Query::delete();
        delete
            .from_table(TABLE)
            .and_where(key.condition())
            .and_where(is("status", &PENDING))
            .and_where(is("created_at", &since));
        tx.conn.execute(&delete).await?;
        tx.conn.commit().await
    }

    /// Forgets answers that are no longer kept; says how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_idempotent(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin(Scope::System).await?;
        let mut delete = Query::delete();
        delete
            .from_table(TABLE)
            .and_where(Expr::col("created_at").lt(now.minus(KEPT).value()));
        let gone = tx.conn.execute(&delete).await?;
        tx.conn.commit().await?;
        Ok(gone)
    }
}
