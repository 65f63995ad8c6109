//! Versions of an API: the things that are called.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::versions::{NewVersion, VersionPatch};
use gatewright_control::views::VersionView;
use gatewright_model::api::{DocumentFormat, Operation, Revision, Unmatched, VersionState};
use gatewright_model::id::{ApiId, RevisionId, UserId, VersionId};
use gatewright_model::invalid::Invalid;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Remark, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApisRead, ApisWrite};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::{Listing, NoFilter};
use url::Url;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::apis::VersionLink;
use super::imports::{DocumentText, Findings, source};
use super::upstreams::UpstreamBody;
use crate::answer::{Created, Found, Listed, Raw};
use crate::fields::Scalar;
use crate::input::{Json, input};
use crate::operation::{Api, about};
use crate::output::output;
use crate::schema::{Schemas, Shape, shape};

pub(crate) fn add(api: Api) -> Api {
    api.tag("versions")
        .get(
            "/apis/{api}/versions",
            about("list_versions", "Lists the versions of an API."),
            list,
        )
        .post(
            "/apis/{api}/versions",
            about(
                "create_version",
                "Creates a draft: empty, from a document, or as a copy.",
            )
            .conflicts(&["label_taken"])
            .heavy(),
            create,
        )
        .get(
            "/apis/{api}/versions/{version}",
            about("get_version", "One version."),
            get,
        )
        .patch(
            "/apis/{api}/versions/{version}",
            about("update_version", "Changes a version."),
            update,
        )
        .get(
            "/apis/{api}/versions/{version}/document",
            about("get_document", "The document as it was imported."),
            document,
        )
        .get(
            "/apis/{api}/versions/{version}/operations",
            about("list_operations", "The operations of the live revision."),
            operations,
        )
        .get(
            "/apis/{api}/versions/{version}/revisions",
            about("list_revisions", "The documents that were imported."),
            revisions,
        )
}

impl Shape for Unmatched {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        schemas.named("Unmatched", |_| {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(["refuse", "forward"]))
                .into()
        })
    }
}

impl Scalar for Unmatched {
    fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "forward" => Ok(Self::Forward),
            _ => Err(Invalid::new("unknown_word", "must be one of: refuse, forward")),
        }
    }
}

input! {
    /// A new version: empty, from a document, or as a copy of another one.
    VersionCreate {
        /// Unique in the API.
        label: VersionLabel,
        /// Its document.
        document: Option<DocumentText>,
        /// Where to read its document.
        url: Option<Url>,
        /// The version to copy, by id or label.
        copy_from: Option<VersionRef>,
    }
}

input! {
    /// What of a version is to be changed.
    VersionUpdate {
        /// What happens to calls that match no operation.
        unmatched: Option<Unmatched>,
    }
}

