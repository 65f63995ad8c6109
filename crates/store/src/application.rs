//! Applications of consumers.

use gatewright_model::consumer::{Application, ApplicationState};
use gatewright_model::id::{ApplicationId, EntityId, TeamId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::text::Slug;
use sea_query::{Condition, Order};

use crate::error::StoreError;
use crate::row::{contains, is, is_in, is_some, record, versioned};
use crate::tx::repository;

repository! {
    /// Applications. What is written here reaches the gateways with the change.
    Applications via applications
}

record! { Application in "application" owned by Some("tenant_id") => {
    id, tenant_id, team_id, slug, name, environment, state, archived_at, created_at, updated_at, row_version,
} }
versioned!(Application);

/// Which applications are wanted.
#[derive(Debug, Clone, Default)]
pub struct ApplicationFilter {
    /// Part of the name or of the slug, in any case.
    pub q: Option<String>,
    /// Of this team.
    pub team: Option<TeamId>,
    /// In this state.
    pub state: Option<ApplicationState>,
    /// Only of these teams; `None` for all.
    pub teams: Option<Vec<TeamId>>,
}

impl Applications<'_> {
    /// The application with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: ApplicationId) -> Result<Option<Application>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The tenant's application with this slug.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_slug(self, slug: &Slug) -> Result<Option<Application>, StoreError> {
        self.0.one(is("slug", slug)).await
    }

    /// Applications, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(
        self,
        filter: &ApplicationFilter,
        page: PageRequest,
    ) -> Result<Page<Application>, StoreError> {
        let named = filter
            .q
            .as_deref()
            .map(|q| Condition::any().add(contains("name", q)).add(contains("slug", q)));
        let mut select = self.0.select::<Application>();
        select
            .and_where_option(is_some("team_id", filter.team.as_ref()))
            .and_where_option(is_some("state", filter.state.as_ref()))
            .and_where_option(filter.teams.as_deref().map(|teams| is_in("team_id", teams)))
            .cond_where(Condition::all().add_option(named));
        self.0
            .page(select, page, Order::Desc, |application: &Application| {
                application.id.uuid()
            })
            .await
    }

    /// Adds an application.
    ///
    /// # Errors
    /// `Conflict(ApplicationSlug)`.
    pub async fn insert(self, application: &Application) -> Result<(), StoreError> {
        self.0.touch_application(application.id);
        self.0.insert(application).await
    }

    /// Writes an application and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(ApplicationSlug)`.
    pub async fn update(self, application: &Application) -> Result<Application, StoreError> {
        self.0.touch_application(application.id);
        self.0.update(application).await
    }
}
