//! The versions of an API, and a new one.

use askama::Template;
use axum::extract::State;
use gatewright_control::versions::NewVersion;
use gatewright_control::views::VersionView;
use gatewright_control::{Caller, Error};
use gatewright_model::id::ApiId;
use gatewright_model::reference::Ref;
use gatewright_model::text::VersionLabel;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApisWrite;
use gatewright_webkit::problem::Problem;

use super::document::{self, KeptText, Sent};
use super::findings::{self, FindingRow};
use super::frame::{Frame, Tab};
use crate::app::App;
use crate::console::permit::Apis;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;

#[derive(Template)]
#[template(path = "console/apis/versions.html")]
struct Versions {
    shell: Shell,
    frame: Frame,
    versions: Vec<VersionView>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/apis/new_version.html")]
struct NewVersionPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
    kept: Option<KeptText>,
    findings: Vec<FindingRow>,
    copies: Vec<(String, String)>,
}

pub(super) async fn list(
    caller: Authorized<Apis>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let list = Listing::of(&visit);
    let page = app
        .control
        .versions()
        .list(&caller, &frame.reference(), list.page(PER_PAGE))
        .await?;
    let template = Versions {
        shell: frame.shell(&visit, "Versions"),
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        versions: page.items,
        frame,
    };
    Page::html(&template)
}

pub(super) async fn blank(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let newest = frame.view.versions.last();
    let form = FormState::new([
        ("label", proposed(&frame)),
        (
            "start",
            if newest.is_some() { "copy" } else { "document" }.to_owned(),
        ),
        (
            "copy_from",
            newest
                .map(|version| version.label.to_string())
                .unwrap_or_default(),
        ),
    ]);
    render(&visit, frame, form, None, Vec::new())
}

/// The first of `v1`, `v2`, … that is free.
fn proposed(frame: &Frame) -> String {
    let taken = |label: &str| {
        let known = &frame.view.versions;
        known.iter().any(|version| version.label.as_str() == label)
    };
    (1..=frame.view.versions.len() + 1)
        .map(|number| format!("v{number}"))
        .find(|label| !taken(label))
        .unwrap_or_default()
}

pub(super) async fn create(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Versions).await?;
    let sent = match fields.get("start") {
        "document" => document::read(&fields, FormState::from_fields(&fields)),
        _ => Sent {
            form: FormState::from_fields(&fields),
            kept: None,
            source: None,
        },
    };
    let Sent {
        mut form,
        kept,
        source,
    } = sent;
    let label = form.take("label", VersionLabel::parse(fields.get("label")));
    let copy_from = match fields.get("start") {
        "copy" => form.take("copy_from", fields.get("copy_from").parse()),
        _ => None,
    };
    let (Some(label), true) = (label, form.is_ok()) else {
        return render(&visit, frame, form, kept, Vec::new());
    };
    let new = NewVersion {
        label,
        document: source,
        copy_from,
    };
    match save(&app, &caller, &frame, new).await {
        Ok(view) => {
            let label = view.version.label;
            let path = format!("{}/versions/{label}", frame.path());
            Ok(visit.redirect_with(&path, format!("{label} is a draft now.")))
        }
        Err(Error::Findings(found)) => {
            form.fail_field(document::TEXT, "This description cannot be imported as it is");
            render(&visit, frame, form, kept, findings::rows(found))
        }
        Err(error) => render(&visit, frame, form.refused(error)?, kept, Vec::new()),
    }
}

async fn save(app: &App, caller: &Caller, frame: &Frame, new: NewVersion) -> Result<VersionView, Error> {
    let versions = app.control.versions();
    let (view, _) = versions.create(caller, &frame.reference(), new).await?;
    Ok(view)
}

fn render(
    visit: &Visit,
    frame: Frame,
    form: FormState,
    kept: Option<KeptText>,
    findings: Vec<FindingRow>,
) -> Result<Page, Problem> {
    let copies = frame
        .view
        .versions
        .iter()
        .rev()
        .map(|version| {
            (
                version.label.to_string(),
                format!("{} ({})", version.label, version.state),
            )
        })
        .collect();
    let template = NewVersionPage {
        shell: frame.shell(visit, "New version").with(&form),
        copies,
        frame,
        form,
        kept,
        findings,
    };
    Page::form(&template, &template.form)
}
