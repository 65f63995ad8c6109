//! Reading an archive.

use std::collections::BTreeSet;
use std::io::Write;

use flate2::write::GzDecoder;
use gatewright_model::state::Word;
use sea_query::{Query, Value};
use serde_json::Value as Json;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{ArchiveFacts, EndLine, FORMAT, Header, TableLine, VERSION, migration_names, value};
use crate::conn::{Access, Scope};
use crate::dialect;
use crate::error::StoreError;
use crate::meta::MetaKey;
use crate::migrations::Target;
use crate::schema::{self, Kind, Table};
use crate::store::Store;
use crate::tx::Tx;

/// Rows that are collected before they are written.
const BATCH: usize = 500;
/// The longest line: a document of the largest size, in base64.
const MAX_LINE: usize = 512 << 20;
const DAY_MS: i64 = 86_400_000;

impl ArchiveFacts {
    /// Reads an archive to its end and writes nothing: what this refuses, no store needs to see.
    ///
    /// # Errors
    /// [`StoreError::Archive`] when it is none, cut, or of another schema;
    /// [`StoreError::File`] when it cannot be read.
    pub async fn read(from: &mut (impl AsyncRead + Unpin + Send)) -> Result<Self, StoreError> {
        let mut inspection = Inspection::default();
        let mut lines = Lines::default();
        let mut chunk = vec![0_u8; 256 << 10];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            lines.push(chunk.get(..read).unwrap_or_default())?;
            while let Some(line) = lines.next_line() {
                inspection.line(&line)?;
            }
        }
        inspection.finish()
    }
}

impl Store {
    /// Fills an empty store from an archive, all of it or nothing, and says how many rows that were.
    ///
    /// # Errors
    /// [`StoreError::Archive`] when the store is not empty or the archive is cut, foreign or of another schema.
    pub async fn restore(&self, from: &mut (impl AsyncRead + Unpin + Send)) -> Result<u64, StoreError> {
        self.check_schema().await?;
        let mut control = self.begin(Scope::System).await?;
        if control
            .count::<gatewright_model::tenancy::Tenant>(sea_query::Expr::val(true))
            .await?
            > 0
        {
            return Err(StoreError::Archive("the store is not empty".to_owned()));
        }
        for seeded in ["meta", "change_head"] {
            control.conn.execute(Query::delete().from_table(seeded)).await?;
        }
        // On Postgres everything stands in one schema and is written in one transaction.
        let mut traffic = match &self.files {
            Some(_) => Some(self.traffic_tx(Scope::System, Access::Write).await?),
            None => None,
        };
        for tx in traffic.iter_mut().chain([&mut control]) {
            dialect::lift_bounds(&mut tx.conn).await?;
        }
        let mut restoring = Restoring::new(control, traffic);
        let mut lines = Lines::default();
        let mut chunk = vec![0_u8; 256 << 10];
        loop {
            let read = from.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            lines.push(chunk.get(..read).unwrap_or_default())?;
            while let Some(line) = lines.next_line() {
                restoring.line(&line).await?;
            }
        }
        let rows = restoring.finish().await?;
        dialect::count_rows(&self.control).await?;
        Ok(rows)
    }
}

/// Where the looking through an archive stands.
#[derive(Default)]
struct Inspection {
    header_read: bool,
    in_meta: bool,
    rows: u64,
    announced: Option<u64>,
    facts: ArchiveFacts,
}

impl Inspection {
    fn line(&mut self, line: &[u8]) -> Result<(), StoreError> {
        if !self.header_read {
            check_header(line)?;
            self.header_read = true;
        } else if line.starts_with(b"[") {
            self.rows += 1;
            if self.in_meta {
                self.fact(line)?;
            }
        } else if let Ok(end) = serde_json::from_slice::<EndLine>(line) {
            self.announced = Some(end.rows);
        } else {
            let open = open_table(line)?;
            self.in_meta = open.table.name == "meta";
            let columns: Vec<_> = open.columns.iter().map(|(column, _)| *column).collect();
            if self.in_meta && columns != ["key", "value"] {
                return Err(damaged("its facts have other columns"));
            }
        }
        Ok(())
    }

    fn fact(&mut self, line: &[u8]) -> Result<(), StoreError> {
        let (key, value): (String, String) =
            serde_json::from_slice(line).map_err(|_| damaged("a fact is no pair of texts"))?;
        if key == MetaKey::MasterKeyCheck.as_str() {
            self.facts.master_key_check = Some(value);
        }
        Ok(())
    }

    fn finish(self) -> Result<ArchiveFacts, StoreError> {
        if self.announced == Some(self.rows) {
            Ok(self.facts)
        } else {
            Err(damaged("it ends too early"))
        }
    }
}

