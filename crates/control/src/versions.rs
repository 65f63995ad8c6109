//! Versions of an API: creating them, giving them documents, showing them.

use gatewright_model::api::{Api, ApiVersion, Operation, Revision, Unmatched, VersionState};
use gatewright_model::id::ApiId;
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::tenancy::DEFAULT_TENANT;
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_openapi::finding::Finding;
use gatewright_openapi::slug::KnownSlugs;
use gatewright_store::Tx;
use serde_json::json;
use uuid::Uuid;

use crate::apis::{free_label, owned, visible};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::catalog::sight::{Sight, sight};
use crate::control::Control;
use crate::docs::LATEST;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::import::{ImportSource, ReadDocument};
use crate::import_preview::{OperationChanges, Reimported, is_live, takes_documents};
use crate::snapshot;
use crate::views::{DocumentView, VersionSummary, VersionView};

/// Use cases of versions.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'c>(pub(crate) &'c Control);

/// What makes a version.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Unique in the API.
    pub label: VersionLabel,
    /// Its document.
    pub document: Option<ImportSource>,
    /// A version whose document and upstream it starts with.
    pub copy_from: Option<VersionRef>,
}

/// What can be changed of a version outside of its life.
#[derive(Debug, Clone, Copy, Default)]
pub struct VersionPatch {
    /// What happens to calls outside of the document.
    pub unmatched: Option<Unmatched>,
}

impl Control {
    /// Use cases of versions.
    #[must_use]
    pub const fn versions(&self) -> Versions<'_> {
        Versions(self)
    }
}

