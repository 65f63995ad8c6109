//! Tenants and teams.

use std::collections::HashMap;

use gatewright_model::id::{EntityId, TeamId, TenantId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::tenancy::{Team, Tenant};
use gatewright_model::text::Slug;
use sea_query::{Order, Query};

use crate::dialect;
use crate::error::StoreError;
use crate::row::{is, is_in, record, versioned};
use crate::tx::repository;

repository! {
    /// Tenants. A tenant's own transaction sees only that tenant.
    Tenants via tenants
}
repository! {
    /// Teams.
    Teams via teams
}

record! { Tenant in "tenant" owned by Some("id") => { id, slug, name, state, settings, created_at, row_version } }
record! { Team in "team" owned by Some("tenant_id") => {
    id, tenant_id, slug, name, kind, contact, state, created_at, row_version,
} }
versioned!(Tenant, Team);

impl Tenants<'_> {
    /// The tenant with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The tenant with this slug.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_slug(self, slug: &Slug) -> Result<Option<Tenant>, StoreError> {
        self.0.one(is("slug", slug)).await
    }

    /// The tenant that serves under this host name, which is given without a port.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_host(self, host: &str) -> Result<Option<Tenant>, StoreError> {
        let named = dialect::holds_host(&self.0.conn, &host.to_lowercase());
        let mut select = self.0.select::<Tenant>();
        select.and_where(named).order_by("id", Order::Asc).limit(1);
        Ok(self.0.all(&select).await?.pop())
    }

    /// The same as [`Tenants::find`], kept from others' changes until the transaction ends.
    ///
    /// # Errors
    /// As for every read.
    pub async fn lock(self, id: TenantId) -> Result<Option<Tenant>, StoreError> {
        self.0.one_locked(is("id", &id)).await
    }

    /// Tenants, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, page: PageRequest) -> Result<Page<Tenant>, StoreError> {
        let select = self.0.select::<Tenant>();
        self.0
            .page(select, page, Order::Desc, |tenant: &Tenant| tenant.id.uuid())
            .await
    }

    /// Adds a tenant; for a system transaction.
    ///
    /// # Errors
    /// `Conflict(TenantSlug)`.
    pub async fn insert(self, tenant: &Tenant) -> Result<(), StoreError> {
        self.0.insert(tenant).await
    }

    /// Writes a tenant and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was changed since, `Conflict(TenantSlug)`.
    pub async fn update(self, tenant: &Tenant) -> Result<Tenant, StoreError> {
        self.0.update(tenant).await
    }
}

impl Teams<'_> {
    /// The team with this id.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, id: TeamId) -> Result<Option<Team>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The tenant's team with this slug.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find_by_slug(self, slug: &Slug) -> Result<Option<Team>, StoreError> {
        self.0.one(is("slug", slug)).await
    }

    /// The teams with these ids, in no order.
    ///
    /// # Errors
    /// As for every read.
    pub async fn with_ids(self, ids: &[TeamId]) -> Result<Vec<Team>, StoreError> {
        let mut select = self.0.select::<Team>();
        select.and_where(is_in("id", ids));
        self.0.all(&select).await
    }

    /// The slugs of all teams that the transaction sees.
    ///
    /// # Errors
    /// As for every read.
    pub async fn slugs(self) -> Result<HashMap<TeamId, Slug>, StoreError> {
        let mut select = Query::select();
        select
            .columns(["id", "slug"])
            .from("team")
            .and_where_option(self.0.wall::<Team>());
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter()
            .map(|row| Ok((row.take("team", "id")?, row.take("team", "slug")?)))
            .collect()
    }

    /// Teams, newest first; only some of them when they are named.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, only: Option<&[TeamId]>, page: PageRequest) -> Result<Page<Team>, StoreError> {
        let mut select = self.0.select::<Team>();
        select.and_where_option(only.map(|only| is_in("id", only)));
        self.0
            .page(select, page, Order::Desc, |team: &Team| team.id.uuid())
            .await
    }

    /// Adds a team.
    ///
    /// # Errors
    /// `Conflict(TeamSlug)`.
    pub async fn insert(self, team: &Team) -> Result<(), StoreError> {
        self.0.insert(team).await
    }

    /// Writes a team and returns it with its next row version.
    ///
    /// # Errors
    /// [`StoreError::Stale`], `Conflict(TeamSlug)`.
    pub async fn update(self, team: &Team) -> Result<Team, StoreError> {
        self.0.update(team).await
    }
}