/// Compressed bytes in, lines out.
struct Lines {
    decoder: GzDecoder<Vec<u8>>,
    pending: Vec<u8>,
    start: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            decoder: GzDecoder::new(Vec::new()),
            pending: Vec::new(),
            start: 0,
        }
    }
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let unreadable =
            |error: std::io::Error| StoreError::Archive(format!("it cannot be decompressed: {error}"));
        self.decoder.write_all(bytes).map_err(unreadable)?;
        self.decoder.flush().map_err(unreadable)?;
        self.pending.drain(..self.start);
        self.start = 0;
        self.pending.append(self.decoder.get_mut());
        if self.pending.len() > MAX_LINE {
            return Err(StoreError::Archive("a line is too long".to_owned()));
        }
        Ok(())
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let rest = self.pending.get(self.start..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest.get(..length)?.to_vec();
        self.start += length + 1;
        Some(line)
    }
}

/// The table whose rows are being read.
struct Open {
    table: &'static Table,
    columns: Vec<(&'static str, Kind)>,
    rows: Vec<Vec<Value>>,
    /// Days of call records that have a partition already.
    days: BTreeSet<i64>,
}

/// Where the reading of an archive stands.
struct Restoring {
    control: Tx,
    traffic: Option<Tx>,
    header_read: bool,
    open: Option<Open>,
    rows: u64,
    announced: Option<u64>,
}

impl Restoring {
    fn new(control: Tx, traffic: Option<Tx>) -> Self {
        Self {
            control,
            traffic,
            header_read: false,
            open: None,
            rows: 0,
            announced: None,
        }
    }

    async fn line(&mut self, line: &[u8]) -> Result<(), StoreError> {
        if !self.header_read {
            check_header(line)?;
            self.header_read = true;
            return Ok(());
        }
        if line.starts_with(b"[") {
            return self.row(line).await;
        }
        self.flush().await?;
        if let Ok(end) = serde_json::from_slice::<EndLine>(line) {
            self.announced = Some(end.rows);
            self.open = None;
            return Ok(());
        }
        self.open = Some(open_table(line)?);
        Ok(())
    }

    async fn row(&mut self, line: &[u8]) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else {
            return Err(damaged("a row stands outside of a table"));
        };
        let values: Vec<Json> = serde_json::from_slice(line).map_err(|_| damaged("a row is not JSON"))?;
        if values.len() != open.columns.len() {
            return Err(damaged("a row has another number of values than its table"));
        }
        let values = values
            .into_iter()
            .zip(&open.columns)
            .map(|(json, (_, kind))| value::from_json(json, *kind));
        let row = values
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| damaged("a value does not fit its column"))?;
        open.rows.push(row);
        self.rows += 1;
        if open.rows.len() >= BATCH {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let rows = std::mem::take(&mut open.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let tx = match (open.table.target, &mut self.traffic) {
            (Target::Traffic, Some(traffic)) => traffic,
            _ => &mut self.control,
        };
        if open.table.name == "call_record" {
            for day in new_days(open, &rows) {
                dialect::add_call_day(&mut tx.conn, day).await?;
            }
        }
        dialect::fill(tx, open.table.name, &open.columns, rows).await
    }

    async fn finish(self) -> Result<u64, StoreError> {
        if self.announced != Some(self.rows) {
            return Err(damaged("it ends too early"));
        }
        // Usage without its configuration shows nothing; the other way round the figures would be lost unseen.
        if let Some(traffic) = self.traffic {
            traffic.conn.commit_large().await?;
        }
        self.control.conn.commit_large().await?;
        Ok(self.rows)
    }
}

fn check_header(line: &[u8]) -> Result<(), StoreError> {
    let header: Header =
        serde_json::from_slice(line).map_err(|_| damaged("its first line is not a header"))?;
    if header.format != FORMAT || header.version != VERSION {
        return Err(damaged("it is of another format"));
    }
    if header.migrations != migration_names() {
        let newest = header.migrations.last().cloned().unwrap_or_default();
        return Err(StoreError::Archive(format!(
            "it was written at migration {newest}: restore it with the program that wrote it, then upgrade"
        )));
    }
    Ok(())
}

fn open_table(line: &[u8]) -> Result<Open, StoreError> {
    let named: TableLine =
        serde_json::from_slice(line).map_err(|_| damaged("a line is neither a table nor a row"))?;
    let table = schema::table(&named.table).ok_or_else(|| damaged("it has an unknown table"))?;
    let columns = named
        .columns
        .iter()
        .map(|name| table.columns.iter().find(|(column, _)| column == name).copied());
    Ok(Open {
        table,
        columns: columns
            .collect::<Option<_>>()
            .ok_or_else(|| damaged("it has an unknown column"))?,
        rows: Vec::new(),
        days: BTreeSet::new(),
    })
}

fn new_days(open: &mut Open, rows: &[Vec<Value>]) -> Vec<i64> {
    let Some(at) = open.columns.iter().position(|(column, _)| *column == "at") else {
        return Vec::new();
    };
    let days = rows.iter().filter_map(|row| match row.get(at) {
        Some(Value::BigInt(Some(at))) => Some(at.div_euclid(DAY_MS)),
        _ => None,
    });
    let days: BTreeSet<i64> = days.collect();
    days.into_iter().filter(|day| open.days.insert(*day)).collect()
}

fn damaged(what: &str) -> StoreError {
    StoreError::Archive(what.to_owned())
}
