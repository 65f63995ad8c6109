//! A transaction: what repositories stand on, and how it ends.
//!
//! A use case writes rows through repositories and tells the transaction what
//! else belongs to the change: audit events, messages, snapshot parts. These
//! are collected and written by [`Tx::commit`], after it has taken the number
//! of the change from `change_head` as its last lock. A poller that has seen
//! number N has therefore seen everything below N.

use std::sync::Arc;

use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Entropy;
use sea_query::{Expr, ExprTrait, InsertStatement, Order, Query, SelectStatement, Value};
use uuid::Uuid;

use crate::change::Journal;
use crate::column::Column;
use crate::conn::{Conn, Scope};
use crate::dialect;
use crate::error::StoreError;
use crate::row::{Record, Versioned, is};

/// A transaction. Dropped without a commit it leaves nothing behind. One that
/// was begun to read sees one state of the store, and the database refuses its writes.
#[derive(Debug)]
pub struct Tx {
    pub(crate) conn: Conn,
    pub(crate) scope: Scope,
    pub(crate) journal: Journal,
    pub(crate) entropy: Arc<dyn Entropy>,
}

/// Bound values in one statement: SQLite takes 32,766, Postgres 65,535.
const MAX_VALUES: usize = 30_000;

impl Tx {
    pub(crate) fn new(conn: Conn, scope: Scope, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            conn,
            scope,
            journal: Journal::default(),
            entropy,
        }
    }

    /// Whose rows this transaction sees.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// The condition that keeps a statement inside the tenant.
    pub(crate) fn wall<T: Record>(&self) -> Option<Expr> {
        let tenant = self.scope.tenant()?;
        T::OWNER.map(|owner| is(owner, &tenant))
    }

    /// A select of all columns of a record inside the tenant.
    pub(crate) fn select<T: Record>(&self) -> SelectStatement {
        let mut select = Query::select();
        select
            .columns(T::COLUMNS.iter().copied())
            .from(T::TABLE)
            .and_where_option(self.wall::<T>());
        select
    }

    /// The record that the condition singles out.
    pub(crate) async fn one<T: Record>(&mut self, condition: Expr) -> Result<Option<T>, StoreError> {
        let mut select = self.select::<T>();
        select.and_where(condition);
        let row = self.conn.fetch_optional(&select).await?;
        row.map(|row| row.record()).transpose()
    }

    /// The record that the condition singles out, kept from others' changes until the end of the transaction.
    pub(crate) async fn one_locked<T: Record>(&mut self, condition: Expr) -> Result<Option<T>, StoreError> {
        let mut select = self.select::<T>();
        select.and_where(condition);
        dialect::lock_rows(&self.conn, &mut select);
        let row = self.conn.fetch_optional(&select).await?;
        row.map(|row| row.record()).transpose()
    }

    /// All records of a select that is bounded by its condition.
    pub(crate) async fn all<T: Record>(&mut self, select: &SelectStatement) -> Result<Vec<T>, StoreError> {
        let rows = self.conn.fetch_all(select).await?;
        rows.iter().map(crate::row::Row::record).collect()
    }

    /// A page in the order of ids, which is the order of creation.
    pub(crate) async fn page<T: Record>(
        &mut self,
        mut select: SelectStatement,
        request: PageRequest,
        order: Order,
        id: impl Fn(&T) -> Uuid,
    ) -> Result<Page<T>, StoreError> {
        let after = request.after.map(|cursor| match order {
            Order::Desc => Expr::col("id").lt(cursor.0),
            _ => Expr::col("id").gt(cursor.0),
        });
        select
            .and_where_option(after)
            .order_by("id", order)
            .limit(u64::from(request.size.get()) + 1);
        let rows = self.all(&select).await?;
        Ok(Page::cut(rows, request.size, id))
    }

    /// How many rows of a record's table fulfil the condition.
    pub(crate) async fn count<T: Record>(&mut self, condition: Expr) -> Result<u64, StoreError> {
        let mut select = Query::select();
        select
            .expr_as(Expr::cust("COUNT(*)"), "total")
            .from(T::TABLE)
            .and_where_option(self.wall::<T>())
            .and_where(condition);
        let row = self.conn.fetch_optional(&select).await?;
        row.map_or(Ok(0), |row| row.take(T::TABLE, "total"))
    }

    /// Ends the transaction; nothing that it wrote remains.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn rollback(self) -> Result<(), StoreError> {
        self.conn.rollback().await
    }

    pub(crate) async fn insert<T: Record>(&mut self, record: &T) -> Result<(), StoreError> {
        self.insert_all(std::slice::from_ref(record)).await
    }

    /// Inserts any number of records in as few statements as the databases take.
    pub(crate) async fn insert_all<T: Record>(&mut self, records: &[T]) -> Result<(), StoreError> {
        let rows = records.iter().map(Record::values).collect();
        self.insert_rows(T::TABLE, T::COLUMNS, T::OWNER, rows).await
    }

    /// Inserts rows of bound values in the order of the columns.
    pub(crate) async fn insert_rows(
        &mut self,
        table: &'static str,
        columns: &[&'static str],
        owner: Option<&'static str>,
        rows: Vec<Vec<Value>>,
    ) -> Result<(), StoreError> {
        self.check_owner(table, columns, owner, &rows)?;
        let chunk = (MAX_VALUES / columns.len().max(1)).max(1);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let insert = insert_into(table, columns, rows.by_ref().take(chunk));
            self.conn.execute(&insert).await?;
        }
        Ok(())
    }

    fn check_owner(
        &self,
        table: &'static str,
        columns: &[&'static str],
        owner: Option<&'static str>,
        rows: &[Vec<Value>],
    ) -> Result<(), StoreError> {
        let (Some(tenant), Some(owner)) = (self.scope.tenant(), owner) else {
            return Ok(());
        };
        let position = columns.iter().position(|column| *column == owner);
        let own = tenant.value();
        let foreign = |row: &Vec<Value>| position.and_then(|at| row.get(at)) != Some(&own);
        if rows.iter().any(foreign) {
            return Err(StoreError::ForeignTenant { table });
        }
        Ok(())
    }

    /// Writes every column of a record whose version is still the one that was
    /// read, and counts the version up.
    pub(crate) async fn update<T: Versioned>(&mut self, record: &T) -> Result<T, StoreError> {
        let read = record.row_version();
        let mut written = record.clone();
        written.set_row_version(read + 1);
        let changed = T::COLUMNS
            .iter()
            .copied()
            .zip(written.values())
            .filter(|(column, _)| *column != "id" && Some(*column) != T::OWNER)
            .map(|(column, value)| (column, Expr::val(value)));
        let mut update = Query::update();
        update
            .table(T::TABLE)
            .values(changed)
            .and_where(Expr::col("id").eq(record.key()))
            .and_where(is("row_version", &read))
            .and_where_option(self.wall::<T>());
        match self.conn.execute(&update).await? {
            0 => Err(StoreError::Stale),
            _ => Ok(written),
        }
    }

    /// Deletes the rows of a record's table that fulfil the condition.
    pub(crate) async fn delete<T: Record>(&mut self, condition: Expr) -> Result<u64, StoreError> {
        let mut delete = Query::delete();
        delete
            .from_table(T::TABLE)
            .and_where(condition)
            .and_where_option(self.wall::<T>());
        self.conn.execute(&delete).await
    }
}

pub(crate) fn insert_into(
    table: &'static str,
    columns: &[&'static str],
    rows: impl Iterator<Item = Vec<Value>>,
) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(table).columns(columns.iter().copied());
    for row in rows {
        // Rows come from `Record::values`, which has one value for each column.
        insert.values_panic(row.into_iter().map(Expr::val));
    }
    insert
}

/// Declares a repository: a plain struct on a transaction.
macro_rules! repository {
    ($(#[$doc:meta])* $name:ident via $method:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'t>(pub(crate) &'t mut $crate::tx::Tx);

        impl $crate::tx::Tx {
            $(#[$doc])*
            pub fn $method(&mut self) -> $name<'_> {
                $name(self)
            }
        }
    };
}

pub(crate) use repository;
