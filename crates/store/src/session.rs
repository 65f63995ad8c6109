//! Sessions of signed-in people. A session is looked up by the hash of its
//! secret and named by its id.

use gatewright_model::account::Session;
use gatewright_model::id::{SessionId, UserId};
use gatewright_model::secret::SecretHash;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Record, is, record};
use crate::tx::repository;

/// Sessions that a list shows; somebody with more has the oldest ones unlisted.
const LISTED: u64 = 200;

repository! {
    /// Sessions of signed-in people.
    Sessions via sessions
}

record! { Session in "session" owned by Some("tenant_id") => {
    id, hash, tenant_id, user_id, auth_epoch, client, address, created_at, last_seen_at, expires_at, console_until,
} }

impl Sessions<'_> {
    /// The session of the cookie with this hash; for a system transaction.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, hash: &SecretHash) -> Result<Option<Session>, StoreError> {
        self.0.one(is("hash", hash)).await
    }

    /// The session with this id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_id(self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// A user's sessions, the last used first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_user(self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let mut select = self.0.select::<Session>();
        select
            .and_where(is("user_id", &user))
            .order_by("last_seen_at", Order::Desc)
            .order_by("id", Order::Desc)
            .limit(LISTED);
        self.0.all(&select).await
    }

    /// Begins a session.
    ///
    /// # Errors
    /// `Conflict(SessionHash)` when the hash is taken.
    pub async fn insert(self, session: &Session) -> Result<(), StoreError> {
        self.0.insert(session).await
    }

    /// Writes the times of a session that was used. It takes no number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stamp_seen(self, session: &Session) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table(Session::TABLE)
            .value("last_seen_at", session.last_seen_at.value())
            .value("expires_at", session.expires_at.value())
            .value("console_until", session.console_until.value())
            .and_where(is("id", &session.id))
            .and_where_option(self.0.wall::<Session>());
        self.0.conn.execute(&update).await.map(drop)
    }

    /// Takes a session over into a later epoch of its user.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn set_epoch(self, id: SessionId, auth_epoch: i64) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table(Session::TABLE)
            .value("auth_epoch", auth_epoch)
            .and_where(is("id", &id))
            .and_where_option(self.0.wall::<Session>());
        self.0.conn.execute(&update).await.map(drop)
    }

    /// Ends one session; `false` when it was not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete(self, id: SessionId) -> Result<bool, StoreError> {
        Ok(self.0.delete::<Session>(is("id", &id)).await? > 0)
    }

    /// Ends every session of a user but one, and says how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_of_user(self, user: UserId, but: Option<SessionId>) -> Result<u64, StoreError> {
        let mut condition = is("user_id", &user);
        if let Some(kept) = but {
            condition = condition.and(Expr::col("id").ne(kept.value()));
        }
        self.0.delete::<Session>(condition).await
    }

    /// Removes sessions that ended before `now` and says how many there were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_expired(self, now: Timestamp) -> Result<u64, StoreError> {
        self.0
            .delete::<Session>(Expr::col("expires_at").lt(now.value()))
            .await
    }
}