impl Versions<'_> {
    /// Lists the versions of an API, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the API is hidden from the caller.
    pub async fn list(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        page: PageRequest,
    ) -> Result<Page<VersionView>> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let versions = tx.versions().list(api.id, page).await?;
        let mut views = Vec::with_capacity(versions.items.len());
        let insider = is_insider(caller, &api);
        let shown = |version: &ApiVersion| sight(version.state, insider) != Sight::Hidden;
        for version in versions.items.into_iter().filter(shown) {
            views.push(load_view(self.0, &mut tx, caller, &api, version).await?);
        }
        Ok(Page {
            items: views,
            next: versions.next,
        })
    }

    /// One version.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, api: &Ref<ApiId>, version: &VersionRef) -> Result<VersionView> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let version = shown(&mut tx, caller, &api, version).await?;
        load_view(self.0, &mut tx, caller, &api, version).await
    }

    /// Adds a version, empty, from a document, or as a copy of another one.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `label_taken`, [`Error::Findings`].
    pub async fn create(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        new: NewVersion,
    ) -> Result<(VersionView, Vec<Finding>)> {
        self.0
            .settled(|| self.create_once(caller, api, new.clone()))
            .await
    }

    async fn create_once(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        new: NewVersion,
    ) -> Result<(VersionView, Vec<Finding>)> {
        if new.document.is_some() && new.copy_from.is_some() {
            let rule = "must be absent when a document is given: a version starts from one of them";
            return Err(Error::field(
                "/copy_from",
                Invalid::new("document_and_copy", rule),
            ));
        }
        let document = match new.document {
            Some(source) => Some(self.0.read_document(source, KnownSlugs::new(), None).await?),
            None => None,
        };
        let findings = document
            .as_ref()
            .map(|document| document.findings.clone())
            .unwrap_or_default();
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = owned(&mut tx, caller, api, Permission::ApisWrite).await?;
        let mut version = insert(self.0, &mut tx, caller, &api, new.label).await?;
        if let Some(document) = document {
            version = store_document(self.0, &mut tx, caller, version, document).await?;
        }
        if let Some(from) = new.copy_from {
            let from = match find(&mut tx, &api, &from).await {
                Err(Error::NotFound { .. }) => {
                    let rule = "must be the label or the id of a version of this API";
                    return Err(Error::field("/copy_from", Invalid::new("unknown_version", rule)));
                }
                other => other?,
            };
            version = copy(self.0, &mut tx, caller, &from, version).await?;
        }
        let view = load_view(self.0, &mut tx, caller, &api, version).await?;
        self.0.commit(tx, now).await?;
        Ok((view, findings))
    }

    /// Imports a document over a version. A routed version serves it at once.
    /// A dry run does the same and takes it back.
    ///
    /// # Errors
    /// [`Error::Findings`] and nothing is written; [`Error::Guard`] when the
    /// version no longer takes documents.
    pub async fn import(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        source: ImportSource,
        dry_run: bool,
    ) -> Result<Reimported> {
        let (known, raw) = self.live_document(caller, api, version).await?;
        let mut document = self.0.read_document(source, known_slugs(&known), raw).await?;
        let (findings, after) = (document.findings.clone(), document.operations.clone());
        let diff = document.diff.take();
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = owned(&mut tx, caller, api, Permission::ApisWrite).await?;
        let version = find(&mut tx, &api, version).await?;
        takes_documents(&version)?;
        let before = operations_of(&mut tx, &version).await?;
        let live = live_revision(&mut tx, &version).await?;
        // The same document again is no news: no revision, no entry in the audit trail.
        let same = is_live(&document, live.as_ref(), &before);
        let version = if same {
            version
        } else {
            let version = store_document(self.0, &mut tx, caller, version, document).await?;
            snapshot::refresh_version(self.0, &mut tx, caller, &api, &version).await?;
            version
        };
        let written = !dry_run && !same;
        let version = load_view(self.0, &mut tx, caller, &api, version).await?;
        if written {
            self.0.commit(tx, now).await?;
        } else {
            tx.rollback().await?;
        }
        Ok(Reimported {
            version,
            findings,
            changes: OperationChanges::between(before, after),
            diff,
            written,
        })
    }

    /// What a document replaces: the operations and the text of the one that is
    /// live, for somebody who may import another.
    async fn live_document(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<(Vec<Operation>, Option<Vec<u8>>)> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        caller.require_in(Permission::ApisWrite, api.team_id)?;
        let version = find(&mut tx, &api, version).await?;
        takes_documents(&version)?;
        let raw = match live_revision(&mut tx, &version).await? {
            Some(live) => tx.revisions().document(&live.document_hash).await?,
            None => None,
        };
        Ok((operations_of(&mut tx, &version).await?, raw))
    }

    /// Changes a version outside of its life.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Forbidden`].
    pub async fn update(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        patch: VersionPatch,
        if_match: IfMatch,
    ) -> Result<VersionView> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = owned(&mut tx, caller, api, Permission::ApisWrite).await?;
        let mut version = find(&mut tx, &api, version).await?;
        if_match.check(version.row_version)?;
        version.unmatched = patch.unmatched.unwrap_or(version.unmatched);
        version.updated_at = now;
        let version = tx.versions().update(&version).await?;
        let details = json!({ "unmatched": version.unmatched });
        tx.audit(entry(
            caller,
            now,
            "version.update",
            "version",
            version.id,
            details,
        ));
        snapshot::refresh_version(self.0, &mut tx, caller, &api, &version).await?;
        let view = load_view(self.0, &mut tx, caller, &api, version).await?;
        self.0.commit(tx, now).await?;
        Ok(view)
    }

    /// The live document, byte for byte.
    ///
    /// # Errors
    /// [`Error::NotFound`] `document` when nothing was imported yet.
    pub async fn document(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<DocumentView> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let version = shown(&mut tx, caller, &api, version).await?;
        let revision = live_revision(&mut tx, &version)
            .await?
            .ok_or(Error::missing("document"))?;
        let bytes = tx
            .revisions()
            .document(&revision.document_hash)
            .await?
            .ok_or(Error::missing("document"))?;
        let json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let media_type = if json {
            "application/json"
        } else {
            "application/yaml"
        };
        Ok(DocumentView {
            format: revision.format,
            media_type,
            bytes,
        })
    }

    /// The operations of the live revision, in the order of the document.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn operations(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<Vec<Operation>> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let version = shown(&mut tx, caller, &api, version).await?;
        operations_of(&mut tx, &version).await
    }

    /// A page of them. They have no ids of their own: a cursor says how many came before.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn operations_page(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        page: PageRequest,
    ) -> Result<Page<Operation>> {
        let all = self.operations(caller, api, version).await?;
        let numbered = (1_u128..).zip(all).collect();
        let page = Page::of_whole(numbered, page, |(place, _)| Uuid::from_u128(*place));
        Ok(page.map(|(_, operation)| operation))
    }

    /// The revisions of a version, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revisions(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        page: PageRequest,
    ) -> Result<Page<Revision>> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let version = shown(&mut tx, caller, &api, version).await?;
        Ok(tx.revisions().list(version.id, page).await?)
    }
}

pub(crate) async fn find(tx: &mut Tx, api: &Api, version: &VersionRef) -> Result<ApiVersion> {
    let found = match version {
        VersionRef::Id(id) => tx
            .versions()
            .find(*id)
            .await?
            .filter(|version| version.api_id == api.id),
        VersionRef::Label(label) => tx.versions().find_by_label(api.id, label).await?,
    };
    found.ok_or(Error::missing("version"))
}

/// Whether the caller may see what the owning team has not published.
pub(crate) fn is_insider(caller: &Caller, api: &Api) -> bool {
    caller.rights.in_team(Permission::ApisRead, api.team_id)
}

/// A version that the caller may know of: outside of the owning team, drafts do not exist.
pub(crate) async fn shown(
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    version: &VersionRef,
) -> Result<ApiVersion> {
    let version = find(tx, api, version).await?;
    if sight(version.state, is_insider(caller, api)) == Sight::Hidden {
        return Err(Error::missing("version"));
    }
    Ok(version)
}

