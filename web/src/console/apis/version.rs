//! One version: its life so far, what can be done with it, its document and
//! its upstream.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::views::VersionView;
use gatewright_model::api::{Operation, Revision, VersionState, VersionVerb};
use gatewright_model::id::ApiId;
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::overview::{Check, checklist};
use crate::app::App;
use crate::console::permit::Apis;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// More revisions than this are of no use on a page.
const REVISIONS: u16 = 20;
/// As many operations are listed; the rest is counted.
const OPERATIONS: usize = 200;

/// Something that can be done with a version.
pub(super) struct Step {
    /// The verb of the form.
    pub(super) verb: &'static str,
    /// On the button.
    pub(super) label: &'static str,
    /// What it does, in one sentence.
    pub(super) about: &'static str,
    /// The page that asks first.
    pub(super) asks: Option<String>,
    /// Whether it is the way on.
    pub(super) main: bool,
}

/// Something that happened to a version.
struct Event {
    tone: &'static str,
    icon: &'static str,
    title: String,
    at: Timestamp,
    note: Option<String>,
}

#[derive(Template)]
#[template(path = "console/apis/version.html")]
struct VersionPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    view: VersionView,
    href: String,
    steps: Vec<Step>,
    checks: Vec<Check>,
    events: Vec<Event>,
    revisions: Vec<Revision>,
    operations: Vec<Operation>,
    more_operations: usize,
}

pub(super) async fn show(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    render(&app, &visit, &caller, frame, &version, FormState::default()).await
}

