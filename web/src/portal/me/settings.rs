//! Renaming an application, ending it, and bringing it back.

use askama::Template;
use axum::extract::State;
use gatewright_control::{Caller, IfMatch};
use gatewright_model::consumer::{ApplicationState, ApplicationVerb, UNARCHIVE_WITHIN};
use gatewright_model::id::ApplicationId;
use gatewright_model::page::PageRequest;
use gatewright_model::reference::Ref;
use gatewright_model::text::Name;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApplicationsWrite;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use crate::app::App;
use crate::fields::Fields;
use crate::form::{FormState, ROW_VERSION};
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps/{application}/settings", show)
        .post("/me/apps/{application}/settings", rename)
        .get("/me/apps/{application}/archive", ask_archive)
        .post("/me/apps/{application}/archive", archive)
        .post("/me/apps/{application}/activate", activate)
}

#[derive(Template)]
#[template(path = "portal/me/settings.html")]
struct SettingsPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    archived: bool,
    can_return: bool,
}

#[derive(Template)]
#[template(path = "portal/me/archive.html")]
struct ArchivePage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    subscriptions: usize,
    keys: usize,
}

async fn show(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Settings).await?;
    let form = filled(&frame);
    present(&app, &visit, frame, form)
}

fn filled(frame: &Frame) -> FormState {
    FormState::new([
        ("name", frame.application.name.to_string()),
        (ROW_VERSION, frame.application.row_version.to_string()),
    ])
}

fn present(app: &App, visit: &Visit, frame: Frame, form: FormState) -> Result<Page, Problem> {
    let shell = frame.shell(visit);
    let archived_at = frame.application.archived_at;
    let template = SettingsPage {
        shell: shell.with(&form),
        archived: frame.application.state == ApplicationState::Archived,
        can_return: archived_at.is_some_and(|at| app.control.now().since(at) <= UNARCHIVE_WITHIN),
        frame,
        form,
    };
    Page::form(&template, &template.form)
}

async fn rename(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Settings).await?;
    let mut form = FormState::from_fields(&fields);
    let Some(name) = form.take("name", Name::parse(fields.get("name"))) else {
        return present(&app, &visit, frame, form);
    };
    let renamed = app
        .control
        .applications()
        .rename(&caller, &frame.reference(), name, form.if_match())
        .await;
    match renamed {
        Ok(_) => Ok(visit.redirect_with(&frame.tab_path(), "Saved.")),
        Err(error) => {
            let form = form.refused(error)?.overtaken_by(frame.application.row_version);
            present(&app, &visit, frame, form)
        }
    }
}

async fn ask_archive(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Settings).await?;
    show_archive(&app, &visit, &caller, frame, FormState::default()).await
}

async fn show_archive(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    form: FormState,
) -> Result<Page, Problem> {
    let of = frame.reference();
    let subscriptions = app.control.consumer().subscriptions(caller, &of).await?;
    let keys = app
        .control
        .credentials()
        .list(caller, &of, PageRequest::default())
        .await?;
    let shell = frame.shell_below(visit, "Archive");
    let template = ArchivePage {
        shell: shell.with(&form),
        subscriptions: subscriptions
            .iter()
            .filter(|view| view.subscription.state.is_live())
            .count(),
        keys: keys
            .items
            .iter()
            .filter(|key| !gatewright_model::consumer::CredentialState::is_terminal(key.state))
            .count(),
        frame,
        form,
    };
    Page::form(&template, &template.form)
}

async fn archive(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Settings).await?;
    let mut form = FormState::from_fields(&fields);
    if fields.get("confirm") != frame.application.slug.as_str() {
        form.fail_field("confirm", "Type the short name exactly as it is shown");
        return show_archive(&app, &visit, &caller, frame, form).await;
    }
    let archived = app
        .control
        .applications()
        .transition(
            &caller,
            &frame.reference(),
            ApplicationVerb::Archive,
            None,
            IfMatch::ANY,
        )
        .await;
    match archived {
        Ok(_) => Ok(visit.redirect_with("/me/apps", "Archived. It can be brought back for 30 days.")),
        Err(error) => show_archive(&app, &visit, &caller, frame, form.refused(error)?).await,
    }
}

async fn activate(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Settings).await?;
    let verb = ApplicationVerb::Activate;
    let moved = app
        .control
        .applications()
        .transition(&caller, &frame.reference(), verb, None, IfMatch::ANY)
        .await;
    match moved {
        Ok(_) => Ok(visit.redirect_with(
            &frame.path(),
            "Brought back. Subscriptions were asked for anew; make new keys.",
        )),
        Err(error) => {
            let form = filled(&frame).refused(error)?;
            present(&app, &visit, frame, form)
        }
    }
}
