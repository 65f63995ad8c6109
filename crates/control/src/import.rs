//! Importing a document: as a new API, as a new version, or over a version.

use std::borrow::Cow;

use bytes::Bytes;
use gatewright_model::api::{
    ApiKind, Balancing, DocumentFormat, Operation, Target, Timeouts, Upstream, Visibility,
};
use gatewright_model::id::TeamId;
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::text::{ContextPath, Name, Slug, VersionLabel};
use gatewright_openapi::bounds::Bounds;
use gatewright_openapi::bundle::bundle;
use gatewright_openapi::diff::{Diff, compare};
use gatewright_openapi::docs::split::{Part, split};
use gatewright_openapi::document::Draft;
use gatewright_openapi::finding::{Finding, Findings};
use gatewright_openapi::import::finish;
use gatewright_openapi::index::Route;
use gatewright_openapi::slug::KnownSlugs;
use gatewright_openapi::version::SpecVersion;
use sha2::{Digest, Sha256};
use url::Url;

use crate::apis::{self, NewApi};
use crate::caller::Caller;
use crate::control::Control;
use crate::document_fetch::Guarded;
use crate::error::{Error, Result};
use crate::views::Imported;
use crate::{upstreams, versions};

/// How many characters of a title become a name.
const MAX_NAME: usize = 120;

/// Where a document comes from.
#[derive(Debug, Clone)]
pub enum ImportSource {
    /// The document itself, JSON or YAML.
    Text(Bytes),
    /// An address that the importer reads.
    Url(Url),
}

/// A document that becomes a new API.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The document.
    pub source: ImportSource,
    /// The title of the document when absent.
    pub name: Option<Name>,
    /// Made of the name when absent.
    pub slug: Option<Slug>,
    /// `/{slug}` when absent.
    pub context_path: Option<ContextPath>,
    /// The first usable `servers` entry when absent.
    pub upstream_url: Option<Url>,
    /// The tenant's default team when absent.
    pub team: Option<Ref<TeamId>>,
    /// Who finds it.
    pub visibility: Visibility,
    /// The teams whose members find it beside the owner, where its visibility is `teams`.
    pub visible_to: Vec<Ref<TeamId>>,
    /// Only tell what would happen.
    pub dry_run: bool,
}

/// A document that was read and is ready to be stored.
#[derive(Debug)]
pub(crate) struct ReadDocument {
    pub(crate) raw: Vec<u8>,
    pub(crate) hash: String,
    pub(crate) format: DocumentFormat,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) servers: Vec<String>,
    pub(crate) operations: Vec<Operation>,
    /// What pages load of it.
    pub(crate) parts: Vec<Part>,
    pub(crate) findings: Vec<Finding>,
    /// All of it stands in these bytes: it refers to nothing outside.
    pub(crate) is_whole: bool,
    /// What it changes for those who call the API, against the document before.
    /// `None` where there was none, or it cannot be read by itself.
    pub(crate) diff: Option<Diff>,
}

impl Control {
    /// Imports a document as a new API with version `v1`.
    ///
    /// # Errors
    /// [`Error::Findings`] and nothing is written when the document cannot be
    /// used; [`Error::Duplicate`] when its place is taken.
    pub async fn import_api(&self, caller: &Caller, request: ImportRequest) -> Result<Imported> {
        self.settled(|| self.import_once(caller, request.clone())).await
    }

