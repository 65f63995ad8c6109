//! Teams: people who own APIs or applications together.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::teams::{NewTeam, TeamPatch};
use gatewright_model::id::TeamId;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::{StandingState, StandingVerb, Team, TeamKind};
use gatewright_model::text::{Email, Name, Slug};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{TeamsRead, TeamsWrite};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Created, Found, Listed};
use crate::input::{Change, Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    let suspend = about("suspend_team", "Lets a team do nothing for now.")
        .conflicts(&["illegal_transition", "default_team"]);
    api.tag("teams")
        .get(
            "/teams",
            about("list_teams", "Lists the teams that the caller may see."),
            list,
        )
        .post(
            "/teams",
            about("create_team", "Creates a team.").conflicts(&["slug_taken"]),
            create,
        )
        .get("/teams/{team}", about("get_team", "One team."), get)
        .patch(
            "/teams/{team}",
            about("update_team", "Changes a team; absent fields stay."),
            update,
        )
        .post("/teams/{team}/suspend", suspend, suspend_team)
        .post(
            "/teams/{team}/activate",
            about("activate_team", "Lets a team act again.").conflicts(&["illegal_transition"]),
            activate_team,
        )
}

input! {
    /// A new team.
    TeamCreate {
        /// As people read it.
        name: Name,
        /// Unique in the tenant.
        slug: Slug,
        /// Which side it stands on.
        kind: TeamKind = TeamKind::Both,
        /// Where its mail goes.
        contact: Option<Email>,
    }
}

input! {
    /// What of a team is to be changed.
    TeamUpdate {
        /// As people read it.
        name: Option<Name>,
        /// Which side it stands on.
        kind: Option<TeamKind>,
        /// Where its mail goes; null for nowhere.
        contact: Change<Email>,
    }
}

output! {
    /// A team.
    TeamBody as "Team" {
        /// Its id.
        id: TeamId,
        /// Unique in the tenant.
        slug: Slug,
        /// As people read it.
        name: Name,
        /// Which side it stands on.
        kind: TeamKind,
        /// Where its mail goes.
        contact: Option<Email>,
        /// Whether it may act.
        state: StandingState,
        /// When it was made.
        created_at: Timestamp,
    }
}

fn body(team: Team) -> TeamBody {
    TeamBody {
        id: team.id,
        slug: team.slug,
        name: team.name,
        kind: team.kind,
        contact: team.contact,
        state: team.state,
        created_at: team.created_at,
    }
}

fn found(team: Team) -> Found<TeamBody> {
    let row_version = team.row_version;
    Found::tagged(body(team), row_version)
}

async fn list(
    caller: Authorized<TeamsRead>,
    State(control): State<Control>,
    listing: Listing<NoFilter>,
) -> Result<Listed<TeamBody>, Problem> {
    Ok(Listed::page(
        control.teams().list(&caller, listing.page).await?,
        body,
    ))
}

async fn create(
    caller: Authorized<TeamsWrite>,
    State(control): State<Control>,
    Json(body): Json<TeamCreate>,
) -> Result<Created<TeamBody>, Problem> {
    let new = NewTeam {
        slug: body.slug,
        name: body.name,
        kind: body.kind,
        contact: body.contact,
    };
    let team = control.teams().create(&caller, new).await?;
    Ok(Created::at("teams", team.id, found(team)))
}

async fn get(
    caller: Authorized<TeamsRead>,
    State(control): State<Control>,
    At(team): At<Ref<TeamId>>,
) -> Result<Found<TeamBody>, Problem> {
    Ok(found(control.teams().get(&caller, &team).await?))
}

async fn update(
    caller: Authorized<TeamsWrite>,
    State(control): State<Control>,
    At(team): At<Ref<TeamId>>,
    Expected(if_match): Expected,
    Json(body): Json<TeamUpdate>,
) -> Result<Found<TeamBody>, Problem> {
    let patch = TeamPatch {
        name: body.name,
        kind: body.kind,
        contact: body.contact.0,
    };
    Ok(found(
        control.teams().update(&caller, &team, patch, if_match).await?,
    ))
}

async fn suspend_team(
    caller: Authorized<TeamsWrite>,
    State(control): State<Control>,
    At(team): At<Ref<TeamId>>,
    Expected(if_match): Expected,
) -> Result<Found<TeamBody>, Problem> {
    Ok(found(
        control
            .teams()
            .set_standing(&caller, &team, StandingVerb::Suspend, if_match)
            .await?,
    ))
}

async fn activate_team(
    caller: Authorized<TeamsWrite>,
    State(control): State<Control>,
    At(team): At<Ref<TeamId>>,
    Expected(if_match): Expected,
) -> Result<Found<TeamBody>, Problem> {
    Ok(found(
        control
            .teams()
            .set_standing(&caller, &team, StandingVerb::Activate, if_match)
            .await?,
    ))
}
