//! The shared schemas: their list, and each with what is inside and who uses it.

use askama::Template;
use axum::extract::State;
use gatewright_control::docs::{SchemaPage as Shown, User};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::schema::{Direction, SchemaView};
use gatewright_openapi::docs::split::SchemaLine;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{self, Frame, Tab, encoded};
use super::rows::{SchemaHtml, Spot};
use super::samples::CodeHtml;
use super::{SchemaPart, twin};
use crate::app::App;
use crate::listing::Listing;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// Schemas on the way to another one that an address may name.
const LONGEST_WAY: usize = 40;

#[derive(Template)]
#[template(path = "portal/docs/schemas.html")]
struct SchemasPage {
    shell: Shell,
    frame: Frame,
    query: String,
    total: usize,
    matching: usize,
    lines: Vec<SchemaLine>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "portal/docs/schema.html")]
struct SchemaPage {
    shell: Shell,
    frame: Frame,
    title: String,
    exact: bool,
    view: SchemaView,
    direction: Direction,
    example: Option<CodeHtml>,
    users: Vec<User>,
    users_total: usize,
}

/// A schema that is put into a page where its link was.
#[derive(Template)]
#[template(path = "portal/docs/schema_part.html")]
struct SchemaFragment {
    title: String,
    view: SchemaView,
    spot: Spot,
}

pub(super) async fn list(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let listing = Listing::of(&visit);
    let skip = listing.text("skip").parse().unwrap_or(0);
    let query = listing.text("q").to_owned();
    let found = app
        .control
        .docs()
        .schemas(&visit.reader(), &api, &version, &query, skip)
        .await?;
    Page::html(&SchemasPage {
        shell: frame::shell(&visit, &found.place, "Schemas", "Schemas"),
        frame: Frame::new(&visit, &found.place, Tab::Schemas, "/schemas"),
        first: (skip > 0).then(|| listing.without("skip")),
        next: found.next.map(|skip| listing.with("skip", skip)),
        query,
        total: found.total,
        matching: found.matching,
        lines: found.lines,
    })
}

pub(super) async fn named(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    At(SchemaPart(name)): At<SchemaPart>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let reader = visit.reader();
    // A schema may be called `x.md` itself.
    let found = docs.schema(&reader, &api, &version, &name).await;
    let (found, as_text) = match (found, name.strip_suffix(".md")) {
        (Err(gatewright_control::Error::NotFound { kind: "schema" }), Some(name)) => {
            (docs.schema(&reader, &api, &version, name).await?, true)
        }
        (found, _) => (found?, false),
    };
    if as_text {
        return Ok(twin::answer(twin::schema(&found)));
    }
    let below = format!("/schemas/{}", encoded(&name));
    Page::html(&page(&visit, found, Direction::Both, &below))
}

pub(super) async fn at(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let wanted = Wanted::read(visit.query());
    let ancestors = if visit.is_fragment() {
        wanted.ancestors.as_slice()
    } else {
        &[]
    };
    let found = app
        .control
        .docs()
        .schema_at(
            &visit.reader(),
            &api,
            &version,
            &wanted.ptr,
            ancestors,
            wanted.direction,
        )
        .await?;
    if visit.is_fragment() {
        let frame = Frame::new(&visit, &found.place, Tab::Schemas, "/schemas");
        return Page::html(&SchemaFragment {
            title: title(&found.view),
            spot: Spot::new(&frame.home, wanted.zone, wanted.direction).below(&wanted.ancestors),
            view: found.view,
        });
    }
    Page::html(&page(&visit, found, wanted.direction, "/schemas"))
}

/// What the address of a schema asks for.
struct Wanted {
    ptr: String,
    ancestors: Vec<String>,
    direction: Direction,
    zone: String,
}

impl Wanted {
    fn read(query: &str) -> Self {
        let mut wanted = Self {
            ptr: String::new(),
            ancestors: Vec::new(),
            direction: Direction::Both,
            zone: "s".to_owned(),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "ptr" => wanted.ptr = value.into_owned(),
                "in" if wanted.ancestors.len() < LONGEST_WAY => wanted.ancestors.push(value.into_owned()),
                "dir" if value == "request" => wanted.direction = Direction::Request,
                "dir" if value == "response" => wanted.direction = Direction::Response,
                "zone" => {
                    wanted.zone = value
                        .chars()
                        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
                        .take(24)
                        .collect();
                }
                _ => {}
            }
        }
        wanted
    }
}

fn title(view: &SchemaView) -> String {
    let name = view.name.clone().or_else(|| view.title.clone());
    name.unwrap_or_else(|| {
        let last = gatewright_openapi::docs::schema::name_of(&format!("#{}", encoded(&view.pointer)));
        last.replace('"', "")
    })
}

fn page(visit: &Visit, found: Shown, direction: Direction, below: &str) -> SchemaPage {
    let title = title(&found.view);
    SchemaPage {
        shell: frame::shell(visit, &found.place, &title, &title),
        frame: Frame::new(visit, &found.place, Tab::Schemas, below),
        title,
        exact: found.exact,
        view: found.view,
        direction,
        example: found.example.map(CodeHtml::new),
        users: found.users,
        users_total: found.users_total,
    }
}

impl SchemaPage {
    fn schema(&self) -> SchemaHtml<'_> {
        SchemaHtml::new(&self.view, &Spot::new(&self.frame.home, "s", self.direction))
    }
}

impl SchemaFragment {
    fn schema(&self) -> SchemaHtml<'_> {
        SchemaHtml::new(&self.view, &self.spot)
    }
}
