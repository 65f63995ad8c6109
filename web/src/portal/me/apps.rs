//! Applications: the list, a new one, and the overview of one.

use askama::Template;
use axum::extract::State;
use gatewright_control::applications::NewApplication;
use gatewright_control::calls::CallFilter;
use gatewright_control::consumer::{ApplicationCard, SubscriptionView};
use gatewright_control::usage::UsageQuery;
use gatewright_control::{Caller, Error};
use gatewright_model::consumer::{ApplicationState, Credential, CredentialState, Environment};
use gatewright_model::id::ApplicationId;
use gatewright_model::page::{Page as Items, PageRequest, PageSize};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::Team;
use gatewright_model::text::{Name, Slug};
use gatewright_model::traffic::CallSource;
use gatewright_webkit::authorized::{Authorized, SignedIn};
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApplicationsRead, ApplicationsWrite};
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab, crumbs, path_of};
use super::logs::CallRow;
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;
/// As many calls are looked through for errors.
const LOOK_BACK: u16 = 100;
const MOST_ERRORS: usize = 5;

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps", list)
        .post("/me/apps", create)
        .get("/me/apps/new", new)
        .get("/me/apps/{application}", overview)
}

#[derive(Template)]
#[template(path = "portal/me/apps.html")]
struct AppsPage {
    shell: Shell,
    list: Listing,
    state: &'static str,
    cards: Vec<ApplicationCard>,
    first: Option<String>,
    next: Option<String>,
    may_create: bool,
}

#[derive(Template)]
#[template(path = "portal/me/new_app.html")]
struct NewPage {
    shell: Shell,
    form: FormState,
    teams: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "portal/me/app.html")]
struct OverviewPage {
    shell: Shell,
    frame: Frame,
    subscriptions: Vec<SubscriptionView>,
    keys: Vec<Credential>,
    traffic: Option<Traffic>,
    failed: Vec<CallRow>,
}

async fn list(SignedIn(caller): SignedIn, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let state = list.take::<ApplicationState>("state");
    let found = if visit.may(Permission::ApplicationsRead) {
        app.control
            .consumer()
            .applications(&caller, list.some("q"), state, list.page(PER_PAGE))
            .await?
    } else {
        Items {
            items: Vec::new(),
            next: None,
        }
    };
    let template = AppsPage {
        shell: visit
            .shell("Applications")
            .crumb("My work", "/me")
            .last_crumb("Applications"),
        state: state.map_or("", gatewright_model::state::Word::as_str),
        first: list.is_continued().then(|| list.first()),
        next: list.next(found.next.as_ref()),
        cards: found.items,
        may_create: visit.may(Permission::ApplicationsWrite),
        list,
    };
    Page::html(&template)
}

async fn new(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let teams = app.control.consumer().teams_to_create_in(&caller).await?;
    let team = first_choice(&caller, &teams);
    let form = FormState::new([("environment", "live"), ("team", team.as_str())]);
    show_new(&visit, teams, form)
}

async fn create(
    caller: Authorized<ApplicationsWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let teams = app.control.consumer().teams_to_create_in(&caller).await?;
    let Some(new) = read(&mut form, &fields) else {
        return show_new(&visit, teams, form);
    };
    match app.control.applications().create(&caller, new).await {
        Ok(application) => Ok(visit.redirect_with(
            &path_of(&application),
            "Application created. Next: get access to an API.",
        )),
        Err(error) => show_new(&visit, teams, form.refused(error)?),
    }
}

fn read(form: &mut FormState, fields: &Fields) -> Option<NewApplication> {
    let name = form.take("name", Name::parse(fields.get("name")));
    let slug = match fields.some("slug") {
        Some(slug) => form.take("slug", Slug::parse(slug)).map(Some),
        None => Some(None),
    };
    let team = match fields.some("team") {
        Some(team) => form.take("team", team.parse()).map(Some),
        None => Some(None),
    };
    let environment = form.take("environment", fields.get("environment").parse::<Environment>());
    Some(NewApplication {
        name: name?,
        slug: slug?,
        team: team?,
        environment: environment?,
    })
}

/// The own team; for who has several or none, the first in the list.
fn first_choice(caller: &Caller, teams: &[Team]) -> String {
    let own = caller.rights.teams();
    let default = teams
        .iter()
        .find(|team| own.contains(&team.id))
        .or_else(|| teams.iter().find(|team| team.slug.as_str() == "default"))
        .or_else(|| teams.first());
    default.map_or_else(String::new, |team| team.slug.to_string())
}

fn show_new(visit: &Visit, teams: Vec<Team>, form: FormState) -> Result<Page, Problem> {
    let shell = crumbs(visit.shell("New application")).last_crumb("New");
    let template = NewPage {
        shell: shell.with(&form),
        teams: teams
            .into_iter()
            .map(|team| (team.slug.to_string(), team.name.to_string()))
            .collect(),
        form,
    };
    Page::form(&template, &template.form)
}

async fn overview(
    caller: Authorized<ApplicationsRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Overview).await?;
    let of = frame.reference();
    let mut subscriptions = app.control.consumer().subscriptions(&caller, &of).await?;
    subscriptions.retain(|view| view.subscription.state.is_live());
    let keys = app
        .control
        .credentials()
        .list(&caller, &of, PageRequest::default())
        .await?;
    let template = OverviewPage {
        shell: frame.shell(&visit),
        subscriptions,
        keys: keys.items.into_iter().filter(is_alive).collect(),
        traffic: last_week(&app, &caller, &frame).await?,
        failed: last_errors(&app, &visit, &caller, &frame).await?,
        frame,
    };
    Page::html(&template)
}

fn is_alive(credential: &Credential) -> bool {
    !matches!(
        credential.state,
        CredentialState::Revoked | CredentialState::Expired
    )
}

async fn last_week(app: &App, caller: &Caller, frame: &Frame) -> Result<Option<Traffic>, Error> {
    if !frame.can.usage {
        return Ok(None);
    }
    let range = Range::last(Span::Week, app.control.now());
    let query = UsageQuery {
        application: Some(frame.reference()),
        ..range.query()
    };
    let rows = app.control.usage().query(caller, &query).await?;
    Ok(Some(Traffic::of(&range, &rows)))
}

/// The newest failed calls among the last ones; calls of the demo's sample do not count.
async fn last_errors(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: &Frame,
) -> Result<Vec<CallRow>, Error> {
    if !frame.can.calls {
        return Ok(Vec::new());
    }
    let filter = CallFilter {
        application: Some(frame.reference()),
        ..CallFilter::default()
    };
    let page = PageRequest {
        size: PageSize::new(LOOK_BACK).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    let calls = app.control.calls().list(caller, &filter, page).await?;
    let failed = calls
        .items
        .iter()
        .filter(|call| call.status >= 400 && call.source != CallSource::Sample);
    Ok(failed
        .take(MOST_ERRORS)
        .map(|call| CallRow::of(visit, frame, call))
        .collect())
}
