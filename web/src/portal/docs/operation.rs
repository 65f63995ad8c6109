//! The page of an operation, and that of a webhook.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use gatewright_control::console::Place as CallPlace;
use gatewright_control::docs::{Found, OperationView, Sibling};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::operation::{
    Body, Content, OperationDoc, Parameter, ParameterGroup, Place, Response,
};
use gatewright_openapi::docs::schema::Direction;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;
use http::HeaderMap;

use super::frame::{self, Frame, Tab, encoded};
use super::room::Room;
use super::rows::{RowHtml, SchemaHtml, Spot};
use super::samples::{self, CodeHtml, Sample};
use super::{HookPart, OperationPart, twin};
use crate::app::App;
use crate::cookies;
use crate::markdown::{SafeHtml, is_outward};
use crate::page::Page;
use crate::portal::try_it::{self, TryBox};
use crate::shell::Shell;
use crate::visit::Visit;

/// Elements around an example.
const EXAMPLE: usize = 5;

#[derive(Template)]
#[template(path = "portal/docs/operation.html")]
struct OperationPage {
    shell: Shell,
    frame: Frame,
    title: String,
    doc: OperationDoc,
    about: SafeHtml,
    inbound: bool,
    tag: Option<String>,
    own: String,
    siblings: Vec<Sibling>,
    samples: Vec<Sample>,
    more_samples: Vec<(String, String)>,
    answer: Option<(String, CodeHtml)>,
    try_box: Option<TryBox>,
    room: Room,
}

/// A body in one media type.
#[derive(Debug, Template)]
#[template(path = "portal/docs/content.html")]
struct ContentHtml<'d> {
    content: &'d Content,
    schema: Option<SchemaHtml<'d>>,
    examples: Vec<(String, CodeHtml)>,
}

impl HtmlSafe for ContentHtml<'_> {}

pub(super) async fn show(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    At(OperationPart(name)): At<OperationPart>,
    headers: HeaderMap,
) -> Result<Page, Problem> {
    let (slug, as_text) = name
        .strip_suffix(".md")
        .map_or((name.as_str(), false), |slug| (slug, true));
    let place = CallPlace {
        api,
        version,
        operation: slug.to_owned(),
    };
    let view = match app.control.docs().operation_page(&visit.reader(), &place).await? {
        Found::Here(view) => *view,
        Found::Moved(slug) => {
            let end = if as_text { ".md" } else { "" };
            let path = format!("/apis/{}/v/{}/ops/{slug}{end}", place.api, place.version);
            return Ok(visit.redirect(&path));
        }
    };
    if as_text {
        let home = twin::home(&visit, &view.place);
        let text = twin::operation(&view.doc, &view.place.base_url, &home);
        return Ok(twin::answer(&visit, text));
    }
    let chosen = cookies::read(&headers, samples::LANGUAGE);
    let try_box = try_it::box_for(&visit, &place, &view.doc, &headers).await?;
    Ok(Page::html(&page(&visit, view, chosen.as_deref(), try_box))?.revalidated(&visit))
}

fn page(visit: &Visit, view: OperationView, chosen: Option<&str>, try_box: TryBox) -> OperationPage {
    let slug = &view.operation.slug;
    let mut frame = Frame::new(visit, &view.place, Tab::Reference, &format!("/ops/{slug}"));
    for link in frame.versions.iter_mut().filter(|link| !link.current) {
        let there = view
            .elsewhere
            .iter()
            .find(|other| other.label.as_str() == link.label);
        let home = format!("{}/v/{}", frame.api_home, link.label);
        match there.and_then(|other| other.slug.as_ref()) {
            Some(slug) => link.href = format!("{home}/ops/{slug}"),
            None => {
                link.href = format!("{home}/reference");
                link.absent = true;
            }
        }
    }
    let room = Room::of_operation(&view.doc);
    let (samples, more_samples) = samples::of(&view.doc, &view.place.base_url, chosen, &room);
    let title = view
        .doc
        .summary
        .clone()
        .unwrap_or_else(|| view.doc.template.clone());
    OperationPage {
        shell: frame::shell(visit, &view.place, &title, &format!("/ops/{slug}.md")),
        frame,
        about: view
            .doc
            .description
            .as_deref()
            .map(|text| room.prose(text, 1))
            .unwrap_or_default(),
        answer: first_answer(&view.doc, &room),
        inbound: true,
        tag: view.tag,
        own: view.operation.slug,
        siblings: view.siblings,
        samples,
        more_samples,
        try_box: Some(try_box),
        room,
        doc: view.doc,
        title,
    }
}

