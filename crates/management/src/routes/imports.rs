//! Import of API descriptions: as a new API, or as a new revision of a version.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use gatewright_control::Control;
use gatewright_control::import::{ImportRequest, ImportSource};
use gatewright_control::import_preview::OperationChanges;
use gatewright_control::views::Imported;
use gatewright_model::api::{Operation, Visibility};
use gatewright_model::id::{ApiId, TeamId};
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{ContextPath, Name, Slug};
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApisWrite;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Query;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::Url;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};

use super::apis::ApiBody;
use super::versions::VersionBody;
use crate::answer::{Answer, Created, Described, Found};
use crate::filters::filter;
use crate::input::{Field, INVALID_FIELDS, Json, input};
use crate::operation::{Api, about};
use crate::output::output;
use crate::schema::{ObjectShape, Presence, Schemas, Shape};

pub(crate) fn add(api: Api) -> Api {
    api.tag("apis")
        .post(
            "/apis/import",
            about("import_api", "Creates an API and its version v1 from an OpenAPI document. A dry run answers 200 and writes nothing.")
                .conflicts(&["slug_taken", "context_path_taken"])
                .heavy(),
            import,
        )
        .post(
            "/apis/{api}/versions/{version}/import",
            about("import_version", "Imports a document as the next revision of a version, and says which operations that changes. A dry run writes nothing.")
                .conflicts(&["version_frozen"])
                .heavy(),
            reimport,
        )
}

/// A document: an object, or a string that holds JSON or YAML.
#[derive(Debug)]
pub(crate) struct DocumentText(String);

impl Shape for DocumentText {
    fn schema(_: &mut Schemas) -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::Object);
        let text = ObjectBuilder::new().schema_type(Type::String);
        OneOfBuilder::new().item(object).item(text).into()
    }
}

impl Field for DocumentText {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        let text = raw.get();
        if text.starts_with('{') {
            return Ok(Self(text.to_owned()));
        }
        let rule = "must be an object, or a string that holds JSON or YAML";
        let fault = |_| FieldErrors::one("", Invalid::new("wrong_type", rule));
        serde_json::from_str(text).map(Self).map_err(fault)
    }
}

/// The one source of two.
pub(crate) fn source(
    document: Option<DocumentText>,
    url: Option<Url>,
) -> Result<Option<ImportSource>, Problem> {
    match (document, url) {
        (Some(document), None) => Ok(Some(ImportSource::Text(document.0.into()))),
        (None, Some(url)) => Ok(Some(ImportSource::Url(url))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(one_source(
            "must be absent when a url is given: a document has one source",
        )),
    }
}

fn required_source(document: Option<DocumentText>, url: Option<Url>) -> Result<ImportSource, Problem> {
    source(document, url)?.ok_or_else(|| one_source("is required, unless a url is given"))
}

fn one_source(rule: &'static str) -> Problem {
    Problem::invalid(
        INVALID_FIELDS,
        &FieldErrors::one("/document", Invalid::new("document_or_url", rule)),
    )
}

input! {
    /// A document and what it is to become. Either `document` or `url`.
    ApiImport {
        /// OpenAPI 2.0, 3.0 or 3.1; at most 24 MiB.
        document: Option<DocumentText>,
        /// Where to read it.
        url: Option<Url>,
        /// The name; the document's title when absent.
        name: Option<Name>,
        /// The slug; made of the name when absent.
        slug: Option<Slug>,
        /// The context path; made of the slug when absent.
        context_path: Option<ContextPath>,
        /// Where its calls go; the document's first usable server when absent.
        upstream_url: Option<Url>,
        /// The owning team, by id or slug; `default` when absent.
        team: Option<Ref<TeamId>>,
        /// Who finds it in the catalogue.
        visibility: Visibility = Visibility::Public,
        /// The teams whose members find it beside the owning team, by id or slug; only with visibility teams.
        visible_to: Vec<Ref<TeamId>> = Vec::new(),
    }
}

input! {
    /// A document for a version that is there. Either `document` or `url`.
    VersionImport {
        /// OpenAPI 2.0, 3.0 or 3.1; at most 24 MiB.
        document: Option<DocumentText>,
        /// Where to read it.
        url: Option<Url>,
    }
}

filter! {
    /// Whether a request is meant.
    DryRun {
        /// `true` checks everything and writes nothing.
        dry_run: bool,
    }
}

impl DryRun {
    pub(crate) fn wanted(&self) -> bool {
        self.dry_run == Some(true)
    }
}

output! {
    /// What an import made, or would make.
    ImportedBody as "Imported" {
        /// The API.
        api: ApiBody,
        /// The version.
        version: VersionBody,
        /// What the importer has to say.
        findings: Findings,
        /// False for a dry run.
        written: bool,
    }
}

output! {
    /// What a document changed in a version, or would change.
    ReimportedBody as "Reimported" {
        /// The API.
        api: ApiBody,
        /// The version as it is then.
        version: VersionBody,
        /// What the importer has to say.
        findings: Findings,
        /// The operations that differ from those of the document before.
        changes: ChangesBody,
        /// What that means for callers; null where there was no document before, or one that refers to others.
        differences: Option<DiffBody>,
        /// False for a dry run, and when the document is the live one already: no revision is made then.
        written: bool,
    }
}

output! {
    /// How the operations of two documents differ. Each is known by its key.
    ChangesBody as "OperationChanges" {
        /// Only in the new document.
        added: Vec<Operation>,
        /// In both, with another meaning.
        changed: Vec<Operation>,
        /// Only in the old document.
        removed: Vec<Operation>,
        /// How many stay as they are.
        unchanged: u64,
    }
}

impl From<OperationChanges> for ChangesBody {
    fn from(changes: OperationChanges) -> Self {
        Self {
            added: changes.added,
            changed: changes.changed,
            removed: changes.removed,
            unchanged: changes.unchanged as u64,
        }
    }
}

output! {
    /// What a document changes for those who call an API, the worst first.
    DiffBody as "Diff" {
        /// Calls that worked fail, or their answers are not understood.
        breaking: u64,
        /// Whether it breaks somebody depends on what they do.
        risky: u64,
        /// Nobody has to do anything.
        additive: u64,
        /// Only the words are others.
        docs: u64,
        /// What has changed.
        changes: Changes,
        /// How many changes are not listed.
        unlisted: u64,
    }
}

/// The changes, as the comparison writes them.
#[derive(serde::Serialize)]
pub(crate) struct Changes(Value);

impl Shape for Changes {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        <Vec<ChangeShape>>::schema(schemas)
    }
}

