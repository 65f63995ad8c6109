//! Rows turned into one array for each column, which is how Postgres takes many
//! rows at once.

use sea_query::Value;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, Encode, Postgres, Type};

use crate::error::StoreError;
use crate::schema::Kind;

impl Kind {
    /// What its columns are called on Postgres.
    pub(crate) const fn postgres(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Int => "bigint",
            Self::Bool => "boolean",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Json => "jsonb",
        }
    }
}

/// The arrays of some rows, in the order of the columns.
///
/// # Errors
/// [`StoreError::Unavailable`] when a value cannot be written as its type.
pub(crate) fn of(columns: &[(&'static str, Kind)], rows: Vec<Vec<Value>>) -> Result<PgArguments, StoreError> {
    let mut by_column: Vec<Vec<Value>> = columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (column, value) in by_column.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let mut arguments = PgArguments::default();
    for ((_, kind), values) in columns.iter().zip(by_column) {
        match kind {
            Kind::Uuid => add(&mut arguments, values, |value| match value {
                Value::Uuid(id) => id,
                _ => None,
            }),
            Kind::Int => add(&mut arguments, values, |value| match value {
                Value::BigInt(number) => number,
                _ => None,
            }),
            Kind::Bool => add(&mut arguments, values, |value| match value {
                Value::Bool(flag) => flag,
                _ => None,
            }),
            Kind::Text => add(&mut arguments, values, |value| match value {
                Value::String(text) => text,
                _ => None,
            }),
            Kind::Bytes => add(&mut arguments, values, |value| match value {
                Value::Bytes(bytes) => bytes,
                _ => None,
            }),
            Kind::Json => add(&mut arguments, values, |value| match value {
                Value::Json(json) => json.map(|json| *json),
                _ => None,
            }),
        }?;
    }
    Ok(arguments)
}

/// One array. Values have the kind of their column, because they were read for it.
fn add<T>(
    arguments: &mut PgArguments,
    values: Vec<Value>,
    of: impl Fn(Value) -> Option<T>,
) -> Result<(), StoreError>
where
    Vec<Option<T>>: for<'q> Encode<'q, Postgres> + Type<Postgres>,
{
    let array: Vec<Option<T>> = values.into_iter().map(of).collect();
    let added = arguments.add(array);
    added.map_err(|error| StoreError::from(sqlx::Error::Encode(error)))
}
