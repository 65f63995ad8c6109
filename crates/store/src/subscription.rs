//! Subscriptions of applications to plans.

use gatewright_model::api::Api;
use gatewright_model::consumer::{Application, Subscription, SubscriptionState};
use gatewright_model::id::{ApiId, ApplicationId, EntityId, PlanId, PlanVersionId, SubscriptionId, TeamId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Timestamp;
use sea_query::{Condition, Expr, ExprTrait, Order, Query, SelectStatement, UnionType};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Record, is, is_in, is_some, record, versioned};
use crate::tx::repository;

repository! {
    /// Subscriptions. What is written here reaches the gateways with the change.
    Subscriptions via subscriptions
}

record! { Subscription in "subscription" owned by Some("tenant_id") => {
    id, tenant_id, application_id, api_id, plan_id, plan_version_id, state, paused, request_note, reason, ends_at,
    closing_at, created_by, created_at, updated_at, row_version,
} }
versioned!(Subscription);

/// Which subscriptions are wanted.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFilter {
    /// Of this application.
    pub application: Option<ApplicationId>,
    /// To this API.
    pub api: Option<ApiId>,
    /// Under this plan.
    pub plan: Option<PlanId>,
    /// In this state.
    pub state: Option<SubscriptionState>,
    /// Only those whose application or whose API belongs to these teams; `None` for all.
    pub teams: Option<Vec<TeamId>>,
}

