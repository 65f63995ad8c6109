//! Parts of documents that were imported before there were any.

use gatewright_model::id::TenantId;
use gatewright_openapi::bounds::Bounds;
use gatewright_openapi::bundle::bundle;
use gatewright_openapi::docs::split::{HEAD, Part, split};
use gatewright_openapi::document::Draft;
use gatewright_openapi::finding::Findings;
use gatewright_openapi::import::finish;
use gatewright_openapi::slug::KnownSlugs;
use gatewright_store::{DocumentPart, Scope};

use super::Docs;
use crate::document_fetch::Guarded;
use crate::error::{Error, Result};

/// The parts as the store keeps them.
pub(crate) fn stored(parts: Vec<Part>) -> Vec<DocumentPart> {
    let stored = |part: Part| DocumentPart {
        pointer: part.pointer,
        body: part.body,
    };
    parts.into_iter().map(stored).collect()
}

impl Docs<'_> {
    /// Cuts a stored document and keeps its parts. Readers who come at the same
    /// time wait for the first one.
    pub(super) async fn make_parts(&self, tenant: TenantId, hash: &str) -> Result<()> {
        // The permit bounds how many documents are in memory at once.
        let _permit = self.0.imports.acquire().await.map_err(|_| Error::Unavailable)?;
        let mut tx = self.0.parts.store.read(Scope::Tenant(tenant)).await?;
        let made = tx.document_parts().find(hash, &[HEAD.to_owned()]).await?;
        if !made.is_empty() {
            return Ok(());
        }
        let raw = tx
            .revisions()
            .document(hash)
            .await?
            .ok_or(Error::missing("document"))?;
        drop(tx);
        let draft = blocking(move || Draft::read(raw, None, &Bounds::default())).await?;
        let fetch = Guarded::new(self.0.parts.fetcher.clone());
        let draft = bundle(draft, &fetch, &Bounds::default())
            .await
            .map_err(unreadable)?;
        let parts = blocking(move || {
            let bounds = Bounds::default();
            finish(draft, &KnownSlugs::new(), &bounds)
                .map(|imported| split(&imported.document, &imported.index, &bounds))
        })
        .await?;
        let mut tx = self.0.parts.store.begin(Scope::Tenant(tenant)).await?;
        tx.document_parts().replace(tenant, hash, stored(parts)).await?;
        self.0.commit(tx, self.0.now()).await
    }
}

async fn blocking<T, E, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce() -> std::result::Result<T, E> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::Internal(format!("the document was not cut: {error}")))?
        .map_err(|_| again())
}

fn unreadable(_: Findings) -> Error {
    again()
}

/// What it refers to elsewhere is known by the import alone.
fn again() -> Error {
    let rule = "this description was imported before its pages could be made, and what it refers to is not \
                at hand any longer: its owner has to import it again";
    Error::guard("import_again", rule)
}
