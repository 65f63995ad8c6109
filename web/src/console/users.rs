//! People: who has an account, who waits for one, and what each may do.

use askama::Template;
use axum::extract::State;
use gatewright_control::accounts::SentLink;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::users::{NewMembership, NewUser, UserPatch};
use gatewright_control::{Caller, IfMatch};
use gatewright_model::account::{SignUp, SignUpState};
use gatewright_model::id::{MembershipId, SignUpId, UserId};
use gatewright_model::page::PageRequest;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::state::Word;
use gatewright_model::tenancy::{Membership, User, UserState, UserVerb};
use gatewright_model::text::{Email, Name};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{MembersWrite, TenantRead};
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/users";
const PER_PAGE: u16 = 50;

/// The pages of people.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, list)
        .get("/console/users/new", new)
        .post_fresh(PATH, create)
        .post("/console/users/waiting/{sign_up}/approve", approve)
        .post("/console/users/waiting/{sign_up}/reject", reject)
        .get("/console/users/{user}", one)
        .post_fresh("/console/users/{user}/email", change_email)
        .post_fresh("/console/users/{user}/invite", invite)
        .post_fresh("/console/users/{user}/reset-link", reset_link)
        .post("/console/users/{user}/suspend", suspend)
        .post("/console/users/{user}/activate", activate)
        .post_fresh("/console/users/{user}/roles", add_role)
        .post_fresh("/console/users/{user}/roles/{member}/remove", remove_role)
}

