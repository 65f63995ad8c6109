//! Schemas as HTML: a row for each thing inside, and links to what is not shown.

use std::fmt::Write;

use askama::Template;
use askama::filters::HtmlSafe;
use gatewright_openapi::docs::operation::{Parameter, Place};
use gatewright_openapi::docs::schema::{Access, Choice, Direction, Row, RowKind, SchemaLink, SchemaView};

use super::frame::encoded;
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
}

impl Spot {
    pub(super) fn new(home: &str, zone: impl Into<String>, direction: Direction) -> Self {
        Self {
            home: home.to_owned(),
            zone: zone.into(),
            trail: Vec::new(),
            direction,
            level: 0,
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

    fn deeper(&self) -> Self {
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
        LinesHtml {
            view: self.view,
            spot: self.spot.clone(),
            told: Told::All,
        }
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
    told: Told,
}

impl HtmlSafe for LinesHtml<'_> {}

impl LinesHtml<'_> {
    fn description(&self) -> Option<SafeHtml> {
        let text = self
            .view
            .description
            .as_deref()
            .filter(|_| self.told == Told::All)?;
        Some(SafeHtml::below(text, HEADING))
    }

    fn href(&self, link: &SchemaLink) -> String {
        let mut href = format!("{}/schema?ptr={}", self.spot.home, encoded(&link.pointer));
        for place in &self.spot.trail {
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
                description.map_or_else(SafeHtml::default, |text| SafeHtml::below(text, HEADING)),
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
        LinesHtml {
            view: self.view,
            spot: self.spot.clone(),
            told: if self.description.is_some() {
                Told::NoDescription
            } else {
                Told::All
            },
        }
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