    async fn import_once(&self, caller: &Caller, request: ImportRequest) -> Result<Imported> {
        caller.require_anywhere(Permission::ApisWrite)?;
        let document = self
            .read_document(request.source, KnownSlugs::new(), None)
            .await?;
        let place = Place::of(request.name, request.slug, request.context_path, &document.title)?;
        let given = request.upstream_url.is_some();
        let upstream = upstream_of(request.upstream_url, &document.servers);
        let now = self.now();
        let mut tx = self.begin(caller).await?;
        let new = NewApi {
            name: place.name,
            slug: place.slug,
            context_path: place.context_path,
            kind: ApiKind::Rest,
            visibility: request.visibility,
            visible_to: request.visible_to,
            team: request.team,
            description: document.description.clone(),
        };
        let api = apis::insert(self, &mut tx, caller, new).await?;
        let label = VersionLabel::parse("v1").map_err(|invalid| Error::field("/label", invalid))?;
        let version = versions::insert(self, &mut tx, caller, &api, label).await?;
        let findings = document.findings.clone();
        let version = versions::store_document(self, &mut tx, caller, version, document).await?;
        if let Some(upstream) = upstream {
            match upstreams::store(self, &mut tx, caller, &version, &upstream).await {
                // A server of the document that may not be called is no upstream.
                Err(Error::Invalid(_)) if !given => {}
                Err(Error::Invalid(errors)) => return Err(at_upstream_url(&errors)),
                stored => stored?,
            }
        }
        let view = versions::load_view(self, &mut tx, caller, &api, version).await?;
        let api = apis::load_view(&mut tx, api).await?;
        let written = !request.dry_run;
        if written {
            self.commit(tx, now).await?;
        } else {
            tx.rollback().await?;
        }
        Ok(Imported {
            api,
            version: view,
            findings,
            written,
        })
    }

    /// Reads a document, without a look at the store. `known` are the keys and
    /// slugs of the revision before, so that addresses of operations stay, and
    /// `before` is its document.
    pub(crate) async fn read_document(
        &self,
        source: ImportSource,
        known: KnownSlugs,
        before: Option<Vec<u8>>,
    ) -> Result<ReadDocument> {
        let (raw, base) = match source {
            ImportSource::Text(text) => (text, None),
            ImportSource::Url(url) => {
                let fetched = self.parts.fetcher.get(&url).await;
                let raw = fetched.map_err(|error| {
                    Error::field(
                        "/url",
                        Invalid::new("url_unreadable", format!("could not be read: {error}")),
                    )
                })?;
                (raw, Some(url))
            }
        };
        // The permit bounds how many documents are in memory at once.
        let _permit = self.imports.acquire().await.map_err(|_| Error::Unavailable)?;
        let hash_and_draft = blocking(move || {
            let raw = raw.to_vec();
            let hash = hex(&Sha256::digest(&raw));
            Draft::read(raw, base, &Bounds::default())
                .map(|draft| (hash, draft))
                .map_err(Findings::into_list)
        });
        let (hash, draft) = hash_and_draft.await?;
        let is_whole = !draft.refers_outside();
        let fetch = Guarded::new(self.parts.fetcher.clone());
        let draft = bundle(draft, &fetch, &Bounds::default())
            .await
            .map_err(|findings| Error::Findings(findings.into_list()))?;
        let (imported, parts, diff) = blocking(move || {
            let bounds = Bounds::default();
            let imported = finish(draft, &known, &bounds)?;
            let parts = split(&imported.document, &imported.index, &bounds);
            let before = before.and_then(|raw| read_alone(raw, &bounds));
            let diff = before.map(|before| compare(&before, &imported));
            Ok((imported, parts, diff))
        })
        .await?;
        Ok(ReadDocument {
            is_whole,
            diff,
            ..read_document(hash, imported, parts)
        })
    }
}

/// What a new API is called and where it stands.
struct Place {
    name: Name,
    slug: Slug,
    context_path: ContextPath,
}

impl Place {
    /// Takes what the request says, and makes the rest: the name of the title,
    /// the slug of the name, the path of the slug.
    fn of(
        name: Option<Name>,
        slug: Option<Slug>,
        context_path: Option<ContextPath>,
        title: &str,
    ) -> Result<Self> {
        let name = match name {
            Some(name) => name,
            None => Name::parse(&shortened(title)).map_err(|invalid| missing("/name", "title", &invalid))?,
        };
        let slug = match slug {
            Some(slug) => slug,
            None => Slug::from_text(name.as_str()).ok_or_else(|| {
                let rule = "must be given: the name holds no letter a-z and no digit";
                Error::field("/slug", Invalid::new("slug_needed", rule))
            })?,
        };
        let context_path = match context_path {
            Some(path) => path,
            None => ContextPath::parse(&format!("/{slug}"))
                .map_err(|invalid| Error::field("/context_path", invalid))?,
        };
        Ok(Self {
            name,
            slug,
            context_path,
        })
    }
}

