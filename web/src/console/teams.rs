//! Teams and who belongs to them.

use askama::Template;
use axum::extract::State;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::teams::{NewTeam, TeamPatch};
use gatewright_control::users::NewMembership;
use gatewright_control::{Caller, IfMatch};
use gatewright_model::id::{MembershipId, TeamId};
use gatewright_model::page::PageRequest;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::reference::Ref;
use gatewright_model::state::Word;
use gatewright_model::tenancy::{Membership, StandingVerb, Team, TeamKind};
use gatewright_model::text::{Email, Name, Slug};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{MembersWrite, TeamsWrite, TenantRead};
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::fields::Fields;
use crate::form::{FormState, ROW_VERSION};
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/teams";
const PER_PAGE: u16 = 50;

/// The pages of teams.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, list)
        .get("/console/teams/new", new)
        .post(PATH, create)
        .get("/console/teams/{team}", one)
        .post("/console/teams/{team}", update)
        .post("/console/teams/{team}/suspend", suspend)
        .post("/console/teams/{team}/activate", activate)
        .post_fresh("/console/teams/{team}/members", add_member)
        .post_fresh("/console/teams/{team}/members/{member}/remove", remove_member)
}

#[derive(Template)]
#[template(path = "console/teams/list.html")]
struct List {
    shell: Shell,
    items: Vec<Team>,
    may_create: bool,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/teams/new.html")]
struct New {
    shell: Shell,
    form: FormState,
}

#[derive(Template)]
#[template(path = "console/teams/team.html")]
struct One {
    shell: Shell,
    form: FormState,
    team: Team,
    members: Vec<Membership>,
    names: Names,
    roles: Vec<(&'static str, String)>,
    may_change: bool,
    may_add: bool,
}

/// What a team does, in words.
const fn kind(kind: &TeamKind) -> &'static str {
    match kind {
        TeamKind::Provider => "publishes APIs",
        TeamKind::Consumer => "uses APIs",
        TeamKind::Both => "publishes and uses APIs",
    }
}

async fn list(caller: Authorized<TenantRead>, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let list = Listing::of(&visit);
    let page = app.control.teams().list(&caller, list.page(PER_PAGE)).await?;
    Page::html(&List {
        shell: visit
            .shell("Teams")
            .crumb("Console", "/console")
            .last_crumb("Teams"),
        may_create: caller.rights.in_tenant(Permission::TeamsWrite),
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        items: page.items,
    })
}

async fn new(_: Authorized<TeamsWrite>, visit: Visit) -> Result<Page, Problem> {
    ask(&visit, FormState::new([("kind", "both")]))
}

fn ask(visit: &Visit, form: FormState) -> Result<Page, Problem> {
    let shell = visit
        .shell("New team")
        .crumb("Console", "/console")
        .crumb("Teams", PATH)
        .last_crumb("New team");
    let template = New {
        shell: shell.with(&form),
        form,
    };
    Page::form(&template, &template.form)
}

async fn create(
    caller: Authorized<TeamsWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let name = form.take("name", Name::parse(fields.get("name")));
    let slug = match fields.some("slug") {
        Some(text) => form.take("slug", Slug::parse(text)),
        None => Slug::from_text(fields.get("name")),
    };
    let kind = form.take("kind", fields.get("kind").parse::<TeamKind>());
    let contact = fields
        .some("contact")
        .map(|text| form.take("contact", Email::parse(text)));
    let (Some(name), Some(slug), Some(kind), true) = (name, slug, kind, form.is_ok()) else {
        if form.is_ok() {
            form.fail_field("slug", "Choose a short name of letters, digits and hyphens");
        }
        return ask(&visit, form);
    };
    let new = NewTeam {
        slug,
        name,
        kind,
        contact: contact.flatten(),
    };
    match app.control.teams().create(&caller, new).await {
        Ok(team) => Ok(visit.redirect_with(
            &format!("{PATH}/{}", team.slug),
            "The team is there. Add its members.",
        )),
        Err(error) => ask(&visit, form.refused(error)?),
    }
}

async fn one(
    caller: Authorized<TenantRead>,
    visit: Visit,
    State(app): State<App>,
    At(team): At<Ref<TeamId>>,
) -> Result<Page, Problem> {
    show(&app, &visit, &caller, &team, FormState::default()).await
}

async fn update(
    caller: Authorized<TeamsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(team): At<Ref<TeamId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let patch = TeamPatch {
        name: form.take("name", Name::parse(fields.get("name"))),
        kind: form.take("kind", fields.get("kind").parse::<TeamKind>()),
        contact: Some(match fields.some("contact") {
            Some(text) => form.take("contact", Email::parse(text)),
            None => None,
        }),
    };
    if !form.is_ok() {
        return show(&app, &visit, &caller, &team, form).await;
    }
    match app
        .control
        .teams()
        .update(&caller, &team, patch, form.if_match())
        .await
    {
        Ok(team) => Ok(visit.redirect_with(&format!("{PATH}/{}", team.slug), "Saved.")),
        Err(error) => show(&app, &visit, &caller, &team, form.refused(error)?).await,
    }
}

async fn suspend(
    caller: Authorized<TeamsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(team): At<Ref<TeamId>>,
) -> Result<Page, Problem> {
    let step = (
        StandingVerb::Suspend,
        "Suspended: its members may not act for it.",
    );
    stand(&app, &visit, &caller, &team, step).await
}

async fn activate(
    caller: Authorized<TeamsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(team): At<Ref<TeamId>>,
) -> Result<Page, Problem> {
    let step = (StandingVerb::Activate, "Active again.");
    stand(&app, &visit, &caller, &team, step).await
}

async fn stand(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    team: &Ref<TeamId>,
    (verb, done): (StandingVerb, &str),
) -> Result<Page, Problem> {
    match app
        .control
        .teams()
        .set_standing(caller, team, verb, IfMatch::ANY)
        .await
    {
        Ok(team) => Ok(visit.redirect_with(&format!("{PATH}/{}", team.slug), done)),
        Err(error) => {
            let form = FormState::default().refused(error)?;
            show(app, visit, caller, team, form).await
        }
    }
}

async fn add_member(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(team): At<Ref<TeamId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let user = form.take("user", Email::parse(fields.get("user")));
    let role = form.take("role", fields.get("role").parse::<Role>());
    let (Some(user), Some(role)) = (user, role) else {
        return show(&app, &visit, &caller, &team, form).await;
    };
    let new = NewMembership {
        user: user.into(),
        role,
        team: Some(team.clone()),
    };
    match app.control.users().add_team_member(&caller, new).await {
        Ok(_) => {
            let team = app.control.teams().get(&caller, &team).await?;
            Ok(visit.redirect_with(&format!("{PATH}/{}", team.slug), "Added."))
        }
        Err(error) => show(&app, &visit, &caller, &team, form.refused(error)?).await,
    }
}

async fn remove_member(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At((team, member)): At<(Ref<TeamId>, MembershipId)>,
) -> Result<Page, Problem> {
    let named = app.control.teams().get(&caller, &team).await?;
    match app.control.users().remove_member(&caller, member).await {
        Ok(()) => Ok(visit.redirect_with(&format!("{PATH}/{}", named.slug), "Removed from the team.")),
        Err(error) => {
            let form = FormState::default().refused(error)?;
            show(&app, &visit, &caller, &team, form).await
        }
    }
}

/// The page of a team. It has two forms: the one that was not sent shows what the team has.
async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    team: &Ref<TeamId>,
    form: FormState,
) -> Result<Page, Problem> {
    let team = app.control.teams().get(caller, team).await?;
    let members = app
        .control
        .users()
        .members(caller, Some(&Ref::Id(team.id)), PageRequest::default())
        .await?
        .items;
    let wanted = Wanted {
        users: members.iter().map(|member| member.user_id).collect(),
        ..Wanted::default()
    };
    let title = team.name.to_string();
    let shell = visit
        .shell(title.clone())
        .crumb("Console", "/console")
        .crumb("Teams", PATH)
        .last_crumb(title);
    let contact = team.contact.as_ref().map(ToString::to_string).unwrap_or_default();
    let form = form
        .overtaken_by(team.row_version)
        .or("name", team.name.as_str())
        .or("kind", team.kind.as_str())
        .or("contact", &contact)
        .or("role", Role::Developer.as_str())
        .or(ROW_VERSION, &team.row_version.to_string());
    let template = One {
        shell: shell.with(&form),
        form,
        names: app.control.names(caller, &wanted).await?,
        roles: super::roles::of_teams(),
        may_change: caller.rights.in_team(Permission::TeamsWrite, team.id),
        may_add: caller.rights.in_team(Permission::MembersWrite, team.id),
        team,
        members,
    };
    Page::form(&template, &template.form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ADMIN, TestPortal};

    #[tokio::test]
    async fn a_team_is_made_filled_and_suspended() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&["default"]);
        admin
            .post(PATH, &[("name", ""), ("kind", "none")])
            .await
            .refuses(&["Enter a name", "What it does must be one of"]);
        let made = admin
            .post(PATH, &[("name", "Night Shift"), ("kind", "consumer")])
            .await;
        assert_eq!(made.location(), "/console/teams/night-shift");
        let path = "/console/teams/night-shift";
        admin.get(path).await.shows(&["Nobody belongs to this team"]);
        admin
            .post(
                &format!("{path}/members"),
                &[("user", "nobody@example.com"), ("role", "developer")],
            )
            .await
            .refuses(&[
                "There is a problem",
                "value=\"nobody@example.com\"",
                "value=\"Night Shift\"",
                "<option value=\"consumer\" selected>",
            ]);
        let added = admin
            .post(
                &format!("{path}/members"),
                &[("user", ADMIN), ("role", "developer")],
            )
            .await;
        assert_eq!(added.location(), path);
        let page = admin.get(path).await;
        page.shows(&[ADMIN, "developer"]);
        let member = page
            .text
            .split("/members/")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap();
        admin
            .post(&format!("{path}/members/{member}/remove"), &[])
            .await
            .location();
        admin.get(path).await.shows(&["Nobody belongs to this team"]);
        admin.post(&format!("{path}/suspend"), &[]).await.location();
        admin.get(path).await.shows(&["suspended"]);
        admin
            .post(&format!("{path}/suspend"), &[])
            .await
            .refuses(&["so you cannot suspend it"]);
    }

    #[tokio::test]
    async fn a_form_that_comes_too_late_overwrites_nothing_unasked() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin
            .post(PATH, &[("name", "Blue"), ("kind", "both")])
            .await
            .location();
        let path = "/console/teams/blue";
        let form = |name: &'static str, seen: &'static str| {
            [("name", name), ("kind", "both"), ("row_version", seen)]
        };
        admin.get(path).await.shows(&["name=\"row_version\" value=\"1\""]);
        admin.post(path, &form("First", "1")).await.location();
        let late = admin.post(path, &form("Second", "1")).await;
        late.comes_late(&["value=\"Second\"", "name=\"row_version\" value=\"2\""]);
        admin.get(path).await.shows(&["First"]);
        admin.post(path, &form("Second", "2")).await.location();
        admin.get(path).await.shows(&["Second"]);
    }
}
