//! Applications: what calls APIs.

use axum::extract::State;
use gatewright_control::applications::{ApplicationFilter, NewApplication};
use gatewright_control::{Control, IfMatch};
use gatewright_model::consumer::{Application, ApplicationState, ApplicationVerb, Environment};
use gatewright_model::id::{ApplicationId, TeamId};
use gatewright_model::reference::Ref;
use gatewright_model::text::{Name, Remark, Slug};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApplicationsRead, ApplicationsWrite, TenantWrite};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Listing;

use crate::answer::{Created, Found, Listed};
use crate::filters::filter;
use crate::input::{Json, input};
use crate::operation::{About, Api, about};
use crate::output::output;

const fn verb(id: &'static str, summary: &'static str) -> About {
    about(id, summary).conflicts(&["illegal_transition", "too_late"])
}

pub(crate) fn add(api: Api) -> Api {
    api.tag("applications")
        .get(
            "/applications",
            about(
                "list_applications",
                "Lists the applications of the caller's teams.",
            ),
            list,
        )
        .post(
            "/applications",
            about("create_application", "Creates an application.").conflicts(&["slug_taken"]),
            create,
        )
        .get(
            "/applications/{application}",
            about("get_application", "One application."),
            get,
        )
        .patch(
            "/applications/{application}",
            about("update_application", "Renames an application."),
            update,
        )
        .post(
            "/applications/{application}/suspend",
            verb("suspend_application", "Refuses the keys of an application."),
            suspend,
        )
        .post(
            "/applications/{application}/activate",
            verb(
                "activate_application",
                "Accepts the keys of an application again.",
            ),
            activate,
        )
        .post(
            "/applications/{application}/archive",
            verb(
                "archive_application",
                "Ends an application: subscriptions close, keys are revoked.",
            ),
            archive,
        )
}

input! {
    /// A new application.
    ApplicationCreate {
        /// As people read it.
        name: Name,
        /// Unique in the tenant; made of the name when absent.
        slug: Option<Slug>,
        /// The owning team, by id or slug; `default` when absent.
        team: Option<Ref<TeamId>>,
        /// Which kind of keys it gets.
        environment: Environment = Environment::Live,
    }
}

input! {
    /// What of an application is to be changed.
    ApplicationUpdate {
        /// As people read it.
        name: Name,
    }
}

input! {
    /// Why.
    Reason {
        /// For the audit trail and for those who are concerned.
        reason: Option<Remark>,
    }
}

filter! {
    /// Which applications are listed.
    ApplicationQuery {
        /// A part of the name or the slug.
        q: String,
        /// The owning team, by id or slug.
        team: Ref<TeamId>,
        /// Where it is in its life.
        state: ApplicationState,
    }
}

output! {
    /// An application.
    ApplicationBody as "Application" {
        /// Its id.
        id: ApplicationId,
        /// Unique in the tenant.
        slug: Slug,
        /// As people read it.
        name: Name,
        /// The owning team.
        team_id: TeamId,
        /// Which kind of keys it gets.
        environment: Environment,
        /// Where it is in its life.
        state: ApplicationState,
        /// When it was archived; null while it is not.
        archived_at: Option<Timestamp>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

impl From<Application> for ApplicationBody {
    fn from(application: Application) -> Self {
        Self {
            id: application.id,
            slug: application.slug,
            name: application.name,
            team_id: application.team_id,
            environment: application.environment,
            state: application.state,
            archived_at: application.archived_at,
            created_at: application.created_at,
            updated_at: application.updated_at,
        }
    }
}

fn found(application: Application) -> Found<ApplicationBody> {
    let row_version = application.row_version;
    Found::tagged(application.into(), row_version)
}

async fn list(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<ApplicationQuery>,
) -> Result<Listed<ApplicationBody>, Problem> {
    let filter = ApplicationFilter {
        q: filter.q,
        team: filter.team,
        state: filter.state,
    };
    Ok(Listed::page(
        control.applications().list(&caller, &filter, page).await?,
        ApplicationBody::from,
    ))
}

async fn create(
    caller: Authorized<ApplicationsWrite>,
    State(control): State<Control>,
    Json(body): Json<ApplicationCreate>,
) -> Result<Created<ApplicationBody>, Problem> {
    let new = NewApplication {
        name: body.name,
        slug: body.slug,
        team: body.team,
        environment: body.environment,
    };
    let application = control.applications().create(&caller, new).await?;
    Ok(Created::at("applications", application.id, found(application)))
}

async fn get(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Found<ApplicationBody>, Problem> {
    Ok(found(control.applications().get(&caller, &application).await?))
}

async fn update(
    caller: Authorized<ApplicationsWrite>,
    State(control): State<Control>,
    At(application): At<Ref<ApplicationId>>,
    Expected(if_match): Expected,
    Json(body): Json<ApplicationUpdate>,
) -> Result<Found<ApplicationBody>, Problem> {
    Ok(found(
        control
            .applications()
            .rename(&caller, &application, body.name, if_match)
            .await?,
    ))
}

async fn step(
    control: &Control,
    caller: &gatewright_control::Caller,
    application: &Ref<ApplicationId>,
    verb: ApplicationVerb,
    reason: Reason,
    if_match: IfMatch,
) -> Result<Found<ApplicationBody>, Problem> {
    Ok(found(
        control
            .applications()
            .transition(caller, application, verb, reason.reason, if_match)
            .await?,
    ))
}

macro_rules! verbs {
    ($($name:ident => $verb:ident for $permit:ident;)+) => {$(
        async fn $name(
            caller: Authorized<$permit>,
            State(control): State<Control>,
            At(application): At<Ref<ApplicationId>>,
            Expected(if_match): Expected,
            Json(reason): Json<Reason>,
        ) -> Result<Found<ApplicationBody>, Problem> {
            step(&control, &caller, &application, ApplicationVerb::$verb, reason, if_match).await
        }
    )+};
}

verbs! {
    suspend => Suspend for TenantWrite;
    activate => Activate for ApplicationsWrite;
    archive => Archive for ApplicationsWrite;
}
