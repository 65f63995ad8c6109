//! The numbered list of schema changes, embedded, and what has been applied.
//!
//! Each number has a file for both databases. An applied file never changes:
//! its checksum is kept and compared. SQLite spreads the files over `control.db`
//! and `traffic.db`; Postgres has them in one schema.

use gatewright_model::time::Timestamp;
use sea_query::{Expr, Query};
use sha2::{Digest, Sha256};

use crate::column::Column;
use crate::conn::{Conn, Dialect, Link};
use crate::dialect;
use crate::error::StoreError;

/// The schema is not the one that this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// An applied migration is not the one that this program carries.
    #[error("migration {name} was applied with another content than this program carries")]
    Changed {
        /// Its name.
        name: String,
    },
    /// The schema is ahead of this program.
    #[error("migration {name} was applied by a newer program")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// Migrations are missing.
    #[error("{} schema migration(s) are pending: {}", .0.len(), .0.join(", "))]
    Pending(Vec<String>),
}

/// Into which of SQLite's files a migration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Control,
    Traffic,
}

/// One schema change.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) target: Target,
    postgres: &'static str,
    sqlite: &'static str,
}

impl Migration {
    pub(crate) const fn sql(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Postgres => self.postgres,
            Dialect::Sqlite => self.sqlite,
        }
    }

    fn checksum(&self, dialect: Dialect) -> String {
        hex::encode(Sha256::digest(self.sql(dialect).as_bytes()))
    }
}

macro_rules! migrations {
    ($($number:literal $name:literal in $target:ident;)*) => {
        &[$(Migration {
            number: $number,
            name: $name,
            target: Target::$target,
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
        },)*]
    };
}

/// All migrations in order.
pub(crate) const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_control" in Control;
    2 "0002_traffic" in Traffic;
    3 "0003_accounts" in Control;
    4 "0004_document_parts" in Control;
    5 "0005_console_sessions" in Control;
    6 "0006_featured" in Control;
    7 "0007_api_teams" in Control;
    8 "0008_usage_sums" in Traffic;
    9 "0009_indexes" in Control;
    10 "0010_traffic_indexes" in Traffic;
};

const TABLE: &str = "schema_migration";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migration \
    (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";

/// What stands in a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    number: i64,
    name: String,
    checksum: String,
}

/// The migrations of a target that are not applied yet.
///
/// # Errors
/// A changed or an unknown applied migration, by name.
pub(crate) async fn pending(link: &Link, targets: &[Target]) -> Result<Vec<&'static Migration>, StoreError> {
    let mut conn = link.begin_as_owner().await?;
    let applied = if dialect::has_table(&mut conn, TABLE).await? {
        applied(&mut conn).await?
    } else {
        Vec::new()
    };
    conn.rollback().await?;
    Ok(missing(&applied, targets, link.dialect())?)
}

/// Applies what is missing, each migration in its own transaction, and says what was applied.
pub(crate) async fn apply(
    link: &Link,
    targets: &[Target],
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    // Each round re-reads under the lock, so that two processes that start together do not apply one twice.
    loop {
        let mut conn = link.begin_as_owner().await?;
        dialect::serialise(&mut conn, dialect::Work::Migrations).await?;
        conn.run_fixed(CREATE).await?;
        let applied = applied(&mut conn).await?;
        let Some(next) = missing(&applied, targets, link.dialect())?.first().copied() else {
            if !names.is_empty() {
                dialect::grant(&mut conn, link).await?;
            }
            conn.commit().await?;
            return Ok(names);
        };
        conn.run_fixed(next.sql(link.dialect())).await?;
        note(&mut conn, next, now).await?;
        conn.commit().await?;
        tracing::info!(migration.name = next.name, "schema migration applied");
        names.push(next.name.to_owned());
    }
}

async fn applied(conn: &mut Conn) -> Result<Vec<Applied>, StoreError> {
    let mut select = Query::select();
    select.columns(["number", "name", "checksum"]).from(TABLE);
    let rows = conn.fetch_all(&select).await?;
    rows.iter()
        .map(|row| {
            Ok(Applied {
                number: row.take(TABLE, "number")?,
                name: row.take(TABLE, "name")?,
                checksum: row.take(TABLE, "checksum")?,
            })
        })
        .collect()
}

async fn note(conn: &mut Conn, migration: &Migration, now: Timestamp) -> Result<(), StoreError> {
    let checksum = migration.checksum(conn.dialect());
    let values: [Expr; 4] = [
        Expr::val(migration.number),
        Expr::val(migration.name),
        Expr::val(checksum),
        Expr::val(now.value()),
    ];
    let mut insert = Query::insert();
    insert
        .into_table(TABLE)
        .columns(["number", "name", "checksum", "applied_at"])
        .values_panic(values);
    conn.execute(&insert).await.map(drop)
}

fn missing(
    applied: &[Applied],
    targets: &[Target],
    dialect: Dialect,
) -> Result<Vec<&'static Migration>, MigrationError> {
    for done in applied {
        let Some(known) = MIGRATIONS.iter().find(|known| known.number == done.number) else {
            return Err(MigrationError::Unknown {
                name: done.name.clone(),
            });
        };
        if known.checksum(dialect) != done.checksum {
            return Err(MigrationError::Changed {
                name: done.name.clone(),
            });
        }
    }
    let is_applied = |number| applied.iter().any(|done| done.number == number);
    Ok(MIGRATIONS
        .iter()
        .filter(|known| targets.contains(&known.target) && !is_applied(known.number))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_every_file_of_both_folders() {
        for folder in ["postgres", "sqlite"] {
            let path = format!("{}/../../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<_> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let listed: Vec<_> = MIGRATIONS
                .iter()
                .map(|known| format!("{}.sql", known.name))
                .collect();
            assert_eq!(files, listed, "{folder}");
        }
        assert!(MIGRATIONS.is_sorted_by(|one, next| one.number < next.number));
        for known in MIGRATIONS {
            assert!(known.name.starts_with(&format!("{:04}_", known.number)));
        }
    }

    #[test]
    fn changed_and_unknown_migrations_are_named() {
        let done = |number, checksum: String| Applied {
            number,
            name: format!("{number:04}_x"),
            checksum,
        };
        let both = [Target::Control, Target::Traffic];
        let first = MIGRATIONS[0].checksum(Dialect::Sqlite);
        let rest = missing(&[done(1, first)], &both, Dialect::Sqlite).unwrap();
        let others = MIGRATIONS.iter().map(|known| known.number).skip(1);
        assert!(rest.iter().map(|known| known.number).eq(others));
        assert_eq!(
            missing(&[done(1, "other".into())], &both, Dialect::Sqlite).unwrap_err(),
            MigrationError::Changed {
                name: "0001_x".into()
            }
        );
        assert_eq!(
            missing(&[done(99, "x".into())], &both, Dialect::Sqlite).unwrap_err(),
            MigrationError::Unknown {
                name: "0099_x".into()
            }
        );
    }
}
