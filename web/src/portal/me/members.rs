//! The people who share an application: its team.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::consumer::{NewTeammate, TeamPerson, Welcomed};
use gatewright_model::id::ApplicationId;
use gatewright_model::permission::Role;
use gatewright_model::reference::Ref;
use gatewright_model::text::{Email, Name};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{MembersWrite, TeamsRead};
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab, unkept};
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps/{application}/members", list)
        .post_fresh("/me/apps/{application}/members", invite)
}

#[derive(Template)]
#[template(path = "portal/me/members.html")]
struct MembersPage {
    shell: Shell,
    frame: Frame,
    people: Vec<TeamPerson>,
    form: FormState,
    link: Option<Link>,
}

/// A link that has to be handed over by hand: there is no mail.
struct Link {
    url: String,
    expires_at: Timestamp,
}

async fn list(
    caller: Authorized<TeamsRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::People).await?;
    show(&app, &visit, &caller, frame, FormState::default(), None).await
}

async fn invite(
    caller: Authorized<MembersWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::People).await?;
    let mut form = FormState::from_fields(&fields);
    let email = form.take("email", Email::parse(fields.get("email")));
    let name = match fields.some("name") {
        Some(name) => form.take("name", Name::parse(name)),
        None => None,
    };
    let Some(email) = email.filter(|_| form.is_ok()) else {
        return show(&app, &visit, &caller, frame, form, None).await;
    };
    let new = NewTeammate {
        email,
        name,
        role: Role::Developer,
    };
    match app.control.consumer().welcome(&caller, frame.team.id, new).await {
        Ok(Welcomed::Added) => Ok(visit.redirect_with(&frame.tab_path(), "Added to the team.")),
        Ok(Welcomed::Invited(sent)) => match sent.link() {
            Some(link) => {
                let link = Link {
                    url: link.expose().to_owned(),
                    expires_at: sent.expires_at(),
                };
                let page = show(&app, &visit, &caller, frame, FormState::default(), Some(link)).await;
                page.map(unkept)
            }
            None => Ok(visit.redirect_with(&frame.tab_path(), "Invited by mail.")),
        },
        Err(gatewright_control::Error::Duplicate { .. }) => {
            form.fail_whole("this person is in the team already");
            show(&app, &visit, &caller, frame, form, None).await
        }
        Err(error) => show(&app, &visit, &caller, frame, form.refused(error)?, None).await,
    }
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    form: FormState,
    link: Option<Link>,
) -> Result<Page, Problem> {
    let shell = frame.shell(visit);
    let template = MembersPage {
        shell: shell.with(&form),
        people: app.control.consumer().people(caller, frame.team.id).await?,
        frame,
        form,
        link,
    };
    Page::form(&template, &template.form)
}