output! {
    /// A version.
    VersionBody as "Version" {
        /// Its id.
        id: VersionId,
        /// Its API.
        api_id: ApiId,
        /// The slug of its API.
        api: Slug,
        /// Unique in the API; the path locator.
        label: VersionLabel,
        /// Where it is in its life.
        state: VersionState,
        /// Why it is blocked; null while it is not.
        blocked_reason: Option<Remark>,
        /// When its end was announced.
        deprecated_at: Option<Timestamp>,
        /// When it ends.
        sunset_at: Option<Timestamp>,
        /// What replaces it.
        successor: Option<VersionLink>,
        /// What subscribers were told.
        message: Option<Remark>,
        /// When it first became callable.
        published_at: Option<Timestamp>,
        /// When it stopped being served.
        retired_at: Option<Timestamp>,
        /// The live revision.
        revision: Option<RevisionBody>,
        /// What happens to calls that match no operation.
        unmatched: Unmatched,
        /// Where it is called.
        gateway_url: String,
        /// Where its calls go.
        upstream: Option<UpstreamBody>,
        /// What the importer said; only in the answer of a creation.
        #[serde(skip_serializing_if = "Option::is_none")]
        findings: Option<Findings>,
        /// When it was made.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

output! {
    /// An imported document of a version.
    RevisionBody as "Revision" {
        /// Its id.
        id: RevisionId,
        /// Counts from 1 in the version.
        number: u32,
        /// The language of the document.
        format: DocumentFormat,
        /// The title in the document.
        title: String,
        /// SHA-256 of the document, hexadecimal.
        document_hash: String,
        /// The size of the document in bytes.
        document_bytes: u64,
        /// How many operations it describes.
        operation_count: u32,
        /// Who imported it.
        created_by: Option<UserId>,
        /// When.
        created_at: Timestamp,
    }
}

shape! {
    Operation as "Operation", "One operation as it is routed and listed." {
        /// Stable identity: the operationId when it is unique, else method and template.
        key: String,
        /// Its name in portal addresses.
        slug: String,
        /// Upper-case HTTP method.
        method: String,
        /// The path template.
        template: String,
        /// One line about it.
        summary: String,
        /// Marked as deprecated in the document.
        deprecated: bool,
        /// The tags it is listed under.
        tags: Vec<String>,
        /// Where it stands in the document.
        pointer: String,
        /// Changes when its meaning may have.
        fingerprint: String,
        /// False when its template cannot be routed.
        routable: bool,
    }
}

impl From<Revision> for RevisionBody {
    fn from(revision: Revision) -> Self {
        Self {
            id: revision.id,
            number: revision.number,
            format: revision.format,
            title: revision.title,
            document_hash: revision.document_hash,
            document_bytes: revision.document_bytes,
            operation_count: revision.operation_count,
            created_by: revision.created_by,
            created_at: revision.created_at,
        }
    }
}

impl From<VersionView> for VersionBody {
    fn from(view: VersionView) -> Self {
        let version = view.version;
        let (deprecated_at, sunset_at, message) = match version.deprecation {
            Some(end) => (Some(end.deprecated_at), Some(end.sunset_at), end.message),
            None => (None, None, None),
        };
        Self {
            id: version.id,
            api_id: version.api_id,
            api: view.api_slug,
            label: version.label,
            state: version.state,
            blocked_reason: version.blocked_reason,
            deprecated_at,
            sunset_at,
            successor: view.successor.map(VersionLink::from),
            message,
            published_at: version.published_at,
            retired_at: version.retired_at,
            revision: view.revision.map(RevisionBody::from),
            unmatched: version.unmatched,
            gateway_url: view.gateway_url,
            upstream: view.upstream.map(UpstreamBody::from),
            findings: None,
            created_at: version.created_at,
            updated_at: version.updated_at,
        }
    }
}

/// A version with its tag.
pub(crate) fn found(view: VersionView) -> Found<VersionBody> {
    let row_version = view.version.row_version;
    Found::tagged(view.into(), row_version)
}

/// What every route of a version names.
pub(crate) type AtVersion = At<(Ref<ApiId>, VersionRef)>;

async fn list(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
    listing: Listing<NoFilter>,
) -> Result<Listed<VersionBody>, Problem> {
    let versions = control.versions().list(&caller, &api, listing.page).await?;
    Ok(Listed::page(versions, VersionBody::from))
}

async fn create(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    At(api): At<Ref<ApiId>>,
    Json(body): Json<VersionCreate>,
) -> Result<Created<VersionBody>, Problem> {
    let document = source(body.document, body.url)?;
    let new = NewVersion {
        label: body.label,
        document,
        copy_from: body.copy_from,
    };
    let (view, findings) = control.versions().create(&caller, &api, new).await?;
    let (api, label, row_version) = (
        view.version.api_id,
        view.version.label.clone(),
        view.version.row_version,
    );
    let body = VersionBody {
        findings: Some(Findings::of(findings)),
        ..view.into()
    };
    Ok(Created::at(
        &format!("apis/{api}/versions"),
        label,
        Found::tagged(body, row_version),
    ))
}

async fn get(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
) -> Result<Found<VersionBody>, Problem> {
    Ok(found(control.versions().get(&caller, &api, &version).await?))
}

async fn update(
    caller: Authorized<ApisWrite>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
    Expected(if_match): Expected,
    Json(body): Json<VersionUpdate>,
) -> Result<Found<VersionBody>, Problem> {
    let patch = VersionPatch {
        unmatched: body.unmatched,
    };
    Ok(found(
        control
            .versions()
            .update(&caller, &api, &version, patch, if_match)
            .await?,
    ))
}

async fn document(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
) -> Result<Raw, Problem> {
    let document = control.versions().document(&caller, &api, &version).await?;
    Ok(Raw {
        media_type: document.media_type,
        bytes: document.bytes,
    })
}

async fn operations(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
    listing: Listing<NoFilter>,
) -> Result<Listed<Operation>, Problem> {
    let operations = control
        .versions()
        .operations_page(&caller, &api, &version, listing.page)
        .await?;
    Ok(Listed::page(operations, |operation| operation))
}

async fn revisions(
    caller: Authorized<ApisRead>,
    State(control): State<Control>,
    At((api, version)): AtVersion,
    listing: Listing<NoFilter>,
) -> Result<Listed<RevisionBody>, Problem> {
    let revisions = control
        .versions()
        .revisions(&caller, &api, &version, listing.page)
        .await?;
    Ok(Listed::page(revisions, RevisionBody::from))
}
