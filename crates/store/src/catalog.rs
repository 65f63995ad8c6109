//! What the catalogue of a tenant is made of: what is on show, all of it at
//! once, and a mark by which a reader sees whether any of it changed.

use std::collections::HashMap;

use gatewright_model::api::{Api, ApiVersion, Revision, VersionState};
use gatewright_model::consumer::{Application, Subscription};
use gatewright_model::id::{ApiId, PlanId, RevisionId, TeamId, VersionId};
use gatewright_model::plan::{ApprovalMode, Coverage, PlanState, Security};
use gatewright_model::text::VersionLabel;
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

use crate::audience;
use crate::error::StoreError;
use crate::plan::PlanRow;
use crate::row::{Record, Row, is, is_in, is_some};
use crate::tx::repository;

repository! {
    /// The catalogue.
    Catalog via catalog
}

/// The states in which a version is on show.
const ON_SHOW: [VersionState; 3] = [
    VersionState::Preview,
    VersionState::Published,
    VersionState::Deprecated,
];
/// Revisions whose operations one statement reads.
const REVISIONS_AT_ONCE: usize = 500;

/// Differs whenever an API, a version or a plan of the tenant was added,
/// changed or removed: how many there are, how often they were changed, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogMark([(i64, i64, i64); 3]);

/// A version on show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownVersion {
    /// Its id.
    pub id: VersionId,
    /// Its API.
    pub api_id: ApiId,
    /// Its label.
    pub label: VersionLabel,
    /// Where it is in its life.
    pub state: VersionState,
    /// When it first became callable.
    pub published_at: Option<Timestamp>,
    /// When it stops, once that is announced.
    pub sunset_at: Option<Timestamp>,
    /// The revision that is live.
    pub revision_id: Option<RevisionId>,
}

/// A published plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPlan {
    /// Its id.
    pub id: PlanId,
    /// Its API.
    pub api_id: ApiId,
    /// How callers prove who they are.
    pub security: Security,
    /// Who decides about subscriptions.
    pub approval: ApprovalMode,
    /// Which versions it covers.
    pub versions: Coverage,
}

/// An operation as it is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownOperation {
    /// Its name in portal addresses.
    pub slug: String,
    /// Upper-case HTTP method.
    pub method: String,
    /// `/pets/{id}`.
    pub template: String,
    /// One line about it.
    pub summary: String,
    /// Marked as deprecated in the document.
    pub deprecated: bool,
    /// The tags it is listed under.
    pub tags: Vec<String>,
}

impl Catalog<'_> {
    /// The mark of what stands in the catalogue now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn mark(mut self) -> Result<CatalogMark, StoreError> {
        Ok(CatalogMark([
            self.mark_of::<Api>().await?,
            self.mark_of::<ApiVersion>().await?,
            self.mark_of::<PlanRow>().await?,
        ]))
    }

    async fn mark_of<T: Record>(&mut self) -> Result<(i64, i64, i64), StoreError> {
        let mut select = Query::select();
        select
            .expr_as(Expr::cust("COUNT(*)"), "total")
            .expr_as(
                Expr::cust("CAST(COALESCE(SUM(row_version), 0) AS bigint)"),
                "changes",
            )
            .expr_as(
                Expr::cust("CAST(COALESCE(MAX(updated_at), 0) AS bigint)"),
                "latest",
            )
            .from(T::TABLE)
            .and_where_option(self.0.wall::<T>());
        let Some(row) = self.0.conn.fetch_optional(&select).await? else {
            return Ok((0, 0, 0));
        };
        let number = |column| row.take::<i64>(T::TABLE, column);
        Ok((number("total")?, number("changes")?, number("latest")?))
    }

    /// Every API that has a version on show.
    ///
    /// # Errors
    /// As for every read.
    pub async fn apis(self) -> Result<Vec<Api>, StoreError> {
        let mut shown = Query::select();
        shown
            .column("api_id")
            .from(ApiVersion::TABLE)
            .and_where(is_in("state", &ON_SHOW))
            .and_where_option(self.0.wall::<ApiVersion>());
        let mut select = self.0.select::<Api>();
        select.and_where(Expr::col("id").in_subquery(shown));
        let rows = self.0.all(&select).await?;
        audience::complete(self.0, rows).await
    }

    /// Every version on show.
    ///
    /// # Errors
    /// As for every read.
    pub async fn versions(self) -> Result<Vec<ShownVersion>, StoreError> {
        let mut select = Query::select();
        select
            .columns([
                "id",
                "api_id",
                "label",
                "state",
                "published_at",
                "sunset_at",
                "revision_id",
            ])
            .from(ApiVersion::TABLE)
            .and_where(is_in("state", &ON_SHOW))
            .and_where_option(self.0.wall::<ApiVersion>());
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter().map(read_version).collect()
    }

    /// Every published plan.
    ///
    /// # Errors
    /// As for every read.
    pub async fn plans(self) -> Result<Vec<ShownPlan>, StoreError> {
        const COVERAGE: &str = "plan_coverage";
        let mut select = Query::select();
        select
            .columns(["plan_id", "version_id"])
            .from(COVERAGE)
            .and_where_option(self.0.wall::<PlanRow>());
        let mut covered: HashMap<PlanId, Vec<VersionId>> = HashMap::new();
        for row in self.0.conn.fetch_all(&select).await? {
            let version = row.take(COVERAGE, "version_id")?;
            covered
                .entry(row.take(COVERAGE, "plan_id")?)
                .or_default()
                .push(version);
        }
        let mut select = Query::select();
        select
            .columns(["id", "api_id", "security", "approval", "covers_all"])
            .from(PlanRow::TABLE)
            .and_where(is("state", &PlanState::Published))
            .and_where_option(self.0.wall::<PlanRow>());
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter().map(|row| read_plan(row, &mut covered)).collect()
    }

    /// The operations of revisions, in the order of their documents.
    ///
    /// # Errors
    /// As for every read.
    pub async fn operations(
        self,
        revisions: &[RevisionId],
    ) -> Result<HashMap<RevisionId, Vec<ShownOperation>>, StoreError> {
        let mut operations: HashMap<RevisionId, Vec<ShownOperation>> = HashMap::new();
        for chunk in revisions.chunks(REVISIONS_AT_ONCE) {
            let mut select = Query::select();
            select
                .columns([
                    "revision_id",
                    "slug",
                    "method",
                    "template",
                    "summary",
                    "deprecated",
                    "tags",
                ])
                .from(OPERATION)
                .and_where(is_in("revision_id", chunk))
                .and_where_option(self.0.wall::<Revision>())
                .order_by("revision_id", Order::Asc)
                .order_by("position", Order::Asc);
            for row in self.0.conn.fetch_all(&select).await? {
                let revision = row.take(OPERATION, "revision_id")?;
                operations
                    .entry(revision)
                    .or_default()
                    .push(read_operation(&row)?);
            }
        }
        Ok(operations)
    }

    /// The revisions with these ids.
    ///
    /// # Errors
    /// As for every read.
    pub async fn revisions(self, ids: &[RevisionId]) -> Result<HashMap<RevisionId, Revision>, StoreError> {
        let mut select = self.0.select::<Revision>();
        select.and_where(is_in("id", ids));
        let revisions: Vec<Revision> = self.0.all(&select).await?;
        Ok(revisions
            .into_iter()
            .map(|revision| (revision.id, revision))
            .collect())
    }

    /// The newest subscriptions of the teams' applications, of all applications
    /// without teams; to one API, or to any.
    ///
    /// # Errors
    /// As for every read.
    pub async fn subscriptions(
        self,
        api: Option<ApiId>,
        teams: Option<&[TeamId]>,
        limit: u16,
    ) -> Result<Vec<Subscription>, StoreError> {
        let own = teams.map(|teams| Expr::col("application_id").in_subquery(applications_of(teams)));
        let mut select = self.0.select::<Subscription>();
        select
            .and_where_option(is_some("api_id", api.as_ref()))
            .and_where_option(own)
            .order_by("id", Order::Desc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }
}

