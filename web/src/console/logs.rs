//! Single calls: a list that is filtered by its address, and one call explained.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::calls::{CallFilter, StoredCall};
use gatewright_control::names::{Names, Wanted};
use gatewright_model::id::CallId;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::console::permit::TrafficRead;
use crate::explained::{Explained, explain, wanted};
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/logs";
const PER_PAGE: u16 = 50;

/// The pages of calls.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get(PATH, list).get("/console/logs/{call}", one)
}

#[derive(Template)]
#[template(path = "console/logs/list.html")]
struct List {
    shell: Shell,
    list: Listing,
    ranges: [(&'static str, &'static str); 6],
    range: &'static str,
    items: Vec<StoredCall>,
    names: Names,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/logs/call.html")]
struct One {
    shell: Shell,
    call: StoredCall,
    names: Names,
    story: Explained,
}

async fn list(
    caller: Authorized<TrafficRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    if let Some(id) = list.some("id").and_then(|text| text.parse::<CallId>().ok()) {
        return Ok(visit.redirect(&format!("{PATH}/{id}")));
    }
    let range = Range::of(&list, Span::Day, app.control.now());
    let filter = CallFilter {
        api: list.take("api"),
        application: list.take("application"),
        credential: list.take("credential"),
        status: list.take("status"),
        source: list.take("source"),
        from: Some(range.from),
        to: None,
    };
    let page = app
        .control
        .calls()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let template = List {
        shell: visit
            .shell("Calls")
            .crumb("Console", "/console")
            .last_crumb("Calls"),
        ranges: Range::choices(),
        range: range.span.as_str(),
        names: names(&app, &caller, &page.items).await?,
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        items: page.items,
        list,
    };
    Page::html(&template)
}

async fn one(
    caller: Authorized<TrafficRead>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<CallId>,
) -> Result<Page, Problem> {
    let call = app.control.calls().get(&caller, id).await?;
    let names = app.control.names(&caller, &wanted(&call)).await?;
    let title = format!("{} {}", call.method, call.path);
    let template = One {
        shell: visit
            .shell(title)
            .crumb("Console", "/console")
            .crumb("Calls", PATH)
            .last_crumb(call.id.to_string()),
        story: explain(&call, &names),
        names,
        call,
    };
    Page::html(&template)
}

async fn names(app: &App, caller: &Caller, calls: &[StoredCall]) -> Result<Names, Problem> {
    let wanted = Wanted {
        apis: calls.iter().filter_map(|call| call.api_id).collect(),
        versions: calls.iter().filter_map(|call| call.version_id).collect(),
        applications: calls.iter().filter_map(|call| call.application_id).collect(),
        ..Wanted::default()
    };
    Ok(app.control.names(caller, &wanted).await?)
}
