//! The calls of an application, and one of them explained.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::calls::{CallFilter, StoredCall};
use gatewright_control::consumer::CallView;
use gatewright_control::{Caller, Error};
use gatewright_model::id::{ApplicationId, CallId, CredentialId};
use gatewright_model::page::{Page as Items, PageRequest};
use gatewright_model::reference::Ref;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::CallsRead;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use crate::app::App;
use crate::explained::{Explained, advice, explain, wanted};
use crate::listing::Listing;
use crate::next_step::{Around, StepLink};
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;
/// How far back the list looks, by the word in the address.
const SINCE: [(&str, &str, u64); 5] = [
    ("", "Any time", 0),
    ("1h", "Last hour", 1),
    ("24h", "Last 24 hours", 24),
    ("7d", "Last 7 days", 7 * 24),
    ("30d", "Last 30 days", 30 * 24),
];

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps/{application}/logs", list)
        .get("/me/apps/{application}/logs/{call}", one)
}

/// A call in a list.
pub(super) struct CallRow {
    pub(super) at: Timestamp,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) reason: &'static str,
    pub(super) duration_ms: f64,
    pub(super) source: CallSource,
    pub(super) href: String,
}

impl CallRow {
    pub(super) fn of(visit: &Visit, frame: &Frame, call: &StoredCall) -> Self {
        Self {
            at: call.at,
            method: call.method.clone(),
            path: call.path.clone(),
            status: call.status,
            reason: call
                .refusal
                .as_deref()
                .and_then(advice)
                .map_or("", |advice| advice.what),
            duration_ms: milliseconds(call.duration_us),
            source: call.source,
            href: [visit.base(), &frame.path(), "/logs/", &call.id.to_string()].concat(),
        }
    }
}

#[derive(Template)]
#[template(path = "portal/me/logs.html")]
struct LogsPage {
    shell: Shell,
    frame: Frame,
    list: Listing,
    status: String,
    since: &'static str,
    sinces: Vec<(&'static str, &'static str)>,
    key: String,
    keys: Vec<(String, String)>,
    rows: Vec<CallRow>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "portal/me/call.html")]
struct CallPage {
    shell: Shell,
    frame: Frame,
    view: CallView,
    story: Explained,
    next_step: Option<StepLink>,
    duration_ms: f64,
    upstream_ms: f64,
    gateway_ms: f64,
}

async fn list(
    caller: Authorized<CallsRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Calls).await?;
    let mut list = Listing::of(&visit);
    let status = list.take::<u16>("status");
    let key = list.take::<CredentialId>("key");
    let (since, hours) = SINCE
        .iter()
        .find(|(word, ..)| *word == list.text("since"))
        .map_or(("", 0), |(word, _, hours)| (*word, *hours));
    let filter = CallFilter {
        application: Some(frame.reference()),
        credential: key,
        status,
        from: (hours > 0).then(|| app.control.now().minus(Duration::from_secs(hours * 3_600))),
        ..CallFilter::default()
    };
    let Items { items, next } = app
        .control
        .calls()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let keys = app
        .control
        .credentials()
        .list(&caller, &frame.reference(), PageRequest::default())
        .await?;
    let template = LogsPage {
        shell: frame.shell(&visit),
        status: status.map_or_else(String::new, |status| status.to_string()),
        since,
        sinces: SINCE.iter().map(|(word, label, _)| (*word, *label)).collect(),
        key: key.map_or_else(String::new, |key| key.to_string()),
        keys: std::iter::once((String::new(), "Any key".to_owned()))
            .chain(keys.items.into_iter().map(|key| {
                let name = key.name.map_or_else(String::new, |name| format!(" {name}"));
                (key.id.to_string(), format!("{}…{name}", key.hint.prefix))
            }))
            .collect(),
        rows: items
            .iter()
            .map(|call| CallRow::of(&visit, &frame, call))
            .collect(),
        first: list.is_continued().then(|| list.first()),
        next: list.next(next.as_ref()),
        frame,
        list,
    };
    Page::html(&template)
}

async fn one(
    caller: Authorized<CallsRead>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CallId)>,
) -> Result<Page, Problem> {
    let (of, view) = app.control.consumer().call(&caller, &application, id).await?;
    let frame = Frame::new(&visit, &caller, of, Tab::Calls);
    let template = CallPage {
        shell: frame.shell_below(&visit, "One call"),
        story: story(&app, &caller, &view).await?,
        next_step: next_step(&visit, &frame, &view),
        duration_ms: milliseconds(view.call.duration_us),
        upstream_ms: milliseconds(view.call.upstream_us),
        gateway_ms: milliseconds(view.call.duration_us.saturating_sub(view.call.upstream_us)),
        view,
        frame,
    };
    Page::html(&template)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a call takes far less than 2^53 microseconds"
)]
fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}

/// The story of a call as its consumer may read it: which server stands behind
/// the API is not told.
async fn story(app: &App, caller: &Caller, view: &CallView) -> Result<Explained, Error> {
    let call = StoredCall {
        target: view.call.target.as_ref().map(|_| "The service".to_owned()),
        ..view.call.clone()
    };
    let names = app.control.names(caller, &wanted(&call)).await?;
    Ok(explain(&call, &names))
}

/// The link to the next step after a refusal.
fn next_step(visit: &Visit, frame: &Frame, view: &CallView) -> Option<StepLink> {
    let step = advice(view.call.refusal.as_deref()?)?.step?;
    step.link(&Around {
        base: visit.base(),
        api: view.api.as_ref().map(|api| api.slug.as_str()),
        version: view.version.as_ref().map(|version| version.label.as_str()),
        application: Some(frame.application.slug.to_string()),
        subscription: view.subscription.as_ref().map(|subscription| subscription.id),
    })
}
