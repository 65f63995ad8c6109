//! The plans of an API, and a new one.

use askama::Template;
use axum::extract::State;
use gatewright_control::plans::{NewPlan, PlanVersions};
use gatewright_control::{Caller, Error};
use gatewright_model::id::ApiId;
use gatewright_model::invalid::Invalid;
use gatewright_model::limit::Limit;
use gatewright_model::plan::{ApprovalMode, Coverage, Plan, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::text::{Name, Slug};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::PlansWrite;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::limit_rows::{self, LimitRow};
use crate::app::App;
use crate::console::permit::Apis;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;

/// A plan in a list.
struct Row {
    plan: Plan,
    limits: Vec<String>,
    versions: String,
}

#[derive(Template)]
#[template(path = "console/apis/plans.html")]
struct Plans {
    shell: Shell,
    frame: Frame,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/apis/new_plan.html")]
struct NewPlanPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    rows: Vec<LimitRow>,
}

pub(super) async fn list(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Plans).await?;
    let list = Listing::of(&visit);
    let plans = app.control.plans();
    let page = plans
        .list(&caller, &frame.reference(), list.page(PER_PAGE))
        .await?;
    let row = |plan: Plan| Row {
        limits: in_words(&plan.current.limits),
        versions: covered(&frame, &plan.versions),
        plan,
    };
    let rows = page.items.into_iter().map(row).collect();
    let template = Plans {
        shell: frame.shell(&visit, "Plans"),
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        rows,
        frame,
    };
    Page::html(&template)
}

/// Limits as people read them.
pub(super) fn in_words(limits: &[Limit]) -> Vec<String> {
    limits.iter().map(Limit::in_words).collect()
}

/// The versions that a plan covers, in words.
pub(super) fn covered(frame: &Frame, coverage: &Coverage) -> String {
    match coverage {
        Coverage::All(_) => "all versions".to_owned(),
        Coverage::Only(ids) => {
            let labels: Vec<_> = frame
                .view
                .versions
                .iter()
                .filter(|version| ids.contains(&version.id))
                .map(|version| version.label.to_string())
                .collect();
            labels.join(", ")
        }
    }
}

pub(super) async fn blank(
    caller: Authorized<PlansWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Plans).await?;
    let plans = app.control.plans();
    let known = plans
        .list(&caller, &frame.reference(), Listing::of(&visit).page(1))
        .await?;
    let first = [
        ("name", "Free"),
        ("limits.0.kind", "rate"),
        ("limits.0.amount", "60"),
        ("limits.0.window", "1m"),
        ("limits.1.kind", "quota"),
        ("limits.1.amount", "1000"),
        ("limits.1.window", "1d"),
    ];
    let usual = [("security", "api_key"), ("approval", "auto"), ("coverage", "all")];
    let proposed: &[(&str, &str)] = if known.items.is_empty() { &first } else { &[] };
    let form = FormState::new(usual.iter().chain(proposed).copied());
    render(&visit, frame, form)
}

pub(super) async fn create(
    caller: Authorized<PlansWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Plans).await?;
    let mut form = limit_rows::compacted(&fields);
    let new = read(&fields, &mut form);
    if let (Some(new), true) = (new, fields.get("action") != "check") {
        match save(&app, &caller, &frame, new).await {
            Ok(plan) => {
                let path = format!("{}/plans/{}", frame.path(), plan.id);
                return Ok(visit.redirect_with(&path, format!("{} is a draft now.", plan.name)));
            }
            Err(error) => form.absorb(error)?,
        }
    }
    render(&visit, frame, form)
}

async fn save(app: &App, caller: &Caller, frame: &Frame, new: NewPlan) -> Result<Plan, Error> {
    app.control.plans().create(caller, &frame.reference(), new).await
}

fn read(fields: &Fields, form: &mut FormState) -> Option<NewPlan> {
    let name = form.take("name", Name::parse(fields.get("name")));
    let slug = match fields.some("slug") {
        Some(text) => Slug::parse(text),
        None => Slug::from_text(fields.get("name")).ok_or_else(|| {
            Invalid::new(
                "slug_needed",
                "must be given: the name holds no letter a-z and no digit",
            )
        }),
    };
    let slug = form.take("slug", slug);
    let security = form.take("security", Security::parse(fields.get("security")));
    let approval = form.take("approval", ApprovalMode::parse(fields.get("approval")));
    let versions = read_coverage(fields, form);
    let limits = limit_rows::read(form);
    if !form.is_ok() {
        return None;
    }
    Some(NewPlan {
        name: name?,
        slug: slug?,
        description: fields.get("description").replace("\r\n", "\n"),
        versions,
        security: security?,
        approval: approval?,
        limits,
    })
}

/// Which versions a plan covers: all of them, or the ticked ones.
pub(super) fn read_coverage(fields: &Fields, form: &mut FormState) -> PlanVersions {
    if fields.get("coverage") != "only" {
        return PlanVersions::All;
    }
    let chosen: Vec<VersionRef> = fields
        .all("version")
        .filter_map(|label| form.take("coverage", label.parse()))
        .collect();
    if chosen.is_empty() {
        form.fail_field("coverage", "Choose at least one version, or all of them");
    }
    PlanVersions::Only(chosen)
}

fn render(visit: &Visit, frame: Frame, form: FormState) -> Result<Page, Problem> {
    let template = NewPlanPage {
        shell: frame.shell(visit, "New plan").with(&form),
        rows: limit_rows::rows(&form),
        frame,
        form,
    };
    Page::form(&template, &template.form)
}
