//! The server addresses that Swagger 2.0 gives in three members.

use serde_json::{Map, Value, json};
use url::Url;

/// The list of servers. What the document leaves out is that of the address it
/// came from (Swagger 2.0, the Swagger object), if there is one.
pub(super) fn of_host(members: &Map<String, Value>, base: Option<&Url>) -> Value {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::trim);
    let path = text("basePath").unwrap_or_default().trim_end_matches('/');
    let path = if path.is_empty() || path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let Some(host) = text("host").filter(|host| !host.is_empty()) else {
        return json!([{ "url": if path.is_empty() { "/" } else { &path } }]);
    };
    let host = host.trim_end_matches('/');
    // Written by people who took the word for an address.
    if host.contains("://") {
        return json!([{ "url": format!("{host}{path}") }]);
    }
    let listed = members
        .get("schemes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut schemes: Vec<&str> = listed
        .iter()
        .filter_map(Value::as_str)
        .filter(|scheme| matches!(*scheme, "http" | "https"))
        .collect();
    if schemes.is_empty() {
        schemes.push(
            base.map(Url::scheme)
                .filter(|scheme| *scheme == "http")
                .unwrap_or("https"),
        );
    }
    schemes
        .iter()
        .map(|scheme| json!({ "url": format!("{scheme}://{host}{path}") }))
        .collect()
}
