//! One plan: its terms, its life, and whom a change reaches.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::plans::PlanPatch;
use gatewright_control::subscriptions::SubscriptionFilter;
use gatewright_control::{Caller, Error, IfMatch};
use gatewright_model::consumer::Subscription;
use gatewright_model::id::{ApiId, PlanId};
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::plan::{ApprovalMode, Coverage, Plan, PlanState, PlanVerb};
use gatewright_model::reference::Ref;
use gatewright_model::state::Word;
use gatewright_model::text::Name;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::PlansWrite;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::limit_rows::{self, LimitRow};
use super::plans::{covered, in_words, read_coverage};
use crate::app::App;
use crate::console::permit::Apis;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// Whom a change of the plan reaches.
struct Reached {
    live: Vec<Subscription>,
    names: Names,
    more: bool,
}

impl Reached {
    /// The application by its name, else by its id.
    fn name(&self, subscription: &Subscription) -> String {
        let named = self.names.applications.get(&subscription.application_id);
        named.map_or_else(
            || subscription.application_id.to_string(),
            |named| named.name.to_string(),
        )
    }
}

/// Something that can be done with a plan.
struct Step {
    verb: &'static str,
    label: &'static str,
}

#[derive(Template)]
#[template(path = "console/apis/plan.html")]
struct PlanPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    plan: Plan,
    limits: Vec<String>,
    versions: String,
    rows: Vec<LimitRow>,
    reached: Option<Reached>,
    step: Option<Step>,
    closable: bool,
    href: String,
}

#[derive(Template)]
#[template(path = "console/apis/close_plan.html")]
struct ClosePlan {
    shell: Shell,
    frame: Frame,
    form: FormState,
    plan: Plan,
    reached: Option<Reached>,
    href: String,
}

pub(super) async fn show(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
    At((api, id)): At<(Ref<ApiId>, PlanId)>,
) -> Result<Page, Problem> {
    let (frame, plan) = load(&app, &visit, &caller, &api, id).await?;
    let form = filled(&frame, &plan);
    render(&app, &visit, &caller, frame, plan, form).await
}

pub(super) async fn save(
    caller: Authorized<PlansWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, id)): At<(Ref<ApiId>, PlanId)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let (frame, plan) = load(&app, &visit, &caller, &api, id).await?;
    let mut form = limit_rows::compacted(&fields);
    let patch = patch(&fields, &mut form, &frame, &plan);
    if form.is_ok() && fields.get("action") != "check" {
        let if_match = form.if_match();
        match app.control.plans().update(&caller, id, patch, if_match).await {
            Ok(_) => {
                let path = format!("{}/plans/{id}", frame.path());
                return Ok(visit.redirect_with(&path, "Saved. The limits hold at once."));
            }
            Err(error) => form = form.refused(error)?.overtaken_by(plan.row_version),
        }
    }
    render(&app, &visit, &caller, frame, plan, form).await
}

pub(super) async fn step(
    caller: Authorized<PlansWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, id)): At<(Ref<ApiId>, PlanId)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let (frame, plan) = load(&app, &visit, &caller, &api, id).await?;
    let Ok(verb) = PlanVerb::parse(fields.get("verb")) else {
        return Err(Problem::not_found("page"));
    };
    let plans = app.control.plans();
    let moved = match grace(&fields) {
        Some(grace) if verb == PlanVerb::Close => plans.close(&caller, id, grace, IfMatch::ANY).await,
        _ => plans.transition(&caller, id, verb, IfMatch::ANY).await,
    };
    match moved {
        Ok(plan) => {
            let path = format!("{}/plans/{id}", frame.path());
            let done = format!("{} is {} now.", plan.name, plan.state);
            Ok(visit.redirect_with(&path, done))
        }
        Err(error) => {
            let mut form = filled(&frame, &plan);
            form.absorb(error)?;
            render(&app, &visit, &caller, frame, plan, form).await
        }
    }
}

/// How long subscriptions go on; as long as the rule says when nothing was chosen.
fn grace(fields: &Fields) -> Option<Duration> {
    let days: u32 = fields.get("grace_days").parse().ok()?;
    Some(Duration::from_secs(86_400) * days)
}

pub(super) async fn confirm_close(
    caller: Authorized<PlansWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, id)): At<(Ref<ApiId>, PlanId)>,
) -> Result<Page, Problem> {
    let (frame, plan) = load(&app, &visit, &caller, &api, id).await?;
    let template = ClosePlan {
        shell: below(&frame, &visit, &plan, "Close"),
        reached: reached(&app, &caller, &plan).await,
        href: format!("{}/plans/{id}", frame.href),
        form: FormState::new([("grace_days", "30")]),
        plan,
        frame,
    };
    Page::html(&template)
}

pub(super) async fn delete(
    caller: Authorized<PlansWrite>,
    visit: Visit,
    State(app): State<App>,
    At((api, id)): At<(Ref<ApiId>, PlanId)>,
) -> Result<Page, Problem> {
    let (frame, plan) = load(&app, &visit, &caller, &api, id).await?;
    match app.control.plans().delete(&caller, id, IfMatch::ANY).await {
        Ok(()) => {
            let done = format!("{} is deleted.", plan.name);
            Ok(visit.redirect_with(&format!("{}/plans", frame.path()), done))
        }
        Err(error) => {
            let mut form = filled(&frame, &plan);
            form.absorb(error)?;
            render(&app, &visit, &caller, frame, plan, form).await
        }
    }
}

