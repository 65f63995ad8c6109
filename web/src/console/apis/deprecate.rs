//! Announcing the end of a version: when, what replaces it, what consumers are
//! told, and who they are. Shown first, done second.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::impact::Impact;
use gatewright_control::lifecycle::Transition;
use gatewright_control::views::VersionView;
use gatewright_control::{Caller, IfMatch};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::VersionsPublish;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::moves::day;
use super::new::optional;
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// As much notice is proposed, unless the tenant demands more.
const USUAL_DAYS: u32 = 180;

/// What consumers will see.
struct Preview {
    sunset_at: Timestamp,
    successor: Option<String>,
    message: Option<String>,
    headers: String,
}

#[derive(Template)]
#[template(path = "console/apis/deprecate.html")]
struct Deprecate {
    shell: Shell,
    frame: Frame,
    form: FormState,
    view: VersionView,
    href: String,
    successors: Vec<(String, String)>,
    earliest: String,
    notice_days: u32,
    impact: Option<Impact>,
    preview: Option<Preview>,
}

/// What was asked for.
struct Wanted {
    sunset_at: Timestamp,
    successor: Option<VersionRef>,
    message: Option<Remark>,
}

pub(super) async fn blank(
    caller: Authorized<VersionsPublish>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let days = visit.tenant().settings.min_deprecation_days.max(USUAL_DAYS);
    let form = FormState::new([("sunset_at", date(in_days(app.control.now(), days + 1)))]);
    show(&app, &visit, &caller, frame, &version, form, None).await
}

pub(super) async fn submit(
    caller: Authorized<VersionsPublish>,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let mut form = FormState::from_fields(&fields);
    let Some(wanted) = wanted(&fields, &mut form) else {
        return show(&app, &visit, &caller, frame, &version, form, None).await;
    };
    let preview = preview(&app, &wanted, &fields);
    let transition = Transition::Deprecate {
        sunset_at: wanted.sunset_at,
        successor: wanted.successor,
        message: wanted.message,
    };
    let (of, versions) = (frame.reference(), app.control.versions());
    if fields.get("action") != "deprecate" {
        let rehearsed = versions.rehearse(&caller, &of, &version, transition, IfMatch::ANY);
        let preview = match rehearsed.await {
            Ok(_) => Some(preview),
            Err(error) => {
                form.absorb(error)?;
                None
            }
        };
        return show(&app, &visit, &caller, frame, &version, form, preview).await;
    }
    let moved = versions.transition(&caller, &of, &version, transition, IfMatch::ANY);
    match moved.await {
        Ok(view) => {
            let label = view.version.label;
            let path = format!("{}/versions/{label}", frame.path());
            Ok(visit.redirect_with(&path, format!("{label} is deprecated now.")))
        }
        Err(error) => show(&app, &visit, &caller, frame, &version, form.refused(error)?, None).await,
    }
}

fn wanted(fields: &Fields, form: &mut FormState) -> Option<Wanted> {
    let sunset_at = form.take("sunset_at", day(fields.get("sunset_at")));
    let message = optional(fields, form, "message", Remark::parse);
    let successor = optional(fields, form, "successor", str::parse);
    let sunset_at = sunset_at?;
    form.is_ok().then_some(Wanted {
        sunset_at,
        successor,
        message,
    })
}

fn preview(app: &App, wanted: &Wanted, fields: &Fields) -> Preview {
    let now = app.control.now().as_seconds();
    let mut headers = format!("Deprecation: @{now}\nSunset: {}", wanted.sunset_at.to_http_date());
    if fields.some("successor").is_some() {
        headers.push_str("\nLink: <address of the successor>; rel=\"successor-version\"");
    }
    Preview {
        sunset_at: wanted.sunset_at,
        successor: fields.some("successor").map(str::to_owned),
        message: wanted.message.as_ref().map(ToString::to_string),
        headers,
    }
}

fn in_days(now: Timestamp, days: u32) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(days) * 86_400))
}

fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    version: &VersionRef,
    form: FormState,
    preview: Option<Preview>,
) -> Result<Page, Problem> {
    let of = frame.reference();
    let versions = app.control.versions();
    let view = versions.get(caller, &of, version).await?;
    let open = |other: &&gatewright_control::views::VersionSummary| {
        other.id != view.version.id && other.state.is_open()
    };
    let others = frame.view.versions.iter().rev().filter(open).map(|other| {
        let words = format!("{} ({})", other.label, other.state.as_str());
        (other.label.to_string(), words)
    });
    let successors = std::iter::once((String::new(), "No successor".to_owned()))
        .chain(others)
        .collect();
    let notice_days = visit.tenant().settings.min_deprecation_days;
    let shell = frame.shell_below(visit, view.version.label.as_str(), "Deprecate");
    let template = Deprecate {
        shell: shell.with(&form),
        href: format!("{}/versions/{}", frame.href, view.version.label),
        impact: versions.impact(caller, &of, version).await.ok(),
        earliest: date(in_days(app.control.now(), notice_days + 1)),
        notice_days,
        successors,
        preview,
        view,
        frame,
        form,
    };
    Page::form(&template, &template.form)
}
