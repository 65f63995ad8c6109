//! A row of either database, read by column names, and what makes a model
//! type a record of one table.

use sea_query::{Expr, ExprTrait, Func, LikeExpr, Value};
use sqlx::postgres::{PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, Type};
use uuid::Uuid;

use crate::column::{Column, clean_text};
use crate::error::StoreError;

/// A value that both drivers decode.
pub(crate) trait Raw:
    for<'r> Decode<'r, Postgres> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + Type<Sqlite>
{
}

impl Raw for Uuid {}
impl Raw for i64 {}
impl Raw for bool {}
impl Raw for String {}
impl Raw for Vec<u8> {}
impl Raw for serde_json::Value {}

/// A column that could not be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) column: &'static str,
}

/// A row of either database.
#[derive(Debug)]
pub(crate) enum Row {
    Postgres(PgRow),
    Sqlite(SqliteRow),
}

impl Row {
    /// The decoded value, `None` for NULL.
    pub(crate) fn raw<R: Raw>(&self, column: &'static str) -> Result<Option<R>, Fault> {
        match self {
            Self::Postgres(row) => row.try_get(column),
            Self::Sqlite(row) => row.try_get(column),
        }
        .map_err(|_| Fault { column })
    }

    /// The value of a column inside of a record.
    pub(crate) fn get<T: Column>(&self, column: &'static str) -> Result<T, Fault> {
        T::read(self, column)
    }

    /// The value of a column of a hand-made query.
    pub(crate) fn take<T: Column>(&self, table: &'static str, column: &'static str) -> Result<T, StoreError> {
        self.get(column).map_err(|fault| self.corrupt(table, fault))
    }

    /// The whole record.
    pub(crate) fn record<T: Record>(&self) -> Result<T, StoreError> {
        T::read(self).map_err(|fault| self.corrupt(T::TABLE, fault))
    }

    pub(crate) fn corrupt(&self, table: &'static str, fault: Fault) -> StoreError {
        let id = self.raw::<Uuid>("id").ok().flatten();
        StoreError::Corrupt {
            table,
            column: fault.column,
            row: id.map_or_else(|| "without an id".to_owned(), |id| id.to_string()),
        }
    }
}

/// A type that is one row of one table.
pub(crate) trait Record: Sized {
    /// The table.
    const TABLE: &'static str;
    /// The columns, in the order of [`Record::values`].
    const COLUMNS: &'static [&'static str];
    /// The column that says whose row it is; `None` for what belongs to the installation.
    const OWNER: Option<&'static str>;
    /// Reads a row that has at least these columns.
    fn read(row: &Row) -> Result<Self, Fault>;
    /// What is written, in the order of the columns.
    fn values(&self) -> Vec<Value>;
}

/// A record with an id whose changes are counted, so that two people who
/// change it at once notice.
pub(crate) trait Versioned: Record + Clone {
    fn key(&self) -> Uuid;
    fn row_version(&self) -> i64;
    fn set_row_version(&mut self, row_version: i64);
}

/// `column = value`, with the value bound in the column's type.
pub(crate) fn is(column: &'static str, value: &impl Column) -> Expr {
    Expr::col(column).eq(value.value())
}

/// `column = value` when there is a value to compare with.
pub(crate) fn is_some(column: &'static str, value: Option<&impl Column>) -> Option<Expr> {
    value.map(|value| is(column, value))
}

/// `column IN (values)`; nothing is in an empty list.
pub(crate) fn is_in<T: Column>(column: &'static str, values: &[T]) -> Expr {
    Expr::col(column).is_in(values.iter().map(Column::value))
}

/// The column begins with the text. `%` and `_` stand for themselves.
pub(crate) fn begins(column: &'static str, text: &str) -> Expr {
    Expr::col(column).like(LikeExpr::new(format!("{}%", escaped(text))).escape('\\'))
}

fn escaped(text: &str) -> String {
    clean_text(text)
        .chars()
        .flat_map(|c| {
            matches!(c, '%' | '_' | '\\')
                .then_some('\\')
                .into_iter()
                .chain([c])
        })
        .collect()
}

/// The column holds the text somewhere, in any case. `%` and `_` stand for themselves.
pub(crate) fn contains(column: &'static str, text: &str) -> Expr {
    let pattern = LikeExpr::new(format!("%{}%", escaped(&text.to_lowercase()))).escape('\\');
    Expr::expr(Func::lower(Expr::col(column))).like(pattern)
}

/// Declares that a model type is a record whose fields are called like its columns.
macro_rules! record {
    ($type:ident in $table:literal owned by $owner:expr => { $($field:ident),+ $(,)? }) => {
        impl $crate::row::Record for $type {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),+];
            const OWNER: Option<&'static str> = $owner;
            fn read(row: &$crate::row::Row) -> Result<Self, $crate::row::Fault> {
                Ok(Self { $($field: row.get(stringify!($field))?),+ })
            }
            fn values(&self) -> Vec<sea_query::Value> {
                vec![$($crate::column::Column::value(&self.$field)),+]
            }
        }
    };
}

/// Declares that a record has `id` and `row_version`.
macro_rules! versioned {
    ($($type:ty),+) => {$(
        impl $crate::row::Versioned for $type {
            fn key(&self) -> uuid::Uuid { gatewright_model::id::EntityId::uuid(self.id) }
            fn row_version(&self) -> i64 { self.row_version }
            fn set_row_version(&mut self, row_version: i64) { self.row_version = row_version; }
        }
    )+};
}

pub(crate) use {record, versioned};
