//! The document to take away, with the gateway's address in it.

use askama::Template;
use axum::extract::State;
use gatewright_model::api::DocumentFormat;
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::document::Syntax;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::entity_tag;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, VARY};

use super::frame::{self, Frame, Tab};
use super::twin;
use crate::app::App;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "portal/docs/download.html")]
struct DownloadPage {
    shell: Shell,
    frame: Frame,
    address: String,
    /// Where the document of the newest published version stands.
    latest: String,
    present: bool,
    format: &'static str,
    bytes: u64,
}

pub(super) async fn page(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let overview = docs.overview(&visit.reader(), &api, &version).await?;
    let frame = Frame::new(&visit, &overview.place, Tab::Download, "/download");
    let revision = overview.place.revision.as_ref();
    let portal = &app.control.urls().portal;
    let page = Page::html(&DownloadPage {
        shell: frame::shell(&visit, &overview.place, "Download", "/download.md"),
        address: format!("{portal}{}/openapi.json", frame.home),
        latest: format!("{portal}{}/v/latest/openapi.json", frame.api_home),
        present: revision.is_some(),
        format: revision.map_or("", |revision| in_words(revision.format)),
        bytes: revision.map_or(0, |revision| revision.document_bytes),
        frame,
    });
    Ok(page?.revalidated(&visit))
}

/// The name of a format as its makers write it.
const fn in_words(format: DocumentFormat) -> &'static str {
    match format {
        DocumentFormat::Swagger2 => "Swagger 2.0",
        DocumentFormat::OpenApi30 => "OpenAPI 3.0",
        DocumentFormat::OpenApi31 => "OpenAPI 3.1",
    }
}

pub(super) async fn page_twin(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let overview = docs.overview(&visit.reader(), &api, &version).await?;
    let home = twin::home(&visit, &overview.place);
    Ok(twin::answer(&visit, twin::download(&overview, &home)))
}

pub(super) async fn json(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(at): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    document(&visit, &app, at, Syntax::Json).await
}

pub(super) async fn yaml(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(at): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    document(&visit, &app, at, Syntax::Yaml).await
}

async fn document(
    visit: &Visit,
    app: &App,
    (api, version): (Ref<ApiId>, VersionRef),
    syntax: Syntax,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let reader = visit.reader();
    let (media_type, end) = match syntax {
        Syntax::Json => ("application/json", "json"),
        Syntax::Yaml => ("application/yaml", "yaml"),
    };
    // The document is large: whether it is known is seen before it is written.
    let tag = docs.document_tag(&reader, &api, &version).await?;
    let tag = entity_tag::of_content([tag.as_str(), end].concat().as_bytes());
    let page = if visit.knows(&tag) {
        Page::bytes(media_type, "")
    } else {
        let download = docs.document(&reader, &api, &version, syntax).await?;
        let name = format!("attachment; filename=\"{api}-{version}.{end}\"");
        let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
        Page::bytes(media_type, download.bytes).header(CONTENT_DISPOSITION, name)
    };
    Ok(page
        .header(VARY, HeaderValue::from_static("Cookie"))
        .tagged(visit, tag, "private, no-cache"))
}
