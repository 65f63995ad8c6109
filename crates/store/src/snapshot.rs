//! Configuration snapshots: content-addressed parts, and which part was in
//! force from which change to which. A manifest is not stored: the one at N is
//! what entries say, so that a publish of one API writes two rows.

use std::collections::HashMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gatewright_model::id::UserId;
use gatewright_model::snapshot::{Manifest, PartHash, PartKind, PartRef};
use gatewright_model::time::Timestamp;
use sea_query::{Condition, Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};
use uuid::Uuid;

use crate::change::Journal;
use crate::column::Column;
use crate::error::StoreError;
use crate::row::{is, record};
use crate::tx::{Tx, insert_into, repository};

repository! {
    /// Configuration snapshots.
    Snapshots via snapshots
}

/// One line of the history of configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Its number.
    pub seq: i64,
    /// When it came into force.
    pub created_at: Timestamp,
    /// The first thing that was done in its change: `version.publish`.
    pub cause: String,
    /// Who did it.
    pub user_id: Option<UserId>,
    /// How many parts changed.
    pub changed: u32,
}

record! { SnapshotSummary in "config_snapshot" owned by None => { seq, created_at, cause, user_id, changed } }

type Current = HashMap<(PartKind, Uuid), Option<PartHash>>;

/// Writes the parts of a change that differ from what is in force. The head is
/// held, so nobody else changes what is in force meanwhile.
pub(crate) async fn write_parts(
    tx: &mut Tx,
    journal: &Journal,
    seq: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    if journal.parts.is_empty() {
        return Ok(());
    }
    let keys: Vec<Uuid> = journal.parts.keys().map(|(_, key)| *key).collect();
    let current = current_entries(tx, &keys).await?;
    let mut entries = Vec::new();
    let mut bodies = Vec::new();
    for ((kind, key), body) in &journal.parts {
        let hash = body.as_deref().map(PartHash::of);
        if current.get(&(*kind, *key)).copied().flatten() == hash {
            continue;
        }
        if let (Some(hash), Some(body)) = (hash, body) {
            bodies.push(vec![hash.value(), kind.value(), pack(body)?.value()]);
        }
        entries.push(vec![kind.value(), key.value(), seq.value(), hash.value()]);
    }
    if entries.is_empty() {
        return Ok(());
    }
    if !bodies.is_empty() {
        let mut insert = insert_into("snapshot_part", &["hash", "kind", "body"], bodies.into_iter());
        insert.on_conflict(OnConflict::column("hash").do_nothing().to_owned());
        tx.conn.execute(&insert).await?;
    }
    supersede(tx, &entries_condition(&entries), seq).await?;
    let (cause, user) = journal.cause();
    let summary = SnapshotSummary {
        seq,
        created_at: now,
        cause,
        user_id: user.map(gatewright_model::id::EntityId::from_uuid),
        changed: u32::try_from(entries.len()).unwrap_or(u32::MAX),
    };
    let columns = ["kind", "key", "seq", "hash"];
    tx.insert_rows("snapshot_entry", &columns, None, entries).await?;
    tx.insert(&summary).await
}

fn entries_condition(entries: &[Vec<sea_query::Value>]) -> Condition {
    entries.iter().fold(Condition::any(), |any, entry| {
        let mut values = entry.iter().cloned();
        let (kind, key) = (values.next(), values.next());
        any.add(
            Expr::col("kind")
                .eq(kind.unwrap_or_else(null))
                .and(Expr::col("key").eq(key.unwrap_or_else(null))),
        )
    })
}

fn null() -> sea_query::Value {
    sea_query::Value::String(None)
}

async fn supersede(tx: &mut Tx, which: &Condition, seq: i64) -> Result<(), StoreError> {
    let mut update = Query::update();
    update
        .table("snapshot_entry")
        .value("superseded_seq", seq)
        .and_where(Expr::col("superseded_seq").is_null())
        .cond_where(which.clone());
    tx.conn.execute(&update).await.map(drop)
}

async fn current_entries(tx: &mut Tx, keys: &[Uuid]) -> Result<Current, StoreError> {
    let mut select = Query::select();
    select
        .columns(["kind", "key", "hash"])
        .from("snapshot_entry")
        .and_where(Expr::col("superseded_seq").is_null())
        .and_where(Expr::col("key").is_in(keys.iter().copied()));
    let rows = tx.conn.fetch_all(&select).await?;
    rows.iter()
        .map(|row| {
            let table = "snapshot_entry";
            Ok((
                (row.take(table, "kind")?, row.take(table, "key")?),
                row.take(table, "hash")?,
            ))
        })
        .collect()
}

