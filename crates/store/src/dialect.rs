//! The few places where the two databases truly differ, each a named function.

use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, Value};

use crate::conn::{Conn, Dialect, Link};
use crate::error::StoreError;
use crate::schema::Kind;
use crate::tx::Tx;

/// Work that only one process at a time may do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Changing the schema.
    Migrations,
    /// Adding rollups up.
    Rollups,
}

/// Waits until no other transaction does the same work. SQLite has one writer anyway.
pub(crate) async fn serialise(conn: &mut Conn, work: Work) -> Result<(), StoreError> {
    match (conn.dialect(), work) {
        (Dialect::Postgres, Work::Migrations) => {
            conn.run_fixed("SELECT pg_advisory_xact_lock(71846121)").await
        }
        (Dialect::Postgres, Work::Rollups) => conn.run_fixed("SELECT pg_advisory_xact_lock(71846122)").await,
        (Dialect::Sqlite, _) => Ok(()),
    }
}

/// Keeps the selected rows as they are until the end of the transaction. SQLite has one writer anyway.
pub(crate) fn lock_rows(conn: &Conn, select: &mut SelectStatement) {
    if conn.dialect() == Dialect::Postgres {
        select.lock_exclusive();
    }
}

/// Keeps the selected rows and passes over those that somebody else keeps. SQLite has one writer anyway.
pub(crate) fn lock_free_rows(conn: &Conn, select: &mut SelectStatement) {
    if conn.dialect() == Dialect::Postgres {
        select.lock_with_behavior(sea_query::LockType::Update, sea_query::LockBehavior::SkipLocked);
    }
}

/// Whether one of a tenant's host names is this one, which is in lower case.
pub(crate) fn holds_host(conn: &Conn, host: &str) -> Expr {
    let sql = match conn.dialect() {
        Dialect::Postgres => {
            "EXISTS (SELECT 1 FROM jsonb_array_elements_text(settings -> 'hosts') AS known (host) WHERE LOWER(known.host) = $1)"
        }
        Dialect::Sqlite => {
            "EXISTS (SELECT 1 FROM json_each(settings, '$.hosts') AS known WHERE LOWER(known.value) = ?)"
        }
    };
    Expr::cust_with_values(sql, [host])
}

/// Whether the schema has this table.
pub(crate) async fn has_table(conn: &mut Conn, table: &'static str) -> Result<bool, StoreError> {
    let mut select = Query::select();
    select.expr(Expr::val(1_i64));
    match conn.dialect() {
        Dialect::Postgres => select
            .from(("pg_catalog", "pg_tables"))
            .and_where(Expr::col("tablename").eq(table))
            .and_where(Expr::cust("schemaname = current_schema()")),
        Dialect::Sqlite => select
            .from("sqlite_master")
            .and_where(Expr::col("type").eq("table"))
            .and_where(Expr::col("name").eq(table)),
    };
    Ok(conn.fetch_optional(&select).await?.is_some())
}

/// Lets the role that statements run as use every table. Only a superuser needs it: others are bound by
/// row-level security themselves.
pub(crate) async fn grant(conn: &mut Conn, link: &Link) -> Result<(), StoreError> {
    match link {
        Link::Postgres { elevated: true, .. } => conn.run_fixed(GRANT).await,
        Link::Postgres { .. } | Link::Sqlite { .. } => Ok(()),
    }
}

/// Roles belong to the cluster: two databases that are migrated at once both try to make it.
const GRANT: &str = "
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatewright_app') THEN
        CREATE ROLE gatewright_app NOLOGIN NOINHERIT;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO gatewright_app', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO gatewright_app', current_schema());
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %I TO gatewright_app', current_schema());
    EXECUTE 'REVOKE UPDATE, DELETE ON audit_event FROM gatewright_app';
    EXECUTE 'REVOKE INSERT, UPDATE, DELETE ON schema_migration FROM gatewright_app';
END
$$;";

/// Lets statements of this transaction take what they take: for what walks through whole tables, in a process that ends
/// afterwards. SQLite gets 256 MB for pages, or it would write those of every index again and again.
pub(crate) async fn lift_bounds(conn: &mut Conn) -> Result<(), StoreError> {
    match conn.dialect() {
        Dialect::Postgres => conn.run_fixed("SET LOCAL statement_timeout = 0").await,
        Dialect::Sqlite => conn.run_fixed("PRAGMA cache_size = -262144").await,
    }
}

/// Writes rows in bulk, each way as fast as its database takes them.
pub(crate) async fn fill(
    tx: &mut Tx,
    table: &'static str,
    columns: &[(&'static str, Kind)],
    rows: Vec<Vec<Value>>,
) -> Result<(), StoreError> {
    if let Conn::Postgres(postgres) = &mut tx.conn {
        return Conn::insert_arrays(postgres, table, columns, rows).await;
    }
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    tx.insert_rows(table, &names, None, rows).await
}

/// Lets the database count what was written in bulk, as Postgres does by itself only some minutes later: until then it
/// would read whole tables. SQLite goes by the figures of its migrations.
pub(crate) async fn count_rows(link: &Link) -> Result<(), StoreError> {
    match link {
        Link::Postgres { .. } => {
            let mut conn = link.begin_as_owner().await?;
            conn.run_fixed("ANALYZE").await?;
            conn.commit().await
        }
        Link::Sqlite { .. } => Ok(()),
    }
}

/// The time that counters go by: the database's own where several nodes share it, else the machine's.
pub(crate) async fn authority_time(conn: &mut Conn, local: Timestamp) -> Result<Timestamp, StoreError> {
    match conn.dialect() {
        Dialect::Postgres => {
            let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now";
            let rows = conn.fetch_fixed(sql).await?;
            rows.first().map_or(Ok(local), |row| row.take("clock", "now"))
        }
        Dialect::Sqlite => Ok(local),
    }
}

/// Makes the partition for the calls of one day, counted from the epoch. SQLite has one table.
pub(crate) async fn add_call_day(conn: &mut Conn, day: i64) -> Result<(), StoreError> {
    match conn.dialect() {
        Dialect::Postgres => {
            let mut select = Query::select();
            select.expr(Func::cust("gatewright_add_call_day").arg(day).cast_as("text"));
            conn.fetch_optional(&select).await.map(drop)
        }
        Dialect::Sqlite => Ok(()),
    }
}

/// Forgets calls from before a time: whole days at once where they are partitions.
pub(crate) async fn drop_calls_before(conn: &mut Conn, before: Timestamp) -> Result<u64, StoreError> {
    match conn.dialect() {
        Dialect::Postgres => {
            let mut select = Query::select();
            select.expr_as(
                Func::cust("gatewright_drop_call_days").arg(before.as_millis()),
                "dropped",
            );
            let row = conn.fetch_optional(&select).await?;
            row.map_or(Ok(0), |row| row.take("call_record", "dropped"))
        }
        Dialect::Sqlite => {
            let mut old = Query::select();
            old.column("id")
                .from("call_record")
                .and_where(Expr::col("at").lt(before.as_millis()))
                .limit(10_000);
            let mut delete = Query::delete();
            delete
                .from_table("call_record")
                .and_where(Expr::col("id").in_subquery(old));
            conn.execute(&delete).await
        }
    }
}
