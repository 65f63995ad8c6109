//! The document to take away, with the gateway's address in it.

use askama::Template;
use axum::extract::State;
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::document::Syntax;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::frame::{self, Frame, Tab};
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
    present: bool,
    format: String,
    bytes: u64,
}

pub(super) async fn page(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let overview = app
        .control
        .docs()
        .overview(&visit.reader(), &api, &version)
        .await?;
    let frame = Frame::new(&visit, &overview.place, Tab::Download, "/download");
    let revision = overview.place.revision.as_ref();
    Page::html(&DownloadPage {
        shell: frame::shell(&visit, &overview.place, "Download", "Download"),
        address: format!("{}{}/openapi.json", app.control.urls().portal, frame.home),
        present: revision.is_some(),
        format: revision
            .map(|revision| revision.format.to_string())
            .unwrap_or_default(),
        bytes: revision.map_or(0, |revision| revision.document_bytes),
        frame,
    })
}

pub(super) async fn json(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(at): At<(Ref<ApiId>, VersionRef)>,
    headers: HeaderMap,
) -> Result<Page, Problem> {
    document(&visit, &app, at, &headers, Syntax::Json).await
}

pub(super) async fn yaml(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(at): At<(Ref<ApiId>, VersionRef)>,
    headers: HeaderMap,
) -> Result<Page, Problem> {
    document(&visit, &app, at, &headers, Syntax::Yaml).await
}

async fn document(
    visit: &Visit,
    app: &App,
    (api, version): (Ref<ApiId>, VersionRef),
    headers: &HeaderMap,
    syntax: Syntax,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let reader = visit.reader();
    let (media_type, end) = match syntax {
        Syntax::Json => ("application/json", "json"),
        Syntax::Yaml => ("application/yaml", "yaml"),
    };
    let tag = docs.document_tag(&reader, &api, &version).await?;
    let tag = format!("W/\"{tag}-{end}\"");
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let page = if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        Page::bytes(media_type, "").status(StatusCode::NOT_MODIFIED)
    } else {
        let download = docs.document(&reader, &api, &version, syntax).await?;
        let name = format!("attachment; filename=\"{api}-{version}.{end}\"");
        let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
        Page::bytes(media_type, download.bytes).header(CONTENT_DISPOSITION, name)
    };
    // Hexadecimal digits, words and marks are visible ASCII.
    let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
    Ok(page
        .header(ETAG, tag)
        .header(CACHE_CONTROL, HeaderValue::from_static("private, no-cache")))
}