#[derive(Template)]
#[template(path = "console/users/list.html")]
struct List {
    shell: Shell,
    items: Vec<User>,
    waiting: Vec<SignUp>,
    may_invite: bool,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/users/new.html")]
struct New {
    shell: Shell,
    form: FormState,
    roles: Vec<(&'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "console/users/link.html")]
struct Link {
    shell: Shell,
    user: User,
    link: SentLink,
    what: &'static str,
}

#[derive(Template)]
#[template(path = "console/users/user.html")]
struct One {
    shell: Shell,
    form: FormState,
    user: User,
    held: Vec<Membership>,
    names: Names,
    choices: Vec<(&'static str, String)>,
    own: bool,
    may_change: bool,
    /// The own address changes by a link where mail is sent.
    may_change_address: bool,
}

/// The roles that can be held in the whole tenant.
fn roles() -> Vec<(&'static str, &'static str)> {
    Role::ALL
        .iter()
        .map(|role| (role.as_str(), role.meaning()))
        .collect()
}

async fn list(caller: Authorized<TenantRead>, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let list = Listing::of(&visit);
    let page = app.control.users().list(&caller, list.page(PER_PAGE)).await?;
    let may_invite = caller.rights.in_tenant(Permission::MembersWrite);
    let waiting = if may_invite {
        let accounts = app.control.accounts();
        accounts
            .sign_ups(&caller, Some(SignUpState::Waiting), PageRequest::default())
            .await?
            .items
    } else {
        Vec::new()
    };
    Page::html(&List {
        shell: visit
            .shell("Users")
            .crumb("Console", "/console")
            .last_crumb("Users"),
        may_invite,
        waiting,
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        items: page.items,
    })
}

async fn new(_: Authorized<MembersWrite>, visit: Visit) -> Result<Page, Problem> {
    ask(&visit, FormState::new([("role", "developer")]))
}

fn ask(visit: &Visit, form: FormState) -> Result<Page, Problem> {
    let shell = shell(visit, "Invite somebody");
    let template = New {
        shell: shell.with(&form),
        form,
        roles: roles(),
    };
    Page::form(&template, &template.form)
}

fn shell(visit: &Visit, title: &str) -> Shell {
    visit
        .shell(title)
        .crumb("Console", "/console")
        .crumb("Users", PATH)
        .last_crumb(title)
}

/// Adds a person with a role and invites them.
async fn create(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let name = form.take("name", Name::parse(fields.get("name")));
    let email = form.take("email", Email::parse(fields.get("email")));
    let role = fields
        .some("role")
        .map(|text| form.take("role", text.parse::<Role>()));
    let (Some(name), Some(email), true) = (name, email, form.is_ok()) else {
        return ask(&visit, form);
    };
    match invited(&app, &caller, name, email, role.flatten()).await {
        Ok((user, link)) => show_link(&visit, user, link, "Invitation"),
        Err(error) => ask(&visit, form.refused(error)?),
    }
}

async fn invited(
    app: &App,
    caller: &Caller,
    name: Name,
    email: Email,
    role: Option<Role>,
) -> gatewright_control::Result<(User, SentLink)> {
    let users = app.control.users();
    let new = NewUser {
        email: email.clone(),
        name,
        password: None,
    };
    let user = users.create(caller, new).await?;
    if let Some(role) = role {
        let membership = NewMembership {
            user: email.into(),
            role,
            team: None,
        };
        users.add_member(caller, membership).await?;
    }
    let link = app.control.accounts().invite(caller, user.id).await?;
    Ok((user, link))
}

/// Tells where a link went; without mail it is part of this one answer.
fn show_link(visit: &Visit, user: User, link: SentLink, what: &'static str) -> Result<Page, Problem> {
    if matches!(link, SentLink::Mailed { .. }) {
        let text = format!("{what} sent to {}.", user.email);
        return Ok(visit.redirect_with(&format!("{PATH}/{}", user.id), text));
    }
    let page = Page::html(&Link {
        shell: shell(visit, what),
        user,
        link,
        what,
    })?;
    Ok(page.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

async fn one(
    caller: Authorized<TenantRead>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Page, Problem> {
    show(&app, &visit, &caller, id, FormState::default()).await
}

async fn change_email(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let Some(to) = form.take("email", Email::parse(fields.get("email"))) else {
        return show(&app, &visit, &caller, id, form).await;
    };
    match app.control.accounts().set_address(&caller, id, to).await {
        Ok(user) => {
            let done = format!("The address is {} now.", user.email);
            Ok(visit.redirect_with(&format!("{PATH}/{id}"), done))
        }
        Err(error) => show(&app, &visit, &caller, id, form.refused(error)?).await,
    }
}

async fn invite(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Page, Problem> {
    let sent = app.control.accounts().invite(&caller, id).await;
    linked(&app, &visit, &caller, id, sent, "Invitation").await
}

async fn reset_link(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Page, Problem> {
    let sent = app.control.accounts().reset_link(&caller, id).await;
    linked(&app, &visit, &caller, id, sent, "Link to a new password").await
}

async fn linked(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: UserId,
    sent: gatewright_control::Result<SentLink>,
    what: &'static str,
) -> Result<Page, Problem> {
    match sent {
        Ok(link) => {
            let user = app.control.users().get(caller, id).await?;
            show_link(visit, user, link, what)
        }
        Err(error) => refuse(app, visit, caller, id, error).await,
    }
}

async fn suspend(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Page, Problem> {
    let step = (UserVerb::Suspend, "Suspended: every session and token has ended.");
    stand(&app, &visit, &caller, id, step).await
}

async fn activate(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
) -> Result<Page, Problem> {
    stand(&app, &visit, &caller, id, (UserVerb::Activate, "Active again.")).await
}

async fn stand(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: UserId,
    (verb, done): (UserVerb, &str),
) -> Result<Page, Problem> {
    let patch = UserPatch {
        name: None,
        verb: Some(verb),
    };
    match app.control.users().update(caller, id, patch, IfMatch::ANY).await {
        Ok(_) => Ok(visit.redirect_with(&format!("{PATH}/{id}"), done)),
        Err(error) => refuse(app, visit, caller, id, error).await,
    }
}

async fn add_role(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<UserId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let Some(role) = form.take("role", fields.get("role").parse::<Role>()) else {
        return show(&app, &visit, &caller, id, form).await;
    };
    let user = app.control.users().get(&caller, id).await?;
    let new = NewMembership {
        user: user.email.into(),
        role,
        team: None,
    };
    match app.control.users().add_member(&caller, new).await {
        Ok(_) => Ok(visit.redirect_with(&format!("{PATH}/{id}"), format!("Now {role}."))),
        Err(error) => refuse(&app, &visit, &caller, id, error).await,
    }
}

async fn remove_role(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At((id, member)): At<(UserId, MembershipId)>,
) -> Result<Page, Problem> {
    match app.control.users().remove_member(&caller, member).await {
        Ok(()) => Ok(visit.redirect_with(&format!("{PATH}/{id}"), "The role was taken away.")),
        Err(error) => refuse(&app, &visit, &caller, id, error).await,
    }
}

async fn approve(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<SignUpId>,
) -> Result<Page, Problem> {
    let done = app.control.accounts().approve(&caller, id).await?;
    Ok(visit.redirect_with(PATH, format!("{} can sign in now.", done.name)))
}

async fn reject(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<SignUpId>,
) -> Result<Page, Problem> {
    let done = app.control.accounts().reject(&caller, id).await?;
    Ok(visit.redirect_with(PATH, format!("{} got no account.", done.email)))
}

async fn refuse(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: UserId,
    error: gatewright_control::Error,
) -> Result<Page, Problem> {
    let mut form = FormState::default();
    form.absorb(error)?;
    show(app, visit, caller, id, form).await
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: UserId,
    form: FormState,
) -> Result<Page, Problem> {
    let user = app.control.users().get(caller, id).await?;
    let held = app.control.users().held_by(caller, id).await?;
    let wanted = Wanted {
        teams: held.iter().filter_map(|member| member.team_id).collect(),
        ..Wanted::default()
    };
    let shell = shell(visit, user.name.as_str());
    let own = caller.user_id == Some(id);
    let may_change = caller.rights.in_tenant(Permission::MembersWrite);
    let template = One {
        shell: shell.with(&form),
        form: form.or("role", Role::Developer.as_str()),
        names: app.control.names(caller, &wanted).await?,
        choices: super::roles::of_tenants(),
        own,
        may_change,
        may_change_address: may_change
            && user.state != UserState::Suspended
            && !(own && app.control.sends_mail()),
        user,
        held,
    };
    Page::form(&template, &template.form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ADMIN, TestPortal};

    #[tokio::test]
    async fn somebody_is_invited_by_a_link_and_given_a_role() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&[ADMIN]);
        admin
            .post(PATH, &[("name", ""), ("email", "no address")])
            .await
            .refuses(&["Enter a name", "E-mail address must"]);
        let fields = [
            ("name", "Ada"),
            ("email", "ada@example.com"),
            ("role", "approver"),
        ];
        let link = admin.post(PATH, &fields).await;
        link.shows(&["/invite/", "Ada"]);
        admin
            .post(PATH, &fields)
            .await
            .refuses(&["E-mail address is taken"]);
        let list = admin.get(PATH).await;
        list.shows(&["ada@example.com", "invited"]);
        let ada = list
            .text
            .split("/console/users/usr_")
            .find(|rest| rest.contains("Ada"))
            .unwrap();
        let path = format!("{PATH}/usr_{}", &ada[..26]);
        admin.get(&path).await.shows(&["approver", "Invite again"]);
        admin
            .post(&format!("{path}/roles"), &[("role", "none")])
            .await
            .refuses(&["Role in the whole tenant must"]);
        admin
            .post(&format!("{path}/roles"), &[("role", "auditor")])
            .await
            .location();
        admin.get(&path).await.shows(&["auditor"]);
        admin.post(&format!("{path}/suspend"), &[]).await.location();
        admin.get(&path).await.shows(&["suspended"]);
    }

    #[tokio::test]
    async fn the_last_owner_stays() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        let own = portal.admin_caller().await.user_id.unwrap();
        let path = format!("{PATH}/{own}");
        admin
            .post(&format!("{path}/suspend"), &[])
            .await
            .refuses(&["There is a problem"]);
        let (developer, _) = portal.user("dev", Some(Role::Developer)).await;
        assert_eq!(developer.post(&format!("{path}/suspend"), &[]).await.status, 403);
    }
}
