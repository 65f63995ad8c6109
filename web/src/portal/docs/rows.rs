//! Schemas as HTML: a row for each thing inside, and links to what is not shown.

use std::fmt::Write;

use askama::Template;
use askama::filters::HtmlSafe;
use gatewright_openapi::docs::operation::{Parameter, Place};
use gatewright_openapi::docs::schema::{Access, Choice, Direction, Row, RowKind, SchemaLink, SchemaView};

use super::frame::encoded;
use super::room::{self, Room};
use crate::markdown::SafeHtml;

/// Below this heading stand the texts of schemas.
const HEADING: u8 = 4;

/// Where on a page a schema stands.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// The address of the version.
    home: String,
    /// Tells the schemas of a page apart.
    zone: String,
    /// The schemas from which it was opened, and itself.
    trail: Vec<String>,
    direction: Direction,
    level: usize,
    room: Room,
}

impl Spot {
    pub(super) fn new(home: &str, zone: impl Into<String>, direction: Direction, room: &Room) -> Self {
        Self {
            home: home.to_owned(),
            zone: plain(&zone.into()),
            trail: Vec::new(),
            direction,
            level: 0,
            room: room.clone(),
        }
    }

    /// Where a schema that was opened from others stands.
    pub(super) fn below(mut self, ancestors: &[String]) -> Self {
        self.trail.extend_from_slice(ancestors);
        self
    }

    /// Into a schema.
    fn entered(&self, view: &SchemaView) -> Self {
        let mut inner = self.clone();
        if let Some(target) = view.target.as_ref().or(Some(&view.pointer)) {
            inner.trail.push(target.clone());
        }
        inner
    }

    /// Further inside, where rows have no addresses of their own.
    pub(super) fn deeper(&self) -> Self {
        Self {
            level: self.level + 1,
            ..self.clone()
        }
    }

    /// The id of what was opened along a trail.
    fn id_of(&self, trail: &[String]) -> String {
        // FNV-1a: short, and the same for a page and the parts loaded into it.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in trail.iter().flat_map(|place| place.bytes().chain([b'\n'])) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        format!("{}-{:010x}", self.zone, hash & 0xff_ffff_ffff)
    }
}

/// A schema with its rules and rows.
#[derive(Debug, Template)]
#[template(path = "portal/docs/schema_html.html")]
pub(super) struct SchemaHtml<'v> {
    view: &'v SchemaView,
    spot: Spot,
    id: String,
}

impl HtmlSafe for SchemaHtml<'_> {}

impl<'v> SchemaHtml<'v> {
    pub(super) fn new(view: &'v SchemaView, spot: &Spot) -> Self {
        let spot = spot.entered(view);
        Self {
            view,
            id: spot.id_of(&spot.trail),
            spot,
        }
    }

    fn lines(&self) -> LinesHtml<'v> {
        LinesHtml::new(self.view, &self.spot, Told::All, Some(self.id.clone()))
    }

    fn inside(&self) -> InsideHtml<'v> {
        InsideHtml {
            view: self.view,
            spot: self.spot.clone(),
        }
    }
}

/// Which lines about a schema are said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    All,
    /// The description stands elsewhere.
    NoDescription,
}

/// What is said about a schema: description, rules, notes, links.
#[derive(Debug, Template)]
#[template(path = "portal/docs/schema_lines.html")]
struct LinesHtml<'v> {
    view: &'v SchemaView,
    spot: Spot,
    description: Option<SafeHtml>,
    /// The id of the schema as it stands on the page; a row has none.
    whole: Option<String>,
    /// Whether there is room for all of it.
    fits: bool,
}

/// The way from a schema as one thing to its parts, and back.
#[derive(Debug)]
struct Switch {
    href: String,
    /// What a script puts the answer in the place of.
    target: String,
    label: &'static str,
}

impl HtmlSafe for LinesHtml<'_> {}

impl<'v> LinesHtml<'v> {
    fn new(view: &'v SchemaView, spot: &Spot, told: Told, whole: Option<String>) -> Self {
        let fits = spot.room.take(room::lines(view));
        let text = view.description.as_deref().filter(|_| fits && told == Told::All);
        Self {
            view,
            description: text.map(|text| spot.room.prose(text, HEADING)),
            spot: spot.clone(),
            whole,
            fits,
        }
    }

    /// Where the schema stands for itself.
    fn own(&self) -> String {
        format!("{}/schema?ptr={}", self.spot.home, encoded(&self.view.pointer))
    }

    fn href(&self, link: &SchemaLink) -> String {
        self.address(&link.pointer, &self.spot.trail)
    }

