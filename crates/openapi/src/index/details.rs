//! The small lists of an index: servers, security.

use serde_json::{Map, Value};
use url::Url;

use super::{SecurityKind, SecurityRequirement, SecurityScheme, SecurityUse, Server};
use crate::document::Document;
use crate::finding::{Code, Findings};

/// A member that is text; numbers are taken for the text they are written as.
pub(super) fn text(value: &Value, member: &str) -> Option<String> {
    value.get(member).and_then(plain_text)
}

pub(super) fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Servers that are kept; nobody chooses among more.
const MOST_SERVERS: usize = 100;

/// The servers of the document. Without any, the document's own address stands
/// for one (OpenAPI 3.1, section 4.8.1).
pub(super) fn servers(document: &Document, findings: &mut Findings) -> Vec<Server> {
    let listed = document
        .get("/servers")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut servers: Vec<Server> = listed
        .iter()
        .take(MOST_SERVERS)
        .filter_map(|server| {
            let template = server.get("url").and_then(Value::as_str)?.trim().to_owned();
            let url = address(&template, server.get("variables"), document.base.as_ref());
            Some(Server {
                template,
                url,
                description: text(server, "description"),
            })
        })
        .collect();
    if servers.is_empty() && document.base.is_some() {
        let template = "/".to_owned();
        let url = address(&template, None, document.base.as_ref());
        servers.push(Server {
            template,
            url,
            description: None,
        });
    }
    if !servers.iter().any(|server| server.url.is_some()) {
        let pointer = if document.get("/servers").is_some() {
            "/servers"
        } else {
            ""
        };
        findings.add(
            Code::ServerMissing,
            pointer,
            "no server has a full address; set the upstream by hand",
        );
    }
    servers
}

fn address(template: &str, variables: Option<&Value>, base: Option<&Url>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let variable = variables.and_then(|variables| variables.get(name))?;
        filled.push_str(before);
        filled.push_str(&plain_text(variable.get("default")?)?);
        rest = after;
    }
    filled.push_str(rest);
    let url = match base {
        Some(base) => base.join(&filled).ok()?,
        None => Url::parse(&filled).ok()?,
    };
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

/// The security schemes by name.
pub(super) fn security_schemes(document: &Document) -> Vec<SecurityScheme> {
    let listed = document
        .get("/components/securitySchemes")
        .and_then(Value::as_object);
    listed
        .into_iter()
        .flatten()
        .filter_map(|(name, scheme)| {
            let reference = scheme.get("$ref").and_then(Value::as_str);
            let scheme = match reference {
                Some(reference) => document.resolve(reference).ok()?.1,
                None => scheme,
            };
            Some(SecurityScheme {
                name: name.clone(),
                kind: kind_of(scheme),
                description: text(scheme, "description"),
            })
        })
        .collect()
}

fn kind_of(scheme: &Value) -> SecurityKind {
    let member = |name: &str| {
        scheme
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match member("type").as_str() {
        "apiKey" => SecurityKind::ApiKey {
            place: member("in"),
            name: member("name"),
        },
        "http" => SecurityKind::Http {
            scheme: member("scheme").to_ascii_lowercase(),
        },
        "oauth2" => {
            let flows = scheme.get("flows").and_then(Value::as_object);
            SecurityKind::Oauth2 {
                flows: flows.into_iter().flat_map(Map::keys).cloned().collect(),
            }
        }
        "openIdConnect" => SecurityKind::OpenIdConnect {
            url: member("openIdConnectUrl"),
        },
        "mutualTLS" => SecurityKind::MutualTls,
        _ => SecurityKind::Other,
    }
}

/// Reads a list of security requirements; what has the wrong type is left out.
pub(crate) fn requirement(list: Option<&Value>) -> SecurityRequirement {
    let alternatives = list
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    alternatives
        .iter()
        .filter_map(Value::as_object)
        .map(|alternative| {
            alternative
                .iter()
                .map(|(scheme, scopes)| SecurityUse {
                    scheme: scheme.clone(),
                    scopes: scopes_of(scopes),
                })
                .collect()
        })
        .collect()
}

fn scopes_of(scopes: &Value) -> Vec<String> {
    let scopes = scopes.as_array().map(Vec::as_slice).unwrap_or_default();
    scopes
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
