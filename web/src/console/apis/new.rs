//! A new API from its description: checked first, then imported as a draft.

use askama::Template;
use axum::extract::State;
use gatewright_control::import::{ImportRequest, ImportSource};
use gatewright_control::views::Imported;
use gatewright_control::{Caller, Error};
use gatewright_model::api::Visibility;
use gatewright_model::invalid::Invalid;
use gatewright_model::state::Word;
use gatewright_model::tenancy::DEFAULT_TENANT;
use gatewright_model::text::{ContextPath, Name, Slug};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::ApisWrite;
use gatewright_webkit::problem::Problem;
use url::Url;

use super::document::{self, KeptText, Sent};
use super::findings::{self, FindingRow};
use super::{PATH, audience, list};
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// What an import would make.
#[derive(Debug)]
struct Outlook {
    name: String,
    slug: String,
    label: String,
    gateway_url: String,
    operations: u32,
    upstream: Option<String>,
}

/// The outcome of a check.
#[derive(Debug)]
struct Checked {
    findings: Vec<FindingRow>,
    outlook: Option<Outlook>,
}

#[derive(Template)]
#[template(path = "console/apis/new.html")]
struct NewApi {
    shell: Shell,
    form: FormState,
    checked: Option<Checked>,
    kept: Option<KeptText>,
    teams: Vec<(String, String)>,
    first_run: bool,
    sample: bool,
}

pub(super) async fn blank(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let first_run = Listing::of(&visit).text("first") == "1";
    let form = FormState::new([
        ("visibility", "public"),
        ("first", if first_run { "1" } else { "" }),
    ]);
    show(&app, &visit, &caller, form, None, None).await
}

pub(super) async fn submit(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let sent = document::read(&fields, FormState::from_fields(&fields));
    let Sent {
        mut form,
        kept,
        source,
    } = sent;
    let create = fields.get("action") == "create";
    let Some(request) = request(&fields, source, &mut form, !create) else {
        return show(&app, &visit, &caller, form, kept, None).await;
    };
    match app.control.import_api(&caller, request).await {
        Ok(imported) if imported.written => {
            let api = &imported.api.api;
            if fields.get("first") == "1" {
                return Ok(visit.redirect(&format!("{PATH}/{}/first", api.slug)));
            }
            let done = format!("{} is a draft now.", api.name);
            Ok(visit.redirect_with(&format!("{PATH}/{}", api.slug), done))
        }
        Ok(imported) => {
            let checked = Checked {
                outlook: Some(outlook(&imported)),
                findings: findings::rows(imported.findings),
            };
            show(&app, &visit, &caller, form, kept, Some(checked)).await
        }
        Err(Error::Findings(found)) => {
            form.fail_field(document::TEXT, "This description cannot be imported as it is");
            let checked = Checked {
                findings: findings::rows(found),
                outlook: None,
            };
            show(&app, &visit, &caller, form, kept, Some(checked)).await
        }
        Err(error) => {
            audience::absorb(&mut form, &fields, error)?;
            show(&app, &visit, &caller, form, kept, None).await
        }
    }
}

/// Imports the sample, in front of a service that this process runs for it.
pub(super) async fn sample(
    caller: Authorized<ApisWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let first = fields.get("first") == "1";
    let onward = |slug: &str| {
        if first {
            format!("{PATH}/{slug}/first")
        } else {
            format!("{PATH}/{slug}")
        }
    };
    let Some(service) = app.settings.sample.clone() else {
        return Err(Problem::not_found("sample"));
    };
    let running = match service.start().await {
        Ok(running) => running,
        Err(reason) => {
            let mut form = FormState::from_fields(&fields).set("visibility", "public");
            form.fail_whole(format!("The sample service cannot be started: {reason}"));
            return show(&app, &visit, &caller, form, None, None).await;
        }
    };
    let request = ImportRequest {
        source: ImportSource::Text(running.document.to_owned().into()),
        name: Name::parse(running.name).ok(),
        slug: Slug::parse(running.slug).ok(),
        context_path: None,
        upstream_url: Some(running.url),
        team: None,
        visibility: Visibility::Public,
        visible_to: Vec::new(),
        dry_run: false,
    };
    match app.control.import_api(&caller, request).await {
        Ok(imported) => {
            service.keep(imported.api.api.id).await;
            Ok(visit.redirect(&onward(imported.api.api.slug.as_str())))
        }
        // It is there from an earlier try: go on with it.
        Err(Error::Duplicate { .. }) => Ok(visit.redirect(&onward(running.slug))),
        Err(error) => {
            let mut form = FormState::from_fields(&fields).set("visibility", "public");
            form.absorb(error)?;
            show(&app, &visit, &caller, form, None, None).await
        }
    }
}

fn request(
    fields: &Fields,
    source: Option<ImportSource>,
    form: &mut FormState,
    dry_run: bool,
) -> Option<ImportRequest> {
    let name = optional(fields, form, "name", Name::parse);
    let slug = optional(fields, form, "slug", Slug::parse);
    let context_path = optional(fields, form, "context_path", ContextPath::parse);
    let upstream_url = optional(fields, form, "upstream_url", |text| {
        let rule = "must be an absolute http or https address";
        Url::parse(text).map_err(|_| Invalid::new("invalid_target", rule))
    });
    let team = optional(fields, form, "team", str::parse);
    let visibility = fields.some("visibility").unwrap_or("public");
    let visibility = form.take("visibility", Visibility::parse(visibility));
    let visible_to = audience::read(fields, form, visibility);
    if !form.is_ok() {
        return None;
    }
    Some(ImportRequest {
        source: source?,
        name,
        slug,
        context_path,
        upstream_url,
        team,
        visibility: visibility?,
        visible_to,
        dry_run,
    })
}

/// A field that may be left empty.
pub(super) fn optional<T>(
    fields: &Fields,
    form: &mut FormState,
    name: &str,
    read: impl FnOnce(&str) -> Result<T, Invalid>,
) -> Option<T> {
    let text = fields.some(name)?;
    form.take(name, read(text))
}

fn outlook(imported: &Imported) -> Outlook {
    let version = &imported.version;
    let targets = version
        .upstream
        .iter()
        .flat_map(|upstream| upstream.targets.iter());
    Outlook {
        name: imported.api.api.name.to_string(),
        slug: imported.api.api.slug.to_string(),
        label: version.version.label.to_string(),
        gateway_url: version.gateway_url.clone(),
        operations: version
            .revision
            .as_ref()
            .map_or(0, |revision| revision.operation_count),
        upstream: targets.map(|target| target.url.to_string()).next(),
    }
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    form: FormState,
    kept: Option<KeptText>,
    checked: Option<Checked>,
) -> Result<Page, Problem> {
    let shell = visit
        .shell("New API")
        .crumb("Console", "/console")
        .crumb("APIs", PATH)
        .last_crumb("New API");
    let template = NewApi {
        shell: shell.with(&form),
        first_run: form.value("first") == "1",
        // The service listens on loopback, where only this tenant's upstreams may be.
        sample: app.settings.sample.is_some() && visit.tenant().slug.as_str() == DEFAULT_TENANT,
        teams: list::team_choices(app, caller).await,
        checked,
        kept,
        form,
    };
    Page::form(&template, &template.form)
}
