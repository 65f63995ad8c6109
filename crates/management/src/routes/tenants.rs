//! Tenants: the outermost walls between customers.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::tenants::{NewTenant, TenantPatch};
use gatewright_model::id::TenantId;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::{SignUpMode, StandingState, StandingVerb, Tenant, TenantSettings};
use gatewright_model::text::{Name, Slug};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::{Authorized, SignedIn};
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{Either, PlatformManage, TenantWrite};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Created, Found, Listed};
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;
use crate::schema::shape;

pub(crate) fn add(api: Api) -> Api {
    let suspend = about("suspend_tenant", "Lets a tenant do nothing for now.")
        .conflicts(&["illegal_transition", "default_tenant"]);
    api.tag("tenants")
        .get(
            "/tenants",
            about(
                "list_tenants",
                "Lists all tenants for a platform admin, the own one for others.",
            ),
            list,
        )
        .post(
            "/tenants",
            about("create_tenant", "Creates a tenant.").conflicts(&["slug_taken"]),
            create,
        )
        .get("/tenants/{tenant}", about("get_tenant", "One tenant."), get)
        .patch(
            "/tenants/{tenant}",
            about("update_tenant", "Changes a tenant; absent settings stay."),
            update,
        )
        .post("/tenants/{tenant}/suspend", suspend, suspend_tenant)
        .post(
            "/tenants/{tenant}/activate",
            about("activate_tenant", "Lets a tenant act again.").conflicts(&["illegal_transition"]),
            activate_tenant,
        )
}

input! {
    /// A new tenant.
    TenantCreate {
        /// As people read it.
        name: Name,
        /// Unique in the installation.
        slug: Slug,
        /// What its administrators choose.
        settings: Option<TenantSettingsSet>,
    }
}

input! {
    /// What of a tenant is to be changed.
    TenantUpdate {
        /// As people read it.
        name: Option<Name>,
        /// What its administrators choose.
        settings: Option<TenantSettingsSet>,
    }
}

input! {
    /// What a tenant's administrators choose; absent settings stay.
    TenantSettingsSet {
        /// A requester may not decide the own request.
        two_person_rule: Option<bool>,
        /// The catalogue can be read without signing in.
        public_portal: Option<bool>,
        /// Who may make an account without being invited.
        sign_up: Option<SignUpMode>,
        /// How many days at least lie between a deprecation and its sunset.
        min_deprecation_days: Option<u32>,
        /// A version goes through review before it is published.
        review_required: Option<bool>,
        /// Host names of this tenant; the platform admin's.
        hosts: Option<Vec<String>>,
        /// Networks that its upstreams may be in; the platform admin's.
        upstream_allow: Option<Vec<String>>,
    }
}

impl TenantSettingsSet {
    fn over(self, settings: TenantSettings) -> TenantSettings {
        TenantSettings {
            two_person_rule: self.two_person_rule.unwrap_or(settings.two_person_rule),
            public_portal: self.public_portal.unwrap_or(settings.public_portal),
            sign_up: self.sign_up.unwrap_or(settings.sign_up),
            min_deprecation_days: self.min_deprecation_days.unwrap_or(settings.min_deprecation_days),
            review_required: self.review_required.unwrap_or(settings.review_required),
            hosts: self.hosts.unwrap_or(settings.hosts),
            upstream_allow: self.upstream_allow.unwrap_or(settings.upstream_allow),
        }
    }
}

output! {
    /// A tenant.
    TenantBody as "Tenant" {
        /// Its id.
        id: TenantId,
        /// Unique in the installation.
        slug: Slug,
        /// As people read it.
        name: Name,
        /// Whether it may act.
        state: StandingState,
        /// What its administrators chose.
        settings: TenantSettings,
        /// When it was made.
        created_at: Timestamp,
    }
}

shape! {
    TenantSettings as "TenantSettings", "What a tenant's administrators chose." {
        /// A requester may not decide the own request.
        two_person_rule: bool,
        /// The catalogue can be read without signing in.
        public_portal: bool,
        /// Who may make an account without being invited.
        sign_up: SignUpMode,
        /// How many days at least lie between a deprecation and its sunset.
        min_deprecation_days: u32,
        /// A version goes through review before it is published.
        review_required: bool,
        /// Host names of this tenant.
        hosts: Vec<String>,
        /// Networks that its upstreams may be in.
        upstream_allow: Vec<String>,
    }
}

fn body(tenant: Tenant) -> TenantBody {
    TenantBody {
        id: tenant.id,
        slug: tenant.slug,
        name: tenant.name,
        state: tenant.state,
        settings: tenant.settings,
        created_at: tenant.created_at,
    }
}

fn found(tenant: Tenant) -> Found<TenantBody> {
    let row_version = tenant.row_version;
    Found::tagged(body(tenant), row_version)
}

async fn list(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    listing: Listing<NoFilter>,
) -> Result<Listed<TenantBody>, Problem> {
    Ok(Listed::page(
        control.tenants().list(&caller, listing.page).await?,
        body,
    ))
}

async fn create(
    caller: Authorized<PlatformManage>,
    State(control): State<Control>,
    Json(body): Json<TenantCreate>,
) -> Result<Created<TenantBody>, Problem> {
    let settings = TenantSettings::default();
    let settings = match body.settings {
        Some(set) => set.over(settings),
        None => settings,
    };
    let new = NewTenant {
        slug: body.slug,
        name: body.name,
        settings,
    };
    let tenant = control.tenants().create(&caller, new).await?;
    Ok(Created::at("tenants", tenant.id, found(tenant)))
}

async fn get(
    SignedIn(caller): SignedIn,
    State(control): State<Control>,
    At(tenant): At<Ref<TenantId>>,
) -> Result<Found<TenantBody>, Problem> {
    Ok(found(control.tenants().get(&caller, &tenant).await?))
}

async fn update(
    caller: Authorized<Either<TenantWrite, PlatformManage>>,
    State(control): State<Control>,
    At(tenant): At<Ref<TenantId>>,
    Expected(if_match): Expected,
    Json(body): Json<TenantUpdate>,
) -> Result<Found<TenantBody>, Problem> {
    let known = control.tenants().get(&caller, &tenant).await?;
    if_match.check(known.row_version)?;
    let settings = body.settings.map(|set| set.over(known.settings));
    let patch = TenantPatch {
        name: body.name,
        settings,
    };
    // The settings were laid over the ones just read, so nobody may come between.
    let unchanged = gatewright_control::IfMatch(Some(known.row_version));
    Ok(found(
        control
            .tenants()
            .update(&caller, &tenant, patch, unchanged)
            .await?,
    ))
}

async fn suspend_tenant(
    caller: Authorized<PlatformManage>,
    State(control): State<Control>,
    At(tenant): At<Ref<TenantId>>,
    Expected(if_match): Expected,
) -> Result<Found<TenantBody>, Problem> {
    Ok(found(
        control
            .tenants()
            .set_standing(&caller, &tenant, StandingVerb::Suspend, if_match)
            .await?,
    ))
}

async fn activate_tenant(
    caller: Authorized<PlatformManage>,
    State(control): State<Control>,
    At(tenant): At<Ref<TenantId>>,
    Expected(if_match): Expected,
) -> Result<Found<TenantBody>, Problem> {
    Ok(found(
        control
            .tenants()
            .set_standing(&caller, &tenant, StandingVerb::Activate, if_match)
            .await?,
    ))
}
