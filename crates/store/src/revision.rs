//! Revisions: imported documents, once for each content, and the operations they describe.

use gatewright_model::api::{Operation, Revision};
use gatewright_model::id::{EntityId, RevisionId, TenantId, VersionId};
use gatewright_model::page::{Page, PageRequest};
use sea_query::{Expr, OnConflict, Order, Query, Value};

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is, record};
use crate::snapshot::{pack, unpack};
use crate::tx::{insert_into, repository};

repository! {
    /// Revisions of versions.
    Revisions via revisions
}

record! { Revision in "revision" owned by Some("tenant_id") => {
    id, tenant_id, version_id, number, format, document_hash, document_bytes, title, operation_count, created_by,
    created_at,
} }

/// Where an operation belongs; with it, an operation is a row.
struct Placed<'a> {
    tenant_id: TenantId,
    revision_id: RevisionId,
    position: u32,
    operation: &'a Operation,
}

const OPERATION: &str = "operation";
const OPERATION_COLUMNS: &[&str] = &[
    "tenant_id",
    "revision_id",
    "position",
    "key",
    "slug",
    "method",
    "template",
    "summary",
    "deprecated",
    "tags",
    "pointer",
    "fingerprint",
    "routable",
];

impl Placed<'_> {
    fn values(&self) -> Vec<Value> {
        let operation = self.operation;
        vec![
            self.tenant_id.value(),
            self.revision_id.value(),
            self.position.value(),
            operation.key.value(),
            operation.slug.value(),
            operation.method.value(),
            operation.template.value(),
            operation.summary.value(),
            operation.deprecated.value(),
            operation.tags.value(),
            operation.pointer.value(),
            operation.fingerprint.value(),
            operation.routable.value(),
        ]
    }
}

fn read_operation(row: &Row) -> Result<Operation, Fault> {
    Ok(Operation {
        key: row.get("key")?,
        slug: row.get("slug")?,
        method: row.get("method")?,
        template: row.get("template")?,
        summary: row.get("summary")?,
        deprecated: row.get("deprecated")?,
        tags: row.get("tags")?,
        pointer: row.get("pointer")?,
        fingerprint: row.get("fingerprint")?,
        routable: row.get("routable")?,
    })
}

