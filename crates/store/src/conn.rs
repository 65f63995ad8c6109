//! The two databases behind one connection. This file alone names both pools
//! and both statement builders, and it alone vouches for built SQL.

use std::future::Future;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt};
use gatewright_model::id::{EntityId, TenantId};
use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder, Value};
use sea_query_sqlx::SqlxBinder;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Transaction};

use crate::arrays;
use crate::error::StoreError;
use crate::private_file;
use crate::row::Row;
use crate::schema::Kind;

/// How long a caller waits for a free connection.
pub(crate) const ACQUIRE: Duration = Duration::from_secs(2);
/// How long one statement may take; Postgres ends it by itself a little earlier.
const STATEMENT: Duration = Duration::from_secs(30);
/// Statements with more bound values are bulks of changing size: preparing them for reuse would only fill memory.
const REUSED: usize = 100;
/// How long a statement waits for a lock.
const LOCK: Duration = Duration::from_secs(5);

/// The role that statements run as when the login is a superuser, whom row-level security does not bind.
pub(crate) const APP_ROLE: &str = "gatewright_app";

/// Whose rows a transaction sees and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One tenant's. Every statement carries the tenant, and Postgres checks it once more.
    Tenant(TenantId),
    /// Everybody's: for the worker, the gateway's feed and the platform's administration.
    System,
}

impl Scope {
    /// The tenant, when there is one.
    #[must_use]
    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::System => None,
        }
    }
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Which database it is; only `dialect.rs` and the schema's files ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// How commits reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Survives a power loss.
    Full,
    /// Survives a crash of the process; the last second may be lost with the power.
    Normal,
}

/// The connections to one database.
#[derive(Debug, Clone)]
pub(crate) enum Link {
    Postgres {
        pool: PgPool,
        /// The login is a superuser: statements run as [`APP_ROLE`].
        elevated: bool,
    },
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
}

impl Link {
    /// Connects to Postgres.
    pub(crate) async fn postgres(url: &str, connections: u32) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let millis = |limit: Duration| limit.as_millis().to_string();
        let options = options
            .application_name("gatewright")
            .options([
                (
                    "statement_timeout",
                    millis(STATEMENT.saturating_sub(Duration::from_secs(2))),
                ),
                ("lock_timeout", millis(LOCK)),
                ("idle_in_transaction_session_timeout", millis(2 * STATEMENT)),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE)
            .connect_lazy_with(options);
        let elevated = bounded(
            sqlx::query_scalar::<_, bool>(
                "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user",
            )
            .fetch_one(&pool),
        )
        .await?;
        Ok(Self::Postgres { pool, elevated })
    }

