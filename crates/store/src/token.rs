//! Management tokens, which are looked up by the hash of a secret.

use std::time::Duration;

use gatewright_model::id::{EntityId, TokenId, UserId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::secret::{SecretHash, SecretHint};
use gatewright_model::tenancy::ManagementToken;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query, Value};

use crate::column::Column;
use crate::conn::Scope;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is, is_some};
use crate::store::Store;
use crate::tx::repository;

repository! {
    /// Management tokens.
    Tokens via tokens
}
/// A token without its hash, which only the look-up uses.
impl Record for ManagementToken {
    const TABLE: &'static str = "management_token";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "tenant_id",
        "user_id",
        "name",
        "scopes",
        "hint_prefix",
        "hint_last4",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "created_at",
    ];
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            user_id: row.get("user_id")?,
            name: row.get("name")?,
            scopes: row.get("scopes")?,
            hint: SecretHint {
                prefix: row.get("hint_prefix")?,
                last4: row.get("hint_last4")?,
            },
            expires_at: row.get("expires_at")?,
            revoked_at: row.get("revoked_at")?,
            last_used_at: row.get("last_used_at")?,
            created_at: row.get("created_at")?,
        })
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.id.value(),
            self.tenant_id.value(),
            self.user_id.value(),
            self.name.value(),
            self.scopes.value(),
            self.hint.prefix.value(),
            self.hint.last4.value(),
            self.expires_at.value(),
            self.revoked_at.value(),
            self.last_used_at.value(),
            self.created_at.value(),
        ]
    }
}

impl Tokens<'_> {
    /// The token with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: TokenId) -> Result<Option<ManagementToken>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The token that the secret with this hash opens, whatever its state;
    /// for a system transaction, because the tenant is not known before.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_hash(self, hash: &SecretHash) -> Result<Option<ManagementToken>, StoreError> {
        self.0.one(is("hash", hash)).await
    }

    /// Tokens, newest first, of one user or of all.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(
        self,
        user: Option<UserId>,
        page: PageRequest,
    ) -> Result<Page<ManagementToken>, StoreError> {
        let mut select = self.0.select::<ManagementToken>();
        select.and_where_option(is_some("user_id", user.as_ref()));
        self.0
            .page(select, page, Order::Desc, |token: &ManagementToken| {
                token.id.uuid()
            })
            .await
    }

    /// Adds a token with the hash of its secret.
    ///
    /// # Errors
    /// `Conflict(TokenHash)`.
    pub async fn insert(self, token: &ManagementToken, hash: &SecretHash) -> Result<(), StoreError> {
        let columns: Vec<_> = ManagementToken::COLUMNS.iter().copied().chain(["hash"]).collect();
        let mut values = token.values();
        values.push(hash.value());
        let owner = ManagementToken::OWNER;
        self.0
            .insert_rows(ManagementToken::TABLE, &columns, owner, vec![values])
            .await
    }

    /// Ends a token; `false` when it is unknown or ended already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn revoke(self, id: TokenId, at: Timestamp) -> Result<bool, StoreError> {
        let mut update = Query::update();
        update
            .table(ManagementToken::TABLE)
            .value("revoked_at", at.value())
            .and_where(is("id", &id))
            .and_where(Expr::col("revoked_at").is_null())
            .and_where_option(self.0.wall::<ManagementToken>());
        Ok(self.0.conn.execute(&update).await? > 0)
    }

    /// Notes that a token was accepted, unless that was noted since `unless_after`.
    /// It is no change of the configuration: it takes no number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stamp_used(
        self,
        id: TokenId,
        at: Timestamp,
        unless_after: Timestamp,
    ) -> Result<(), StoreError> {
        let stale = Expr::col("last_used_at")
            .is_null()
            .or(Expr::col("last_used_at").lt(unless_after.value()));
        let mut update = Query::update();
        update
            .table(ManagementToken::TABLE)
            .value("last_used_at", at.value())
            .and_where(is("id", &id))
            .and_where(stale)
            .and_where_option(self.0.wall::<ManagementToken>());
        self.0.conn.execute(&update).await.map(drop)
    }
}

impl Store {
    /// Notes that a token was accepted, at most once a minute, in a transaction of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stamp_token_use(&self, id: TokenId, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin(Scope::System).await?;
        let minute_ago = now.minus(Duration::from_secs(60));
        tx.tokens().stamp_used(id, now, minute_ago).await?;
        tx.commit(now).await.map(drop)
    }
}
