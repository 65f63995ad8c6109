//! Members: which role a person holds in the tenant or in a team.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::users::NewMembership;
use gatewright_model::id::{MembershipId, TeamId, UserId};
use gatewright_model::permission::Role;
use gatewright_model::reference::{PersonRef, Ref};
use gatewright_model::tenancy::Membership;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{MembersWrite, TeamsRead};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};

use crate::answer::{Created, Deleted, Found, Listed};
use crate::filters::filter;
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("members")
        .get(
            "/members",
            about("list_members", "Lists who holds which role."),
            list,
        )
        .post(
            "/members",
            about("add_member", "Gives a person a role.").conflicts(&["member_exists"]),
            add_one,
        )
        .get(
            "/members/{member}",
            about("get_member", "One role of a person."),
            get,
        )
        .delete(
            "/members/{member}",
            about("remove_member", "Takes a role back.").conflicts(&["last_owner"]),
            remove,
        )
        .get(
            "/teams/{team}/members",
            about("list_team_members", "Lists who holds which role in a team."),
            list_of_team,
        )
        .post(
            "/teams/{team}/members",
            about("add_team_member", "Gives a person a role in a team.").conflicts(&["member_exists"]),
            add_to_team,
        )
}

input! {
    /// A role for a person.
    MemberAdd {
        /// Who, by id or e-mail.
        user: PersonRef,
        /// Which role.
        role: Role,
        /// In which team, by id or slug; in the whole tenant when absent.
        team: Option<Ref<TeamId>>,
    }
}

input! {
    /// A role for a person in a team.
    TeamMemberAdd {
        /// Who, by id or e-mail.
        user: PersonRef,
        /// Which role.
        role: Role,
    }
}

filter! {
    /// Which roles are listed.
    MemberQuery {
        /// In which team, by id or slug.
        team: Ref<TeamId>,
    }
}

output! {
    /// A role that a person holds.
    MemberBody as "Member" {
        /// Its id.
        id: MembershipId,
        /// Who holds it.
        user_id: UserId,
        /// In which team; null for the whole tenant.
        team_id: Option<TeamId>,
        /// Which role.
        role: Role,
        /// Since when.
        created_at: Timestamp,
    }
}

impl From<Membership> for MemberBody {
    fn from(member: Membership) -> Self {
        Self {
            id: member.id,
            user_id: member.user_id,
            team_id: member.team_id,
            role: member.role,
            created_at: member.created_at,
        }
    }
}

fn created(member: Membership) -> Created<MemberBody> {
    Created::at("members", member.id, Found::plain(member.into()))
}

async fn list(
    caller: Authorized<TeamsRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<MemberQuery>,
) -> Result<Listed<MemberBody>, Problem> {
    let members = control
        .users()
        .members(&caller, filter.team.as_ref(), page)
        .await?;
    Ok(Listed::page(members, MemberBody::from))
}

async fn list_of_team(
    caller: Authorized<TeamsRead>,
    State(control): State<Control>,
    At(team): At<Ref<TeamId>>,
    listing: Listing<NoFilter>,
) -> Result<Listed<MemberBody>, Problem> {
    let members = control
        .users()
        .members(&caller, Some(&team), listing.page)
        .await?;
    Ok(Listed::page(members, MemberBody::from))
}

async fn add_one(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    Json(body): Json<MemberAdd>,
) -> Result<Created<MemberBody>, Problem> {
    let new = NewMembership {
        user: body.user,
        role: body.role,
        team: body.team,
    };
    Ok(created(control.users().add_member(&caller, new).await?))
}

async fn add_to_team(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(team): At<Ref<TeamId>>,
    Json(body): Json<TeamMemberAdd>,
) -> Result<Created<MemberBody>, Problem> {
    let new = NewMembership {
        user: body.user,
        role: body.role,
        team: Some(team),
    };
    Ok(created(control.users().add_team_member(&caller, new).await?))
}

async fn get(
    caller: Authorized<TeamsRead>,
    State(control): State<Control>,
    At(member): At<MembershipId>,
) -> Result<Found<MemberBody>, Problem> {
    Ok(Found::plain(
        control.users().member(&caller, member).await?.into(),
    ))
}

async fn remove(
    caller: Authorized<MembersWrite>,
    State(control): State<Control>,
    At(member): At<MembershipId>,
) -> Result<Deleted, Problem> {
    control.users().remove_member(&caller, member).await?;
    Ok(Deleted)
}
