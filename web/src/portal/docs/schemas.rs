//! The shared schemas: their list, and each with what is inside and who uses it.

use askama::Template;
use axum::extract::State;
use gatewright_control::Error;
use gatewright_control::docs::{SchemaPage as Shown, SchemaWanted, User};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::schema::{Direction, Form, SchemaView};
use gatewright_openapi::docs::split::SchemaLine;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{self, Frame, Tab, encoded};
use super::room::Room;
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
    /// Somebody asked for one that is not there.
    missed: bool,
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
    listed(&visit, &app, (api, version), false).await
}

/// The list. It is also what stands nearest to a place at which nothing is.
async fn listed(
    visit: &Visit,
    app: &App,
    (api, version): (Ref<ApiId>, VersionRef),
    missed: bool,
) -> Result<Page, Problem> {
    let listing = Listing::of(visit);
    let skip = listing.text("skip").parse().unwrap_or(0);
    let query = listing.text("q").to_owned();
    let found = app
        .control
        .docs()
        .schemas(&visit.reader(), &api, &version, &query, skip)
        .await?;
    let page = Page::html(&SchemasPage {
        missed,
        shell: frame::shell(visit, &found.place, "Schemas", "/schemas.md"),
        frame: Frame::new(visit, &found.place, Tab::Schemas, "/schemas"),
        first: (skip > 0).then(|| listing.without("skip")),
        next: found.next.map(|skip| listing.with("skip", skip)),
        query,
        total: found.total,
        matching: found.matching,
        lines: found.lines,
    });
    Ok(page?.revalidated(visit))
}

pub(super) async fn list_twin(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let listing = Listing::of(&visit);
    let skip = listing.text("skip").parse().unwrap_or(0);
    let found = app
        .control
        .docs()
        .schemas(&visit.reader(), &api, &version, listing.text("q"), skip)
        .await?;
    let home = twin::home(&visit, &found.place);
    let next = found.next.map(|skip| listing.with("skip", skip));
    let next = next.map(|path| [&app.control.urls().portal, path.as_str()].concat());
    Ok(twin::answer(
        &visit,
        twin::schemas(&found, &home, next.as_deref()),
    ))
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
        (Err(Error::NotFound { kind: "schema" }), Some(name)) => {
            (docs.schema(&reader, &api, &version, name).await?, true)
        }
        (found, _) => (found?, false),
    };
    if as_text {
        return Ok(twin_of(&visit, &found));
    }
    let below = format!("/schemas/{}", encoded(&name));
    let twin = [&below, ".md"].concat();
    Ok(Page::html(&page(&visit, found, Direction::Both, [&below, &twin]))?.revalidated(&visit))
}

pub(super) async fn at(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(version): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let wanted = Wanted::read(visit.query());
    let found = match wanted.find(&visit, &app, version.clone()).await {
        Err(Error::NotFound { kind: "schema" }) if wanted.ptr.starts_with('/') && !visit.is_fragment() => {
            return listed(&visit, &app, version, true).await;
        }
        found => found?,
    };
    if !visit.is_fragment() {
        let twin = format!("/schema.md?{}", wanted.query());
        let page = page(&visit, found, wanted.direction, ["/schemas", &twin]);
        return Ok(Page::html(&page)?.revalidated(&visit));
    }
    let frame = Frame::new(&visit, &found.place, Tab::Schemas, "/schemas");
    let room = Room::of_schema(&found.view);
    let spot = Spot::new(&frame.home, wanted.zone, wanted.direction, &room).below(&wanted.ancestors);
    let part = if wanted.whole {
        Page::html(&SchemaHtml::new(&found.view, &spot))
    } else {
        Page::html(&SchemaFragment {
            title: title(&found.view),
            // What is opened inside of a row may have the names of rows beside it.
            spot: spot.deeper(),
            view: found.view,
        })
    };
    Ok(part?.revalidated(&visit))
}

pub(super) async fn at_twin(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(version): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let found = Wanted::read(visit.query()).find(&visit, &app, version).await?;
    Ok(twin_of(&visit, &found))
}

fn twin_of(visit: &Visit, found: &Shown) -> Page {
    twin::answer(visit, twin::schema(found, &twin::home(visit, &found.place)))
}

/// What the address of a schema asks for.
struct Wanted {
    ptr: String,
    ancestors: Vec<String>,
    direction: Direction,
    form: Form,
    zone: String,
    /// It takes the place of the schema on the page, not that of a link to it.
    whole: bool,
}

impl Wanted {
    fn read(query: &str) -> Self {
        let mut wanted = Self {
            ptr: String::new(),
            ancestors: Vec::new(),
            direction: Direction::Both,
            form: Form::Merged,
            zone: "s".to_owned(),
            whole: false,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "ptr" => wanted.ptr = value.into_owned(),
                "in" if wanted.ancestors.len() < LONGEST_WAY => wanted.ancestors.push(value.into_owned()),
                "dir" if value == "request" => wanted.direction = Direction::Request,
                "dir" if value == "response" => wanted.direction = Direction::Response,
                "as" if value == "parts" => wanted.form = Form::Apart,
                "box" => wanted.whole = true,
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

    async fn find(
        &self,
        visit: &Visit,
        app: &App,
        (api, version): (Ref<ApiId>, VersionRef),
    ) -> Result<Shown, Error> {
        let wanted = SchemaWanted {
            ptr: &self.ptr,
            // On a page of its own nothing stands above.
            ancestors: if visit.is_fragment() { &self.ancestors } else { &[] },
            direction: self.direction,
            form: self.form,
        };
        let docs = app.control.docs();
        docs.schema_at(&visit.reader(), &api, &version, &wanted).await
    }

    /// What of the address says which schema is shown, and how.
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("ptr", &self.ptr);
        match self.direction {
            Direction::Request => query.append_pair("dir", "request"),
            Direction::Response => query.append_pair("dir", "response"),
            Direction::Both => &mut query,
        };
        if self.form == Form::Apart {
            query.append_pair("as", "parts");
        }
        query.finish()
    }
}

fn title(view: &SchemaView) -> String {
    let name = view.name.clone().or_else(|| view.title.clone());
    name.unwrap_or_else(|| {
        let last = gatewright_openapi::docs::schema::name_of(&format!("#{}", encoded(&view.pointer)));
        last.replace('"', "")
    })
}

/// The page stands at the first address below that of the version, its twin at the second.
fn page(visit: &Visit, found: Shown, direction: Direction, [below, twin]: [&str; 2]) -> SchemaPage {
    let title = title(&found.view);
    SchemaPage {
        shell: frame::shell(visit, &found.place, &title, twin),
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
        let room = Room::of_schema(&self.view);
        SchemaHtml::new(
            &self.view,
            &Spot::new(&self.frame.home, "s", self.direction, &room),
        )
    }
}

impl SchemaFragment {
    fn schema(&self) -> SchemaHtml<'_> {
        SchemaHtml::new(&self.view, &self.spot)
    }
}
