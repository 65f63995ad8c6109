//! What a description offers, as flat records: the operations with their stable
//! identities, and the lists that a reference begins with.

mod build;
mod details;
mod operations;
mod routing;
mod slice;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::method::Method;
use crate::slug::Slug;

pub use build::build;
pub(crate) use details::requirement;

/// The index of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// `info.title`, if there is one.
    pub title: Option<String>,
    /// `info.version`, the publisher's own words.
    pub version: Option<String>,
    /// `info.summary` (3.1).
    pub summary: Option<String>,
    /// `info.description`, CommonMark.
    pub description: Option<String>,
    /// Where the API is said to answer.
    pub servers: Vec<Server>,
    /// Declared tags in their order, then those that only operations name.
    pub tags: Vec<Tag>,
    /// The security schemes by name.
    pub security_schemes: Vec<SecurityScheme>,
    /// The operations in the order of the document.
    pub operations: Vec<Operation>,
    /// Messages that the API sends by itself (3.1).
    pub webhooks: Vec<Webhook>,
    /// The names of the shared schemas.
    pub schemas: Vec<String>,
}

/// One place where the API answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// As the document has it.
    pub template: String,
    /// With the default of each variable, made absolute against the address of
    /// the document; `None` when that is not known or the result is no http URL.
    pub url: Option<String>,
    /// CommonMark.
    pub description: Option<String>,
}

/// A group of operations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The name that operations use.
    pub name: String,
    /// CommonMark.
    pub description: Option<String>,
    /// How many operations name it.
    pub operations: usize,
}

/// A way to prove who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityScheme {
    /// The name that requirements use.
    pub name: String,
    /// What it is.
    pub kind: SecurityKind,
    /// CommonMark.
    pub description: Option<String>,
}

/// The kinds of security scheme (OpenAPI 3.1, section 4.8.27).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SecurityKind {
    /// A key at a fixed place.
    ApiKey {
        /// `header`, `query` or `cookie`, as the document has it.
        place: String,
        /// The name of the header, parameter or cookie.
        name: String,
    },
    /// The `Authorization` header.
    Http {
        /// `basic`, `bearer` or another scheme of RFC 9110.
        scheme: String,
    },
    /// OAuth 2.0.
    Oauth2 {
        /// The names of the flows.
        flows: Vec<String>,
    },
    /// OpenID Connect Discovery.
    OpenIdConnect {
        /// Where the provider describes itself.
        url: String,
    },
    /// A client certificate.
    MutualTls,
    /// Something the format does not know.
    Other,
}

/// Who may call: any one of the alternatives is enough, and all parts of an
/// alternative are needed. No alternative, or an empty one: anybody.
pub type SecurityRequirement = Vec<Vec<SecurityUse>>;

/// One part of a security requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityUse {
    /// The name of the scheme.
    pub scheme: String,
    /// What it must allow.
    pub scopes: Vec<String>,
}

/// How the gateway finds an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// By this text in the router's language; operations of one text differ by method.
    Template(String),
    /// Not at all: it is documented only, and a finding says why.
    DocumentedOnly,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its identity over all revisions: the operationId where that is unique,
    /// else method and path. Policies and usage refer to it.
    pub key: String,
    /// Its name in URLs.
    pub slug: Slug,
    /// The request method.
    pub method: Method,
    /// The path template, as people read it.
    pub template: String,
    /// How it is routed.
    pub route: Route,
    /// As the document has it.
    pub operation_id: Option<String>,
    /// One line.
    pub summary: Option<String>,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// The groups it is in.
    pub tags: Vec<String>,
    /// Its own requirement, or that of the document.
    pub security: SecurityRequirement,
    /// Where it stands in [`crate::document::Document::tree`].
    pub pointer: String,
    /// The operation as JSON, with the parameters and servers of its path
    /// merged in and all references kept.
    pub slice: String,
    /// SHA-256 of the canonical slice, in hexadecimal.
    pub fingerprint: String,
}

/// A message that the API sends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Name of the hook and method, which together are its identity.
    pub key: String,
    /// Its name in URLs, unique among webhooks.
    pub slug: Slug,
    /// The name of the hook.
    pub name: String,
    /// The method of the message.
    pub method: Method,
    /// One line.
    pub summary: Option<String>,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// The groups it is in.
    pub tags: Vec<String>,
    /// Where it stands in the tree.
    pub pointer: String,
    /// As that of [`Operation::slice`].
    pub slice: String,
    /// As that of [`Operation::fingerprint`].
    pub fingerprint: String,
}
