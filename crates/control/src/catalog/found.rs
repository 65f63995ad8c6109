//! Searching for one thing: APIs and operations that have all words.

use gatewright_model::text::{Name, Slug, VersionLabel};
use gatewright_store::ShownOperation;

use crate::catalog::select::{Selection, Words, select};
use crate::catalog::shelf::{Goods, Item, ShelfVersion};
use crate::catalog::{Catalog, CatalogEntry, CatalogFilter, sight};
use crate::error::Result;
use crate::reader::Reader;

/// How far a mistyped name may be from the one that is suggested.
const NEAR: usize = 2;

/// An operation that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOperation {
    /// The slug of its API.
    pub api: Slug,
    /// The name of its API.
    pub api_name: Name,
    /// The label of its version.
    pub version: VersionLabel,
    /// The operation.
    pub operation: ShownOperation,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct SearchResult {
    /// The APIs that fit best.
    pub apis: Vec<CatalogEntry>,
    /// How many APIs fit in all.
    pub apis_total: usize,
    /// Operations, those of the best fitting APIs first.
    pub operations: Vec<FoundOperation>,
    /// Whether there are more operations.
    pub more_operations: bool,
    /// What was perhaps meant, when nothing was found.
    pub suggestion: Option<String>,
}

impl Catalog<'_> {
    /// Looks for APIs and operations, at most so many of each.
    ///
    /// # Errors
    /// [`crate::Error::SignInNeeded`].
    pub async fn search(&self, reader: &Reader, q: &str, most: usize) -> Result<SearchResult> {
        let words = Words::parse(Some(q));
        let mut tx = self.0.read_as(reader).await?;
        if words.is_empty() {
            sight::check_portal(&mut tx, reader).await?;
            return Ok(SearchResult::default());
        }
        let (goods, owners) = self.open(&mut tx, reader).await?;
        let filter = CatalogFilter {
            q: Some(q.to_owned()),
            ..CatalogFilter::default()
        };
        let selection = select(&goods, reader, &filter, &[]);
        let mut operations = operations(&selection, &words, most + 1);
        let more_operations = operations.len() > most;
        operations.truncate(most);
        let nothing = selection.items.is_empty();
        Ok(SearchResult {
            apis: selection
                .items
                .iter()
                .take(most)
                .map(|item| owners.entry(item))
                .collect(),
            apis_total: selection.items.len(),
            operations,
            more_operations,
            suggestion: nothing.then(|| suggestion(&goods, reader, q)).flatten(),
        })
    }
}

/// The operations of the version to use that have all words, together with the
/// name of their API: "petstore delete" finds the deletions of the pet store.
fn operations(selection: &Selection<'_>, words: &Words, most: usize) -> Vec<FoundOperation> {
    let shown = selection.items.iter().map(|item| (*item, &item.first));
    let all = shown.flat_map(|(item, shown): (&Item, &ShelfVersion)| {
        let operations = shown.operations.iter();
        operations.map(move |operation| (item, shown, operation))
    });
    all.filter(|(item, _, operation)| is_found(words, item, operation))
        .take(most)
        .map(|(item, shown, operation)| FoundOperation {
            api: item.api.slug.clone(),
            api_name: item.api.name.clone(),
            version: shown.version.label.clone(),
            operation: operation.clone(),
        })
        .collect()
}

fn is_found(words: &Words, item: &Item, operation: &ShownOperation) -> bool {
    let own = format!(
        "{} {} {} {}",
        operation.method, operation.template, operation.slug, operation.summary
    )
    .to_lowercase();
    // One word at least is the operation's own: the name of an API alone finds the API.
    words.touch(&own) && words.are_in(&[item.name.as_str(), " ", &own].concat())
}

/// The name or tag that the reader finds and that is nearest to what was typed.
fn suggestion(goods: &Goods, reader: &Reader, q: &str) -> Option<String> {
    let typed = q.trim().to_lowercase();
    let found = goods.items.iter().filter(|item| reader.finds(&item.api));
    let candidates = found.flat_map(|item| {
        let words = item.api.name.as_str().split_whitespace();
        std::iter::once(item.api.name.as_str())
            .chain(words)
            .chain(item.tags.iter().map(String::as_str))
    });
    candidates
        .filter(|candidate| candidate.chars().count().abs_diff(typed.chars().count()) <= NEAR)
        .map(|candidate| (distance(&typed, &candidate.to_lowercase()), candidate))
        .filter(|(far, _)| *far <= NEAR)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate.to_owned())
}

/// How many letters have to be changed, added or left out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let changed = row.get(j).copied().unwrap_or(0) + usize::from(from != *to);
            let added = next.get(j).copied().unwrap_or(0) + 1;
            let left_out = row.get(j + 1).copied().unwrap_or(0) + 1;
            next.push(changed.min(added).min(left_out));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changed_letters() {
        assert_eq!(distance("petstore", "petstore"), 0);
        assert_eq!(distance("petsore", "petstore"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
