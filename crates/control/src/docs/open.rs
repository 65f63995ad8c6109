//! The way to any page of a reference: who may see it, what its pages share,
//! and the parts that it needs.

use std::sync::Arc;

use gatewright_model::api::{Api, ApiVersion, Revision};
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::head::Head;
use gatewright_openapi::docs::source::{Parts, Source};
use gatewright_openapi::docs::split::HEAD;
use gatewright_store::Tx;
use serde::de::DeserializeOwned;

use super::Docs;
use super::kept::RevisionDocs;
use super::views::ReferencePlace;
use crate::catalog::sight::{Sight, sight, successor, visible_version};
use crate::error::{Error, Result};
use crate::reader::Reader;
use crate::versions;

/// How often parts are asked for before the rest of a page becomes links.
const ROUNDS: usize = 16;
/// Parts that are loaded for one page.
const MOST_PARTS: usize = 400;
/// Bytes of parts that are loaded for one page.
const MOST_BYTES: usize = 8 << 20;

/// A version whose pages can be made.
pub(super) struct Opened {
    pub(super) tx: Tx,
    pub(super) place: ReferencePlace,
    pub(super) docs: Arc<RevisionDocs>,
}

impl Docs<'_> {
    pub(super) async fn open(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<Opened> {
        let mut tx = self.0.read_as(reader).await?;
        let (api, version) = visible_version(&mut tx, reader, api, version).await?;
        let place = self.place(&mut tx, reader, api, version).await?;
        let Some(revision) = &place.revision else {
            return Ok(Opened {
                tx,
                place,
                docs: Arc::default(),
            });
        };
        if let Some(docs) = self.0.kept_docs.get(revision.id) {
            return Ok(Opened { tx, place, docs });
        }
        let (tx, docs) = self.load(tx, reader, revision).await?;
        Ok(Opened { tx, place, docs })
    }

    async fn place(
        &self,
        tx: &mut Tx,
        reader: &Reader,
        api: Api,
        version: ApiVersion,
    ) -> Result<ReferencePlace> {
        let insider = reader.is_insider(api.team_id);
        let tenant = match &reader.caller {
            Some(caller) => caller.tenant_slug.clone(),
            None => {
                let tenant = tx.tenants().find(reader.tenant_id).await?;
                tenant.ok_or(Error::missing("tenant"))?.slug
            }
        };
        let mut shown = tx.versions().of_api(api.id).await?;
        shown.retain(|version| sight(version.state, insider) == Sight::Shown);
        Ok(ReferencePlace {
            revision: versions::live_revision(tx, &version).await?,
            base_url: versions::gateway_url_in(self.0, &tenant, &api, &version.label),
            successor: successor(tx, reader, &version).await?,
            versions: shown,
            insider,
            api,
            version,
        })
    }

    /// Loads what the pages of a revision share. Documents that were imported
    /// before there were parts get them now.
    async fn load(
        &self,
        mut tx: Tx,
        reader: &Reader,
        revision: &Revision,
    ) -> Result<(Tx, Arc<RevisionDocs>)> {
        let hash = &revision.document_hash;
        let mut head = head(&mut tx, hash).await?;
        if head.is_none() {
            drop(tx);
            self.make_parts(reader.tenant_id, hash).await?;
            tx = self.0.read_as(reader).await?;
            head = self::head(&mut tx, hash).await?;
        }
        let (head, bytes) = head.ok_or(Error::missing("document"))?;
        let operations = tx.revisions().operations(revision.id).await?;
        let docs = Arc::new(RevisionDocs::new(operations, head, bytes));
        self.0.kept_docs.put(revision.id, &docs);
        Ok((tx, docs))
    }
}

async fn head(tx: &mut Tx, hash: &str) -> Result<Option<(Head, usize)>> {
    let names = [HEAD.to_owned()];
    let mut found = tx.document_parts().find(hash, &names).await?;
    let Some(body) = found.remove(HEAD) else {
        return Ok(None);
    };
    let head = serde_json::from_slice(&body)
        .map_err(|error| Error::Internal(format!("the head of a document cannot be read: {error}")))?;
    Ok(Some((head, body.len())))
}

impl Opened {
    /// Builds a view, loading the parts it asks for in one query a round.
    pub(super) async fn built<T>(&mut self, build: impl Fn(&Source<'_>) -> Option<T>) -> Result<Option<T>> {
        let hash = self
            .place
            .revision
            .as_ref()
            .map(|revision| revision.document_hash.clone());
        let Some(hash) = hash else {
            return Ok(None);
        };
        let mut parts = Parts::default();
        let (mut count, mut bytes) = (0, 0);
        for round in 1.. {
            let missing = {
                let source = Source::new(&parts);
                let view = build(&source);
                let missing = source.missing();
                if missing.is_empty() {
                    return Ok(view);
                }
                missing
            };
            if round >= ROUNDS || count + missing.len() > MOST_PARTS || bytes > MOST_BYTES {
                parts.close();
                continue;
            }
            count += missing.len();
            let mut found = self.tx.document_parts().find(&hash, &missing).await?;
            for pointer in missing {
                let body = found.remove(&pointer);
                bytes += body.as_ref().map_or(0, Vec::len);
                parts.put(pointer, body.as_deref());
            }
        }
        Ok(None)
    }

    /// A part that is no piece of the document itself.
    pub(super) async fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(revision) = &self.place.revision else {
            return Ok(None);
        };
        let names = [name.to_owned()];
        let mut found = self
            .tx
            .document_parts()
            .find(&revision.document_hash, &names)
            .await?;
        let Some(body) = found.remove(name) else {
            return Ok(None);
        };
        serde_json::from_slice(&body)
            .map(Some)
            .map_err(|error| Error::Internal(format!("a part of a document cannot be read: {error}")))
    }
}
