//! APIs.

use gatewright_model::api::{Api, ApiVersion, VersionState, Visibility};
use gatewright_model::id::{ApiId, EntityId, TeamId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::text::{ContextPath, Slug};
use sea_query::{Condition, Expr, ExprTrait, Order, Query, SelectStatement, Value};
use uuid::Uuid;

use crate::audience;
use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, begins, contains, is, is_in, is_some, versioned};
use crate::tx::{Tx, repository};

repository! {
    /// APIs.
    Apis via apis
}

/// An API as its own row holds it; the teams that it names stand in another table.
impl Record for Api {
    const TABLE: &'static str = "api";
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "tenant_id",
        "team_id",
        "slug",
        "name",
        "description",
        "kind",
        "visibility",
        "context_path",
        "featured",
        "created_at",
        "updated_at",
        "row_version",
    ];
    const OWNER: Option<&'static str> = Some("tenant_id");

    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.get("id")?,
            tenant_id: row.get("tenant_id")?,
            team_id: row.get("team_id")?,
            slug: row.get("slug")?,
            name: row.get("name")?,
            description: row.get("description")?,
            kind: row.get("kind")?,
            visibility: row.get("visibility")?,
            visible_to: Vec::new(),
            context_path: row.get("context_path")?,
            featured: row.get("featured")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            row_version: row.get("row_version")?,
        })
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.id.value(),
            self.tenant_id.value(),
            self.team_id.value(),
            self.slug.value(),
            self.name.value(),
            self.description.value(),
            self.kind.value(),
            self.visibility.value(),
            self.context_path.value(),
            self.featured.value(),
            self.created_at.value(),
            self.updated_at.value(),
            self.row_version.value(),
        ]
    }
}

versioned!(Api);

/// Which APIs are wanted.
#[derive(Debug, Clone, Default)]
pub struct ApiFilter {
    /// Part of the name or of the slug, in any case.
    pub q: Option<String>,
    /// Found by these people.
    pub visibility: Option<Visibility>,
    /// Owned by this team.
    pub team: Option<TeamId>,
    /// Only what members of these teams find: public ones, the tenant's, the
    /// teams' own, and what names one of them. `None` for all.
    pub seen_by: Option<Vec<TeamId>>,
    /// With a version in this state.
    pub state: Option<VersionState>,
    /// In which order.
    pub order: ApiOrder,
}

/// The order of a list of APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiOrder {
    /// The newest first.
    #[default]
    Newest,
    /// By name, from A to Z.
    Name,
    /// The last changed first.
    Changed,
}

