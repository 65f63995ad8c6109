//! How people come to their accounts: who asks for one, links with one-time
//! secrets, and how often a password was tried.

use std::collections::HashMap;

use gatewright_model::account::{AccountLink, LinkPurpose, SignUp, SignUpState};
use gatewright_model::id::{EntityId, SignUpId, UserId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::secret::SecretHash;
use gatewright_model::text::Email;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, OnConflict, Order, Query};

use crate::column::Column;
use crate::dialect;
use crate::error::StoreError;
use crate::row::{Record, is, is_in, is_some, record};
use crate::tx::{insert_into, repository};

repository! {
    /// Who asks for an account.
    SignUps via sign_ups
}
repository! {
    /// Links with one-time secrets.
    AccountLinks via account_links
}
repository! {
    /// How often something was tried that may be tried only so often; for system transactions.
    Attempts via attempts
}

/// How often something was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The keyed hash of what was tried, or of who tried.
    pub key: SecretHash,
    /// How often in vain, one after the other.
    pub failures: i64,
    /// When it was tried last.
    pub last_at: Timestamp,
    /// Until then it may not be tried.
    pub blocked_until: Timestamp,
}

record! { SignUp in "sign_up" owned by Some("tenant_id") => {
    id, tenant_id, email, email_verified, name, state, decided_by, decided_at, user_id, created_at,
} }
record! { AccountLink in "account_link" owned by Some("tenant_id") => {
    hash, tenant_id, purpose, user_id, email, name, created_at, expires_at,
} }
record! { Attempt in "attempt" owned by None => {
    key, failures, last_at, blocked_until,
} }

impl SignUps<'_> {
    /// The request with this id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, id: SignUpId) -> Result<Option<SignUp>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The same, kept from others' decisions until the end of the transaction.
    ///
    /// # Errors
    /// As for every read.
    pub async fn lock(self, id: SignUpId) -> Result<Option<SignUp>, StoreError> {
        self.0.one_locked(is("id", &id)).await
    }

    /// Who waits with this address.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_waiting(self, email: &Email) -> Result<Option<SignUp>, StoreError> {
        let waiting = is("email", email).and(is("state", &SignUpState::Waiting));
        self.0.one(waiting).await
    }

    /// Requests, newest first, of one state or of all.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(
        self,
        state: Option<SignUpState>,
        page: PageRequest,
    ) -> Result<Page<SignUp>, StoreError> {
        let mut select = self.0.select::<SignUp>();
        select.and_where_option(is_some("state", state.as_ref()));
        self.0
            .page(select, page, Order::Desc, |sign_up: &SignUp| sign_up.id.uuid())
            .await
    }

    /// How many wait.
    ///
    /// # Errors
    /// As for every read.
    pub async fn count_waiting(self) -> Result<u64, StoreError> {
        self.0.count::<SignUp>(is("state", &SignUpState::Waiting)).await
    }

    /// Adds a request with the hash of the chosen password.
    ///
    /// # Errors
    /// `Conflict(WaitingSignUp)`.
    pub async fn insert(self, sign_up: &SignUp, password_hash: &str) -> Result<(), StoreError> {
        let columns: Vec<_> = SignUp::COLUMNS.iter().copied().chain(["password_hash"]).collect();
        let mut values = sign_up.values();
        values.push(Some(password_hash.to_owned()).value());
        self.0
            .insert_rows(SignUp::TABLE, &columns, SignUp::OWNER, vec![values])
            .await
    }

    /// The hash of the password that was chosen with the request.
    ///
    /// # Errors
    /// As for every read.
    pub async fn password_hash(self, id: SignUpId) -> Result<Option<String>, StoreError> {
        let mut select = Query::select();
        select
            .column("password_hash")
            .from(SignUp::TABLE)
            .and_where(is("id", &id))
            .and_where_option(self.0.wall::<SignUp>());
        let row = self.0.conn.fetch_optional(&select).await?;
        row.map_or(Ok(None), |row| row.take(SignUp::TABLE, "password_hash"))
    }

    /// Writes what was decided and forgets the password.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn decide(self, sign_up: &SignUp) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table(SignUp::TABLE)
            .value("state", sign_up.state.value())
            .value("decided_by", sign_up.decided_by.value())
            .value("decided_at", sign_up.decided_at.value())
            .value("user_id", sign_up.user_id.value())
            .value("password_hash", None::<String>.value())
            .and_where(is("id", &sign_up.id))
            .and_where_option(self.0.wall::<SignUp>());
        self.0.conn.execute(&update).await.map(drop)
    }

    /// Removes requests that were made before this time, decided or not.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_before(self, before: Timestamp) -> Result<u64, StoreError> {
        let old = Expr::col("created_at").lt(before.value());
        self.0.delete::<SignUp>(old).await
    }
}

