//! Tenants, which only the people who run the installation make.

use std::net::IpAddr;

use gatewright_model::audit::AuditSource;
use gatewright_model::id::TenantId;
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::state::IllegalTransition;
use gatewright_model::tenancy::{
    DEFAULT_TEAM, StandingState, StandingVerb, Team, TeamKind, Tenant, TenantSettings,
};
use gatewright_model::text::{Name, Slug};
use gatewright_store::{Scope, Tx};
use serde_json::json;

use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::{Control, PublicUrls};
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::snapshot;

/// Use cases of tenants.
#[derive(Debug, Clone, Copy)]
pub struct Tenants<'c>(pub(crate) &'c Control);

/// What makes a tenant.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// Unique in the installation.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// What its administrators choose.
    pub settings: TenantSettings,
}

/// What can be changed of a tenant.
#[derive(Debug, Clone, Default)]
pub struct TenantPatch {
    /// As people read it.
    pub name: Option<Name>,
    /// All settings together.
    pub settings: Option<TenantSettings>,
}

impl Control {
    /// Use cases of tenants.
    #[must_use]
    pub const fn tenants(&self) -> Tenants<'_> {
        Tenants(self)
    }
}

impl Tenants<'_> {
    /// Lists every tenant for a platform admin, and the own one for others.
    ///
    /// # Errors
    /// Store errors.
    pub async fn list(&self, caller: &Caller, page: PageRequest) -> Result<Page<Tenant>> {
        if !caller.platform_admin {
            let mut tx = self.0.read(caller).await?;
            return Ok(Page {
                items: vec![own(&mut tx, caller).await?],
                next: None,
            });
        }
        let mut tx = self.0.read_system().await?;
        Ok(tx.tenants().list(page).await?)
    }

    /// One tenant.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a tenant that is not the caller's.
    pub async fn get(&self, caller: &Caller, tenant: &Ref<TenantId>) -> Result<Tenant> {
        let mut tx = self.0.read_system().await?;
        let tenant = find(&mut tx, tenant).await?;
        if caller.platform_admin || tenant.id == caller.tenant_id {
            Ok(tenant)
        } else {
            Err(Error::missing("tenant"))
        }
    }

    /// Creates a tenant with its default team.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `slug_taken`, [`Error::Forbidden`].
    pub async fn create(&self, caller: &Caller, new: NewTenant) -> Result<Tenant> {
        self.0.settled(|| self.create_once(caller, new.clone())).await
    }

    async fn create_once(&self, caller: &Caller, new: NewTenant) -> Result<Tenant> {
        require_platform(caller)?;
        check(&new.settings, self.0.urls())?;
        let now = self.0.now();
        let mut tx = self.0.parts.store.begin(Scope::System).await?;
        if let Some(existing) = tx.tenants().find_by_slug(&new.slug).await? {
            return Err(Error::duplicate("slug_taken", "slug", existing.id));
        }
        let tenant = insert(self.0, &mut tx, new).await?;
        let inside = Caller {
            tenant_id: tenant.id,
            tenant_slug: tenant.slug.clone(),
            visiting: true,
            ..caller.clone()
        };
        tx.audit(entry(
            &inside,
            now,
            "tenant.create",
            "tenant",
            tenant.id,
            json!({ "slug": tenant.slug }),
        ));
        self.0.commit(tx, now).await?;
        Ok(tenant)
    }

    /// Changes a tenant. Its owner may, except for what only a platform admin sets.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Invalid`], [`Error::Forbidden`].
    pub async fn update(
        &self,
        caller: &Caller,
        tenant: &Ref<TenantId>,
        patch: TenantPatch,
        if_match: IfMatch,
    ) -> Result<Tenant> {
        let now = self.0.now();
        let mut tx = self.0.parts.store.begin(Scope::System).await?;
        let mut tenant = find(&mut tx, tenant).await?;
        let inside = administered(caller, &tenant)?;
        if_match.check(tenant.row_version)?;
        if let Some(settings) = patch.settings {
            check(&settings, self.0.urls())?;
            let platform_only = settings.upstream_allow != tenant.settings.upstream_allow
                || settings.hosts != tenant.settings.hosts;
            if platform_only {
                require_platform(caller)?;
            }
            tenant.settings = settings;
        }
        tenant.name = patch.name.unwrap_or(tenant.name);
        let tenant = tx.tenants().update(&tenant).await?;
        let details = json!({ "name": tenant.name, "settings": tenant.settings });
        tx.audit(entry(&inside, now, "tenant.update", "tenant", tenant.id, details));
        snapshot::refresh_tenant(&mut tx, &tenant)?;
        self.0.commit(tx, now).await?;
        Ok(tenant)
    }

    /// Suspends a tenant, which stops its traffic and its sign-ins, or lets it act again.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::Guard`] for the default tenant,
    /// [`Error::Illegal`] when it stands so already.
    pub async fn set_standing(
        &self,
        caller: &Caller,
        tenant: &Ref<TenantId>,
        verb: StandingVerb,
        if_match: IfMatch,
    ) -> Result<Tenant> {
        require_platform(caller)?;
        let now = self.0.now();
        let mut tx = self.0.parts.store.begin(Scope::System).await?;
        let mut tenant = find(&mut tx, tenant).await?;
        if_match.check(tenant.row_version)?;
        if tenant.slug.as_str() == gatewright_model::tenancy::DEFAULT_TENANT && verb == StandingVerb::Suspend
        {
            return Err(Error::guard(
                "default_tenant",
                "the default tenant holds the platform admins and cannot be suspended",
            ));
        }
        tenant.state = tenant.state.after(verb).map_err(|refused| IllegalTransition {
            entity: "tenant",
            ..refused
        })?;
        let tenant = tx.tenants().update(&tenant).await?;
        let inside = administered(caller, &tenant)?;
        let action = match verb {
            StandingVerb::Activate => "tenant.activate",
            StandingVerb::Suspend => "tenant.suspend",
        };
        tx.audit(entry(&inside, now, action, "tenant", tenant.id, json!({})));
        snapshot::refresh_tenant(&mut tx, &tenant)?;
        self.0.commit(tx, now).await?;
        Ok(tenant)
    }
}

