//! The first run goes on after the import: one page that says what will be
//! made, and one button that publishes and prepares the first call.

use askama::Template;
use axum::extract::State;
use gatewright_control::first_run::{self, FIRST_APPLICATION};
use gatewright_control::views::VersionView;
use gatewright_control::{Caller, Error, IfMatch};
use gatewright_model::api::{Balancing, Target, Timeouts, Upstream};
use gatewright_model::id::ApiId;
use gatewright_model::invalid::Invalid;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::VersionsPublish;
use gatewright_webkit::problem::Problem;
use url::Url;

use super::frame::{Frame, Tab};
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::portal::me::keys;
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "console/apis/first.html")]
struct Review {
    shell: Shell,
    frame: Frame,
    form: FormState,
    view: VersionView,
    limits: Vec<String>,
    application: &'static str,
}

pub(super) async fn review(
    caller: Authorized<VersionsPublish>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Overview).await?;
    let version = newest(&frame)?;
    show(&app, &visit, &caller, frame, &version, FormState::default()).await
}

pub(super) async fn publish(
    caller: Authorized<VersionsPublish>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Overview).await?;
    let version = newest(&frame)?;
    let of = frame.reference();
    let mut form = FormState::from_fields(&fields);
    if let Some(address) = fields.some("upstream_url") {
        match upstream(address) {
            Ok(upstream) => {
                let versions = app.control.versions();
                let saved = versions.set_upstream(&caller, &of, &version, upstream, IfMatch::ANY);
                if let Err(error) = saved.await {
                    form.absorb(at_one_field(error))?;
                }
            }
            Err(invalid) => form.fail("upstream_url", &invalid),
        }
    }
    if form.is_ok() {
        match app.control.first_run().prepare(&caller, &of, &version).await {
            Ok(prepared) => {
                let application = &prepared.application.slug;
                return Ok(keys::reveal_after(&visit, application, &prepared.issued));
            }
            Err(error) => form.absorb(error)?,
        }
    }
    show(&app, &visit, &caller, frame, &version, form).await
}

fn newest(frame: &Frame) -> Result<VersionRef, Problem> {
    let newest = frame.view.versions.last();
    newest
        .map(|version| VersionRef::Label(version.label.clone()))
        .ok_or_else(|| Error::missing("version").into())
}

fn upstream(address: &str) -> Result<Upstream, Invalid> {
    let rule = "must be an absolute http or https address";
    let url = Url::parse(address).map_err(|_| Invalid::new("invalid_target", rule))?;
    Ok(Upstream {
        targets: vec![Target { url, weight: 1 }],
        algorithm: Balancing::RoundRobin,
        timeouts: Timeouts::default(),
    })
}

/// There is one target and one field for it.
fn at_one_field(error: Error) -> Error {
    match error {
        Error::Invalid(errors) => match errors.as_slice().first() {
            Some(first) => {
                let message = first.message.clone();
                Error::field("/upstream_url", Invalid::new("invalid_target", message))
            }
            None => Error::Invalid(errors),
        },
        other => other,
    }
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    frame: Frame,
    version: &VersionRef,
    form: FormState,
) -> Result<Page, Problem> {
    let view = app
        .control
        .versions()
        .get(caller, &frame.reference(), version)
        .await?;
    let shell = visit
        .shell("Review and publish")
        .crumb("Console", "/console")
        .crumb("APIs", super::PATH)
        .last_crumb("Review and publish");
    let limits = first_run::free_limits()?;
    let template = Review {
        shell: shell.with(&form),
        limits: limits
            .iter()
            .map(gatewright_control::limits::NewLimit::in_words)
            .collect(),
        application: FIRST_APPLICATION,
        view,
        frame,
        form,
    };
    Page::form(&template, &template.form)
}
