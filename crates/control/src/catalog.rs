//! The catalogue: what readers of the portal find, what they see of it, and the
//! way in. Start in [`sight`], the rule of who sees what; lists and searches
//! look through a shelf.

mod access;
mod figures;
mod found;
mod select;
mod shelf;
pub(crate) mod sight;
#[cfg(test)]
mod tests;
mod whole;

use std::sync::Arc;

use gatewright_model::api::{ApiKind, VersionState};
use gatewright_model::id::{ApiId, EntityId, TeamId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::text::{Name, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_model::words;
use gatewright_store::{Named, Tx, Wanted};

use crate::catalog::select::{Selection, select};
use crate::catalog::shelf::{Goods, Item};
use crate::control::Control;
use crate::error::Result;
use crate::reader::Reader;

pub use access::{AccessGranted, AccessRequest, ForApplication};
pub use figures::Figures;
pub use found::{FoundOperation, SearchResult};
pub(crate) use shelf::{Shelves, rank};
pub use whole::{CatalogApi, CatalogVersion, OpenPlan, OwnSubscription};

/// Use cases of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Catalog<'c>(pub(crate) &'c Control);

words! {
    /// How callers get into an API.
    AccessWay {
        /// Nobody asks for a key.
        Keyless = "keyless",
        /// With a key that everybody gets at once.
        Auto = "auto",
        /// With a key, after somebody agreed.
        Manual = "manual",
    }
}

words! {
    /// In which order a list of APIs stands.
    CatalogSort {
        /// What fits the search best comes first.
        Relevance = "relevance",
        /// By name.
        Name = "name",
        /// What was published last comes first.
        Newest = "newest",
    }
}

/// What a reader wants to find. Several values of one kind widen the filter,
/// several kinds narrow it.
#[derive(Debug, Clone, Default)]
pub struct CatalogFilter {
    /// Words that occur in names, descriptions, tags and operations.
    pub q: Option<String>,
    /// With an operation under one of these tags.
    pub tags: Vec<String>,
    /// Of one of these teams.
    pub teams: Vec<Slug>,
    /// Of one of these kinds.
    pub kinds: Vec<ApiKind>,
    /// In one of these states, which is that of the version to use.
    pub lifecycles: Vec<VersionState>,
    /// Open in one of these ways.
    pub ways: Vec<AccessWay>,
    /// Only those that are to be shown first.
    pub featured: bool,
    /// By relevance where something is searched for, else by name.
    pub sort: Option<CatalogSort>,
}

/// An API in a list.
#[derive(Debug, Clone)]
pub struct CatalogEntry {
    /// Its id.
    pub id: ApiId,
    /// In addresses.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Markdown.
    pub description: String,
    /// What it speaks.
    pub kind: ApiKind,
    /// The owning team.
    pub team: Option<Named>,
    /// Where the version to use is in its life.
    pub lifecycle: VersionState,
    /// The version to use.
    pub version: VersionLabel,
    /// When that one stops, once that is announced.
    pub sunset_at: Option<Timestamp>,
    /// How many versions are on show.
    pub versions: usize,
    /// How many operations the version to use has.
    pub operations: usize,
    /// The tags of its operations.
    pub tags: Vec<String>,
    /// How callers get in.
    pub ways: Vec<AccessWay>,
    /// Whether it is to be shown first.
    pub featured: bool,
    /// When its newest version became callable.
    pub published_at: Timestamp,
}

/// What each filter would leave, the most frequent first.
#[derive(Debug, Clone, Default)]
pub struct Facets {
    /// By tag.
    pub tags: Vec<(String, u32)>,
    /// By owning team.
    pub teams: Vec<(Named, u32)>,
    /// By kind.
    pub kinds: Vec<(ApiKind, u32)>,
    /// By state.
    pub lifecycles: Vec<(VersionState, u32)>,
    /// By way in.
    pub ways: Vec<(AccessWay, u32)>,
}

/// A page of the catalogue.
#[derive(Debug, Clone)]
pub struct CatalogPage {
    /// The APIs.
    pub page: Page<CatalogEntry>,
    /// How many fit in all.
    pub total: usize,
    /// How many the reader finds without search and filters.
    pub found: usize,
    /// Whether there are published APIs that this reader does not find.
    pub beyond: bool,
    /// What each filter would leave.
    pub facets: Facets,
}

impl Control {
    /// Use cases of the catalogue.
    #[must_use]
    pub const fn catalog(&self) -> Catalog<'_> {
        Catalog(self)
    }
}

impl Catalog<'_> {
    /// The APIs that a reader finds.
    ///
    /// # Errors
    /// [`crate::Error::SignInNeeded`] when the portal is closed to visitors.
    pub async fn list(
        &self,
        reader: &Reader,
        filter: &CatalogFilter,
        page: PageRequest,
    ) -> Result<CatalogPage> {
        let mut tx = self.0.read_as(reader).await?;
        let (goods, names) = self.open(&mut tx, reader).await?;
        let selection = select(&goods, reader, filter, &names.chosen(filter));
        Ok(CatalogPage {
            page: names.page(&selection.items, page),
            total: selection.items.len(),
            found: selection.found,
            beyond: selection.beyond,
            facets: names.facets(&selection),
        })
    }

    /// The goods of the reader's tenant and the names of the teams that own them.
    async fn open(&self, tx: &mut Tx, reader: &Reader) -> Result<(Arc<Goods>, Owners)> {
        sight::check_portal(tx, reader).await?;
        let goods = self.0.shelves.goods(tx, reader.tenant_id).await?;
        let wanted = Wanted {
            teams: goods.teams(),
            ..Wanted::default()
        };
        let names = tx.names().of(&wanted).await?;
        Ok((goods, Owners(names.teams)))
    }
}