const OPERATION: &str = "operation";

fn applications_of(teams: &[TeamId]) -> SelectStatement {
    let mut select = Query::select();
    select
        .column("id")
        .from(Application::TABLE)
        .and_where(is_in("team_id", teams));
    select
}

fn read_version(row: &Row) -> Result<ShownVersion, StoreError> {
    let table = ApiVersion::TABLE;
    Ok(ShownVersion {
        id: row.take(table, "id")?,
        api_id: row.take(table, "api_id")?,
        label: row.take(table, "label")?,
        state: row.take(table, "state")?,
        published_at: row.take(table, "published_at")?,
        sunset_at: row.take(table, "sunset_at")?,
        revision_id: row.take(table, "revision_id")?,
    })
}

fn read_plan(row: &Row, covered: &mut HashMap<PlanId, Vec<VersionId>>) -> Result<ShownPlan, StoreError> {
    let table = PlanRow::TABLE;
    let id = row.take(table, "id")?;
    let versions = if row.take(table, "covers_all")? {
        Coverage::ALL
    } else {
        Coverage::Only(covered.remove(&id).unwrap_or_default())
    };
    Ok(ShownPlan {
        id,
        api_id: row.take(table, "api_id")?,
        security: row.take(table, "security")?,
        approval: row.take(table, "approval")?,
        versions,
    })
}

fn read_operation(row: &Row) -> Result<ShownOperation, StoreError> {
    Ok(ShownOperation {
        slug: row.take(OPERATION, "slug")?,
        method: row.take(OPERATION, "method")?,
        template: row.take(OPERATION, "template")?,
        summary: row.take(OPERATION, "summary")?,
        deprecated: row.take(OPERATION, "deprecated")?,
        tags: row.take(OPERATION, "tags")?,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::sample::World;
    use crate::testing::{NOW, store_test};

    store_test! {
        async fn the_mark_follows_every_change(store: Store) {
            let world = World::make(&store, "acme").await;
            World::make(&store, "other").await;
            let mut tx = store.read(world.scope()).await.unwrap();
            let before = tx.catalog().mark().await.unwrap();
            tx.rollback().await.unwrap();
            let mut tx = store.begin(world.scope()).await.unwrap();
            tx.versions().update(&world.version).await.unwrap();
            tx.commit(NOW).await.unwrap();
            let mut tx = store.read(world.scope()).await.unwrap();
            assert_ne!(tx.catalog().mark().await.unwrap(), before);
        }
    }

    store_test! {
        async fn a_tenant_sees_its_own_goods(store: Store) {
            let world = World::make(&store, "acme").await;
            World::make(&store, "other").await;
            let mut tx = store.read(world.scope()).await.unwrap();
            let versions = tx.catalog().versions().await.unwrap();
            let shown = crate::catalog::ON_SHOW.contains(&world.version.state);
            assert_eq!(versions.len(), usize::from(shown));
            assert_eq!(tx.catalog().apis().await.unwrap().len(), usize::from(shown));
            let (api, team) = (Some(world.api.id), [world.team.id]);
            let own = tx.catalog().subscriptions(api, Some(&team), 10).await.unwrap();
            assert_eq!(own, std::slice::from_ref(&world.subscription));
            let nobodys = tx.catalog().subscriptions(None, Some(&[]), 10).await.unwrap();
            assert!(nobodys.is_empty());
        }
    }
}
