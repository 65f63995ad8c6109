//! The reference of a version as its readers see it: the list of operations,
//! single operations, schemas, and the document to take away.
//!
//! A page loads the parts it shows and nothing else; what all pages of a
//! revision share is kept in memory within a bound. Start in [`open`], which
//! is the way to any page.

mod kept;
mod latest;
mod open;
mod parts;
mod views;

use gatewright_model::api::Operation;
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::head::Hook;
use gatewright_openapi::docs::operation::{self, OperationDoc};
use gatewright_openapi::docs::reference::{Filter, Line, ReferenceIndex};
use gatewright_openapi::docs::samples::Call;
use gatewright_openapi::docs::schema::{Builder, Direction, Form, rows_of_a_page};
use gatewright_openapi::docs::split::{SCHEMAS, SchemaLine, Users, users_of};
use gatewright_openapi::docs::{download, example, json};
use gatewright_openapi::document::Syntax;
use gatewright_openapi::pointer;

use crate::console::Place;
use crate::consumer::simplest;
use crate::control::Control;
use crate::docs::open::Opened;
use crate::error::{Error, Result};
use crate::reader::Reader;

pub(crate) use kept::KeptDocs;
pub use kept::RevisionDocs;
pub use latest::{LATEST, Latest};
pub(crate) use parts::stored;
pub use views::{
    Download, Elsewhere, Found, HookView, OperationView, Overview, ReferencePlace, SchemaList, SchemaPage,
    SchemaWanted, Sibling, User,
};

/// Use cases of reference documents.
#[derive(Debug, Clone, Copy)]
pub struct Docs<'c>(pub(crate) &'c Control);

impl Control {
    /// Use cases of reference documents.
    #[must_use]
    pub const fn docs(&self) -> Docs<'_> {
        Docs(self)
    }
}

/// Schemas on one page of their list.
const SCHEMAS_OF_A_PAGE: usize = 200;
/// Neighbours of an operation that are listed.
const SIBLINGS: usize = 60;

