//! An archive as `gatewright backup` writes it: lines of JSON in gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// One row: its values in the order of the columns.
pub(super) type Row = Vec<Value>;

/// A whole archive in memory; for small ones.
#[derive(Debug)]
pub(super) struct Archive {
    /// The first line, as it is.
    pub(super) header: String,
    /// In their order: those that others point to come first.
    pub(super) tables: Vec<Table>,
}

/// A table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// The names of its columns.
    pub(super) columns: Vec<String>,
    /// Its rows.
    pub(super) rows: Vec<Row>,
}

impl Archive {
    /// Reads an archive.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let mut lines = BufReader::new(MultiGzDecoder::new(file)).lines();
        let header = lines.next().context("the archive is empty")??;
        let mut tables: Vec<Table> = Vec::new();
        for line in lines {
            let line: Value = serde_json::from_str(&line?)?;
            match (line, tables.last_mut()) {
                (Value::Array(row), Some(table)) => table.rows.push(row),
                (Value::Object(head), _) => tables.extend(Table::named(&head)),
                _ => bail!("a line of the archive is neither a table nor a row"),
            }
        }
        Ok(Self { header, tables })
    }

    /// The table with this name.
    pub(super) fn table(&self, name: &str) -> anyhow::Result<&Table> {
        let found = self.tables.iter().find(|table| table.name == name);
        found.with_context(|| format!("the archive has no table {name}"))
    }
}

impl Table {
    /// `None` for the line that ends an archive.
    fn named(head: &serde_json::Map<String, Value>) -> Option<Self> {
        let columns = head.get("columns")?.as_array()?;
        Some(Self {
            name: head.get("table")?.as_str()?.to_owned(),
            columns: columns
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            rows: Vec::new(),
        })
    }

    /// Where a column stands.
    pub(super) fn place(&self, column: &str) -> anyhow::Result<usize> {
        let found = self.columns.iter().position(|known| known == column);
        found.with_context(|| format!("{} has no column {column}", self.name))
    }

    /// A value as text; empty when it is none.
    pub(super) fn text<'r>(&self, row: &'r Row, column: &str) -> &'r str {
        let place = self.columns.iter().position(|known| known == column);
        let value = place.and_then(|place| row.get(place));
        value.and_then(Value::as_str).unwrap_or_default()
    }

    /// Puts a value into a row.
    pub(super) fn set(&self, row: &mut Row, column: &str, value: impl Into<Value>) -> anyhow::Result<()> {
        let place = self.place(column)?;
        *row.get_mut(place).context("a row is too short")? = value.into();
        Ok(())
    }

    /// The rows in which a column has this text.
    pub(super) fn of<'t>(&'t self, column: &'t str, wanted: &'t str) -> impl Iterator<Item = &'t Row> {
        self.rows
            .iter()
            .filter(move |row| self.text(row, column) == wanted)
    }

    /// The only such row, or the first of them.
    pub(super) fn one(&self, column: &str, wanted: &str) -> anyhow::Result<&Row> {
        let found = self.rows.iter().find(|row| self.text(row, column) == wanted);
        found.with_context(|| format!("{} has no row whose {column} is {wanted}", self.name))
    }
}

/// Writes an archive line by line.
pub(super) struct Writer {
    out: GzEncoder<BufWriter<File>>,
    rows: u64,
}

impl Writer {
    /// Begins one with this header.
    pub(super) fn begin(path: &Path, header: &str) -> anyhow::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let mut out = GzEncoder::new(file, Compression::fast());
        writeln!(out, "{header}")?;
        Ok(Self { out, rows: 0 })
    }

    /// Begins a table.
    pub(super) fn table(&mut self, name: &str, columns: &[impl AsRef<str>]) -> anyhow::Result<()> {
        let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
        writeln!(self.out, "{}", json!({"table": name, "columns": columns}))?;
        Ok(())
    }

    /// Adds a row to the table that was begun last.
    pub(super) fn row(&mut self, row: &[Value]) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, row)?;
        self.out.write_all(b"\n")?;
        self.rows += 1;
        Ok(())
    }

    /// Writes the last line.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        writeln!(self.out, "{}", json!({"rows": self.rows}))?;
        self.out.finish()?.flush()?;
        Ok(())
    }
}