impl AccountLinks<'_> {
    /// The link whose secret has this hash, expired or not.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, hash: &SecretHash) -> Result<Option<AccountLink>, StoreError> {
        self.0.one(is("hash", hash)).await
    }

    /// Adds a link.
    ///
    /// # Errors
    /// `Conflict(PrimaryKey)` when the hash is taken.
    pub async fn insert(self, link: &AccountLink) -> Result<(), StoreError> {
        self.0.insert(link).await
    }

    /// Uses a link up. Of two who try at once one gets `true`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn take(self, hash: &SecretHash) -> Result<bool, StoreError> {
        Ok(self.0.delete::<AccountLink>(is("hash", hash)).await? > 0)
    }

    /// Makes every link of these purposes for an address worthless.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_of(self, email: &Email, purposes: &[LinkPurpose]) -> Result<u64, StoreError> {
        let theirs = is("email", email).and(is_in("purpose", purposes));
        self.0.delete::<AccountLink>(theirs).await
    }

    /// Makes every link to an account worthless.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_of_user(self, user: UserId) -> Result<u64, StoreError> {
        self.0.delete::<AccountLink>(is("user_id", &user)).await
    }

    /// Removes links that ended before `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_expired(self, now: Timestamp) -> Result<u64, StoreError> {
        let over = Expr::col("expires_at").lt(now.value());
        self.0.delete::<AccountLink>(over).await
    }
}

impl Attempts<'_> {
    /// What is known of these keys, without keeping it.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, keys: &[SecretHash]) -> Result<Vec<Attempt>, StoreError> {
        let mut select = self.0.select::<Attempt>();
        select.and_where(is_in("key", keys));
        self.0.all(&select).await
    }

    /// One attempt for each key in its order, kept from others until the end
    /// of the transaction. New keys begin without a failure.
    ///
    /// # Errors
    /// As for every read.
    pub async fn lock(self, keys: &[SecretHash], now: Timestamp) -> Result<Vec<Attempt>, StoreError> {
        let fresh = |key: &SecretHash| Attempt {
            key: *key,
            failures: 0,
            last_at: now,
            blocked_until: Timestamp::default(),
        };
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        // Everybody inserts and locks in the same order, so that nobody waits in a circle.
        let mut ordered = keys.to_vec();
        ordered.sort_unstable();
        ordered.dedup();
        let rows = ordered.iter().map(|key| fresh(key).values());
        let mut insert = insert_into(Attempt::TABLE, Attempt::COLUMNS, rows);
        insert.on_conflict(OnConflict::column("key").do_nothing().to_owned());
        self.0.conn.execute(&insert).await?;
        let mut select = self.0.select::<Attempt>();
        select
            .and_where(is_in("key", &ordered))
            .order_by("key", Order::Asc);
        dialect::lock_rows(&self.0.conn, &mut select);
        let found: Vec<Attempt> = self.0.all(&select).await?;
        let mut known: HashMap<_, _> = found.into_iter().map(|found| (found.key, found)).collect();
        let in_order = keys
            .iter()
            .map(|key| known.remove(key).unwrap_or_else(|| fresh(key)));
        Ok(in_order.collect())
    }

    /// Writes what is known of a key now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn put(self, attempt: &Attempt) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table(Attempt::TABLE)
            .value("failures", attempt.failures)
            .value("last_at", attempt.last_at.value())
            .value("blocked_until", attempt.blocked_until.value())
            .and_where(is("key", &attempt.key));
        self.0.conn.execute(&update).await.map(drop)
    }

    /// Forgets a key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove(self, key: &SecretHash) -> Result<(), StoreError> {
        self.0.delete::<Attempt>(is("key", key)).await.map(drop)
    }

    /// Forgets what was not tried since `before`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_before(self, before: Timestamp) -> Result<u64, StoreError> {
        let old = Expr::col("last_at").lt(before.value());
        self.0.delete::<Attempt>(old).await
    }
}