impl Docs<'_> {
    /// What a version's pages have in common.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Retired`], [`Error::SignInNeeded`].
    pub async fn overview(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<Overview> {
        let opened = self.open(reader, api, version).await?;
        Ok(Overview {
            place: opened.place,
            docs: opened.docs,
        })
    }

    /// The list of operations.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn reference(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
        filter: &Filter,
    ) -> Result<(Overview, ReferenceIndex)> {
        let overview = self.overview(reader, api, version).await?;
        let lines: Vec<Line<'_>> = overview.docs.operations.iter().map(line).collect();
        let index = ReferenceIndex::build(&overview.docs.head, &lines, filter);
        Ok((overview, index))
    }

    /// The simplest call of a version, for pages that show how to call it: a
    /// reading operation without parameters, if there is one.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn simplest_call(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<Option<Call>> {
        let mut opened = self.open(reader, api, version).await?;
        let Some(operation) = simplest(&opened.docs.operations).cloned() else {
            return Ok(None);
        };
        let doc = opened.operation(&operation).await?;
        Ok(Some(Call::of(&doc, &opened.place.base_url)))
    }

    /// What an operation is, for those who call it.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn operation(&self, reader: &Reader, place: &Place) -> Result<OperationDoc> {
        let mut opened = self.open(reader, &place.api, &place.version).await?;
        let operation = opened
            .docs
            .by_slug(&place.operation)
            .cloned()
            .ok_or(Error::missing("operation"))?;
        opened.operation(&operation).await
    }

    /// The page of an operation, or where it has gone.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn operation_page(&self, reader: &Reader, place: &Place) -> Result<Found> {
        let mut opened = self.open(reader, &place.api, &place.version).await?;
        let Some(operation) = opened.docs.by_slug(&place.operation).cloned() else {
            return opened.moved(&place.operation).await.map(Found::Moved);
        };
        let doc = opened.operation(&operation).await?;
        let elsewhere = opened.elsewhere(&operation.key).await?;
        let tag = operation.tags.first().cloned();
        let siblings = siblings(&opened.docs, &operation);
        Ok(Found::Here(Box::new(OperationView {
            place: opened.place,
            docs: opened.docs,
            operation,
            doc,
            tag,
            siblings,
            elsewhere,
        })))
    }

    /// A message that the API sends by itself.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn webhook(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
        slug: &str,
    ) -> Result<HookView> {
        let mut opened = self.open(reader, api, version).await?;
        let found = opened.docs.head.webhooks.iter().find(|hook| hook.slug == slug);
        let hook: Hook = found.cloned().ok_or(Error::missing("webhook"))?;
        let docs = std::sync::Arc::clone(&opened.docs);
        let built = opened
            .built(|source| {
                operation::build(source, &docs.head, &hook.pointer, &hook.method, &hook.name, false)
            })
            .await?;
        Ok(HookView {
            place: opened.place,
            docs: opened.docs,
            doc: built.ok_or(Error::missing("webhook"))?,
            hook,
        })
    }

    /// The shared schemas whose names hold a text.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn schemas(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
        q: &str,
        skip: usize,
    ) -> Result<SchemaList> {
        let mut opened = self.open(reader, api, version).await?;
        let lines: Vec<SchemaLine> = opened.read(SCHEMAS).await?.unwrap_or_default();
        let total = lines.len();
        let wanted = q.to_lowercase();
        let fits = |line: &SchemaLine| line.name.to_lowercase().contains(&wanted);
        let mut matching: Vec<SchemaLine> = lines.into_iter().filter(fits).collect();
        let count = matching.len();
        matching.drain(..skip.min(count));
        matching.truncate(SCHEMAS_OF_A_PAGE);
        Ok(SchemaList {
            next: (skip + matching.len() < count).then_some(skip + matching.len()),
            place: opened.place,
            docs: opened.docs,
            total,
            matching: count,
            lines: matching,
        })
    }

    /// The schema at a pointer, or the nearest one around it.
    ///
    /// # Errors
    /// As [`Docs::overview`]; [`Error::NotFound`] `schema`.
    pub async fn schema_at(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
        wanted: &SchemaWanted<'_>,
    ) -> Result<SchemaPage> {
        let mut opened = self.open(reader, api, version).await?;
        let SchemaWanted { ptr, direction, .. } = *wanted;
        let mut place = ptr;
        loop {
            let built = opened
                .built(|source| {
                    let rows = rows_of_a_page();
                    let view =
                        Builder::new(source, direction, &rows).at(place, wanted.ancestors, wanted.form)?;
                    let value = match source.at(place) {
                        gatewright_openapi::docs::source::Found::Here(at) => Some(at.value),
                        _ => None,
                    };
                    let made = value.and_then(|value| example::of(source, place, value, direction));
                    Some((view, made.as_ref().map(json::pretty)))
                })
                .await?;
            if let Some((view, example)) = built {
                let users = opened.users(place).await?;
                return Ok(SchemaPage {
                    exact: place == ptr,
                    place: opened.place,
                    docs: opened.docs,
                    view,
                    example,
                    users: users.0,
                    users_total: users.1,
                });
            }
            place = match place.rsplit_once('/') {
                Some((around, _)) if around.matches('/').count() >= 2 => around,
                _ => return Err(Error::missing("schema")),
            };
        }
    }

    /// A shared schema by its name.
    ///
    /// # Errors
    /// As [`Docs::schema_at`].
    pub async fn schema(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
        name: &str,
    ) -> Result<SchemaPage> {
        let place = pointer::from_tokens(["components", "schemas", name]);
        let wanted = SchemaWanted {
            ptr: &place,
            ancestors: &[],
            direction: Direction::Both,
            form: Form::Merged,
        };
        let page = self.schema_at(reader, api, version, &wanted).await?;
        if page.exact {
            Ok(page)
        } else {
            Err(Error::missing("schema"))
        }
    }

    /// What tells whether a document that was taken away is still the same.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn document_tag(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<String> {
        let overview = self.overview(reader, api, version).await?;
        let revision = overview.place.revision.ok_or(Error::missing("document"))?;
        Ok([
            revision.document_hash.as_str(),
            "\n",
            overview.place.base_url.as_str(),
        ]
        .concat())
    }

    /// The document with the gateway's address in it.
    ///
    /// # Errors
    /// As [`Docs::overview`].
    pub async fn document(
        &self,
        reader: &Reader,
        api: &Ref<ApiId>,
        version: &VersionRef,
        syntax: Syntax,
    ) -> Result<Download> {
        let mut opened = self.open(reader, api, version).await?;
        let revision = opened.place.revision.clone().ok_or(Error::missing("document"))?;
        // The permit bounds how many documents are in memory at once.
        let _permit = self.0.imports.acquire().await.map_err(|_| Error::Unavailable)?;
        let raw = opened.tx.revisions().document(&revision.document_hash).await?;
        let raw = raw.ok_or(Error::missing("document"))?;
        let base_url = opened.place.base_url.clone();
        drop(opened);
        let written = tokio::task::spawn_blocking(move || download::for_consumers(&raw, &base_url, syntax));
        let bytes = written
            .await
            .map_err(|error| Error::Internal(format!("the document was not written: {error}")))?
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Download { bytes })
    }
}

