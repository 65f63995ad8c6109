//! The document as consumers get it: complete, but with the gateway's address
//! in the place of the servers behind it.

use serde_json::{Map, Value, json};
use url::Url;

use crate::bounds::Bounds;
use crate::document::Syntax;
use crate::finding::Findings;
use crate::tree;

/// Writes a raw document for consumers.
///
/// # Errors
/// When it cannot be read, or not be written in this syntax.
pub fn for_consumers(raw: &[u8], base_url: &str, syntax: Syntax) -> Result<Vec<u8>, DownloadError> {
    let mut root = tree::read(raw, &Bounds::default())?.root;
    if let Value::Object(members) = &mut root {
        if members.contains_key("swagger") {
            swagger_address(members, base_url);
        } else {
            members.insert("servers".to_owned(), json!([{ "url": base_url }]));
        }
        drop_inner_servers(members);
    }
    match syntax {
        Syntax::Json => Ok(serde_json::to_vec_pretty(&root)?),
        Syntax::Yaml => {
            let text =
                serde_saphyr::to_string(&root).map_err(|error| DownloadError::Yaml(error.to_string()))?;
            Ok(text.into_bytes())
        }
    }
}

/// Why a document cannot be given out.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// It cannot be read again.
    #[error("the stored document cannot be read")]
    Unreadable(Findings),
    /// It cannot be written as JSON.
    #[error("the document cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// It cannot be written as YAML.
    #[error("the document cannot be written as YAML: {0}")]
    Yaml(String),
}

impl From<Findings> for DownloadError {
    fn from(findings: Findings) -> Self {
        Self::Unreadable(findings)
    }
}

/// The address in the three members of Swagger 2.0.
fn swagger_address(members: &mut Map<String, Value>, base_url: &str) {
    let Ok(url) = Url::parse(base_url) else {
        return;
    };
    let host = url.host_str().unwrap_or_default();
    let host = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    members.insert("host".to_owned(), Value::from(host));
    members.insert("basePath".to_owned(), Value::from(url.path()));
    members.insert("schemes".to_owned(), json!([url.scheme()]));
}

/// Servers of single paths and operations lead around the gateway.
fn drop_inner_servers(members: &mut Map<String, Value>) {
    let paths = members.get_mut("paths").and_then(Value::as_object_mut);
    for item in paths.into_iter().flat_map(Map::values_mut) {
        let Value::Object(item) = item else {
            continue;
        };
        item.shift_remove("servers");
        for operation in item.values_mut().filter_map(Value::as_object_mut) {
            operation.shift_remove("servers");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::for_consumers;
    use crate::document::Syntax;

    const BASE: &str = "https://gw.test:8443/shop/v1";

    #[test]
    fn the_gateway_stands_where_servers_stood() {
        let raw = json!({
            "openapi": "3.1.0", "servers": [{"url": "http://10.0.0.7"}],
            "paths": {"/a": {"servers": [{"url": "http://x"}], "get": {"servers": [], "responses": {}}}},
        });
        let raw = serde_json::to_vec(&raw).unwrap();
        let given: Value = serde_json::from_slice(&for_consumers(&raw, BASE, Syntax::Json).unwrap()).unwrap();
        assert_eq!(
            given,
            json!({"openapi": "3.1.0", "servers": [{"url": BASE}], "paths": {"/a": {"get": {"responses": {}}}}})
        );
        let yaml = for_consumers(&raw, BASE, Syntax::Yaml).unwrap();
        let again: Value =
            serde_json::from_slice(&for_consumers(&yaml, BASE, Syntax::Json).unwrap()).unwrap();
        assert_eq!(again, given);
    }

    #[test]
    fn swagger_has_its_own_members() {
        let raw = br#"{"swagger": "2.0", "host": "10.0.0.7", "paths": {}}"#;
        let given: Value = serde_json::from_slice(&for_consumers(raw, BASE, Syntax::Json).unwrap()).unwrap();
        assert_eq!(
            given,
            json!({"swagger": "2.0", "host": "gw.test:8443", "paths": {}, "basePath": "/shop/v1", "schemes": ["https"]})
        );
    }
}
