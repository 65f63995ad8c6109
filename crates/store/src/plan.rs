//! Plans with their versions and limits.

use std::collections::HashMap;

use gatewright_model::id::{ApiId, EntityId, PlanId, PlanVersionId, TenantId, VersionId};
use gatewright_model::limit::Limit;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::plan::{Coverage, Plan, PlanVersion};
use gatewright_model::text::Slug;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, Value};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, Versioned, is, is_in, record};
use crate::tx::{Tx, repository};

repository! {
    /// Plans.
    Plans via plans
}

/// A plan as its own row holds it; coverage and limits stand in other tables.
#[derive(Debug, Clone)]
pub(crate) struct PlanRow {
    plan: Plan,
    covers_all: bool,
    current_version_id: PlanVersionId,
}

const COLUMNS: &[&str] = &[
    "id",
    "tenant_id",
    "api_id",
    "slug",
    "name",
    "description",
    "state",
    "security",
    "approval",
    "covers_all",
    "current_version_id",
    "created_at",
    "updated_at",
    "row_version",
];

impl Record for PlanRow {
    const TABLE: &'static str = "plan";
    const COLUMNS: &'static [&'static str] = COLUMNS;
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        let covers_all = row.get("covers_all")?;
        let current_version_id = row.get("current_version_id")?;
        let plan = Plan {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            api_id: row.get("api_id")?,
            slug: row.get("slug")?,
            name: row.get("name")?,
            description: row.get("description")?,
            state: row.get("state")?,
            security: row.get("security")?,
            approval: row.get("approval")?,
            versions: Coverage::ALL,
            current: PlanVersion {
                id: current_version_id,
                number: 0,
                limits: Vec::new(),
                created_at: Timestamp::default(),
            },
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            row_version: row.get("row_version")?,
        };
        Ok(Self {
            plan,
            covers_all,
            current_version_id,
        })
    }

    fn values(&self) -> Vec<Value> {
        let plan = &self.plan;
        vec![
            plan.id.value(),
            plan.tenant_id.value(),
            plan.api_id.value(),
            plan.slug.value(),
            plan.name.value(),
            plan.description.value(),
            plan.state.value(),
            plan.security.value(),
            plan.approval.value(),
            self.covers_all.value(),
            self.current_version_id.value(),
            plan.created_at.value(),
            plan.updated_at.value(),
            plan.row_version.value(),
        ]
    }
}

impl Versioned for PlanRow {
    fn key(&self) -> uuid::Uuid {
        self.plan.id.uuid()
    }
    fn row_version(&self) -> i64 {
        self.plan.row_version
    }
    fn set_row_version(&mut self, row_version: i64) {
        self.plan.row_version = row_version;
    }
}

/// A version that a plan names.
struct CoverageRow {
    plan_id: PlanId,
    position: u32,
    tenant_id: TenantId,
    version_id: VersionId,
}

record! { CoverageRow in "plan_coverage" owned by Some("tenant_id") => { plan_id, position, tenant_id, version_id } }

/// A plan version without its limits.
struct PlanVersionRow {
    id: PlanVersionId,
    tenant_id: TenantId,
    plan_id: PlanId,
    number: u32,
    created_at: Timestamp,
}

record! { PlanVersionRow in "plan_version" owned by Some("tenant_id") => {
    id, tenant_id, plan_id, number, created_at,
} }

/// A limit and where it stands.
struct PlacedLimit {
    plan_version_id: PlanVersionId,
    position: u32,
    tenant_id: TenantId,
    limit: Limit,
}

impl Record for PlacedLimit {
    const TABLE: &'static str = "plan_limit";
    const COLUMNS: &'static [&'static str] = &[
        "plan_version_id",
        "position",
        "tenant_id",
        "id",
        "name",
        "kind",
        "unit",
        "amount",
        "span",
        "burst",
        "reset",
        "zone",
        "counted_by",
        "on_exceed",
        "on_store_failure",
    ];
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            plan_version_id: row.get("plan_version_id")?,
            position: row.get("position")?,
            tenant_id: row.get("tenant_id")?,
            limit: Limit {
                id: row.get("id")?,
                name: row.get("name")?,
                kind: row.get("kind")?,
                unit: row.get("unit")?,
                amount: row.get("amount")?,
                window: row.get("span")?,
                burst: row.get("burst")?,
                reset: row.get("reset")?,
                zone: row.get("zone")?,
                partition: row.get("counted_by")?,
                on_exceed: row.get("on_exceed")?,
                on_store_failure: row.get("on_store_failure")?,
            },
        })
    }

    fn values(&self) -> Vec<Value> {
        let limit = &self.limit;
        vec![
            self.plan_version_id.value(),
            self.position.value(),
            self.tenant_id.value(),
            limit.id.value(),
            limit.name.value(),
            limit.kind.value(),
            limit.unit.value(),
            limit.amount.value(),
            limit.window.value(),
            limit.burst.value(),
            limit.reset.value(),
            limit.zone.value(),
            limit.partition.value(),
            limit.on_exceed.value(),
            limit.on_store_failure.value(),
        ]
    }
}

