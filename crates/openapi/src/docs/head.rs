//! The part of a document that says what all of its pages have in common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::Document;
use crate::index::{Index, SecurityKind, SecurityRequirement, SecurityScheme, Tag};

/// What all pages of a reference share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Head {
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: String,
    /// `info.description`, else `info.summary`; CommonMark.
    pub description: String,
    /// Whom to ask.
    pub contact: Option<Contact>,
    /// Under which terms the API is offered.
    pub license: Option<Contact>,
    /// More to read elsewhere.
    pub external_docs: Option<ExternalDocs>,
    /// The groups of operations.
    pub tags: Vec<Tag>,
    /// Groups of groups (`x-tagGroups`).
    pub groups: Vec<TagGroup>,
    /// The ways to prove who is calling.
    pub schemes: Vec<Scheme>,
    /// What operations without a requirement of their own ask for.
    pub security: SecurityRequirement,
    /// The pointers of operations that ask for something.
    pub protected: Protected,
    /// Messages that the API sends by itself.
    pub webhooks: Vec<Hook>,
    /// The answers that tell of errors, over all operations.
    pub errors: Vec<ErrorAnswer>,
    /// How many shared schemas there are.
    pub schemas: usize,
}

/// A name with an address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// As people read it.
    pub name: String,
    /// Where it leads; as the document has it.
    pub url: String,
    /// A mail address.
    pub email: String,
}

/// More to read elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalDocs {
    /// As the document has it.
    pub url: String,
    /// What it is.
    pub description: String,
}

/// A group of tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagGroup {
    /// As people read it.
    pub name: String,
    /// Names of tags.
    pub tags: Vec<String>,
}

/// A security scheme with what its flows offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheme {
    /// Name, kind, description.
    #[serde(flatten)]
    pub scheme: SecurityScheme,
    /// The flows of OAuth 2.0.
    pub flows: Vec<Flow>,
}

/// One flow of OAuth 2.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// `authorizationCode`, `clientCredentials` …
    pub name: String,
    /// Where users consent.
    pub authorization_url: String,
    /// Where tokens are fetched.
    pub token_url: String,
    /// Scopes and what they allow.
    pub scopes: Vec<(String, String)>,
}

/// Which operations ask for something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protected {
    /// None of them.
    #[default]
    Nothing,
    /// All but these.
    AllBut(Vec<String>),
    /// These alone.
    Only(Vec<String>),
}

impl Protected {
    /// Whether the operation at this pointer asks for something.
    #[must_use]
    pub fn holds(&self, pointer: &str) -> bool {
        let listed = |list: &[String]| list.binary_search_by(|known| known.as_str().cmp(pointer)).is_ok();
        match self {
            Self::Nothing => false,
            Self::AllBut(open) => !listed(open),
            Self::Only(closed) => listed(closed),
        }
    }

    fn of(index: &Index) -> Self {
        let (mut closed, mut open): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for operation in &index.operations {
            let list = if asks(&operation.security) {
                &mut closed
            } else {
                &mut open
            };
            list.push(operation.pointer.clone());
        }
        closed.sort_unstable();
        open.sort_unstable();
        match (closed.len(), open.len()) {
            (0, _) => Self::Nothing,
            (some, fewer) if fewer < some => Self::AllBut(open),
            _ => Self::Only(closed),
        }
    }
}

/// Whether a requirement cannot be met without showing anything.
fn asks(requirement: &SecurityRequirement) -> bool {
    !requirement.is_empty() && requirement.iter().all(|alternative| !alternative.is_empty())
}

/// A message that the API sends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Its name in URLs.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The method of the message.
    pub method: String,
    /// One line.
    pub summary: String,
    /// The publisher advises against it.
    pub deprecated: bool,
    /// Where it stands.
    pub pointer: String,
}

/// An answer that tells of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// `404`, `4XX`, `default`.
    pub status: String,
    /// The first description that was found; CommonMark.
    pub description: String,
    /// How many operations may answer so.
    pub operations: usize,
}