    /// Opens or makes a SQLite file: one writer, many readers.
    pub(crate) async fn sqlite(path: &std::path::Path, durability: Durability) -> Result<Self, StoreError> {
        private_file::make(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Normal => SqliteSynchronous::Normal,
            })
            .busy_timeout(LOCK)
            .disable_statement_logging();
        let writer = sqlite_pool(1).connect_with(options.clone()).await?;
        let readers = sqlite_pool(8).connect_lazy_with(options.create_if_missing(false).read_only(true));
        Ok(Self::Sqlite { writer, readers })
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres { .. } => Dialect::Postgres,
            Self::Sqlite { .. } => Dialect::Sqlite,
        }
    }

    /// Starts a transaction; tenant and role are set in the round trip of BEGIN.
    pub(crate) async fn begin(&self, scope: Scope, access: Access) -> Result<Conn, StoreError> {
        match self {
            Self::Postgres { pool, elevated } => {
                let begin = postgres_begin(scope, access, *elevated);
                let tx = bounded(pool.begin_with(AssertSqlSafe(begin))).await?;
                Ok(Conn::Postgres(tx))
            }
            Self::Sqlite { writer, readers } => {
                let tx = match access {
                    Access::Write => bounded(writer.begin_with("BEGIN IMMEDIATE")).await?,
                    Access::Read => bounded(readers.begin_with("BEGIN")).await?,
                };
                Ok(Conn::Sqlite(tx))
            }
        }
    }

    /// Starts a transaction with the login's own rights, for changes of the schema.
    pub(crate) async fn begin_as_owner(&self) -> Result<Conn, StoreError> {
        match self {
            Self::Postgres { pool, .. } => {
                let begin = "BEGIN; SET LOCAL statement_timeout = 0; SELECT set_config('gatewright.role', 'system', true)";
                Ok(Conn::Postgres(bounded(pool.begin_with(begin)).await?))
            }
            Self::Sqlite { writer, .. } => {
                Ok(Conn::Sqlite(bounded(writer.begin_with("BEGIN IMMEDIATE")).await?))
            }
        }
    }

    /// Asks for any answer.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let sql = "SELECT 1";
        let answer = match self {
            Self::Postgres { pool, .. } => tokio::time::timeout(ACQUIRE, sqlx::query(sql).execute(pool))
                .await
                .map(|done| done.map(drop)),
            Self::Sqlite { readers, .. } => tokio::time::timeout(ACQUIRE, sqlx::query(sql).execute(readers))
                .await
                .map(|done| done.map(drop)),
        };
        answer.map_err(|_| late(ACQUIRE))?.map_err(StoreError::from)
    }

    /// Writes a consistent copy of a SQLite file. Postgres has its own tools for that.
    pub(crate) async fn copy_to(&self, path: &std::path::Path) -> Result<(), StoreError> {
        let Self::Sqlite { writer, .. } = self else {
            return Ok(());
        };
        // SQLite copies into an empty file too.
        private_file::make(path)?;
        let path = path
            .to_str()
            .ok_or_else(|| std::io::Error::other("the path is not UTF-8"))?;
        sqlx::query("VACUUM INTO ?").bind(path).execute(writer).await?;
        Ok(())
    }

    /// Closes every connection and waits for it; SQLite folds its log into the file.
    pub(crate) async fn close(&self) {
        match self {
            Self::Postgres { pool, .. } => pool.close().await,
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Connections to a SQLite file. A full disk ends a transaction behind the
/// driver's back, which then believes for ever to be in one: such a connection
/// is not used again.
fn sqlite_pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
}

fn postgres_begin(scope: Scope, access: Access, elevated: bool) -> String {
    let mode = match access {
        // A read sees one state of the store, however many statements it has.
        Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Access::Write => "BEGIN",
    };
    let role = if elevated {
        format!("; SET LOCAL ROLE {APP_ROLE}")
    } else {
        String::new()
    };
    match scope {
        // The id is printed from its 128 bits: it holds nothing but hexadecimal digits and hyphens.
        Scope::Tenant(tenant) => format!(
            "{mode}; SELECT set_config('gatewright.role', 'tenant', true), set_config('gatewright.tenant', '{}', true){role}",
            tenant.uuid()
        ),
        Scope::System => format!(
            "{mode}; SELECT set_config('gatewright.role', 'system', true), set_config('gatewright.tenant', '', true){role}"
        ),
    }
}

/// A transaction in either database.
#[derive(Debug)]
pub(crate) enum Conn {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// Builds the statement for the database at hand, runs it there and wraps what comes back.
macro_rules! run {
    ($conn:expr, $statement:expr, $method:ident) => {
        match $conn {
            Conn::Postgres(tx) => {
                let (sql, values) = $statement.build_sqlx(PostgresQueryBuilder);
                let reused = values.0.0.len() <= REUSED;
                bounded(
                    sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), values)
                        .persistent(reused)
                        .map(Row::Postgres)
                        .$method(&mut **tx),
                )
                .await
            }
            Conn::Sqlite(tx) => {
                let (sql, values) = $statement.build_sqlx(SqliteQueryBuilder);
                let reused = values.0.0.len() <= REUSED;
                bounded(
                    sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), values)
                        .persistent(reused)
                        .map(Row::Sqlite)
                        .$method(&mut **tx),
                )
                .await
            }
        }
    };
}

impl Conn {
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// At most one row.
    pub(crate) async fn fetch_optional(
        &mut self,
        statement: &(impl SqlxBinder + Sync),
    ) -> Result<Option<Row>, StoreError> {
        run!(self, statement, fetch_optional)
    }

    /// All rows; for results that are bounded by the statement.
    pub(crate) async fn fetch_all(
        &mut self,
        statement: &(impl SqlxBinder + Sync),
    ) -> Result<Vec<Row>, StoreError> {
        run!(self, statement, fetch_all)
    }

