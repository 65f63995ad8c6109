//! Addresses that say `latest` where others name a version: they lead to the
//! same page of the newest published one.

use axum::extract::State;
use gatewright_control::docs::LATEST;
use gatewright_model::id::ApiId;
use gatewright_model::reference::Ref;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderValue, StatusCode};

use crate::app::App;
use crate::page::Page;
use crate::visit::Visit;

pub(super) async fn home(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    lead(&visit, &app, &api, "/reference").await
}

pub(super) async fn below(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    // As it was sent, hence encoded.
    let alias = ["/v/", LATEST].concat();
    let rest = visit.path().split_once(&alias).map_or("", |(_, rest)| rest);
    lead(&visit, &app, &api, rest).await
}

/// Leads to what stands at an address below that of the version.
async fn lead(visit: &Visit, app: &App, api: &Ref<ApiId>, rest: &str) -> Result<Page, Problem> {
    let operation = rest.strip_prefix("/ops/").map(Name::read);
    let wanted = operation.as_ref().map(|name| name.slug);
    let docs = app.control.docs();
    let newest = docs.latest(&visit.reader(), api, wanted).await?;
    let rest = match (&operation, &newest.operation) {
        (Some(name), Some(slug)) => format!("/ops/{slug}{}", name.end),
        (Some(name), None) => format!("/reference{}", name.end),
        (None, _) => rest.to_owned(),
    };
    let mut path = format!("/apis/{}/v/{}{rest}", newest.api, newest.version);
    if !visit.query().is_empty() {
        path.push('?');
        path.push_str(visit.query());
    }
    // What is newest changes, and who asks decides what there is.
    Ok(visit
        .redirect(&path)
        .status(StatusCode::TEMPORARY_REDIRECT)
        .header(VARY, HeaderValue::from_static("Cookie"))
        .header(CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
}

/// The name of an operation in an address, and what its twin ends with.
struct Name<'a> {
    slug: &'a str,
    end: &'static str,
}

impl<'a> Name<'a> {
    fn read(text: &'a str) -> Self {
        let name = text.split('/').next().unwrap_or_default();
        match name.strip_suffix(".md") {
            Some(slug) => Self { slug, end: ".md" },
            None => Self { slug: name, end: "" },
        }
    }
}