/// How one change looks.
struct ChangeShape;

impl Shape for ChangeShape {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        schemas.named("Change", |schemas| {
            ObjectShape::new(schemas, "One thing that is otherwise than before.")
                .member::<String>("class", "breaking, risky, additive or docs.", Presence::Always)
                .member::<String>("code", "Stable, for programs.", Presence::Always)
                .member::<String>("message", "What has changed, as a sentence.", Presence::Always)
                .member::<String>(
                    "pointer",
                    "JSON pointer into one of the documents.",
                    Presence::Always,
                )
                .member::<String>(
                    "side",
                    "before when the pointer is one into the old document, else after.",
                    Presence::Always,
                )
                .member::<Vec<String>>(
                    "operations",
                    "The keys of the first operations that it reaches.",
                    Presence::Always,
                )
                .member::<u64>("operations_total", "How many it reaches.", Presence::Always)
                .build()
        })
    }
}

/// The importer's findings, as it writes them.
#[derive(serde::Serialize)]
pub(crate) struct Findings(Value);

impl Findings {
    pub(crate) fn of(findings: impl serde::Serialize) -> Self {
        Self(json!(findings))
    }
}

impl Shape for Findings {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        <Vec<FindingShape>>::schema(schemas)
    }
}

/// How one finding looks.
pub(crate) struct FindingShape;

impl Shape for FindingShape {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        schemas.named("Finding", |schemas| {
            ObjectShape::new(
                schemas,
                "What the importer has to say about one place of a document.",
            )
            .member::<String>(
                "severity",
                "error, warning or info; an error refuses the import.",
                Presence::Always,
            )
            .member::<String>("code", "Stable, for programs.", Presence::Always)
            .member::<String>(
                "message",
                "What is wrong and what to do about it.",
                Presence::Always,
            )
            .member::<String>("pointer", "JSON pointer into the document.", Presence::Always)
            .member::<u32>(
                "line",
                "The line in the document, where it could be told.",
                Presence::Sometimes,
            )
            .build()
        })
    }
}

/// 201 with what was made, or 200 with what a dry run found.
enum ImportAnswer {
    Written(Created<ImportedBody>),
    Checked(Found<ImportedBody>),
}

impl IntoResponse for ImportAnswer {
    fn into_response(self) -> Response {
        match self {
            Self::Written(created) => created.into_response(),
            Self::Checked(found) => found.into_response(),
        }
    }
}

impl Answer for ImportAnswer {
    fn describe(schemas: &mut Schemas) -> Described {
        Created::<ImportedBody>::describe(schemas)
    }
}

fn body(imported: Imported) -> ImportedBody {
    ImportedBody {
        api: imported.api.into(),
        version: imported.version.into(),
        findings: Findings::of(imported.findings),
        written: imported.written,
    }
}

async fn import(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    Query(query): Query<DryRun>,
    Json(body_in): Json<ApiImport>,
) -> Result<ImportAnswer, Problem> {
    let request = ImportRequest {
        source: required_source(body_in.document, body_in.url)?,
        name: body_in.name,
        slug: body_in.slug,
        context_path: body_in.context_path,
        upstream_url: body_in.upstream_url,
        team: body_in.team,
        visibility: body_in.visibility,
        visible_to: body_in.visible_to,
        dry_run: query.wanted(),
    };
    let imported = control.import_api(&caller, request).await?;
    let (id, row_version, written) = (
        imported.api.api.id,
        imported.api.api.row_version,
        imported.written,
    );
    if written {
        Ok(ImportAnswer::Written(Created::at(
            "apis",
            id,
            Found::tagged(body(imported), row_version),
        )))
    } else {
        Ok(ImportAnswer::Checked(Found::plain(body(imported))))
    }
}

async fn reimport(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
    Query(query): Query<DryRun>,
    Json(body_in): Json<VersionImport>,
) -> Result<Found<ReimportedBody>, Problem> {
    let source = required_source(body_in.document, body_in.url)?;
    let done = control
        .versions()
        .import(&caller, &api, &version, source, query.wanted())
        .await?;
    let row_version = done.version.version.row_version;
    let body = ReimportedBody {
        api: control.apis().get(&caller, &api).await?.into(),
        version: done.version.into(),
        findings: Findings::of(done.findings),
        changes: done.changes.into(),
        differences: done.diff.map(|diff| {
            let counts = diff.counts();
            DiffBody {
                breaking: counts.breaking,
                risky: counts.risky,
                additive: counts.additive,
                docs: counts.docs,
                changes: Changes(json!(diff.changes)),
                unlisted: diff.unlisted as u64,
            }
        }),
        written: done.written,
    };
    Ok(Found::tagged(body, row_version))
}
