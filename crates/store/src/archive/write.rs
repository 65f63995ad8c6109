//! Writing an archive.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::TryStreamExt;
use gatewright_model::time::Timestamp;
use sea_query::{Order, Query};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{BackupOptions, EndLine, FORMAT, Header, TableLine, VERSION, migration_names, value};
use crate::conn::{Access, Scope};
use crate::dialect;
use crate::error::StoreError;
use crate::migrations::Target;
use crate::schema::{Archived, TABLES, Table};
use crate::store::Store;
use crate::tx::Tx;

/// How much is compressed before it is handed on.
const CHUNK: usize = 256 << 10;

struct Lines<'w, W> {
    encoder: GzEncoder<Vec<u8>>,
    out: &'w mut W,
    rows: u64,
}

impl<W: AsyncWrite + Unpin + Send> Lines<'_, W> {
    async fn line(&mut self, line: &impl serde::Serialize) -> Result<(), StoreError> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::from)?;
        text.push(b'\n');
        self.encoder.write_all(&text)?;
        if self.encoder.get_ref().len() >= CHUNK {
            let full = std::mem::take(self.encoder.get_mut());
            self.out.write_all(&full).await?;
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), StoreError> {
        let rest = self.encoder.finish()?;
        self.out.write_all(&rest).await?;
        self.out.flush().await?;
        Ok(())
    }
}

impl Store {
    /// Writes an archive of one state of the store; it may be in use meanwhile.
    /// Returns the number of rows.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Migration`] for a schema that is not this program's,
    /// [`StoreError::File`] from the writer.
    pub async fn backup(
        &self,
        out: &mut (impl AsyncWrite + Unpin + Send),
        options: BackupOptions,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.check_schema().await?;
        let mut lines = Lines {
            encoder: GzEncoder::new(Vec::new(), Compression::default()),
            out,
            rows: 0,
        };
        let header = Header {
            format: FORMAT.to_owned(),
            version: VERSION,
            created_at: now,
            migrations: migration_names(),
        };
        lines.line(&header).await?;
        let mut control = self.read(Scope::System).await?;
        dialect::lift_bounds(&mut control.conn).await?;
        // SQLite has traffic in a file of its own; on Postgres both are one state of one schema.
        let mut traffic = match &self.files {
            Some(_) => Some(self.traffic_tx(Scope::System, Access::Read).await?),
            None => None,
        };
        for table in TABLES.iter().filter(|table| options.include(table)) {
            let tx = match (table.target, &mut traffic) {
                (Target::Traffic, Some(traffic)) => traffic,
                _ => &mut control,
            };
            write_table(tx, table, &mut lines).await?;
        }
        let rows = lines.rows;
        lines.line(&EndLine { rows }).await?;
        lines.finish().await?;
        Ok(rows)
    }
}

impl BackupOptions {
    fn include(self, table: &Table) -> bool {
        match table.archived {
            Archived::Always => true,
            Archived::Calls => self.calls,
            Archived::Never => false,
        }
    }
}

async fn write_table<W: AsyncWrite + Unpin + Send>(
    tx: &mut Tx,
    table: &'static Table,
    lines: &mut Lines<'_, W>,
) -> Result<(), StoreError> {
    let columns = table
        .columns
        .iter()
        .map(|(column, _)| (*column).to_owned())
        .collect();
    lines
        .line(&TableLine {
            table: table.name.to_owned(),
            columns,
        })
        .await?;
    let mut select = Query::select();
    select
        .columns(table.columns.iter().map(|(column, _)| *column))
        .from(table.name);
    for key in table.key {
        select.order_by(*key, Order::Asc);
    }
    let mut rows = tx.conn.stream(&select);
    while let Some(row) = rows.try_next().await? {
        let values = table
            .columns
            .iter()
            .map(|(column, kind)| value::to_json(&row, column, *kind));
        let values = values
            .collect::<Result<Vec<_>, _>>()
            .map_err(|fault| row.corrupt(table.name, fault))?;
        lines.line(&values).await?;
        lines.rows += 1;
    }
    Ok(())
}
