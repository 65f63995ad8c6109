//! One value of a row as JSON and back, by the kind of its column.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_query::Value;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::row::{Fault, Row};
use crate::schema::Kind;

/// Reads a column into JSON.
pub(super) fn to_json(row: &Row, column: &'static str, kind: Kind) -> Result<Json, Fault> {
    let json = match kind {
        Kind::Uuid => row.raw::<Uuid>(column)?.map(|id| Json::from(id.to_string())),
        Kind::Int => row.raw::<i64>(column)?.map(Json::from),
        Kind::Bool => row.raw::<bool>(column)?.map(Json::from),
        Kind::Text => row.raw::<String>(column)?.map(Json::from),
        Kind::Bytes => row
            .raw::<Vec<u8>>(column)?
            .map(|bytes| Json::from(STANDARD.encode(bytes))),
        // Wrapped, because JSON that is null is not a missing value.
        Kind::Json => row.raw::<Json>(column)?.map(|json| Json::Array(vec![json])),
    };
    Ok(json.unwrap_or(Json::Null))
}

/// What is bound for a JSON value; `None` when it does not fit the column.
pub(super) fn from_json(json: Json, kind: Kind) -> Option<Value> {
    Some(match (kind, json) {
        (Kind::Uuid, Json::Null) => Value::Uuid(None),
        (Kind::Uuid, Json::String(text)) => Value::Uuid(Some(text.parse().ok()?)),
        (Kind::Int, Json::Null) => Value::BigInt(None),
        (Kind::Int, Json::Number(number)) => Value::BigInt(Some(number.as_i64()?)),
        (Kind::Bool, Json::Null) => Value::Bool(None),
        (Kind::Bool, Json::Bool(flag)) => Value::Bool(Some(flag)),
        (Kind::Text, Json::Null) => Value::String(None),
        (Kind::Text, Json::String(text)) => Value::String(Some(text)),
        (Kind::Bytes, Json::Null) => Value::Bytes(None),
        (Kind::Bytes, Json::String(text)) => Value::Bytes(Some(STANDARD.decode(text).ok()?)),
        (Kind::Json, Json::Null) => Value::Json(None),
        (Kind::Json, Json::Array(mut wrapped)) if wrapped.len() == 1 => {
            Value::Json(wrapped.pop().map(Box::new))
        }
        _ => return None,
    })
}