impl Snapshots<'_> {
    /// The number of the newest configuration; zero before the first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], as for every read.
    pub async fn head(self) -> Result<i64, StoreError> {
        Ok(self.newest(None).await?.map_or(0, |summary| summary.seq))
    }

    /// The configuration in force at a change, or now. Before the first one it
    /// is empty and has number zero.
    ///
    /// # Errors
    /// As for every read.
    pub async fn manifest(mut self, at: Option<i64>) -> Result<Manifest, StoreError> {
        let Some(newest) = self.newest_at(at).await? else {
            return Ok(Manifest {
                seq: 0,
                created_at: Timestamp::default(),
                parts: Vec::new(),
            });
        };
        let rows = self.0.conn.fetch_all(&entries_at(newest.seq)).await?;
        let table = "snapshot_entry";
        let parts = rows.iter().map(|row| {
            Ok(PartRef {
                kind: row.take(table, "kind")?,
                key: row.take(table, "key")?,
                hash: row.take(table, "hash")?,
            })
        });
        let mut parts = parts.collect::<Result<Vec<_>, StoreError>>()?;
        parts.sort_by_key(|part| (part.kind, part.key));
        Ok(Manifest {
            seq: newest.seq,
            created_at: newest.created_at,
            parts,
        })
    }

    /// The bodies of parts, in no particular order; unknown ones are left out.
    ///
    /// # Errors
    /// As for every read.
    pub async fn parts(self, hashes: &[PartHash]) -> Result<Vec<(PartHash, Vec<u8>)>, StoreError> {
        let mut found = Vec::with_capacity(hashes.len());
        for chunk in hashes.chunks(1_000) {
            let mut select = Query::select();
            select
                .columns(["hash", "body"])
                .from("snapshot_part")
                .and_where(Expr::col("hash").is_in(chunk.iter().map(Column::value)));
            for row in self.0.conn.fetch_all(&select).await? {
                let table = "snapshot_part";
                let body: Vec<u8> = row.take(table, "body")?;
                found.push((row.take(table, "hash")?, unpack(table, &body)?));
            }
        }
        Ok(found)
    }

    /// The history, newest first: at most `limit` lines before a number.
    ///
    /// # Errors
    /// As for every read.
    pub async fn list(self, before: Option<i64>, limit: u16) -> Result<Vec<SnapshotSummary>, StoreError> {
        let mut select = self.0.select::<SnapshotSummary>();
        select
            .and_where_option(before.map(|before| Expr::col("seq").lt(before)))
            .order_by("seq", Order::Desc)
            .limit(u64::from(limit));
        self.0.all(&select).await
    }

    /// One line of the history.
    ///
    /// # Errors
    /// As for every read.
    pub async fn find(self, seq: i64) -> Result<Option<SnapshotSummary>, StoreError> {
        self.0.one(is("seq", &seq)).await
    }

    /// Keeps the newest snapshots and removes what only older ones needed;
    /// says how many parts that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn prune(self, keep: u16) -> Result<u64, StoreError> {
        let tx = self.0;
        // A publisher must not bring a part back into use between the look and the deletion.
        tx.hold_head().await?;
        let mut oldest = Query::select();
        oldest
            .column("seq")
            .from("config_snapshot")
            .order_by("seq", Order::Desc)
            .limit(1)
            .offset(u64::from(keep).saturating_sub(1));
        let Some(row) = tx.conn.fetch_optional(&oldest).await? else {
            return Ok(0);
        };
        let oldest: i64 = row.take("config_snapshot", "seq")?;
        let gone = Expr::col("superseded_seq").lte(oldest);
        tx.conn
            .execute(Query::delete().from_table("snapshot_entry").and_where(gone))
            .await?;
        let older = Expr::col("seq").lt(oldest);
        tx.conn
            .execute(Query::delete().from_table("config_snapshot").and_where(older))
            .await?;
        let mut used = Query::select();
        used.column("hash")
            .from("snapshot_entry")
            .and_where(Expr::col("hash").is_not_null());
        let unused = Expr::col("hash").not_in_subquery(used);
        tx.conn
            .execute(Query::delete().from_table("snapshot_part").and_where(unused))
            .await
    }

    async fn newest(mut self, at: Option<i64>) -> Result<Option<SnapshotSummary>, StoreError> {
        self.newest_at(at).await
    }

    async fn newest_at(&mut self, at: Option<i64>) -> Result<Option<SnapshotSummary>, StoreError> {
        let mut select = self.0.select::<SnapshotSummary>();
        select
            .and_where_option(at.map(|at| Expr::col("seq").lte(at)))
            .order_by("seq", Order::Desc)
            .limit(1);
        Ok(self.0.all(&select).await?.pop())
    }
}

fn entries_at(seq: i64) -> SelectStatement {
    let in_force = Expr::col("superseded_seq")
        .is_null()
        .or(Expr::col("superseded_seq").gt(seq));
    let mut select = Query::select();
    select
        .columns(["kind", "key", "hash"])
        .from("snapshot_entry")
        .and_where(Expr::col("seq").lte(seq))
        .and_where(in_force)
        .and_where(Expr::col("hash").is_not_null());
    select
}

/// Compresses a body.
pub(crate) fn pack(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    Ok(encoder.finish()?)
}

/// The largest body that is unpacked: far above every import limit, far below what hurts.
const MAX_BODY: u64 = 256 << 20;

/// Decompresses a body.
pub(crate) fn unpack(table: &'static str, packed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut body = Vec::new();
    let corrupt = |_| StoreError::Corrupt {
        table,
        column: "body",
        row: "compressed".to_owned(),
    };
    GzDecoder::new(packed)
        .take(MAX_BODY)
        .read_to_end(&mut body)
        .map_err(corrupt)?;
    Ok(body)
}