async fn load(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    api: &Ref<ApiId>,
    id: PlanId,
) -> Result<(Frame, Plan), Problem> {
    let frame = Frame::load(app, visit, caller, api, Tab::Plans).await?;
    let plan = app.control.plans().get(caller, id).await?;
    if plan.api_id != frame.view.api.id {
        return Err(Error::missing("plan").into());
    }
    Ok((frame, plan))
}

fn filled(frame: &Frame, plan: &Plan) -> FormState {
    let only = matches!(plan.versions, Coverage::Only(_));
    let mut pairs = vec![
        ("name".to_owned(), plan.name.to_string()),
        ("description".to_owned(), plan.description.clone()),
        ("approval".to_owned(), plan.approval.to_string()),
        (
            "coverage".to_owned(),
            if only { "only" } else { "all" }.to_owned(),
        ),
        ("row_version".to_owned(), plan.row_version.to_string()),
    ];
    if only {
        let ticked = frame
            .view
            .versions
            .iter()
            .filter(|version| plan.versions.includes(version.id));
        pairs.extend(ticked.map(|version| ("version".to_owned(), version.label.to_string())));
    }
    pairs.extend(limit_rows::filled(&plan.current.limits));
    FormState::new(pairs)
}

/// What the form changes. Limits that stay as they are make no new version of the plan.
fn patch(fields: &Fields, form: &mut FormState, frame: &Frame, plan: &Plan) -> PlanPatch {
    let name = form.take("name", Name::parse(fields.get("name")));
    let approval = form.take("approval", ApprovalMode::parse(fields.get("approval")));
    let versions = read_coverage(fields, form);
    let limits = limit_rows::read(form);
    let before = limit_rows::rows(&filled(frame, plan));
    let after = limit_rows::rows(form);
    let same = before.len() == after.len()
        && before
            .iter()
            .zip(&after)
            .all(|(before, after)| before.words == after.words)
        && limits
            .iter()
            .zip(&plan.current.limits)
            .all(|(after, before)| after.clone().with_id(before.id) == *before);
    PlanPatch {
        name,
        description: Some(fields.get("description").replace("\r\n", "\n")),
        approval,
        versions: Some(versions),
        limits: (!same).then_some(limits),
    }
}

/// The live subscriptions, where the visitor may see them.
async fn reached(app: &App, caller: &Caller, plan: &Plan) -> Option<Reached> {
    let filter = SubscriptionFilter {
        plan: Some(plan.id),
        ..SubscriptionFilter::default()
    };
    let request = PageRequest {
        size: PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    let page = app
        .control
        .subscriptions()
        .list(caller, &filter, request)
        .await
        .ok()?;
    let live: Vec<_> = page
        .items
        .into_iter()
        .filter(|subscription| subscription.state.is_live())
        .collect();
    let wanted = Wanted {
        applications: live
            .iter()
            .map(|subscription| subscription.application_id)
            .collect(),
        ..Wanted::default()
    };
    Some(Reached {
        names: app.control.names(caller, &wanted).await.ok()?,
        more: page.next.is_some(),
        live,
    })
}

fn below(frame: &Frame, visit: &Visit, plan: &Plan, title: &str) -> Shell {
    let path = frame.path();
    visit
        .shell(format!("{title} – {}", plan.name))
        .crumb("Console", "/console")
        .crumb("APIs", super::PATH)
        .crumb(frame.view.api.name.to_string(), &path)
        .crumb("Plans", &format!("{path}/plans"))
        .crumb(plan.name.to_string(), &format!("{path}/plans/{}", plan.id))
        .last_crumb(title)
}

const fn step_of(state: PlanState) -> Option<Step> {
    match state {
        PlanState::Draft => Some(Step {
            verb: "publish",
            label: "Publish",
        }),
        PlanState::Published => Some(Step {
            verb: "deprecate",
            label: "Deprecate",
        }),
        PlanState::Deprecated => Some(Step {
            verb: "undeprecate",
            label: "Open again",
        }),
        PlanState::Closed => None,
    }
}

async fn render(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    plan: Plan,
    form: FormState,
) -> Result<Page, Problem> {
    let path = frame.path();
    let shell = visit
        .shell(format!("{} – {}", plan.name, frame.view.api.name))
        .crumb("Console", "/console")
        .crumb("APIs", super::PATH)
        .crumb(frame.view.api.name.to_string(), &path)
        .crumb("Plans", &format!("{path}/plans"))
        .last_crumb(plan.name.to_string());
    let template = PlanPage {
        shell: shell.with(&form),
        limits: in_words(&plan.current.limits),
        versions: covered(&frame, &plan.versions),
        rows: limit_rows::rows(&form),
        reached: reached(app, caller, &plan).await,
        step: step_of(plan.state).filter(|_| frame.may.plans),
        closable: plan.state == PlanState::Deprecated && frame.may.plans,
        href: format!("{}/plans/{}", frame.href, plan.id),
        plan,
        frame,
        form,
    };
    Page::form(&template, &template.form)
}
