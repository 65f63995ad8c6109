//! Backup and restore: one portable archive that either database writes and reads.
//!
//! An archive is gzip over lines of JSON: a header, for each table a line with
//! its name and columns and then one array for each row, and a last line with
//! the number of rows, so that a cut one is noticed. Ids are text, bytes are
//! base64, times and counts are numbers. Rows stand in the order of their keys:
//! the same store gives the same archive but for the time in its header.
//! Sessions, running nodes and messages on their way are left out.

mod read;
mod value;
mod write;

use gatewright_model::time::Timestamp;

use crate::migrations::MIGRATIONS;

/// What an archive holds beside the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupOptions {
    /// Single call records too; usage figures are always in it.
    pub calls: bool,
}

/// What an archive says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ArchiveFacts {
    /// Tells under which master key the store was made; `None` when it was never prepared.
    pub master_key_check: Option<String>,
}

const FORMAT: &str = "gatewright-archive";
const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Header {
    format: String,
    version: u32,
    created_at: Timestamp,
    migrations: Vec<String>,
}

/// A line that begins a table.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct TableLine {
    table: String,
    columns: Vec<String>,
}

/// The last line.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct EndLine {
    rows: u64,
}

fn migration_names() -> Vec<String> {
    MIGRATIONS.iter().map(|known| known.name.to_owned()).collect()
}