impl Revisions<'_> {
    /// The revision with this id.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn find(self, id: RevisionId) -> Result<Option<Revision>, StoreError> {
        self.0.one(is("id", &id)).await
    }

    /// The highest number of a version's revisions; zero when it has none.
    ///
    /// # Errors
    /// As for every read.
    pub async fn last_number(self, version: VersionId) -> Result<u32, StoreError> {
        let mut select = Query::select();
        select
            .column("number")
            .from(Revision::TABLE)
            .and_where(is("version_id", &version))
            .and_where_option(self.0.wall::<Revision>())
            .order_by("number", Order::Desc)
            .limit(1);
        let row = self.0.conn.fetch_optional(&select).await?;
        row.map_or(Ok(0), |row| row.take(Revision::TABLE, "number"))
    }

    /// The revisions of a version, newest first.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, version: VersionId, page: PageRequest) -> Result<Page<Revision>, StoreError> {
        let mut select = self.0.select::<Revision>();
        select.and_where(is("version_id", &version));
        self.0
            .page(select, page, Order::Desc, |revision: &Revision| {
                revision.id.uuid()
            })
            .await
    }

    /// Adds a revision with its raw document and its operations. A document that
    /// the tenant has already is kept once.
    ///
    /// # Errors
    /// `Conflict(RevisionNumber)`, `Conflict(OperationKey)`, `Conflict(OperationSlug)`.
    pub async fn insert(
        self,
        revision: &Revision,
        raw: Vec<u8>,
        operations: &[Operation],
    ) -> Result<(), StoreError> {
        // Deflating 13 MB takes a fifth of a second: not on a thread that others wait for.
        let packed = tokio::task::spawn_blocking(move || pack(&raw))
            .await
            .map_err(std::io::Error::other)??;
        let document = vec![
            revision.tenant_id.value(),
            revision.document_hash.value(),
            packed.value(),
            revision.created_at.value(),
        ];
        let columns = ["tenant_id", "hash", "body", "created_at"];
        let mut insert = insert_into("document", &columns, std::iter::once(document));
        insert.on_conflict(OnConflict::columns(["tenant_id", "hash"]).do_nothing().to_owned());
        self.0.conn.execute(&insert).await?;
        self.0.insert(revision).await?;
        let rows = (0_u32..).zip(operations).map(|(position, operation)| {
            let placed = Placed {
                tenant_id: revision.tenant_id,
                revision_id: revision.id,
                position,
                operation,
            };
            placed.values()
        });
        let rows = rows.collect();
        self.0
            .insert_rows(OPERATION, OPERATION_COLUMNS, Some("tenant_id"), rows)
            .await
    }

    /// Adds a revision whose document and operations are those of another one.
    ///
    /// # Errors
    /// `Conflict(RevisionNumber)`; [`StoreError::Refused`] when the other's document is not the tenant's.
    pub async fn copy(self, from: RevisionId, revision: &Revision) -> Result<(), StoreError> {
        self.0.insert(revision).await?;
        let copied = OPERATION_COLUMNS.iter().map(|column| match *column {
            "revision_id" => Expr::val(revision.id.value()),
            column => Expr::col(column),
        });
        let mut select = Query::select();
        select
            .exprs(copied)
            .from(OPERATION)
            .and_where(is("revision_id", &from))
            .and_where_option(self.0.wall::<Revision>());
        let mut insert = Query::insert();
        insert
            .into_table(OPERATION)
            .columns(OPERATION_COLUMNS.iter().copied());
        // The select lists exactly the columns of the insert.
        if insert.select_from(select).is_err() {
            return Err(StoreError::Refused("the columns of operations differ".to_owned()));
        }
        self.0.conn.execute(&insert).await.map(drop)
    }

    /// The operations of a revision in the order of its document.
    ///
    /// # Errors
    /// As for every read.
    pub async fn operations(self, revision: RevisionId) -> Result<Vec<Operation>, StoreError> {
        let mut select = Query::select();
        select
            .columns(OPERATION_COLUMNS.iter().copied())
            .from(OPERATION)
            .and_where(is("revision_id", &revision))
            .and_where_option(self.0.wall::<Revision>())
            .order_by("position", Order::Asc);
        let rows = self.0.conn.fetch_all(&select).await?;
        rows.iter()
            .map(|row| read_operation(row).map_err(|fault| row.corrupt(OPERATION, fault)))
            .collect()
    }

    /// The operation of a revision with this name in portal addresses.
    ///
    /// # Errors
    /// As for every read.
    pub async fn operation_by_slug(
        self,
        revision: RevisionId,
        slug: &str,
    ) -> Result<Option<Operation>, StoreError> {
        let mut select = Query::select();
        select
            .columns(OPERATION_COLUMNS.iter().copied())
            .from(OPERATION)
            .and_where(is("revision_id", &revision))
            .and_where(is("slug", &slug.to_owned()))
            .and_where_option(self.0.wall::<Revision>());
        let Some(row) = self.0.conn.fetch_optional(&select).await? else {
            return Ok(None);
        };
        let operation = read_operation(&row).map_err(|fault| row.corrupt(OPERATION, fault))?;
        Ok(Some(operation))
    }

    /// The raw document with this hash, byte for byte.
    ///
    /// # Errors
    /// As for every read.
    pub async fn document(self, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut select = Query::select();
        select
            .column("body")
            .from("document")
            .and_where(is("hash", &hash.to_owned()))
            .and_where_option(self.0.wall::<Revision>())
            .limit(1);
        let Some(row) = self.0.conn.fetch_optional(&select).await? else {
            return Ok(None);
        };
        let packed: Vec<u8> = row.take("document", "body")?;
        let body = tokio::task::spawn_blocking(move || unpack("document", &packed))
            .await
            .map_err(std::io::Error::other)??;
        Ok(Some(body))
    }
}