    /// The rows one by one, however many there are.
    pub(crate) fn stream(&mut self, statement: &impl SqlxBinder) -> BoxStream<'_, Result<Row, StoreError>> {
        match self {
            Self::Postgres(tx) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), values)
                    .fetch(&mut **tx)
                    .map(|row| row.map(Row::Postgres).map_err(StoreError::from))
                    .boxed()
            }
            Self::Sqlite(tx) => {
                let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
                sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), values)
                    .fetch(&mut **tx)
                    .map(|row| row.map(Row::Sqlite).map_err(StoreError::from))
                    .boxed()
            }
        }
    }

    /// Runs a statement and says how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: &(impl SqlxBinder + Sync)) -> Result<u64, StoreError> {
        match self {
            Self::Postgres(tx) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                let reused = values.0.0.len() <= REUSED;
                let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), values).persistent(reused);
                Ok(bounded(query.execute(&mut **tx)).await?.rows_affected())
            }
            Self::Sqlite(tx) => {
                let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
                let reused = values.0.0.len() <= REUSED;
                let query = sqlx::query_with::<Sqlite, _>(AssertSqlSafe(sql), values).persistent(reused);
                Ok(bounded(query.execute(&mut **tx)).await?.rows_affected())
            }
        }
    }

    /// Inserts rows whose columns are given as arrays, on Postgres alone: one short statement for any number of
    /// rows, which is prepared once, where a value for each row and column is parsed and planned anew each time.
    /// Not bounded in time.
    pub(crate) async fn insert_arrays(
        tx: &mut Transaction<'static, Postgres>,
        table: &'static str,
        columns: &[(&'static str, Kind)],
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let arrays: Vec<String> = (1..)
            .zip(columns)
            .map(|(number, (_, kind))| format!("${number}::{}[]", kind.postgres()))
            .collect();
        let sql = format!(
            "INSERT INTO \"{table}\" ({}) SELECT * FROM UNNEST({})",
            names.join(", "),
            arrays.join(", ")
        );
        let arguments = arrays::of(columns, rows)?;
        // Names of tables and columns are fixed in this crate.
        let query = sqlx::query_with::<Postgres, _>(AssertSqlSafe(sql), arguments);
        query.execute(&mut **tx).await.map(drop).map_err(StoreError::from)
    }

    /// Runs fixed SQL of this crate, several statements if need be. Not bounded in time: migrations may take long.
    pub(crate) async fn run_fixed(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop)?,
            Self::Sqlite(tx) => sqlx::raw_sql(sql).execute(&mut **tx).await.map(drop)?,
        }
        Ok(())
    }

    /// Rows of fixed SQL of this crate.
    pub(crate) async fn fetch_fixed(&mut self, sql: &'static str) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Postgres(tx) => bounded(sqlx::query(sql).map(Row::Postgres).fetch_all(&mut **tx)).await,
            Self::Sqlite(tx) => bounded(sqlx::query(sql).map(Row::Sqlite).fetch_all(&mut **tx)).await,
        }
    }

    /// Makes everything permanent.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => bounded(tx.commit()).await,
            Self::Sqlite(tx) => bounded(tx.commit()).await,
        }
    }

    /// The same for a transaction so large that writing it down takes its time.
    pub(crate) async fn commit_large(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => tx.commit().await.map_err(StoreError::from),
            Self::Sqlite(tx) => tx.commit().await.map_err(StoreError::from),
        }
    }

    /// Takes everything back and waits for it.
    pub(crate) async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Postgres(tx) => bounded(tx.rollback()).await,
            Self::Sqlite(tx) => bounded(tx.rollback()).await,
        }
    }
}

async fn bounded<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STATEMENT, work).await {
        Ok(result) => result.map_err(StoreError::from),
        Err(_) => Err(late(STATEMENT)),
    }
}

fn late(limit: Duration) -> StoreError {
    StoreError::Unavailable {
        reason: format!("no answer within {} s", limit.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fresh;

    /// What R16 rests on where no test can cut the power: a commit of the control
    /// plane is on the disk before it is acknowledged, whichever connection made it.
    #[tokio::test]
    async fn r16_every_connection_writes_ahead_and_syncs_as_promised() {
        let fresh = Fresh::sqlite().await;
        for (link, level) in [(&fresh.store.control, 2), (&fresh.store.traffic, 1)] {
            let Link::Sqlite { writer, readers } = link else {
                panic!("SQLite")
            };
            for pool in [writer, readers] {
                let mut held = Vec::new();
                for _ in 0..pool.options().get_max_connections() {
                    // Not given back yet: each is another one.
                    let mut connection = pool.acquire().await.unwrap();
                    let mut ask = async |pragma: &'static str| {
                        let row = sqlx::query(pragma).fetch_one(&mut *connection).await.unwrap();
                        sqlx::Row::get_unchecked::<String, _>(&row, 0)
                    };
                    assert_eq!(ask("PRAGMA journal_mode").await, "wal");
                    assert_eq!(ask("PRAGMA synchronous").await, level.to_string());
                    held.push(connection);
                }
            }
        }
        fresh.drop().await;
    }
}