/// Reads the head off a document.
#[must_use]
pub(super) fn of(document: &Document, index: &Index) -> Head {
    let root = document.tree();
    let info = root.get("info");
    let text = |value: Option<&Value>, member: &str| text(value.and_then(|value| value.get(member)));
    let description = [&index.description, &index.summary]
        .into_iter()
        .find_map(Clone::clone);
    let contact = |member: &str| {
        let value = info.and_then(|info| info.get(member))?;
        let contact = Contact {
            name: text(Some(value), "name"),
            url: text(Some(value), "url"),
            email: text(Some(value), "email"),
        };
        (contact != Contact::default()).then_some(contact)
    };
    Head {
        title: index.title.clone().unwrap_or_default(),
        version: index.version.clone().unwrap_or_default(),
        description: description.unwrap_or_default(),
        contact: contact("contact"),
        license: contact("license"),
        external_docs: external_docs(root),
        tags: index.tags.clone(),
        groups: groups(root),
        schemes: schemes(document, index),
        security: default_security(root),
        protected: Protected::of(index),
        webhooks: hooks(index),
        errors: errors(document, index),
        schemas: index.schemas.len(),
    }
}

pub(super) fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The `externalDocs` of an object, when they lead somewhere.
pub(super) fn external_docs(value: &Value) -> Option<ExternalDocs> {
    let docs = value.get("externalDocs")?;
    let found = ExternalDocs {
        url: text(docs.get("url")),
        description: text(docs.get("description")),
    };
    (!found.url.is_empty()).then_some(found)
}

fn list(value: Option<&Value>) -> &[Value] {
    value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn groups(root: &Value) -> Vec<TagGroup> {
    list(root.get("x-tagGroups"))
        .iter()
        .map(|group| TagGroup {
            name: text(group.get("name")),
            tags: list(group.get("tags"))
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        })
        .filter(|group| !group.name.is_empty() && !group.tags.is_empty())
        .collect()
}

fn default_security(root: &Value) -> SecurityRequirement {
    crate::index::requirement(root.get("security"))
}

fn schemes(document: &Document, index: &Index) -> Vec<Scheme> {
    let tree = document.get("/components/securitySchemes");
    let flows_of = |scheme: &SecurityScheme| -> Vec<Flow> {
        let SecurityKind::Oauth2 { flows } = &scheme.kind else {
            return Vec::new();
        };
        let value = tree.and_then(|tree| tree.get(&scheme.name));
        let reference = value.and_then(|value| value.get("$ref")).and_then(Value::as_str);
        let value = match reference {
            Some(reference) => document.resolve(reference).ok().map(|(_, value)| value),
            None => value,
        };
        let described = value.and_then(|value| value.get("flows"));
        flows
            .iter()
            .filter_map(|name| Some(flow(name, described?.get(name)?)))
            .collect()
    };
    index
        .security_schemes
        .iter()
        .map(|scheme| Scheme {
            flows: flows_of(scheme),
            scheme: scheme.clone(),
        })
        .collect()
}

fn flow(name: &str, value: &Value) -> Flow {
    let scopes = value.get("scopes").and_then(Value::as_object);
    Flow {
        name: name.to_owned(),
        authorization_url: text(value.get("authorizationUrl")),
        token_url: text(value.get("tokenUrl")),
        scopes: scopes
            .into_iter()
            .flatten()
            .map(|(scope, about)| (scope.clone(), text(Some(about))))
            .collect(),
    }
}

fn hooks(index: &Index) -> Vec<Hook> {
    index
        .webhooks
        .iter()
        .map(|hook| Hook {
            slug: hook.slug.as_str().to_owned(),
            name: hook.name.clone(),
            method: hook.method.as_str().to_owned(),
            summary: hook.summary.clone().unwrap_or_default(),
            deprecated: hook.deprecated,
            pointer: hook.pointer.clone(),
        })
        .collect()
}

fn errors(document: &Document, index: &Index) -> Vec<ErrorAnswer> {
    let mut found: BTreeMap<&str, (String, usize)> = BTreeMap::new();
    for operation in &index.operations {
        let responses = document
            .get(&operation.pointer)
            .and_then(|operation| operation.get("responses"))
            .and_then(Value::as_object);
        for (status, response) in responses.into_iter().flat_map(Map::iter) {
            if !(status.starts_with(['4', '5']) || status == "default") {
                continue;
            }
            let (description, operations) = found.entry(status).or_default();
            *operations += 1;
            if description.is_empty() {
                *description = described(document, response);
            }
        }
    }
    found
        .into_iter()
        .map(|(status, (description, operations))| ErrorAnswer {
            status: status.to_owned(),
            description,
            operations,
        })
        .collect()
}

fn described(document: &Document, response: &Value) -> String {
    let reference = response.get("$ref").and_then(Value::as_str);
    let response = match reference {
        Some(reference) => document.resolve(reference).ok().map(|(_, value)| value),
        None => Some(response),
    };
    text(response.and_then(|response| response.get("description")))
}
