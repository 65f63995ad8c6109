//! APIs: the things that are named, owned and found.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::apis::{ApiFilter, ApiOrder, ApiPatch, NewApi};
use gatewright_control::views::{ApiView, VersionSummary};
use gatewright_model::api::{ApiKind, VersionState, Visibility};
use gatewright_model::id::{ApiId, TeamId, VersionId};
use gatewright_model::reference::Ref;
use gatewright_model::text::{ContextPath, Name, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApisRead, ApisWrite};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Listing;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::filters::filter;
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("apis")
        .get(
            "/apis",
            about("list_apis", "Lists the APIs that the caller may see."),
            list,
        )
        .post(
            "/apis",
            about("create_api", "Creates an API without a version.")
                .conflicts(&["slug_taken", "context_path_taken"]),
            create,
        )
        .get("/apis/{api}", about("get_api", "One API with its versions."), get)
        .patch(
            "/apis/{api}",
            about("update_api", "Changes an API; absent fields stay.").conflicts(&["context_path_taken"]),
            update,
        )
        .delete(
            "/apis/{api}",
            about("delete_api", "Deletes an API that was never published.").conflicts(&["api_in_use"]),
            delete,
        )
}

input! {
    /// A new API.
    ApiCreate {
        /// As people read it.
        name: Name,
        /// Unique in the tenant.
        slug: Slug,
        /// Where it stands at the gateway; unique in the tenant.
        context_path: ContextPath,
        /// What it speaks.
        kind: ApiKind = ApiKind::Rest,
        /// Who finds it in the catalogue.
        visibility: Visibility = Visibility::Public,
        /// The owning team, by id or slug; `default` when absent.
        team: Option<Ref<TeamId>>,
        /// Markdown.
        description: String = String::new(),
    }
}

input! {
    /// What of an API is to be changed.
    ApiUpdate {
        /// As people read it.
        name: Option<Name>,
        /// Markdown.
        description: Option<String>,
        /// Who finds it in the catalogue.
        visibility: Option<Visibility>,
        /// Where it stands at the gateway.
        context_path: Option<ContextPath>,
        /// The owning team, by id or slug.
        team: Option<Ref<TeamId>>,
        /// Whether the portal shows it first.
        featured: Option<bool>,
    }
}

filter! {
    /// Which APIs are listed.
    ApiQuery {
        /// A part of the name, the slug or the context path.
        q: String,
        /// Who finds them.
        visibility: Visibility,
        /// The owning team, by id or slug.
        team: Ref<TeamId>,
        /// With a version in this state.
        state: VersionState,
    }
}

output! {
    /// An API.
    ApiBody as "Api" {
        /// Its id.
        id: ApiId,
        /// Unique in the tenant.
        slug: Slug,
        /// As people read it.
        name: Name,
        /// Markdown; empty when nobody wrote one.
        description: String,
        /// What it speaks.
        kind: ApiKind,
        /// Who finds it in the catalogue.
        visibility: Visibility,
        /// Where it stands at the gateway.
        context_path: ContextPath,
        /// Whether the portal shows it first.
        featured: bool,
        /// The slug of the owning team.
        team: Slug,
        /// The id of the owning team.
        team_id: TeamId,
        /// Its versions, oldest first.
        versions: Vec<VersionLink>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

output! {
    /// A version in passing.
    VersionLink as "VersionLink" {
        /// Its id.
        id: VersionId,
        /// Its label.
        label: VersionLabel,
        /// Where it is in its life.
        state: VersionState,
    }
}

impl From<VersionSummary> for VersionLink {
    fn from(version: VersionSummary) -> Self {
        Self {
            id: version.id,
            label: version.label,
            state: version.state,
        }
    }
}

impl From<ApiView> for ApiBody {
    fn from(view: ApiView) -> Self {
        let api = view.api;
        Self {
            id: api.id,
            slug: api.slug,
            name: api.name,
            description: api.description,
            kind: api.kind,
            visibility: api.visibility,
            context_path: api.context_path,
            featured: api.featured,
            team: view.team,
            team_id: api.team_id,
            versions: view.versions.into_iter().map(VersionLink::from).collect(),
            created_at: api.created_at,
            updated_at: api.updated_at,
        }
    }
}

fn found(view: ApiView) -> Found<ApiBody> {
    let row_version = view.api.row_version;
    Found::tagged(view.into(), row_version)
}

async fn list(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<ApiQuery>,
) -> Result<Listed<ApiBody>, Problem> {
    let filter = ApiFilter {
        q: filter.q,
        visibility: filter.visibility,
        team: filter.team,
        state: filter.state,
        order: ApiOrder::Newest,
    };
    let apis = control.apis().list(&caller, &filter, page).await?;
    Ok(Listed::page(apis, ApiBody::from))
}

async fn create(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    Json(body): Json<ApiCreate>,
) -> Result<Created<ApiBody>, Problem> {
    let new = NewApi {
        name: body.name,
        slug: body.slug,
        context_path: body.context_path,
        kind: body.kind,
        visibility: body.visibility,
        team: body.team,
        description: body.description,
    };
    let view = control.apis().create(&caller, new).await?;
    Ok(Created::at("apis", view.api.id, found(view)))
}

async fn get(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
) -> Result<Found<ApiBody>, Problem> {
    Ok(found(control.apis().get(&caller, &api).await?))
}

async fn update(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
    Expected(if_match): Expected,
    Json(body): Json<ApiUpdate>,
) -> Result<Found<ApiBody>, Problem> {
    let patch = ApiPatch {
        name: body.name,
        description: body.description,
        visibility: body.visibility,
        context_path: body.context_path,
        team: body.team,
        featured: body.featured,
    };
    Ok(found(
        control.apis().update(&caller, &api, patch, if_match).await?,
    ))
}

async fn delete(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
    Expected(if_match): Expected,
) -> Result<Deleted, Problem> {
    control.apis().delete(&caller, &api, if_match).await?;
    Ok(Deleted)
}
