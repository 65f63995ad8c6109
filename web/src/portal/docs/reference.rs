//! The list of all operations of a version.

use askama::Template;
use axum::extract::State;
use gatewright_control::docs::Overview;
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::head::Hook;
use gatewright_openapi::docs::reference::{Filter, ReferenceIndex, TagSection};
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{self, Frame, Tab, encoded};
use super::twin;
use crate::app::App;
use crate::listing::Listing;
use crate::markdown::SafeHtml;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "portal/docs/reference.html")]
struct ReferencePage {
    shell: Shell,
    frame: Frame,
    about: SafeHtml,
    contact: Option<(String, String)>,
    hooks: Vec<Hook>,
    query: String,
    tag: Option<String>,
    index: ReferenceIndex,
}

#[derive(Template)]
#[template(path = "portal/docs/reference_results.html")]
struct ReferenceResults {
    frame: Frame,
    hooks: Vec<Hook>,
    query: String,
    tag: Option<String>,
    index: ReferenceIndex,
}

pub(super) async fn home(
    _: Public,
    visit: Visit,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    Ok(visit.redirect(&format!("/apis/{api}/v/{version}/reference")))
}

pub(super) async fn show(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let listing = Listing::of(&visit);
    let filter = filter(&listing);
    let (overview, index) = app
        .control
        .docs()
        .reference(&visit.reader(), &api, &version, &filter)
        .await?;
    let frame = Frame::new(&visit, &overview.place, Tab::Reference, "/reference");
    let Filter { q: query, tag, .. } = filter;
    let hooks = if query.is_empty() && tag.is_none() {
        overview.docs.head.webhooks.clone()
    } else {
        Vec::new()
    };
    if visit.is_fragment() {
        let part = Page::html(&ReferenceResults {
            frame,
            hooks,
            query,
            tag,
            index,
        });
        return Ok(part?.revalidated(&visit));
    }
    let page = Page::html(&ReferencePage {
        shell: frame::shell(&visit, &overview.place, "Reference", "/reference.md"),
        about: about(&overview),
        contact: contact(&overview),
        frame,
        hooks,
        query,
        tag,
        index,
    });
    Ok(page?.revalidated(&visit))
}

pub(super) async fn twin(
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
    let home = twin::home(&visit, &overview.place);
    Ok(twin::answer(&visit, twin::reference(&overview, &home)))
}

fn filter(listing: &Listing) -> Filter {
    Filter {
        q: listing.text("q").to_owned(),
        tag: listing.some("tag").map(str::to_owned),
        all: listing.some("all").is_some(),
    }
}

/// The description of the document, where the API's own page does not say the same.
fn about(overview: &Overview) -> SafeHtml {
    let text = overview.docs.head.description.trim();
    if text == overview.place.api.description.trim() {
        return SafeHtml::default();
    }
    SafeHtml::of(text)
}

fn contact(overview: &Overview) -> Option<(String, String)> {
    let contact = overview.docs.head.contact.as_ref()?;
    let address = if contact.url.is_empty() {
        format!("mailto:{}", contact.email)
    } else {
        contact.url.clone()
    };
    let name = [&contact.name, &contact.email, &contact.url];
    let name = name.into_iter().find(|name| !name.is_empty())?;
    crate::markdown::is_outward(&address).then(|| (address, name.clone()))
}

fn tag_href(frame: &Frame, name: &str, all: bool) -> String {
    let end = if all { "&all=1" } else { "" };
    format!("{}/reference?tag={}{end}", frame.home, encoded(name))
}

fn describe(section: &TagSection) -> SafeHtml {
    SafeHtml::below(&section.description, 3)
}