/// Runs computation of up to seconds beside the async threads.
async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> std::result::Result<T, Vec<Finding>> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("the importer stopped: {error}")))?
        .map_err(Error::Findings)
}

fn read_document(
    hash: String,
    imported: gatewright_openapi::import::Imported,
    parts: Vec<Part>,
) -> ReadDocument {
    let format = match imported.document.version() {
        SpecVersion::Swagger20 => DocumentFormat::Swagger2,
        SpecVersion::OpenApi30 => DocumentFormat::OpenApi30,
        SpecVersion::OpenApi31 | SpecVersion::OpenApi32 => DocumentFormat::OpenApi31,
    };
    let index = imported.index;
    ReadDocument {
        raw: imported.document.into_raw(),
        hash,
        format,
        title: index.title.unwrap_or_default(),
        description: index.description.unwrap_or_default(),
        servers: index
            .servers
            .into_iter()
            .filter_map(|server| server.url)
            .collect(),
        operations: index.operations.into_iter().map(operation).collect(),
        parts,
        findings: imported.findings,
        is_whole: false,
        diff: None,
    }
}

/// A document that was imported before, read once more. What it refers to in
/// other documents is not fetched again: nobody knows what they said then.
fn read_alone(raw: Vec<u8>, bounds: &Bounds) -> Option<gatewright_openapi::import::Imported> {
    let draft = Draft::read(raw, None, bounds).ok()?;
    if draft.refers_outside() {
        return None;
    }
    finish(draft, &KnownSlugs::new(), bounds).ok()
}

fn operation(indexed: gatewright_openapi::index::Operation) -> Operation {
    Operation {
        key: indexed.key,
        slug: indexed.slug.as_str().to_owned(),
        method: indexed.method.as_str().to_owned(),
        routable: matches!(indexed.route, Route::Template(_)),
        template: indexed.template,
        summary: indexed.summary.unwrap_or_default(),
        deprecated: indexed.deprecated,
        tags: indexed.tags,
        pointer: indexed.pointer,
        fingerprint: indexed.fingerprint,
    }
}

/// A title as a name: at most 120 characters of it.
fn shortened(title: &str) -> String {
    let cut: String = title.trim().chars().take(MAX_NAME).collect();
    cut.trim_end().to_owned()
}

/// What is wrong with the upstream, at the one field it was made of.
fn at_upstream_url(errors: &FieldErrors) -> Error {
    let mut moved = FieldErrors::default();
    for error in errors.as_slice() {
        let code = match &error.code {
            Cow::Borrowed(code) => code,
            Cow::Owned(_) => "invalid_target",
        };
        moved.add("/upstream_url", Invalid::new(code, error.message.clone()));
    }
    Error::Invalid(moved)
}

fn missing(pointer: &str, what: &str, invalid: &Invalid) -> Error {
    let rule = format!(
        "must be given: the document has no {what} that could stand for it ({})",
        invalid.message
    );
    Error::field(pointer, Invalid::new("name_needed", rule))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        })
}

/// The upstream that the request names, else the first server of the document
/// that is an absolute http address without variables.
fn upstream_of(given: Option<Url>, servers: &[String]) -> Option<Upstream> {
    let url = given.or_else(|| {
        servers.iter().find_map(|server| {
            Url::parse(server)
                .ok()
                .filter(|url| upstreams::check_target(url).is_ok())
        })
    })?;
    Some(Upstream {
        targets: vec![Target { url, weight: 1 }],
        algorithm: Balancing::RoundRobin,
        timeouts: Timeouts::default(),
    })
}
