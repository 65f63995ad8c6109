//! A description at its two stages: as it was read, and in the one shape that
//! the index and the pages work on.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::bounds::Bounds;
use crate::finding::{Code, Findings};
use crate::references::{self, Unresolved};
use crate::version::SpecVersion;
use crate::{pointer, shape, tree, version};

/// How the raw document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Syntax {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2.
    Yaml,
}

/// A document as it was read: in the shape of its own version, and perhaps with
/// references to other documents.
#[derive(Debug)]
pub struct Draft {
    pub(crate) raw: Vec<u8>,
    pub(crate) syntax: Syntax,
    pub(crate) version: SpecVersion,
    pub(crate) root: Value,
    pub(crate) nodes: usize,
    pub(crate) base: Option<Url>,
    pub(crate) findings: Findings,
}

impl Draft {
    /// Reads a raw document. `base` is the address it came from, against which
    /// relative references and servers are resolved.
    ///
    /// # Errors
    /// The findings that refuse it, each with its line where it is known.
    pub fn read(raw: Vec<u8>, base: Option<Url>, bounds: &Bounds) -> Result<Self, Findings> {
        let tree = tree::read(&raw, bounds)?;
        let mut findings = Findings::default();
        for duplicate in &tree.duplicates {
            findings.add(
                Code::DuplicateKey,
                duplicate.as_str(),
                "named twice; the last one counts",
            );
        }
        let detected = match &tree.root {
            Value::Object(members) => version::detect(members, &mut findings),
            _ => {
                findings.add(Code::NotAnObject, "", "the outermost value must be an object");
                None
            }
        };
        let mut draft = Self {
            raw,
            syntax: tree.syntax,
            version: detected.unwrap_or(SpecVersion::OpenApi31),
            root: tree.root,
            nodes: tree.nodes,
            base,
            findings,
        };
        if detected.is_some() {
            shape::check(&draft.root, draft.version, bounds, &mut draft.findings);
        }
        if draft.findings.has_errors() {
            return Err(draft.refused());
        }
        if references::name_to_place(&mut draft.root, bounds.copied, &mut draft.findings).is_err() {
            draft.findings.add(
                Code::TooManyCopies,
                "",
                "too many references by name; refer to places",
            );
            return Err(draft.refused());
        }
        Ok(draft)
    }

    /// True when something refers to another document, so that bundling has to fetch.
    #[must_use]
    pub fn refers_outside(&self) -> bool {
        let mut found = false;
        references::walk(&self.root, &mut |_, reference| {
            found |= !reference.starts_with('#');
        });
        found
    }

    /// The findings with their lines, once it is known that there will be no document.
    pub(crate) fn refused(mut self) -> Findings {
        crate::lines::attach(&self.raw, self.syntax, self.findings.listed_mut());
        self.findings
    }
}

/// A document in the shape of OpenAPI 3.x, whatever it was written in. All
/// references are local and kept: nothing is ever expanded, so cycles are harmless.
#[derive(Debug)]
pub struct Document {
    pub(crate) raw: Vec<u8>,
    pub(crate) syntax: Syntax,
    pub(crate) version: SpecVersion,
    pub(crate) root: Value,
    pub(crate) base: Option<Url>,
}

impl Document {
    /// The document byte for byte as it was given.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// How the raw document is written.
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.syntax
    }

    /// The version the raw document is written in.
    #[must_use]
    pub fn version(&self) -> SpecVersion {
        self.version
    }

    /// The tree in the 3.x shape, with bundled documents below
    /// `/components/x-bundled`. This is what pages are rendered from.
    #[must_use]
    pub fn tree(&self) -> &Value {
        &self.root
    }

    /// The value at a JSON pointer of [`Self::tree`].
    #[must_use]
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        pointer::get(&self.root, pointer)
    }

    /// Follows a `$ref` and those it leads to; gives the place and the value.
    ///
    /// # Errors
    /// When it leads nowhere or round in a circle.
    pub fn resolve(&self, reference: &str) -> Result<(String, &Value), Unresolved> {
        references::resolve(&self.root, reference)
    }

    /// Gives the raw bytes back.
    #[must_use]
    pub fn into_raw(self) -> Vec<u8> {
        self.raw
    }
}