/// The caller's tenant.
pub(crate) async fn own(tx: &mut Tx, caller: &Caller) -> Result<Tenant> {
    tx.tenants()
        .find(caller.tenant_id)
        .await?
        .ok_or(Error::missing("tenant"))
}

/// Writes a tenant with its default team.
pub(crate) async fn insert(control: &Control, tx: &mut Tx, new: NewTenant) -> Result<Tenant> {
    let now = control.now();
    let tenant = Tenant {
        id: control.new_id(now),
        slug: new.slug,
        name: new.name,
        state: StandingState::Active,
        settings: new.settings,
        created_at: now,
        row_version: 1,
    };
    tx.tenants().insert(&tenant).await?;
    let fixed = |invalid: Invalid| Error::Internal(invalid.to_string());
    let team = Team {
        id: control.new_id(now),
        tenant_id: tenant.id,
        slug: Slug::parse(DEFAULT_TEAM).map_err(fixed)?,
        name: Name::parse("Default team").map_err(fixed)?,
        kind: TeamKind::Both,
        contact: None,
        state: StandingState::Active,
        created_at: now,
        row_version: 1,
    };
    tx.teams().insert(&team).await?;
    let system = Caller::system(tenant.id, tenant.slug.clone(), AuditSource::System);
    tx.audit(entry(
        &system,
        now,
        "team.create",
        "team",
        team.id,
        json!({ "slug": team.slug }),
    ));
    snapshot::refresh_tenant(tx, &tenant)?;
    Ok(tenant)
}

async fn find(tx: &mut Tx, tenant: &Ref<TenantId>) -> Result<Tenant> {
    let found = match tenant {
        Ref::Id(id) => tx.tenants().find(*id).await?,
        Ref::Slug(slug) => tx.tenants().find_by_slug(slug).await?,
    };
    found.ok_or(Error::missing("tenant"))
}

/// Demands somebody who runs the installation.
///
/// # Errors
/// [`Error::Forbidden`].
pub(crate) fn require_platform(caller: &Caller) -> Result<()> {
    let permission = Permission::PlatformManage;
    if caller.platform_admin && caller.rights.in_tenant(permission) {
        Ok(())
    } else {
        Err(Error::Forbidden { permission })
    }
}

/// The caller as somebody who acts inside of this tenant.
fn administered(caller: &Caller, tenant: &Tenant) -> Result<Caller> {
    if tenant.id == caller.tenant_id {
        caller.require(Permission::TenantWrite)?;
        return Ok(caller.clone());
    }
    if !caller.platform_admin {
        return Err(Error::missing("tenant"));
    }
    require_platform(caller)?;
    Ok(Caller {
        tenant_id: tenant.id,
        tenant_slug: tenant.slug.clone(),
        visiting: true,
        ..caller.clone()
    })
}

fn check(settings: &TenantSettings, urls: &PublicUrls) -> Result<()> {
    let mut errors = FieldErrors::default();
    if settings.min_deprecation_days > 3_650 {
        errors.add(
            "/settings/min_deprecation_days",
            Invalid::new("notice_too_long", "must be at most 3,650 days"),
        );
    }
    for (index, host) in settings.hosts.iter().enumerate() {
        let fine = host.len() <= 253
            && host.parse::<IpAddr>().is_err()
            && host.contains('.')
            && host
                .split('.')
                .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        if !fine {
            let rule = Invalid::new(
                "invalid_host",
                "must be a host name without port, for example api.example.com",
            );
            errors.add(&format!("/settings/hosts/{index}"), rule);
        } else if urls.have_host(host) {
            let rule = Invalid::new(
                "own_host",
                "must not be the host of this installation: the default tenant stands there",
            );
            errors.add(&format!("/settings/hosts/{index}"), rule);
        }
    }
    for (index, net) in settings.upstream_allow.iter().enumerate() {
        if net.parse::<ipnet::IpNet>().is_err() {
            let rule = Invalid::new(
                "invalid_network",
                "must be a network such as 10.0.0.0/8 or fd00::/8",
            );
            errors.add(&format!("/settings/upstream_allow/{index}"), rule);
        }
    }
    errors.finish(Some(())).map_err(Error::Invalid)
}
