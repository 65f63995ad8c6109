//! The whole way from bytes to an index.

use url::Url;

use crate::bounds::Bounds;
use crate::bundle::{self, Fetch};
use crate::document::{Document, Draft};
use crate::finding::{Finding, Findings};
use crate::index::{self, Index};
use crate::lines;
use crate::normalise;
use crate::slug::KnownSlugs;

/// A document that may be published.
#[derive(Debug)]
pub struct Imported {
    /// The document in its final shape.
    pub document: Document,
    /// What it offers.
    pub index: Index,
    /// Warnings and remarks; no errors.
    pub findings: Vec<Finding>,
}

/// Reads, bundles, normalises and indexes a document. `base` is the address it
/// came from, `known` the slugs of earlier revisions.
///
/// Everything but the fetching is computation, up to seconds for the largest
/// documents: callers on a shared runtime run [`Draft::read`] and [`finish`]
/// on a blocking pool and await only [`bundle::bundle`] between them.
///
/// # Errors
/// The findings, at least one of them an error; nothing is imported then.
pub async fn import(
    raw: Vec<u8>,
    base: Option<Url>,
    known: &KnownSlugs,
    fetch: &dyn Fetch,
    bounds: &Bounds,
) -> Result<Imported, Vec<Finding>> {
    let draft = Draft::read(raw, base, bounds).map_err(Findings::into_list)?;
    let draft = bundle::bundle(draft, fetch, bounds)
        .await
        .map_err(Findings::into_list)?;
    finish(draft, known, bounds)
}

/// Normalises and indexes a bundled draft.
///
/// # Errors
/// The findings, at least one of them an error.
pub fn finish(draft: Draft, known: &KnownSlugs, bounds: &Bounds) -> Result<Imported, Vec<Finding>> {
    let (document, mut findings) = normalise::normalise(draft, bounds).map_err(Findings::into_list)?;
    let index = index::build(&document, known, bounds, &mut findings);
    lines::attach(document.raw(), document.syntax(), findings.listed_mut());
    if findings.has_errors() {
        return Err(findings.into_list());
    }
    Ok(Imported {
        document,
        index,
        findings: findings.into_list(),
    })
}