impl Plans<'_> {
    /// The plan with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: PlanId) -> Result<Option<Plan>, StoreError> {
        single(self.0, is("id", &id)).await
    }

    /// The API's plan with this slug.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_slug(self, api: ApiId, slug: &Slug) -> Result<Option<Plan>, StoreError> {
        single(self.0, is("api_id", &api).and(is("slug", slug))).await
    }

    /// The plans with these ids, in no order.
    ///
    /// # Errors
    /// As for every read.
    pub async fn with_ids(self, ids: &[PlanId]) -> Result<Vec<Plan>, StoreError> {
        let mut select = self.0.select::<PlanRow>();
        select.and_where(is_in("id", ids));
        let rows = self.0.all(&select).await?;
        complete(self.0, rows).await
    }

    /// All plans of an API, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn of_api(self, api: ApiId) -> Result<Vec<Plan>, StoreError> {
        let mut select = self.0.select::<PlanRow>();
        select.and_where(is("api_id", &api)).order_by("id", Order::Asc);
        let rows = self.0.all(&select).await?;
        complete(self.0, rows).await
    }

    /// The plans of an API, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, api: ApiId, page: PageRequest) -> Result<Page<Plan>, StoreError> {
        let mut select = self.0.select::<PlanRow>();
        select.and_where(is("api_id", &api));
        let page = self
            .0
            .page(select, page, Order::Desc, |row: &PlanRow| row.plan.id.uuid())
            .await?;
        Ok(Page {
            items: complete(self.0, page.items).await?,
            next: page.next,
        })
    }

    /// Adds a plan with its coverage and its current version.
    ///
    /// # Errors
    /// `Conflict(PlanSlug)`, `Conflict(LimitName)`, `Conflict(LimitId)`, `Conflict(PlanCoverage)`.
    pub async fn insert(self, plan: &Plan) -> Result<(), StoreError> {
        self.0.insert(&row_of(plan)).await?;
        self.0.insert_all(&coverage_rows(plan)).await?;
        insert_version(self.0, plan.tenant_id, plan.id, &plan.current).await
    }

    /// Writes a plan and its coverage, not its limits: they never change, see
    /// [`Plans::add_version`]. Returns the plan with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(PlanSlug)`, `Conflict(PlanCoverage)`.
    pub async fn update(self, plan: &Plan) -> Result<Plan, StoreError> {
        let written = self.0.update(&row_of(plan)).await?;
        self.0.delete::<CoverageRow>(is("plan_id", &plan.id)).await?;
        self.0.insert_all(&coverage_rows(plan)).await?;
        Ok(Plan {
            row_version: written.plan.row_version,
            ..plan.clone()
        })
    }

    /// Adds a version, which becomes the current one.
    ///
    /// # Errors
    /// `Conflict(PlanVersionNumber)` when somebody else was faster; [`StoreError::Stale`] when there is no such plan.
    pub async fn add_version(self, id: PlanId, version: &PlanVersion) -> Result<(), StoreError> {
        let mut update = Query::update();
        update
            .table(PlanRow::TABLE)
            .value("current_version_id", version.id.value())
            .and_where(is("id", &id))
            .and_where_option(self.0.wall::<PlanRow>())
            .returning_col("tenant_id");
        let Some(row) = self.0.conn.fetch_optional(&update).await? else {
            return Err(StoreError::Stale);
        };
        let tenant = row.take(PlanRow::TABLE, "tenant_id")?;
        insert_version(self.0, tenant, id, version).await
    }

    /// Deletes a plan that nobody ever subscribed to, with all its versions.
    ///
    /// # Errors
    /// As for every write.
    pub async fn delete(self, id: PlanId) -> Result<(), StoreError> {
        let mut select = self.0.select::<PlanVersionRow>();
        select.and_where(is("plan_id", &id));
        let versions: Vec<PlanVersionRow> = self.0.all(&select).await?;
        let versions: Vec<PlanVersionId> = versions.iter().map(|version| version.id).collect();
        // Children before what they point to; the plan's own pointer is checked at commit.
        self.0
            .delete::<PlacedLimit>(is_in("plan_version_id", &versions))
            .await?;
        self.0.delete::<CoverageRow>(is("plan_id", &id)).await?;
        self.0.delete::<PlanVersionRow>(is("plan_id", &id)).await?;
        self.0.delete::<PlanRow>(is("id", &id)).await?;
        Ok(())
    }

    /// Every version of a plan, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn limit_history(self, id: PlanId) -> Result<Vec<PlanVersion>, StoreError> {
        let mut select = self.0.select::<PlanVersionRow>();
        select
            .and_where(is("plan_id", &id))
            .order_by("number", Order::Asc);
        plan_versions(self.0, &select).await
    }

    /// The plan version with this id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn version(self, id: PlanVersionId) -> Result<Option<PlanVersion>, StoreError> {
        let mut select = self.0.select::<PlanVersionRow>();
        select.and_where(is("id", &id));
        Ok(plan_versions(self.0, &select).await?.pop())
    }
}