impl Subscriptions<'_> {
    /// The subscription with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The one live subscription of an application to a plan.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_live(
        self,
        application: ApplicationId,
        plan: PlanId,
    ) -> Result<Option<Subscription>, StoreError> {
        let condition = is("application_id", &application)
            .and(is("plan_id", &plan))
            .and(live());
        self.0.one(condition).await
    }

    /// Subscriptions, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(
        self,
        filter: &SubscriptionFilter,
        page: PageRequest,
    ) -> Result<Page<Subscription>, StoreError> {
        let of_teams = filter
            .teams
            .as_deref()
            .map(|teams| Expr::col("id").in_subquery(of_teams(teams)));
        let mut select = self.0.select::<Subscription>();
        select
            .and_where_option(is_some("application_id", filter.application.as_ref()))
            .and_where_option(is_some("api_id", filter.api.as_ref()))
            .and_where_option(is_some("plan_id", filter.plan.as_ref()))
            .and_where_option(is_some("state", filter.state.as_ref()))
            .and_where_option(of_teams);
        self.0
            .page(select, page, Order::Desc, |subscription: &Subscription| {
                subscription.id.uuid()
            })
            .await
    }

    /// The subscriptions of several applications that are live or were changed
    /// since a time, newest first, at most so many.
    ///
    /// # Errors
    /// As for every read.
    pub async fn current_of_applications(
        self,
        applications: &[ApplicationId],
        since: Timestamp,
        limit: u16,
    ) -> Result<Vec<Subscription>, StoreError> {
        let changed = Expr::col("updated_at").gte(since.value());
        let mut select = self.0.select::<Subscription>();
        select
            .and_where(is_in("application_id", applications))
            .cond_where(Condition::any().add(live()).add(changed))
            .order_by("id", Order::Desc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }

    /// The live subscriptions of an application, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn live_of_application(self, id: ApplicationId) -> Result<Vec<Subscription>, StoreError> {
        self.live_of(is("application_id", &id)).await
    }

    /// The live subscriptions to a plan, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn live_of_plan(self, id: PlanId) -> Result<Vec<Subscription>, StoreError> {
        self.live_of(is("plan_id", &id)).await
    }

    /// The live subscriptions to an API, oldest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn live_of_api(self, id: ApiId) -> Result<Vec<Subscription>, StoreError> {
        self.live_of(is("api_id", &id)).await
    }

    /// The newest live subscriptions to an API that applications of these teams
    /// hold, a page of them at most; `None` for all teams.
    ///
    /// # Errors
    /// As for every read.
    pub async fn held_by(
        self,
        teams: Option<&[TeamId]>,
        api: ApiId,
    ) -> Result<Vec<Subscription>, StoreError> {
        let mut select = self.0.select::<Subscription>();
        select
            .and_where(is("api_id", &api))
            .and_where(live())
            .and_where_option(
                teams.map(|teams| Expr::col("application_id").in_subquery(owned::<Application>(teams))),
            )
            .order_by("id", Order::Desc)
            .limit(100);
        self.0.all(&select).await
    }

    async fn live_of(self, condition: Expr) -> Result<Vec<Subscription>, StoreError> {
        let mut select = self.0.select::<Subscription>();
        select
            .and_where(condition)
            .and_where(live())
            .order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// Whether anybody ever subscribed to an API.
    ///
    /// # Errors
    /// As for every read.
    pub async fn any_of_api(self, id: ApiId) -> Result<bool, StoreError> {
        let mut select = self.0.select::<Subscription>();
        select.and_where(is("api_id", &id)).limit(1);
        Ok(self.0.conn.fetch_optional(&select).await?.is_some())
    }

    /// The subscriptions to an API that were closed at exactly this time.
    ///
    /// # Errors
    /// As for every read.
    pub async fn closed_at(self, id: ApiId, at: Timestamp) -> Result<Vec<Subscription>, StoreError> {
        self.closed_of(is("api_id", &id), at).await
    }

    /// The subscriptions of an application that were closed at exactly this time.
    ///
    /// # Errors
    /// As for every read.
    pub async fn closed_with_application(
        self,
        id: ApplicationId,
        at: Timestamp,
    ) -> Result<Vec<Subscription>, StoreError> {
        self.closed_of(is("application_id", &id), at).await
    }

    async fn closed_of(self, condition: Expr, at: Timestamp) -> Result<Vec<Subscription>, StoreError> {
        let mut select = self.0.select::<Subscription>();
        select
            .and_where(condition)
            .and_where(is("state", &SubscriptionState::Closed))
            .and_where(is("updated_at", &at))
            .order_by("id", Order::Asc);
        self.0.all(&select).await
    }

    /// Working subscriptions whose term has ended, the longest overdue first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn due_end(self, now: Timestamp, limit: u16) -> Result<Vec<Subscription>, StoreError> {
        let active = is("state", &SubscriptionState::Active);
        self.due("ends_at", active, now, limit).await
    }

    /// Closing subscriptions whose grace has ended, the longest overdue first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn due_closing(self, now: Timestamp, limit: u16) -> Result<Vec<Subscription>, StoreError> {
        let closing = is("state", &SubscriptionState::Closing);
        self.due("closing_at", closing, now, limit).await
    }

    async fn due(
        self,
        column: &'static str,
        states: Expr,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<Subscription>, StoreError> {
        let mut select = self.0.select::<Subscription>();
        select
            .and_where(states)
            .and_where(Expr::col(column).lte(now.value()))
            .order_by(column, Order::Asc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }

    /// Adds a subscription.
    ///
    /// # Errors
    /// `Conflict(LiveSubscription)`.
    pub async fn insert(self, subscription: &Subscription) -> Result<(), StoreError> {
        self.0.touch_subscription(subscription.id);
        self.0.insert(subscription).await
    }

    /// Writes a subscription and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(LiveSubscription)` when it comes back to life beside another one.
    pub async fn update(self, subscription: &Subscription) -> Result<Subscription, StoreError> {
        self.0.touch_subscription(subscription.id);
        self.0.update(subscription).await
    }

    /// Moves every live subscription of a plan to other terms of it and says which those are.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn repin(
        self,
        plan: PlanId,
        version: PlanVersionId,
        now: Timestamp,
    ) -> Result<Vec<SubscriptionId>, StoreError> {
        let mut update = Query::update();
        update
            .table(Subscription::TABLE)
            .value("plan_version_id", version.value())
            .value("updated_at", now.value())
            .value("row_version", Expr::col("row_version").add(1_i64))
            .and_where(is("plan_id", &plan))
            .and_where(live())
            .and_where_option(self.0.wall::<Subscription>())
            .returning_col("id");
        let mut moved = Vec::new();
        for row in self.0.conn.fetch_all(&update).await? {
            let id = row.take(Subscription::TABLE, "id")?;
            self.0.touch_subscription(id);
            moved.push(id);
        }
        Ok(moved)
    }
}

fn live() -> Expr {
    is_in("state", &SubscriptionState::LIVE)
}

/// The subscriptions of the teams' applications, and those to their APIs: two
/// lists that an index answers each, where no index answers either condition.
fn of_teams(teams: &[TeamId]) -> SelectStatement {
    let by = |column: &'static str, owned: SelectStatement| {
        let mut select = Query::select();
        select
            .column("id")
            .from(Subscription::TABLE)
            .and_where(Expr::col(column).in_subquery(owned));
        select
    };
    let mut select = by("application_id", owned::<Application>(teams));
    select.union(UnionType::Distinct, by("api_id", owned::<Api>(teams)));
    select
}

fn owned<T: Record>(teams: &[TeamId]) -> SelectStatement {
    let mut select = Query::select();
    select
        .column("id")
        .from(T::TABLE)
        .and_where(is_in("team_id", teams));
    select
}