/// The teams that own what is on show.
struct Owners(std::collections::HashMap<TeamId, Named>);

impl Owners {
    /// The teams that a filter names.
    fn chosen(&self, filter: &CatalogFilter) -> Vec<TeamId> {
        let named = self
            .0
            .iter()
            .filter(|(_, team)| filter.teams.contains(&team.slug));
        named.map(|(id, _)| *id).collect()
    }

    /// The page after the item with the cursor's id; from the start when that one is gone.
    fn page(&self, items: &[&Item], request: PageRequest) -> Page<CatalogEntry> {
        let start = request
            .after
            .and_then(|after| items.iter().position(|item| item.api.id.uuid() == after.0))
            .map_or(0, |at| at + 1);
        let wanted = items.iter().skip(start).take(usize::from(request.size.get()) + 1);
        let rows = wanted.map(|item| self.entry(item)).collect();
        Page::cut(rows, request.size, |entry: &CatalogEntry| entry.id.uuid())
    }

    fn facets(&self, selection: &Selection<'_>) -> Facets {
        let named = |(team, count): &(TeamId, u32)| Some((self.0.get(team)?.clone(), *count));
        let tag = |(tag, count): &(&str, u32)| ((*tag).to_owned(), *count);
        Facets {
            tags: selection.tags.iter().map(tag).collect(),
            teams: selection.teams.iter().filter_map(named).collect(),
            kinds: selection.kinds.clone(),
            lifecycles: selection.lifecycles.clone(),
            ways: selection.ways.clone(),
        }
    }

    fn entry(&self, item: &Item) -> CatalogEntry {
        let first = &item.first;
        CatalogEntry {
            id: item.api.id,
            slug: item.api.slug.clone(),
            name: item.api.name.clone(),
            description: item.api.description.clone(),
            kind: item.api.kind,
            team: self.0.get(&item.api.team_id).cloned(),
            lifecycle: item.lifecycle(),
            version: first.version.label.clone(),
            sunset_at: first.version.sunset_at,
            versions: item.others.len() + 1,
            operations: first.operations.len(),
            tags: item.tags.clone(),
            ways: item.ways.clone(),
            featured: item.api.featured,
            published_at: item.published_at(),
        }
    }
}
