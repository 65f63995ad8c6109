//! One API at a glance: where its newest version stands, what keeps it from
//! being published, and what is called.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::usage::UsageQuery;
use gatewright_control::views::{PublishCheck, VersionView};
use gatewright_model::api::{VersionState, Visibility};
use gatewright_model::id::ApiId;
use gatewright_model::page::PageRequest;
use gatewright_model::plan::{Plan, PlanState};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use crate::app::App;
use crate::chart::{Spark, Tone};
use crate::console::permit::Apis;
use crate::page::Page;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

/// One thing that a version needs before it can be published.
#[derive(Debug)]
pub(super) struct Check {
    /// Whether it is there.
    pub(super) done: bool,
    /// In words.
    pub(super) text: &'static str,
    /// The page that mends it.
    pub(super) href: String,
    /// What is done there.
    pub(super) action: &'static str,
}

/// The next step of a version.
#[derive(Debug)]
struct Next {
    label: &'static str,
    href: String,
    /// The verb of a form; without one it is a link.
    verb: Option<&'static str>,
}

struct Focus {
    view: VersionView,
    href: String,
    checks: Vec<Check>,
    next: Option<Next>,
}

/// A gateway that has not taken over the last change.
struct Behind {
    name: String,
    last_seen: Timestamp,
    problem: Option<String>,
}

struct Figures {
    traffic: Traffic,
    spark: Spark,
}

#[derive(Template)]
#[template(path = "console/apis/overview.html")]
struct Overview {
    shell: Shell,
    frame: Frame,
    team: String,
    found_by: &'static str,
    focus: Option<Focus>,
    versions: Vec<VersionView>,
    figures: Option<Figures>,
    behind: Vec<Behind>,
}

pub(super) async fn overview(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Overview).await?;
    let of = frame.reference();
    let versions = app
        .control
        .versions()
        .list(&caller, &of, PageRequest::default())
        .await?
        .items;
    let plans = app
        .control
        .plans()
        .list(&caller, &of, PageRequest::default())
        .await?
        .items;
    let focus = match in_focus(&versions) {
        Some(view) => Some(focus(&app, &visit, &caller, &frame, view.clone(), &plans).await?),
        None => None,
    };
    let teams = super::list::team_choices(&app, &caller).await;
    let template = Overview {
        shell: frame.shell(&visit, "Overview"),
        team: super::list::name_of(&teams, frame.view.team.as_str()),
        found_by: found_by(frame.view.api.visibility),
        figures: figures(&app, &caller, &frame).await,
        behind: behind(&app, &caller).await,
        focus,
        versions,
        frame,
    };
    Page::html(&template)
}

/// Who finds the API, in words.
const fn found_by(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "everybody",
        Visibility::Tenant => "everybody who is signed in",
        Visibility::Teams => "the members of teams that were named",
        Visibility::Private => "the owning team",
    }
}

/// The version that asks for something: the newest one that is not over.
fn in_focus(versions: &[VersionView]) -> Option<&VersionView> {
    let over =
        |view: &&VersionView| matches!(view.version.state, VersionState::Retired | VersionState::Archived);
    versions
        .iter()
        .find(|view| !over(view))
        .or_else(|| versions.first())
}

async fn focus(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: &Frame,
    view: VersionView,
    plans: &[Plan],
) -> Result<Focus, Problem> {
    let href = format!("{}/versions/{}", frame.href, view.version.label);
    let unpublished = matches!(
        view.version.state,
        VersionState::Draft | VersionState::InReview | VersionState::Preview
    );
    let check = if unpublished {
        let (of, version) = (frame.reference(), VersionRef::Id(view.version.id));
        let versions = app.control.versions();
        Some(versions.publish_check(caller, &of, &version).await?)
    } else {
        None
    };
    let checks = check
        .as_ref()
        .map(|check| checklist(check, frame, &href, plans))
        .unwrap_or_default();
    let review = visit.tenant().settings.review_required;
    let next = next(frame, &view, &href, &checks, review);
    Ok(Focus {
        view,
        href,
        checks,
        next,
    })
}

/// What a version needs before it can be published, with the page that mends it.
pub(super) fn checklist(check: &PublishCheck, frame: &Frame, version: &str, plans: &[Plan]) -> Vec<Check> {
    let lacks = |codes: &[&str]| check.missing.iter().any(|missing| codes.contains(&missing.code));
    let draft = plans.iter().find(|plan| plan.state == PlanState::Draft);
    let (plan_href, plan_action) = match draft {
        Some(plan) => (format!("{}/plans/{}", frame.href, plan.id), "Publish the plan"),
        None => (format!("{}/plans/new", frame.href), "Add a plan"),
    };
    vec![
        Check {
            done: !lacks(&["no_document", "no_operation"]),
            text: "A description with operations that can be called",
            href: format!("{version}/import"),
            action: "Import a description",
        },
        Check {
            done: !lacks(&["no_upstream"]),
            text: "An upstream that answers the calls",
            href: format!("{version}/upstream"),
            action: "Set the upstream",
        },
        Check {
            done: !lacks(&["no_plan"]),
            text: "A published plan that covers this version",
            href: plan_href,
            action: plan_action,
        },
    ]
}

fn next(frame: &Frame, view: &VersionView, version: &str, checks: &[Check], review: bool) -> Option<Next> {
    let state = view.version.state;
    if let Some(open) = checks.iter().find(|check| !check.done) {
        return (frame.may.write || frame.may.plans).then(|| Next {
            label: open.action,
            href: open.href.clone(),
            verb: None,
        });
    }
    let form = |label, verb| {
        frame.may.publish.then(|| Next {
            label,
            href: format!("{version}/move"),
            verb: Some(verb),
        })
    };
    match state {
        VersionState::Draft if review => form("Submit for review", "submit"),
        VersionState::Draft | VersionState::Preview => form("Publish", "publish"),
        VersionState::InReview if frame.may.decide => Some(Next {
            label: "Open the approvals",
            href: frame.base("/console/approvals"),
            verb: None,
        }),
        VersionState::Blocked => form("Unblock", "unblock"),
        _ => None,
    }
}

async fn figures(app: &App, caller: &Caller, frame: &Frame) -> Option<Figures> {
    if !frame.may.usage {
        return None;
    }
    let range = Range::last(Span::Day, app.control.now());
    let query = UsageQuery {
        api: Some(frame.reference()),
        ..range.query()
    };
    let rows = app.control.usage().query(caller, &query).await.ok()?;
    let traffic = Traffic::of(&range, &rows);
    Some(Figures {
        spark: Spark::new(&traffic.by_bucket, Tone::Accent),
        traffic,
    })
}

/// The gateways that serve an older configuration; empty where they may not be seen.
async fn behind(app: &App, caller: &Caller) -> Vec<Behind> {
    let Ok(list) = app.control.nodes().list(caller).await else {
        return Vec::new();
    };
    list.nodes
        .into_iter()
        .filter(|node| node.state.as_str() == "serving" && !node.in_sync)
        .map(|node| Behind {
            name: node
                .inside
                .as_ref()
                .map_or_else(|| node.id.to_string(), |inside| inside.name.clone()),
            last_seen: node.last_seen_at,
            problem: node.inside.and_then(|inside| inside.problem),
        })
        .collect()
}