impl Apis<'_> {
    /// The API with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: ApiId) -> Result<Option<Api>, StoreError> {
        let found = self.0.one(is("id", &id)).await?;
        single(self.0, found).await
    }

    /// The APIs with these ids, in no order.
    ///
    /// # Errors
    /// As for every read.
    pub async fn with_ids(self, ids: &[ApiId]) -> Result<Vec<Api>, StoreError> {
        let mut select = self.0.select::<Api>();
        select.and_where(is_in("id", ids));
        let rows = self.0.all(&select).await?;
        audience::complete(self.0, rows).await
    }

    /// The tenant's API with this slug.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_slug(self, slug: &Slug) -> Result<Option<Api>, StoreError> {
        let found = self.0.one(is("slug", slug)).await?;
        single(self.0, found).await
    }

    /// The tenant's APIs whose paths begin with the same segment, by id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn beside(self, path: &ContextPath) -> Result<Vec<(ApiId, ContextPath)>, StoreError> {
        let root = path.root();
        let mut select = self.0.select::<Api>();
        select.cond_where(
            Condition::any()
                .add(is("context_path", &root))
                .add(begins("context_path", &format!("{root}/"))),
        );
        let found = self.0.all::<Api>(&select).await?;
        Ok(found.into_iter().map(|api| (api.id, api.context_path)).collect())
    }

    /// The same as [`Apis::find`], kept from others' changes until the
    /// transaction ends: who makes a snapshot part of an API holds it.
    ///
    /// # Errors
    /// As for every read.
    pub async fn lock(self, id: ApiId) -> Result<Option<Api>, StoreError> {
        let found = self.0.one_locked(is("id", &id)).await?;
        single(self.0, found).await
    }

    /// APIs, in the order that the filter names.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, filter: &ApiFilter, page: PageRequest) -> Result<Page<Api>, StoreError> {
        let mut select = self.0.select::<Api>();
        let named = filter
            .q
            .as_deref()
            .map(|q| Condition::any().add(contains("name", q)).add(contains("slug", q)));
        let found = filter.seen_by.as_deref().map(|teams| {
            Condition::any()
                .add(is_in("visibility", &[Visibility::Public, Visibility::Tenant]))
                .add(is_in("team_id", teams))
                .add(audience::names_one_of(self.0, teams))
        });
        select
            .and_where_option(is_some("visibility", filter.visibility.as_ref()))
            .and_where_option(is_some("team_id", filter.team.as_ref()))
            .and_where_option(filter.state.as_ref().map(with_version_in))
            .cond_where(Condition::all().add_option(named).add_option(found));
        let (column, order) = match filter.order {
            ApiOrder::Newest => {
                let id = |api: &Api| api.id.uuid();
                let page = self.0.page(select, page, Order::Desc, id).await?;
                return completed(self.0, page).await;
            }
            ApiOrder::Name => ("name", Order::Asc),
            ApiOrder::Changed => ("updated_at", Order::Desc),
        };
        select
            .and_where_option(page.after.map(|cursor| beyond(column, &order, cursor.0)))
            .order_by(column, order.clone())
            .order_by("id", order)
            .limit(u64::from(page.size.get()) + 1);
        let rows = self.0.all(&select).await?;
        let page = Page::cut(rows, page.size, |api: &Api| api.id.uuid());
        completed(self.0, page).await
    }

    /// Adds an API.
    ///
    /// # Errors
    /// `Conflict(ApiSlug)`, `Conflict(ApiContextPath)`.
    pub async fn insert(self, api: &Api) -> Result<(), StoreError> {
        self.0.insert(api).await?;
        audience::write(self.0, api).await
    }

    /// Writes an API and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(ApiSlug)`, `Conflict(ApiContextPath)`.
    pub async fn update(self, api: &Api) -> Result<Api, StoreError> {
        let written = self.0.update(api).await?;
        audience::write(self.0, &written).await?;
        Ok(written)
    }

    /// Deletes an API with everything that hangs on it: decisions and
    /// subscriptions too. Only for what was made up.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete_with_history(self, id: ApiId) -> Result<(), StoreError> {
        let tx = self.0;
        let wall = tx.wall::<Api>();
        let subscriptions = ids_of("subscription", "api_id", id);
        let decided = in_query("subscription_id", subscriptions)
            .or(in_query("version_id", ids_of(ApiVersion::TABLE, "api_id", id)))
            .or(is("api_id", &id));
        for (table, condition) in [("approval", decided), ("subscription", is("api_id", &id))] {
            let mut delete = Query::delete();
            delete
                .from_table(table)
                .and_where(condition)
                .and_where_option(wall.clone());
            tx.conn.execute(&delete).await?;
        }
        tx.apis().delete(id).await
    }

    /// Deletes an API with its versions, documents and plans.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when something was ever subscribed to or approved: that history stays.
    pub async fn delete(self, id: ApiId) -> Result<(), StoreError> {
        let tx = self.0;
        let versions = || ids_of(ApiVersion::TABLE, "api_id", id);
        let plans = || ids_of("plan", "api_id", id);
        let of_versions = |table| (table, in_query("version_id", versions()));
        let revisions = || {
            let mut select = Query::select();
            select
                .column("id")
                .from("revision")
                .and_where(in_query("version_id", versions()));
            select
        };
        let plan_versions = || {
            let mut select = Query::select();
            select
                .column("id")
                .from("plan_version")
                .and_where(in_query("plan_id", plans()));
            select
        };
        // Children before what they point to; the pointers of plans and versions are checked at commit.
        let steps = [
            ("plan_limit", in_query("plan_version_id", plan_versions())),
            ("plan_coverage", in_query("plan_id", plans())),
            ("plan_version", in_query("plan_id", plans())),
            ("plan", is("api_id", &id)),
            of_versions("upstream_target"),
            of_versions("upstream"),
            ("operation", in_query("revision_id", revisions())),
            of_versions("revision"),
            (ApiVersion::TABLE, is("api_id", &id)),
            ("api_audience", is("api_id", &id)),
            (Api::TABLE, is("id", &id)),
        ];
        let wall = tx.wall::<Api>();
        for (table, condition) in steps {
            let mut delete = Query::delete();
            delete
                .from_table(table)
                .and_where(condition)
                .and_where_option(wall.clone());
            tx.conn.execute(&delete).await?;
        }
        Ok(())
    }
}

async fn single(tx: &mut Tx, found: Option<Api>) -> Result<Option<Api>, StoreError> {
    Ok(audience::complete(tx, found.into_iter().collect()).await?.pop())
}

async fn completed(tx: &mut Tx, page: Page<Api>) -> Result<Page<Api>, StoreError> {
    Ok(Page {
        items: audience::complete(tx, page.items).await?,
        next: page.next,
    })
}

fn with_version_in(state: &VersionState) -> Expr {
    let mut select = Query::select();
    select
        .column("api_id")
        .from(ApiVersion::TABLE)
        .and_where(is("state", state));
    in_query("id", select)
}

/// What comes after the API with this id in an order by another column. The
/// order ends with the id, so that equal values have a place as well.
fn beyond(column: &'static str, order: &Order, cursor: Uuid) -> Expr {
    let of_cursor = || {
        let mut select = Query::select();
        select
            .column(column)
            .from(Api::TABLE)
            .and_where(Expr::col("id").eq(cursor));
        Expr::SubQuery(None, Box::new(select.into()))
    };
    let (later, later_id) = match order {
        Order::Desc => (Expr::col(column).lt(of_cursor()), Expr::col("id").lt(cursor)),
        _ => (Expr::col(column).gt(of_cursor()), Expr::col("id").gt(cursor)),
    };
    later.or(Expr::col(column).eq(of_cursor()).and(later_id))
}

fn ids_of(table: &'static str, column: &'static str, id: ApiId) -> SelectStatement {
    let mut select = Query::select();
    select.column("id").from(table).and_where(is(column, &id));
    select
}

fn in_query(column: &'static str, select: SelectStatement) -> Expr {
    Expr::col(column).in_subquery(select)
}