fn row_of(plan: &Plan) -> PlanRow {
    PlanRow {
        plan: plan.clone(),
        covers_all: matches!(plan.versions, Coverage::All(_)),
        current_version_id: plan.current.id,
    }
}

fn coverage_rows(plan: &Plan) -> Vec<CoverageRow> {
    let Coverage::Only(versions) = &plan.versions else {
        return Vec::new();
    };
    let rows = (0_u32..).zip(versions).map(|(position, version)| CoverageRow {
        plan_id: plan.id,
        position,
        tenant_id: plan.tenant_id,
        version_id: *version,
    });
    rows.collect()
}

async fn insert_version(
    tx: &mut Tx,
    tenant_id: TenantId,
    plan_id: PlanId,
    version: &PlanVersion,
) -> Result<(), StoreError> {
    let row = PlanVersionRow {
        id: version.id,
        tenant_id,
        plan_id,
        number: version.number,
        created_at: version.created_at,
    };
    tx.insert(&row).await?;
    let limits: Vec<_> = (0_u32..)
        .zip(&version.limits)
        .map(|(position, limit)| PlacedLimit {
            plan_version_id: version.id,
            position,
            tenant_id,
            limit: limit.clone(),
        })
        .collect();
    tx.insert_all(&limits).await
}

async fn single(tx: &mut Tx, condition: Expr) -> Result<Option<Plan>, StoreError> {
    let row: Option<PlanRow> = tx.one(condition).await?;
    Ok(complete(tx, row.into_iter().collect()).await?.pop())
}

/// Adds coverage and current limits, with one statement each for all plans.
async fn complete(tx: &mut Tx, rows: Vec<PlanRow>) -> Result<Vec<Plan>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<PlanId> = rows.iter().map(|row| row.plan.id).collect();
    let mut select = tx.select::<CoverageRow>();
    select
        .and_where(is_in("plan_id", &ids))
        .order_by("position", Order::Asc);
    let mut covered: HashMap<PlanId, Vec<VersionId>> = HashMap::new();
    for row in tx.all::<CoverageRow>(&select).await? {
        covered.entry(row.plan_id).or_default().push(row.version_id);
    }
    let current: Vec<PlanVersionId> = rows.iter().map(|row| row.current_version_id).collect();
    let mut select = tx.select::<PlanVersionRow>();
    select.and_where(is_in("id", &current));
    let versions = plan_versions(tx, &select).await?;
    let mut versions: HashMap<PlanVersionId, PlanVersion> = versions
        .into_iter()
        .map(|version| (version.id, version))
        .collect();
    let plans = rows.into_iter().map(|row| {
        let mut plan = row.plan;
        if !row.covers_all {
            plan.versions = Coverage::Only(covered.remove(&plan.id).unwrap_or_default());
        }
        plan.current = versions
            .remove(&row.current_version_id)
            .ok_or_else(|| StoreError::Corrupt {
                table: PlanRow::TABLE,
                column: "current_version_id",
                row: plan.id.to_string(),
            })?;
        Ok(plan)
    });
    plans.collect()
}

async fn plan_versions(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<PlanVersion>, StoreError> {
    let rows: Vec<PlanVersionRow> = tx.all(select).await?;
    let ids: Vec<PlanVersionId> = rows.iter().map(|row| row.id).collect();
    let mut select = tx.select::<PlacedLimit>();
    select
        .and_where(is_in("plan_version_id", &ids))
        .order_by("position", Order::Asc);
    let mut limits: HashMap<PlanVersionId, Vec<Limit>> = HashMap::new();
    for row in tx.all::<PlacedLimit>(&select).await? {
        limits.entry(row.plan_version_id).or_default().push(row.limit);
    }
    let versions = rows.into_iter().map(|row| PlanVersion {
        id: row.id,
        number: row.number,
        limits: limits.remove(&row.id).unwrap_or_default(),
        created_at: row.created_at,
    });
    Ok(versions.collect())
}
