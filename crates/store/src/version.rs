//! API versions.

use std::collections::HashMap;

use gatewright_model::api::{ApiVersion, Deprecation, VersionState};
use gatewright_model::id::{ApiId, EntityId, TenantId, VersionId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::text::VersionLabel;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query, Value};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is, is_in, versioned};
use crate::tx::repository;

repository! {
    /// Versions of APIs.
    Versions via versions
}

/// A version in a list of APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// Its id.
    pub id: VersionId,
    /// Its label.
    pub label: VersionLabel,
    /// Where it is in its life.
    pub state: VersionState,
}

impl Record for ApiVersion {
    const TABLE: &'static str = "api_version";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "tenant_id",
        "api_id",
        "label",
        "state",
        "blocked_reason",
        "deprecated_at",
        "sunset_at",
        "successor_id",
        "deprecation_message",
        "published_at",
        "retired_at",
        "revision_id",
        "unmatched",
        "created_at",
        "updated_at",
        "row_version",
    ];
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            api_id: row.get("api_id")?,
            label: row.get("label")?,
            state: row.get("state")?,
            blocked_reason: row.get("blocked_reason")?,
            deprecation: deprecation(row)?,
            published_at: row.get("published_at")?,
            retired_at: row.get("retired_at")?,
            revision_id: row.get("revision_id")?,
            unmatched: row.get("unmatched")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            row_version: row.get("row_version")?,
        })
    }

    fn values(&self) -> Vec<Value> {
        let end = self.deprecation.as_ref();
        vec![
            self.id.value(),
            self.tenant_id.value(),
            self.api_id.value(),
            self.label.value(),
            self.state.value(),
            self.blocked_reason.value(),
            end.map(|end| end.deprecated_at).value(),
            end.map(|end| end.sunset_at).value(),
            end.and_then(|end| end.successor).value(),
            end.and_then(|end| end.message.clone()).value(),
            self.published_at.value(),
            self.retired_at.value(),
            self.revision_id.value(),
            self.unmatched.value(),
            self.created_at.value(),
            self.updated_at.value(),
            self.row_version.value(),
        ]
    }
}
versioned!(ApiVersion);

/// The schema has both times or none.
fn deprecation(row: &Row) -> Result<Option<Deprecation>, Fault> {
    let (deprecated_at, sunset_at) = (row.get("deprecated_at")?, row.get("sunset_at")?);
    let (Some(deprecated_at), Some(sunset_at)) = (deprecated_at, sunset_at) else {
        return Ok(None);
    };
    Ok(Some(Deprecation {
        deprecated_at,
        sunset_at,
        successor: row.get("successor_id")?,
        message: row.get("deprecation_message")?,
    }))
}

impl Versions<'_> {
    /// The version with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: VersionId) -> Result<Option<ApiVersion>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The API's version with this label.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_label(
        self,
        api: ApiId,
        label: &VersionLabel,
    ) -> Result<Option<ApiVersion>, StoreError> {
        self.0.one(is("api_id", &api).and(is("label", label))).await
    }

    /// The same as [`Versions::find`], kept from others' changes until the transaction ends.
    ///
    /// # Errors
    /// As for every read.
    pub async fn lock(self, id: VersionId) -> Result<Option<ApiVersion>, StoreError> {
        self.0.one_locked(is("id", &id)).await
    }

    /// Whose version it is.
    pub(crate) async fn tenant_of(self, id: VersionId) -> Result<Option<TenantId>, StoreError> {
        let mut select = Query::select();
        select
            .column("tenant_id")
            .from(ApiVersion::TABLE)
            .and_where(is("id", &id))
            .and_where_option(self.0.wall::<ApiVersion>());
        let row = self.0.conn.fetch_optional(&select).await?;
        row.map(|row| row.take(ApiVersion::TABLE, "tenant_id"))
            .transpose()
    }

    /// All versions of an API, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_api(self, api: ApiId) -> Result<Vec<ApiVersion>, StoreError> {
        let mut select = self.0.select::<ApiVersion>();
        select.and_where(is("api_id", &api)).order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// All versions of several APIs, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_apis(self, apis: &[ApiId]) -> Result<Vec<ApiVersion>, StoreError> {
        let mut select = self.0.select::<ApiVersion>();
        select.and_where(is_in("api_id", apis)).order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// Those of the versions that are deprecated, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn deprecated_of(self, ids: &[VersionId]) -> Result<Vec<ApiVersion>, StoreError> {
        let mut select = self.0.select::<ApiVersion>();
        select
            .and_where(is_in("id", ids))
            .and_where(is("state", &VersionState::Deprecated))
            .order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// The versions of several APIs in short, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn summaries(self, apis: &[ApiId]) -> Result<HashMap<ApiId, Vec<VersionSummary>>, StoreError> {
        let table = ApiVersion::TABLE;
        let mut select = Query::select();
        select
            .columns(["id", "api_id", "label", "state"])
            .from(table)
            .and_where(is_in("api_id", apis))
            .and_where_option(self.0.wall::<ApiVersion>())
            .order_by("id", Order::Asc);
        let mut summaries: HashMap<ApiId, Vec<VersionSummary>> = HashMap::new();
        for row in self.0.conn.fetch_all(&select).await? {
            let summary = VersionSummary {
                id: row.take(table, "id")?,
                label: row.take(table, "label")?,
                state: row.take(table, "state")?,
            };
            summaries
                .entry(row.take(table, "api_id")?)
                .or_default()
                .push(summary);
        }
        Ok(summaries)
    }

    /// The versions of an API, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, api: ApiId, page: PageRequest) -> Result<Page<ApiVersion>, StoreError> {
        let mut select = self.0.select::<ApiVersion>();
        select.and_where(is("api_id", &api));
        self.0
            .page(select, page, Order::Desc, |version: &ApiVersion| {
                version.id.uuid()
            })
            .await
    }

    /// Deprecated versions whose sunset has passed, the longest overdue first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn due_sunset(self, now: Timestamp, limit: u16) -> Result<Vec<ApiVersion>, StoreError> {
        let mut select = self.0.select::<ApiVersion>();
        select
            .and_where(is("state", &VersionState::Deprecated))
            .and_where(Expr::col("sunset_at").lte(now.value()))
            .order_by("sunset_at", Order::Asc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }

    /// Adds a version.
    ///
    /// # Errors
    /// `Conflict(VersionLabel)`.
    pub async fn insert(self, version: &ApiVersion) -> Result<(), StoreError> {
        self.0.insert(version).await
    }

    /// Writes a version and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(VersionLabel)`.
    pub async fn update(self, version: &ApiVersion) -> Result<ApiVersion, StoreError> {
        self.0.update(version).await
    }
}
