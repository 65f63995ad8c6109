//! Credentials of applications.

use gatewright_model::consumer::{Credential, CredentialState};
use gatewright_model::id::{ApplicationId, CredentialId, EntityId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::secret::{SecretHash, SecretHint};
use gatewright_model::time::Timestamp;
use sea_query::{CaseStatement, Condition, Expr, ExprTrait, Order, Query, Value};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is, is_in, versioned};
use crate::tx::repository;

repository! {
    /// Credentials. What is written here reaches the gateways with the change.
    Credentials via credentials
}

impl Record for Credential {
    const TABLE: &'static str = "credential";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "tenant_id",
        "application_id",
        "kind",
        "name",
        "hint_prefix",
        "hint_last4",
        "hash",
        "state",
        "not_before",
        "expires_at",
        "grace_until",
        "replaced_by",
        "last_used_at",
        "revoked_reason",
        "created_by",
        "created_at",
        "updated_at",
        "row_version",
    ];
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            application_id: row.get("application_id")?,
            kind: row.get("kind")?,
            name: row.get("name")?,
            hint: SecretHint {
                prefix: row.get("hint_prefix")?,
                last4: row.get("hint_last4")?,
            },
            hash: row.get("hash")?,
            state: row.get("state")?,
            not_before: row.get("not_before")?,
            expires_at: row.get("expires_at")?,
            grace_until: row.get("grace_until")?,
            replaced_by: row.get("replaced_by")?,
            last_used_at: row.get("last_used_at")?,
            revoked_reason: row.get("revoked_reason")?,
            created_by: row.get("created_by")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            row_version: row.get("row_version")?,
        })
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.id.value(),
            self.tenant_id.value(),
            self.application_id.value(),
            self.kind.value(),
            self.name.value(),
            self.hint.prefix.value(),
            self.hint.last4.value(),
            self.hash.value(),
            self.state.value(),
            self.not_before.value(),
            self.expires_at.value(),
            self.grace_until.value(),
            self.replaced_by.value(),
            self.last_used_at.value(),
            self.revoked_reason.value(),
            self.created_by.value(),
            self.created_at.value(),
            self.updated_at.value(),
            self.row_version.value(),
        ]
    }
}
versioned!(Credential);

impl Credentials<'_> {
    /// The credential with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: CredentialId) -> Result<Option<Credential>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The credential whose secret has this hash.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_hash(self, hash: &SecretHash) -> Result<Option<Credential>, StoreError> {
        self.0.one(is("hash", hash)).await
    }

    /// Credentials whose secret begins like this: somebody holds a piece of a key and asks whose it is.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_prefix(self, prefix: &str) -> Result<Vec<Credential>, StoreError> {
        let mut select = self.0.select::<Credential>();
        select
            .and_where(is("hint_prefix", &prefix.to_owned()))
            .order_by("id", Order::Asc)
            .limit(200);
        self.0.all(&select).await
    }

    /// All credentials of an application, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_application(self, id: ApplicationId) -> Result<Vec<Credential>, StoreError> {
        let mut select = self.0.select::<Credential>();
        select
            .and_where(is("application_id", &id))
            .order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// All credentials of several applications, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_applications(self, ids: &[ApplicationId]) -> Result<Vec<Credential>, StoreError> {
        let mut select = self.0.select::<Credential>();
        select
            .and_where(is_in("application_id", ids))
            .order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// The credentials of an application, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(
        self,
        application: ApplicationId,
        page: PageRequest,
    ) -> Result<Page<Credential>, StoreError> {
        let mut select = self.0.select::<Credential>();
        select.and_where(is("application_id", &application));
        self.0
            .page(select, page, Order::Desc, |credential: &Credential| {
                credential.id.uuid()
            })
            .await
    }

    /// Credentials whose state is behind the time: they have started, run out, or their grace is over.
    ///
    /// # Errors
    /// As for every read.
    pub async fn due(self, now: Timestamp, limit: u16) -> Result<Vec<Credential>, StoreError> {
        use CredentialState::{Active, Rotating, Scheduled};
        let passed = |column: &'static str| Expr::col(column).lte(now.value());
        let any = Condition::any()
            .add(is("state", &Scheduled).and(passed("not_before")))
            .add(is("state", &Rotating).and(passed("grace_until")))
            .add(is("state", &Active).and(passed("expires_at")));
        let mut select = self.0.select::<Credential>();
        select
            .cond_where(any)
            .order_by("id", Order::Asc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }

    /// Adds a credential.
    ///
    /// # Errors
    /// `Conflict(CredentialHash)`.
    pub async fn insert(self, credential: &Credential) -> Result<(), StoreError> {
        self.0.touch_credential(credential.id);
        self.0.insert(credential).await
    }

    /// Writes a credential and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`].
    pub async fn update(self, credential: &Credential) -> Result<Credential, StoreError> {
        self.0.touch_credential(credential.id);
        self.0.update(credential).await
    }

    /// Notes when credentials were last accepted, at most 1,000 at once. It is
    /// no change of the configuration: it takes no number.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn stamp_used(self, used: &[(CredentialId, Timestamp)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        let ids: Vec<CredentialId> = used.iter().map(|(id, _)| *id).collect();
        let at = used.iter().fold(CaseStatement::new(), |case, (id, at)| {
            case.case(is("id", id), Expr::val(at.value()))
        });
        let older = Expr::col("last_used_at")
            .is_null()
            .or(Expr::col("last_used_at").lt(at.clone()));
        let mut update = Query::update();
        update
            .table(Credential::TABLE)
            .value("last_used_at", at)
            .and_where(is_in("id", &ids))
            .and_where(older)
            .and_where_option(self.0.wall::<Credential>());
        self.0.conn.execute(&update).await.map(drop)
    }
}