impl Opened {
    async fn operation(&mut self, operation: &Operation) -> Result<OperationDoc> {
        let docs = std::sync::Arc::clone(&self.docs);
        let (at, method, path) = (&operation.pointer, &operation.method, &operation.template);
        let built = self
            .built(|source| operation::build(source, &docs.head, at, method, path, true))
            .await?;
        built.ok_or(Error::missing("operation"))
    }

    /// The present name of an operation that had this one in an address before.
    async fn moved(&mut self, slug: &str) -> Result<String> {
        let keys = self
            .tx
            .document_parts()
            .keys_of_slug(self.place.api.id, slug)
            .await?;
        let found = self
            .docs
            .operations
            .iter()
            .find(|operation| keys.contains(&operation.key));
        found
            .map(|operation| operation.slug.clone())
            .ok_or(Error::missing("operation"))
    }

    /// The same operation in the other versions on show.
    async fn elsewhere(&mut self, key: &str) -> Result<Vec<Elsewhere>> {
        let own = self.place.version.id;
        let others: Vec<_> = self
            .place
            .versions
            .iter()
            .filter(|other| other.id != own)
            .collect();
        let revisions: Vec<_> = others.iter().filter_map(|other| other.revision_id).collect();
        if revisions.is_empty() {
            return Ok(Vec::new());
        }
        let slugs = self.tx.document_parts().slugs_of_key(&revisions, key).await?;
        Ok(others
            .into_iter()
            .map(|other| Elsewhere {
                label: other.label.clone(),
                state: other.state,
                slug: other.revision_id.and_then(|id| slugs.get(&id).cloned()),
            })
            .collect())
    }

    /// Who refers to the schema at a place, and how many do.
    async fn users(&mut self, place: &str) -> Result<(Vec<User>, usize)> {
        let users: Users = self.read(&users_of(place)).await?.unwrap_or_default();
        let found = users.first.iter().filter_map(|at| {
            if let Some(operation) = self.docs.by_pointer(at) {
                return Some(User::Operation(Sibling::of(operation)));
            }
            let name = pointer::tokens(at).last()?.into_owned();
            let kind = pointer::tokens(at).nth(1)?.into_owned();
            Some(if kind == "schemas" {
                User::Schema(name)
            } else {
                User::Component { kind, name }
            })
        });
        Ok((found.collect(), users.total))
    }
}

fn line(operation: &Operation) -> Line<'_> {
    Line {
        slug: &operation.slug,
        method: &operation.method,
        template: &operation.template,
        summary: &operation.summary,
        deprecated: operation.deprecated,
        tags: &operation.tags,
        pointer: &operation.pointer,
    }
}

/// The operations of the same tag around one of them.
fn siblings(docs: &RevisionDocs, operation: &Operation) -> Vec<Sibling> {
    let tag = operation.tags.first();
    let own: Vec<&Operation> = docs
        .operations
        .iter()
        .filter(|other| match tag {
            Some(tag) => other.tags.contains(tag),
            None => other.tags.is_empty(),
        })
        .collect();
    let at = own
        .iter()
        .position(|other| other.slug == operation.slug)
        .unwrap_or(0);
    let start = at
        .saturating_sub(SIBLINGS / 2)
        .min(own.len().saturating_sub(SIBLINGS));
    own.into_iter()
        .skip(start)
        .take(SIBLINGS)
        .map(Sibling::of)
        .collect()
}
