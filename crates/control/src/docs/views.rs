//! What the use cases of reference documents give.

use std::sync::Arc;

use gatewright_model::api::{Api, ApiVersion, Operation, Revision, VersionState};
use gatewright_model::text::VersionLabel;
use gatewright_openapi::docs::code::Tokens;
use gatewright_openapi::docs::head::Hook;
use gatewright_openapi::docs::operation::OperationDoc;
use gatewright_openapi::docs::schema::{Direction, Form, SchemaView};
use gatewright_openapi::docs::split::SchemaLine;

use super::kept::RevisionDocs;
use crate::error::Successor;

/// The version whose reference is read.
#[derive(Debug, Clone)]
pub struct ReferencePlace {
    /// Its API.
    pub api: Api,
    /// The version.
    pub version: ApiVersion,
    /// Its live revision; `None` before the first import.
    pub revision: Option<Revision>,
    /// Where it is called, without a trailing slash.
    pub base_url: String,
    /// All versions that the reader sees, oldest first.
    pub versions: Vec<ApiVersion>,
    /// What replaces the version, once that is announced.
    pub successor: Option<Successor>,
    /// Whether the reader may see what is not published.
    pub insider: bool,
}

/// What all pages of a version's reference need.
#[derive(Debug, Clone)]
pub struct Overview {
    /// The version.
    pub place: ReferencePlace,
    /// Its operations and its head.
    pub docs: Arc<RevisionDocs>,
}

/// An operation, or its present name.
#[derive(Debug, Clone)]
pub enum Found {
    /// It has this name.
    Here(Box<OperationView>),
    /// It has this one now.
    Moved(String),
}

/// The page of an operation.
#[derive(Debug, Clone)]
pub struct OperationView {
    /// The version.
    pub place: ReferencePlace,
    /// Its operations and its head.
    pub docs: Arc<RevisionDocs>,
    /// The operation in lists.
    pub operation: Operation,
    /// Everything about it.
    pub doc: OperationDoc,
    /// The tag under which it is first listed.
    pub tag: Option<String>,
    /// The operations of that tag around it.
    pub siblings: Vec<Sibling>,
    /// The same operation in other versions.
    pub elsewhere: Vec<Elsewhere>,
}

/// The page of a webhook.
#[derive(Debug, Clone)]
pub struct HookView {
    /// The version.
    pub place: ReferencePlace,
    /// Its operations and its head.
    pub docs: Arc<RevisionDocs>,
    /// The webhook in lists.
    pub hook: Hook,
    /// Everything about it.
    pub doc: OperationDoc,
}

/// An operation in a list beside another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its name in addresses.
    pub slug: String,
    /// In capitals.
    pub method: String,
    /// `/pets/{id}`.
    pub template: String,
    /// One line; the path when it says nothing.
    pub title: String,
    /// The publisher advises against it.
    pub deprecated: bool,
}

impl Sibling {
    pub(super) fn of(operation: &Operation) -> Self {
        let title = if operation.summary.is_empty() {
            &operation.template
        } else {
            &operation.summary
        };
        Self {
            slug: operation.slug.clone(),
            method: operation.method.clone(),
            template: operation.template.clone(),
            title: title.clone(),
            deprecated: operation.deprecated,
        }
    }
}

/// The same operation in another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The version.
    pub label: VersionLabel,
    /// Where it is in its life.
    pub state: VersionState,
    /// The operation's name there; `None` when it is not in it.
    pub slug: Option<String>,
}

/// A part of the list of shared schemas.
#[derive(Debug, Clone)]
pub struct SchemaList {
    /// The version.
    pub place: ReferencePlace,
    /// Its operations and its head.
    pub docs: Arc<RevisionDocs>,
    /// How many there are.
    pub total: usize,
    /// How many match.
    pub matching: usize,
    /// This part.
    pub lines: Vec<SchemaLine>,
    /// How many to skip for the next part.
    pub next: Option<usize>,
}

/// Which schema is wanted, and how.
#[derive(Debug, Clone, Copy)]
pub struct SchemaWanted<'w> {
    /// Where it stands in the document.
    pub ptr: &'w str,
    /// The places of the schemas from which it was opened, the outermost first.
    pub ancestors: &'w [String],
    /// Which way the data goes.
    pub direction: Direction,
    /// How it is shown when it is put together from others.
    pub form: Form,
}

/// A schema.
#[derive(Debug, Clone)]
pub struct SchemaPage {
    /// The version.
    pub place: ReferencePlace,
    /// Its operations and its head.
    pub docs: Arc<RevisionDocs>,
    /// Whether it is what was asked for, and not the nearest one around it.
    pub exact: bool,
    /// The schema.
    pub view: SchemaView,
    /// An example in JSON.
    pub example: Option<Tokens>,
    /// Who refers to it, the first of them.
    pub users: Vec<User>,
    /// How many refer to it.
    pub users_total: usize,
}

/// Who refers to a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// An operation.
    Operation(Sibling),
    /// A shared schema of this name.
    Schema(String),
    /// Another shared part.
    Component {
        /// `responses`, `parameters` …
        kind: String,
        /// Its name.
        name: String,
    },
}

/// A document to take away.
#[derive(Debug, Clone)]
pub struct Download {
    /// The text.
    pub bytes: Vec<u8>,
}