pub(crate) async fn insert(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    label: VersionLabel,
) -> Result<ApiVersion> {
    if label.as_str() == LATEST {
        let rule =
            "must not be \"latest\": in addresses of the portal that means the newest published version";
        return Err(Error::field("/label", Invalid::new("reserved_label", rule)));
    }
    if let Some(existing) = tx.versions().find_by_label(api.id, &label).await? {
        return Err(Error::duplicate("label_taken", "label", existing.id));
    }
    free_label(tx, api, &label).await?;
    let now = control.now();
    let version = ApiVersion {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        api_id: api.id,
        label,
        state: VersionState::Draft,
        blocked_reason: None,
        deprecation: None,
        published_at: None,
        retired_at: None,
        revision_id: None,
        unmatched: Unmatched::default(),
        created_at: now,
        updated_at: now,
        row_version: 1,
    };
    tx.versions().insert(&version).await?;
    let details = json!({ "api": api.id, "label": version.label });
    tx.audit(entry(
        caller,
        now,
        "version.create",
        "version",
        version.id,
        details,
    ));
    Ok(version)
}

/// Stores a document as the next revision and makes it the live one.
pub(crate) async fn store_document(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut version: ApiVersion,
    document: ReadDocument,
) -> Result<ApiVersion> {
    let now = control.now();
    let number = tx.revisions().last_number(version.id).await? + 1;
    let revision = Revision {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        version_id: version.id,
        number,
        format: document.format,
        document_hash: document.hash,
        document_bytes: document.raw.len() as u64,
        title: document.title,
        operation_count: u32::try_from(document.operations.len()).unwrap_or(u32::MAX),
        created_by: caller.author(),
        created_at: now,
    };
    tx.revisions()
        .insert(&revision, document.raw, &document.operations)
        .await?;
    let parts = crate::docs::stored(document.parts);
    tx.document_parts()
        .replace(caller.tenant_id, &revision.document_hash, parts)
        .await?;
    version.revision_id = Some(revision.id);
    version.updated_at = now;
    let version = tx.versions().update(&version).await?;
    let details = json!({
        "revision": revision.number,
        "operations": revision.operation_count,
        "document_hash": revision.document_hash,
    });
    tx.audit(entry(
        caller,
        now,
        "version.import",
        "version",
        version.id,
        details,
    ));
    Ok(version)
}

async fn copy(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    from: &ApiVersion,
    mut to: ApiVersion,
) -> Result<ApiVersion> {
    let now = control.now();
    if let Some(revision) = live_revision(tx, from).await? {
        let copied = Revision {
            id: control.new_id(now),
            version_id: to.id,
            number: 1,
            created_at: now,
            ..revision.clone()
        };
        tx.revisions().copy(revision.id, &copied).await?;
        to.revision_id = Some(copied.id);
        to = tx.versions().update(&to).await?;
    }
    if let Some(upstream) = tx.upstreams().find(from.id).await? {
        crate::upstreams::store(control, tx, caller, &to, &upstream).await?;
    }
    Ok(to)
}

pub(crate) async fn live_revision(tx: &mut Tx, version: &ApiVersion) -> Result<Option<Revision>> {
    match version.revision_id {
        Some(id) => Ok(tx.revisions().find(id).await?),
        None => Ok(None),
    }
}

/// The keys and slugs of operations, for the document that comes after theirs.
pub(crate) fn known_slugs(operations: &[Operation]) -> KnownSlugs {
    operations
        .iter()
        .filter_map(|operation| Some((operation.key.clone(), operation.slug.clone().try_into().ok()?)))
        .collect()
}

pub(crate) async fn operations_of(tx: &mut Tx, version: &ApiVersion) -> Result<Vec<Operation>> {
    match version.revision_id {
        Some(id) => Ok(tx.revisions().operations(id).await?),
        None => Ok(Vec::new()),
    }
}

/// Where a version is called: `/t/{tenant}` stands before it in every tenant but the default one.
pub(crate) fn gateway_url(control: &Control, caller: &Caller, api: &Api, label: &VersionLabel) -> String {
    gateway_url_in(control, &caller.tenant_slug, api, label)
}

/// The same for those who have no caller: readers of the portal.
pub(crate) fn gateway_url_in(control: &Control, tenant: &Slug, api: &Api, label: &VersionLabel) -> String {
    let tenant = if tenant.as_str() == DEFAULT_TENANT {
        String::new()
    } else {
        format!("/t/{tenant}")
    };
    format!("{}{tenant}{}/{label}", control.urls().gateway, api.context_path)
}

pub(crate) async fn load_view(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    version: ApiVersion,
) -> Result<VersionView> {
    let successor = match version
        .deprecation
        .as_ref()
        .and_then(|deprecation| deprecation.successor)
    {
        Some(id) => tx.versions().find(id).await?,
        None => None,
    };
    Ok(VersionView {
        api_slug: api.slug.clone(),
        revision: live_revision(tx, &version).await?,
        gateway_url: gateway_url(control, caller, api, &version.label),
        successor: successor.map(|next| VersionSummary {
            id: next.id,
            label: next.label,
            state: next.state,
        }),
        upstream: tx.upstreams().find(version.id).await?,
        version,
    })
}