/// The page; refused when the form has faults.
///
/// # Errors
/// 404 when there is no such version.
pub(super) async fn render(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    version: &VersionRef,
    form: FormState,
) -> Result<Page, Problem> {
    let versions = app.control.versions();
    let of = frame.reference();
    let view = versions.get(caller, &of, version).await?;
    let some = PageRequest {
        size: PageSize::new(REVISIONS).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    let revisions = versions.revisions(caller, &of, version, some).await?.items;
    let mut operations = versions.operations(caller, &of, version).await?;
    let more_operations = operations.len().saturating_sub(OPERATIONS);
    operations.truncate(OPERATIONS);
    let href = format!("{}/versions/{}", frame.href, view.version.label);
    let label = view.version.label.to_string();
    let shell = visit
        .shell(format!("{label} – {}", frame.view.api.name))
        .crumb("Console", "/console")
        .crumb("APIs", super::PATH)
        .crumb(frame.view.api.name.to_string(), &frame.path())
        .crumb("Versions", &format!("{}/versions", frame.path()))
        .last_crumb(label);
    let template = VersionPage {
        shell: shell.with(&form),
        checks: checks(app, caller, &frame, &view, &href).await?,
        steps: steps(visit, &frame, &view, &href),
        events: events(&view, &revisions),
        href,
        view,
        revisions,
        operations,
        more_operations,
        frame,
        form,
    };
    Page::form(&template, &template.form)
}

async fn checks(
    app: &App,
    caller: &Caller,
    frame: &Frame,
    view: &VersionView,
    href: &str,
) -> Result<Vec<Check>, Problem> {
    if !matches!(
        view.version.state,
        VersionState::Draft | VersionState::InReview | VersionState::Preview
    ) {
        return Ok(Vec::new());
    }
    let of = frame.reference();
    let version = VersionRef::Id(view.version.id);
    let check = app
        .control
        .versions()
        .publish_check(caller, &of, &version)
        .await?;
    let plans = app
        .control
        .plans()
        .list(caller, &of, PageRequest::default())
        .await?;
    Ok(checklist(&check, frame, href, &plans.items))
}

/// What can be done in this state, by this visitor, under the rules of this tenant.
fn steps(visit: &Visit, frame: &Frame, view: &VersionView, href: &str) -> Vec<Step> {
    if !frame.may.publish {
        return Vec::new();
    }
    let state = view.version.state;
    let review = visit.tenant().settings.review_required;
    VersionVerb::ALL
        .iter()
        .copied()
        .filter(|verb| state.after(*verb).is_ok())
        .filter(|verb| {
            let opens = matches!(verb, VersionVerb::Publish | VersionVerb::Preview);
            match state {
                VersionState::Draft if opens => !review,
                VersionState::InReview if opens => frame.may.decide,
                _ => true,
            }
        })
        .map(|verb| step(verb, state, href))
        .collect()
}

fn step(verb: VersionVerb, state: VersionState, href: &str) -> Step {
    let (label, about) = words(verb);
    let asks = match verb {
        VersionVerb::Deprecate => Some(format!("{href}/deprecate")),
        VersionVerb::Block | VersionVerb::Retire | VersionVerb::Unretire | VersionVerb::Archive => {
            Some(format!("{href}/move?verb={verb}"))
        }
        VersionVerb::Withdraw if state == VersionState::Preview => Some(format!("{href}/move?verb={verb}")),
        _ => None,
    };
    Step {
        verb: verb.as_str(),
        label,
        about,
        asks,
        main: matches!(verb, VersionVerb::Publish | VersionVerb::Unblock),
    }
}

/// What a verb is called on pages, and what it does.
pub(super) const fn words(verb: VersionVerb) -> (&'static str, &'static str) {
    match verb {
        VersionVerb::Submit => (
            "Submit for review",
            "Freezes the version until somebody has decided.",
        ),
        VersionVerb::Withdraw => ("Back to draft", "Takes it out of review or off the gateway."),
        VersionVerb::Preview => (
            "Publish as preview",
            "It can be called, and says that it may still change.",
        ),
        VersionVerb::Publish => ("Publish", "It can be called and subscribed to."),
        VersionVerb::Block => (
            "Block",
            "Calls are answered with 503 and your reason until you unblock it.",
        ),
        VersionVerb::Unblock => ("Unblock", "Calls are served again."),
        VersionVerb::Deprecate => (
            "Deprecate",
            "Announces its end: no new subscriptions, and a date until which it works.",
        ),
        VersionVerb::Undeprecate => (
            "Take the deprecation back",
            "It is published as before, without an end.",
        ),
        VersionVerb::Retire => (
            "Retire",
            "Ends it: calls are answered with 410 and the name of the successor.",
        ),
        VersionVerb::Unretire => ("Bring back", "It works again for a while, as deprecated."),
        VersionVerb::Archive => ("Archive", "Keeps only its history. This cannot be undone."),
    }
}

fn events(view: &VersionView, revisions: &[Revision]) -> Vec<Event> {
    let version = &view.version;
    let event = |tone, icon, title: &str, at| Event {
        tone,
        icon,
        title: title.to_owned(),
        at,
        note: None,
    };
    let mut events = vec![event("", "pencil", "Created as a draft", version.created_at)];
    events.extend(revisions.iter().map(|revision| Event {
        note: Some(match revision.operation_count {
            1 => format!("{}, 1 operation", revision.title),
            count => format!("{}, {count} operations", revision.title),
        }),
        ..event(
            "",
            "file-code",
            &format!("Description {} imported", revision.number),
            revision.created_at,
        )
    }));
    events.extend(
        version
            .published_at
            .map(|at| event("ok", "circle-check", "Published", at)),
    );
    if let Some(end) = &version.deprecation {
        events.push(Event {
            note: end.message.as_ref().map(ToString::to_string),
            ..event("warn", "hourglass", "Deprecated", end.deprecated_at)
        });
    }
    events.extend(
        version
            .retired_at
            .map(|at| event("danger", "circle-x", "Retired", at)),
    );
    if let Some(reason) = &version.blocked_reason {
        events.push(Event {
            note: Some(reason.to_string()),
            ..event("danger", "ban", "Blocked", version.updated_at)
        });
    }
    // What carries the same time happened in the order in which it stands here.
    events.reverse();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}