pub(super) async fn webhook(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    At(HookPart(name)): At<HookPart>,
) -> Result<Page, Problem> {
    let (slug, as_text) = name
        .strip_suffix(".md")
        .map_or((name.as_str(), false), |slug| (slug, true));
    let view = app
        .control
        .docs()
        .webhook(&visit.reader(), &api, &version, slug)
        .await?;
    if as_text {
        let home = twin::home(&visit, &view.place);
        return Ok(twin::answer(&visit, twin::webhook(&view.doc, &home)));
    }
    let frame = Frame::new(&visit, &view.place, Tab::Reference, "/reference");
    let title = view.doc.summary.clone().unwrap_or_else(|| view.hook.name.clone());
    let twin = format!("/webhooks/{}.md", view.hook.slug);
    let room = Room::of_operation(&view.doc);
    let page = Page::html(&OperationPage {
        shell: frame::shell(&visit, &view.place, &title, &twin),
        frame,
        about: view
            .doc
            .description
            .as_deref()
            .map(|text| room.prose(text, 1))
            .unwrap_or_default(),
        inbound: false,
        tag: None,
        own: view.hook.slug,
        siblings: Vec::new(),
        samples: Vec::new(),
        more_samples: Vec::new(),
        answer: None,
        try_box: None,
        room,
        doc: view.doc,
        title,
    });
    Ok(page?.revalidated(&visit))
}

/// The example of the first answer that succeeds.
fn first_answer(doc: &OperationDoc, room: &Room) -> Option<(String, CodeHtml)> {
    let success = doc.responses.iter().find(|response| response.is_success())?;
    let example = success
        .contents
        .iter()
        .find_map(|content| content.examples.first())?;
    let label = format!("{} {}", success.status, success.title);
    Some((label, room.code(example.tokens.clone())))
}

impl OperationPage {
    fn group_title(&self, group: &ParameterGroup) -> &'static str {
        match group.place {
            Place::Path => "Path parameters",
            Place::Query => "Query parameters",
            Place::Header => "Headers",
            Place::Cookie => "Cookies",
        }
    }

    fn sent(&self) -> Direction {
        if self.inbound {
            Direction::Request
        } else {
            Direction::Response
        }
    }

    fn answered(&self) -> Direction {
        if self.inbound {
            Direction::Response
        } else {
            Direction::Request
        }
    }

    fn parameter<'d>(&self, parameter: &'d Parameter) -> RowHtml<'d> {
        let spot = Spot::new(
            &self.frame.home,
            parameter.place.as_str(),
            self.sent(),
            &self.room,
        );
        RowHtml::parameter(parameter, &spot)
    }

    fn header<'d>(&self, response: &Response, parameter: &'d Parameter) -> RowHtml<'d> {
        let spot = Spot::new(
            &self.frame.home,
            format!("h{}", response.status),
            self.answered(),
            &self.room,
        );
        RowHtml::parameter(parameter, &spot)
    }

    fn body<'d>(&self, body: &'d Body) -> Vec<ContentHtml<'d>> {
        self.contents(&body.contents, "body", self.sent())
    }

    fn answer_of<'d>(&self, response: &'d Response) -> Vec<ContentHtml<'d>> {
        self.contents(
            &response.contents,
            &format!("r{}", response.status),
            self.answered(),
        )
    }

    fn callback_body<'d>(&self, body: &'d Body, at: &usize) -> Vec<ContentHtml<'d>> {
        self.contents(&body.contents, &format!("call{at}"), Direction::Response)
    }

    fn contents<'d>(
        &self,
        contents: &'d [Content],
        zone: &str,
        direction: Direction,
    ) -> Vec<ContentHtml<'d>> {
        let content = |(at, content): (usize, &'d Content)| {
            let zone = if at == 0 {
                zone.to_owned()
            } else {
                format!("{zone}-{at}")
            };
            let spot = Spot::new(&self.frame.home, zone, direction, &self.room);
            ContentHtml {
                content,
                schema: content.view.as_ref().map(|view| SchemaHtml::new(view, &spot)),
                examples: content
                    .examples
                    .iter()
                    .take_while(|_| self.room.take(EXAMPLE))
                    .map(|example| (example.title.clone(), self.room.code(example.tokens.clone())))
                    .collect(),
            }
        };
        contents.iter().enumerate().map(content).collect()
    }

    fn prose(&self, text: &Option<String>) -> SafeHtml {
        text.as_deref()
            .map(|text| self.room.prose(text, 3))
            .unwrap_or_default()
    }

    /// Where more is said, when that is somewhere to go.
    fn elsewhere(&self) -> Option<(&str, &str)> {
        let docs = self.doc.external_docs.as_ref()?;
        let label = if docs.description.is_empty() {
            "More about it"
        } else {
            &docs.description
        };
        is_outward(&docs.url).then_some((docs.url.as_str(), label))
    }

    fn tag_href(&self) -> String {
        let tag = self.tag.as_deref().unwrap_or_default();
        format!("{}/reference?tag={}", self.frame.home, encoded(tag))
    }
}
