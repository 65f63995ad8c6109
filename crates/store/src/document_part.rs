//! The parts of imported documents, by which pages show an operation without
//! the whole document, and where operations are found by their names.

use std::collections::HashMap;

use gatewright_model::api::{ApiVersion, Operation, Revision};
use gatewright_model::id::{ApiId, RevisionId, TenantId};
use sea_query::{Expr, ExprTrait, Query, Value};
use sha2::{Digest, Sha256};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Record, is, is_in};
use crate::tx::repository;

repository! {
    /// Parts of documents.
    DocumentParts via document_parts
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPart {
    /// Its name; unique in the document.
    pub pointer: String,
    /// JSON.
    pub body: Vec<u8>,
}

const TABLE: &str = "document_part";
const COLUMNS: &[&str] = &["tenant_id", "document_hash", "key", "body"];
const OPERATION: &str = "operation";

/// Bytes of parts in one statement.
const CHUNK: usize = 4 << 20;
/// Parts that are looked up by one statement.
const LOOKED_UP: usize = 5_000;
/// Earlier names of one address that are looked at.
const KEYS: u64 = 20;

fn key_of(pointer: &str) -> [u8; 32] {
    Sha256::digest(pointer.as_bytes()).into()
}

impl DocumentParts<'_> {
    /// Keeps the parts of a document in the place of those it had.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the tenant has no such document.
    pub async fn replace(
        self,
        tenant: TenantId,
        document_hash: &str,
        parts: Vec<DocumentPart>,
    ) -> Result<(), StoreError> {
        let hash = document_hash.to_owned();
        let mut delete = Query::delete();
        delete
            .from_table(TABLE)
            .and_where(is("tenant_id", &tenant))
            .and_where(is("document_hash", &hash));
        self.0.conn.execute(&delete).await?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        let mut bytes = 0;
        for part in parts {
            bytes += part.body.len();
            let key = key_of(&part.pointer);
            rows.push(vec![tenant.value(), hash.value(), key.value(), part.body.value()]);
            if bytes >= CHUNK {
                bytes = 0;
                let full = std::mem::take(&mut rows);
                self.0
                    .insert_rows(TABLE, COLUMNS, Some("tenant_id"), full)
                    .await?;
            }
        }
        self.0.insert_rows(TABLE, COLUMNS, Some("tenant_id"), rows).await
    }

    /// The bodies of these parts by their names; unknown ones are left out.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(
        self,
        document_hash: &str,
        pointers: &[String],
    ) -> Result<HashMap<String, Vec<u8>>, StoreError> {
        let mut found = HashMap::with_capacity(pointers.len());
        for chunk in pointers.chunks(LOOKED_UP) {
            let names: HashMap<[u8; 32], &String> =
                chunk.iter().map(|pointer| (key_of(pointer), pointer)).collect();
            let keys: Vec<[u8; 32]> = names.keys().copied().collect();
            let mut select = Query::select();
            select
                .columns(["key", "body"])
                .from(TABLE)
                .and_where(is("document_hash", &document_hash.to_owned()))
                .and_where(is_in("key", &keys))
                .and_where_option(self.0.wall::<Revision>());
            for row in self.0.conn.fetch_all(&select).await? {
                let key: [u8; 32] = row.take(TABLE, "key")?;
                if let Some(pointer) = names.get(&key) {
                    found.insert((*pointer).clone(), row.take(TABLE, "body")?);
                }
            }
        }
        Ok(found)
    }

    /// The names in addresses that an operation has in several revisions.
    ///
    /// # Errors
    /// As for every read.
    pub async fn slugs_of_key(
        self,
        revisions: &[RevisionId],
        key: &str,
    ) -> Result<HashMap<RevisionId, String>, StoreError> {
        let mut select = Query::select();
        select
            .columns(["revision_id", "slug"])
            .from(OPERATION)
            .and_where(is_in("revision_id", revisions))
            .and_where(is("key", &key.to_owned()))
            .and_where_option(self.0.wall::<Revision>());
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter()
            .map(|row| Ok((row.take(OPERATION, "revision_id")?, row.take(OPERATION, "slug")?)))
            .collect()
    }

    /// The operations that had this name in addresses in any revision of an API, by their keys.
    ///
    /// # Errors
    /// As for every read.
    pub async fn keys_of_slug(self, api: ApiId, slug: &str) -> Result<Vec<String>, StoreError> {
        let mut versions = Query::select();
        versions
            .column("id")
            .from(ApiVersion::TABLE)
            .and_where(is("api_id", &api));
        let mut revisions = Query::select();
        revisions
            .column("id")
            .from(Revision::TABLE)
            .and_where(Expr::col("version_id").in_subquery(versions));
        let mut select = Query::select();
        select
            .distinct()
            .column("key")
            .from(OPERATION)
            .and_where(Expr::col("revision_id").in_subquery(revisions))
            .and_where(is("slug", &slug.to_owned()))
            .and_where_option(self.0.wall::<Revision>())
            .limit(KEYS);
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter().map(|row| row.take(OPERATION, "key")).collect()
    }
}

/// About how many bytes an operation takes in memory.
#[must_use]
pub fn weight(operation: &Operation) -> usize {
    let tags: usize = operation.tags.iter().map(|tag| tag.len() + 32).sum();
    300 + operation.key.len()
        + operation.slug.len() * 2
        + operation.template.len()
        + operation.summary.len()
        + operation.pointer.len() * 2
        + operation.fingerprint.len()
        + tags
}

#[cfg(test)]
mod tests {
    use super::DocumentPart;
    use crate::testing::sample::{self, World};
    use crate::testing::{NOW, store_test};

    fn part(pointer: &str, body: &str) -> DocumentPart {
        DocumentPart {
            pointer: pointer.to_owned(),
            body: body.as_bytes().to_vec(),
        }
    }

    store_test! {
        async fn parts_are_kept_once_for_a_document_and_stay_with_their_tenant(store: Store) {
            let (acme, other) = (World::make(&store, "acme").await, World::make(&store, "other").await);
            let mut tx = store.begin(acme.scope()).await.unwrap();
            let revision = sample::revision(&acme.version, b"{}", 0);
            tx.revisions().insert(&revision, b"{}".to_vec(), &[]).await.unwrap();
            tx.commit(NOW).await.unwrap();
            let hash = revision.document_hash.as_str();
            let long = format!("/components/schemas/{}", "x".repeat(9_000));
            for body in ["1", "2"] {
                let mut tx = store.begin(acme.scope()).await.unwrap();
                let parts = vec![part("head:", body), part(&long, "{}")];
                tx.document_parts().replace(acme.tenant.id, hash, parts).await.unwrap();
                tx.commit(NOW).await.unwrap();
            }
            let wanted = ["head:".to_owned(), long.clone(), "/none".to_owned()];
            let mut tx = store.read(acme.scope()).await.unwrap();
            let found = tx.document_parts().find(hash, &wanted).await.unwrap();
            assert_eq!(found.len(), 2);
            assert_eq!(found["head:"], b"2");
            drop(tx);
            let mut tx = store.read(other.scope()).await.unwrap();
            let foreign = tx.document_parts().find(hash, &wanted).await.unwrap();
            assert!(foreign.is_empty());
        }
    }
}
