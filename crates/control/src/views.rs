//! What use cases give back where an entity alone does not say enough.

use gatewright_model::api::{Api, ApiVersion, DocumentFormat, Revision, Upstream, VersionState};
use gatewright_model::id::VersionId;
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_openapi::finding::Finding;

/// An API with what a list of APIs shows.
#[derive(Debug, Clone)]
pub struct ApiView {
    /// The API.
    pub api: Api,
    /// The slug of the owning team.
    pub team: Slug,
    /// The slugs of the teams that it names, where its visibility is `teams`.
    pub visible_to: Vec<Slug>,
    /// Its versions, oldest first.
    pub versions: Vec<VersionSummary>,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// Its id.
    pub id: VersionId,
    /// Its label.
    pub label: VersionLabel,
    /// Where it is in its life.
    pub state: VersionState,
}

/// A version with what its page shows.
#[derive(Debug, Clone)]
pub struct VersionView {
    /// The version.
    pub version: ApiVersion,
    /// The slug of its API.
    pub api_slug: Slug,
    /// Its live revision.
    pub revision: Option<Revision>,
    /// Where it is called.
    pub gateway_url: String,
    /// What replaces it.
    pub successor: Option<VersionSummary>,
    /// Where its calls go.
    pub upstream: Option<Upstream>,
}

/// What an import made, or would make.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The API.
    pub api: ApiView,
    /// Its version.
    pub version: VersionView,
    /// What the importer has to say.
    pub findings: Vec<Finding>,
    /// False for a dry run.
    pub written: bool,
}

/// The document of a version, byte for byte as it was imported.
#[derive(Debug, Clone)]
pub struct DocumentView {
    /// Its language.
    pub format: DocumentFormat,
    /// `application/json` or `application/yaml`.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What stands between a version and its publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishCheck {
    /// What is missing, in the order in which to mend it.
    pub missing: Vec<Missing>,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Stable code: `no_plan`.
    pub code: &'static str,
    /// What is missing and how to add it.
    pub message: String,
}

impl PublishCheck {
    /// Whether it can be published.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.missing.is_empty()
    }
}