    fn switch(&self) -> Option<Switch> {
        self.view.composition.as_ref()?;
        let trail = self.spot.trail.as_slice();
        let (trail, target, end) = match &self.whole {
            // The schema itself is the last on its trail, and is put there again.
            Some(id) => (
                trail.split_last().map_or(trail, |(_, above)| above),
                format!("#{id}"),
                "&box=1",
            ),
            None => (trail, "this".to_owned(), ""),
        };
        let (label, form) = if self.view.is_apart() {
            ("Show merged", "")
        } else {
            ("Show composition", "&as=parts")
        };
        Some(Switch {
            href: [&self.address(&self.view.pointer, trail), form, end].concat(),
            target,
            label,
        })
    }

    fn address(&self, pointer: &str, trail: &[String]) -> String {
        let mut href = format!("{}/schema?ptr={}", self.spot.home, encoded(pointer));
        for place in trail {
            // Writing to memory cannot fail.
            write!(href, "&in={}", encoded(place)).unwrap_or_default();
        }
        let direction = match self.spot.direction {
            Direction::Request => "&dir=request",
            Direction::Response => "&dir=response",
            Direction::Both => "",
        };
        href.push_str(direction);
        write!(href, "&zone={}", encoded(&self.spot.zone)).unwrap_or_default();
        href
    }

    /// The place on this page of a schema that leads back here.
    fn jump(&self, link: &SchemaLink) -> Option<String> {
        let at = self.spot.trail.iter().position(|place| *place == link.pointer)?;
        Some(self.spot.id_of(self.spot.trail.get(..=at)?))
    }
}

/// Rows and choices.
#[derive(Debug, Template)]
#[template(path = "portal/docs/schema_inside.html")]
struct InsideHtml<'v> {
    view: &'v SchemaView,
    spot: Spot,
}

impl HtmlSafe for InsideHtml<'_> {}

impl<'v> InsideHtml<'v> {
    fn row(&self, row: &'v Row) -> RowHtml<'v> {
        // What is loaded into a page may hold the names that stand on it already.
        let own = self.spot.level == 0 && self.spot.trail.len() <= 1;
        let id = (own && row.kind == RowKind::Property)
            .then(|| format!("{}-{}", self.spot.zone, plain(&row.name)));
        RowHtml {
            name: &row.name,
            named: row.kind == RowKind::Property || row.kind == RowKind::Pattern,
            id,
            required: row.required,
            origin: row.origin.as_deref(),
            view: &row.view,
            description: None,
            writing: None,
            spot: self.spot.clone(),
        }
    }

    fn choice(&self, choice: &'v Choice) -> SchemaHtml<'v> {
        SchemaHtml::new(&choice.view, &self.spot.deeper())
    }

    /// Choices of which one excludes the others share a name.
    fn group(&self, at: &usize) -> String {
        format!("{}-c{at}", self.spot.id_of(&self.spot.trail))
    }

    fn rest(&self) -> String {
        format!("{}/schema?ptr={}", self.spot.home, encoded(&self.view.pointer))
    }
}

/// One row.
#[derive(Debug, Template)]
#[template(path = "portal/docs/schema_row.html")]
pub(super) struct RowHtml<'v> {
    name: &'v str,
    named: bool,
    id: Option<String>,
    required: bool,
    origin: Option<&'v str>,
    view: &'v SchemaView,
    description: Option<SafeHtml>,
    writing: Option<&'v str>,
    spot: Spot,
}

impl HtmlSafe for RowHtml<'_> {}

impl<'v> RowHtml<'v> {
    /// A parameter, or a header of an answer.
    pub(super) fn parameter(parameter: &'v Parameter, spot: &Spot) -> Self {
        let description = parameter.description.as_deref();
        Self {
            name: &parameter.name,
            named: true,
            id: (parameter.place != Place::Header || parameter.required)
                .then(|| format!("{}-{}", spot.zone, plain(&parameter.name))),
            required: parameter.required,
            origin: None,
            view: &parameter.view,
            description: Some(
                description.map_or_else(SafeHtml::default, |text| spot.room.prose(text, HEADING)),
            ),
            writing: parameter.writing.as_deref(),
            spot: spot.clone(),
        }
    }

    fn access(&self) -> &'static str {
        match self.view.access {
            Access::Both => "",
            Access::ReadOnly => "read-only",
            Access::WriteOnly => "write-only",
        }
    }

    fn lines(&self) -> LinesHtml<'v> {
        let told = if self.description.is_some() {
            Told::NoDescription
        } else {
            Told::All
        };
        LinesHtml::new(self.view, &self.spot, told, None)
    }

    fn inside(&self) -> InsideHtml<'v> {
        InsideHtml {
            view: self.view,
            spot: self.spot.deeper(),
        }
    }

    /// What opens the rows inside.
    fn summary(&self) -> String {
        match (self.view.rows.len(), self.view.choices.len()) {
            (1, 0) => "1 property".to_owned(),
            (0, 0) => "More".to_owned(),
            (0, _) => "Shapes".to_owned(),
            (rows, _) => format!("{rows} properties"),
        }
    }
}

/// A name as a part of an id.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect()
}
