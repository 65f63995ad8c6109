//! The list of APIs.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::apis::{ApiFilter, ApiOrder};
use gatewright_control::views::ApiView;
use gatewright_model::api::VersionState;
use gatewright_model::page::PageRequest;
use gatewright_model::permission::Permission;
use gatewright_model::state::Word;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::console::permit::Apis;
use crate::listing::Listing;
use crate::page::Page;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;

/// Calls and errors of the last day.
#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    requests: u64,
    errors: u64,
}

struct Row {
    view: ApiView,
    team: String,
    calls: Calls,
}

#[derive(Template)]
#[template(path = "console/apis/list.html")]
struct List {
    shell: Shell,
    list: Listing,
    rows: Vec<Row>,
    order: ApiOrder,
    states: Vec<(&'static str, String)>,
    teams: Vec<(String, String)>,
    usage: bool,
    may_import: bool,
    first: Option<String>,
    next: Option<String>,
}

impl List {
    fn direction(&self, order: ApiOrder, direction: &'static str) -> &'static str {
        if self.order == order { direction } else { "none" }
    }
}

pub(super) async fn list(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let order = match list.text("sort") {
        "name" => ApiOrder::Name,
        "changed" => ApiOrder::Changed,
        _ => ApiOrder::Newest,
    };
    let filter = ApiFilter {
        q: list.some("q").map(str::to_owned),
        team: list.take("team"),
        state: list.take::<VersionState>("state"),
        visibility: None,
        order,
    };
    let page = app
        .control
        .apis()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let usage = visit.may(Permission::UsageRead);
    let calls = if usage {
        calls(&app, &caller, &page.items).await
    } else {
        HashMap::new()
    };
    let teams = teams(&app, &caller).await;
    let row = |view: ApiView| Row {
        team: name_of(&teams, view.team.as_str()),
        calls: calls.get(&view.api.id.to_string()).copied().unwrap_or_default(),
        view,
    };
    let template = List {
        shell: visit
            .shell("APIs")
            .crumb("Console", "/console")
            .last_crumb("APIs"),
        order,
        states: states(),
        usage,
        may_import: visit.may(Permission::ApisWrite),
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        rows: page.items.into_iter().map(row).collect(),
        teams,
        list,
    };
    Page::html(&template)
}

/// The calls of the last day by API. That they cannot be read takes no list away.
async fn calls(app: &App, caller: &Caller, shown: &[ApiView]) -> HashMap<String, Calls> {
    let query = Range::last(Span::Day, app.control.now()).query();
    let shown = shown.iter().map(|view| view.api.id);
    let rows = app.control.usage().of_apis(caller, &query, shown).await;
    let calls = rows.unwrap_or_default().into_iter().map(|row| {
        let (requests, errors) = (row.requests, row.errors);
        (row.group.unwrap_or_default(), Calls { requests, errors })
    });
    calls.collect()
}

fn states() -> Vec<(&'static str, String)> {
    let words = VersionState::ALL
        .iter()
        .map(|state| (state.as_str(), state.as_str().replace('_', " ")));
    std::iter::once(("", "Any state".to_owned()))
        .chain(words)
        .collect()
}

/// The teams to choose from: what stands in the address, and the name.
async fn teams(app: &App, caller: &Caller) -> Vec<(String, String)> {
    std::iter::once((String::new(), "Any team".to_owned()))
        .chain(team_choices(app, caller).await)
        .collect()
}

/// The name of a team; of one that the visitor does not know, what stands in addresses.
pub(super) fn name_of(teams: &[(String, String)], slug: &str) -> String {
    let known = teams.iter().find(|(known, _)| known == slug);
    known.map_or_else(|| slug.to_owned(), |(_, name)| name.clone())
}

/// The teams that the visitor knows, by slug and name.
pub(super) async fn team_choices(app: &App, caller: &Caller) -> Vec<(String, String)> {
    let page = app.control.teams().list(caller, PageRequest::default()).await;
    page.map(|page| page.items)
        .unwrap_or_default()
        .into_iter()
        .map(|team| (team.slug.to_string(), team.name.to_string()))
        .collect()
}
