//! A schema as people read it: what it is in words, the rules it sets, and one
//! row for each thing inside of it.
//!
//! One level stands on the page. What a `$ref` below it leads to is only named
//! and linked; whether that would go round in a circle is decided on the way
//! from the top alone, never by what stands beside it.

mod build;
mod layers;
mod notes;
mod rules;
pub(super) mod words;

pub use build::rows_of_a_page;
pub use build::{Builder, Direction, Form};
pub use words::name_of;

/// A schema at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaView {
    /// Where it stands.
    pub pointer: String,
    /// The name of the shared schema it is, if it is one.
    pub name: Option<String>,
    /// Where its reference, or that of its items, leads.
    pub target: Option<String>,
    /// What the publisher calls it.
    pub title: Option<String>,
    /// In words: `array of string or null`.
    pub types: String,
    /// `uuid`, `date-time` …
    pub format: Option<String>,
    /// CommonMark.
    pub description: Option<String>,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// Who sends it.
    pub access: Access,
    /// What values must be like.
    pub rules: Vec<Rule>,
    /// Rules that need a sentence.
    pub notes: Vec<Note>,
    /// The shared schemas it is put together from.
    pub composed_of: Vec<SchemaLink>,
    /// Where the schema stands whose `allOf` was merged into this view, or is
    /// shown apart in it.
    pub composition: Option<String>,
    /// What is inside of it.
    pub rows: Vec<Row>,
    /// Where one of several shapes is to be chosen.
    pub choices: Vec<Choices>,
    /// Schemas that stand on pages of their own.
    pub links: Vec<SchemaLink>,
    /// Rows that did not fit: they stand on the page of [`SchemaView::pointer`].
    pub left_out: usize,
}

impl SchemaView {
    /// Whether there is anything below the line that names it.
    #[must_use]
    pub fn has_inside(&self) -> bool {
        !self.rows.is_empty() || !self.choices.is_empty() || self.left_out > 0
    }

    /// Whether the parts it is put together from stand beside each other
    /// instead of merged.
    #[must_use]
    pub fn is_apart(&self) -> bool {
        self.choices.iter().any(|choices| choices.how == Combined::All)
    }
}

/// Who sends a property.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Both sides.
    #[default]
    Both,
    /// The API alone.
    ReadOnly,
    /// The caller alone.
    WriteOnly,
}

/// Something inside of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name, its pattern, or which item it is.
    pub name: String,
    /// What the name is.
    pub kind: RowKind,
    /// Whether it must be there.
    pub required: bool,
    /// The shared schema that it comes from, where several are put together.
    pub origin: Option<String>,
    /// What it is.
    pub view: SchemaView,
}

/// What the name of a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// The name of a property.
    Property,
    /// A pattern that names match.
    Pattern,
    /// All other properties.
    Others,
    /// An item of a list.
    Item,
}

/// A rule in a few words with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `default`, `one of`, `length`.
    pub label: &'static str,
    /// The values that are shown.
    pub values: Vec<String>,
    /// The values that are shown when asked for.
    pub more: Vec<String>,
}

/// A rule in a sentence, perhaps with a piece of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The sentence.
    pub text: String,
    /// JSON, shortened.
    pub code: Option<String>,
}

/// A way to another schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaLink {
    /// As people call it.
    pub name: String,
    /// Where it stands.
    pub pointer: String,
    /// It is one of those that lead here.
    pub recursive: bool,
}

/// How many of several shapes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combined {
    /// Exactly one.
    One,
    /// At least one.
    Any,
    /// Every one.
    All,
}

impl Combined {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::One => "One of",
            Self::Any => "Any of",
            Self::All => "All of",
        }
    }

    /// Whether a value has one shape at a time, so that readers look at one.
    #[must_use]
    pub const fn excludes(self) -> bool {
        !matches!(self, Self::All)
    }
}

/// Several shapes of which one or more hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// How many of them hold.
    pub how: Combined,
    /// The property whose value decides, with its values.
    pub decided_by: Option<String>,
    /// The shapes.
    pub choices: Vec<Choice>,
    /// Shapes that did not fit.
    pub left_out: usize,
}

/// One shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it is called.
    pub title: String,
    /// The value of the deciding property that stands for it.
    pub value: Option<String>,
    /// What it is.
    pub view: SchemaView,
}

#[cfg(test)]
mod tests;
