//! The query of a list: search, filters and page stand in the address, so that
//! a list can be shared and gone back to. An unusable filter is named above the
//! list, which is shown without it.

use std::fmt::Display;
use std::str::FromStr;

use gatewright_model::page::{Cursor, PageRequest, PageSize};
use url::form_urlencoded;

use crate::visit::Visit;

const CURSOR: &str = "cursor";
/// More than anybody types into a search field.
const LONGEST_TEXT: usize = 200;

/// What a list was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    path: String,
    pairs: Vec<(String, String)>,
    faults: Vec<String>,
}

impl Listing {
    /// Reads the query of a request.
    pub(crate) fn of(visit: &Visit) -> Self {
        Self::new([visit.base(), visit.path()].concat(), visit.query())
    }

    /// A list without a query.
    #[cfg(test)]
    pub(crate) fn of_path(path: &str) -> Self {
        Self::new(path.to_owned(), "")
    }

    fn new(path: String, query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| {
                let short = value.trim().chars().take(LONGEST_TEXT).collect();
                (name.into_owned(), short)
            })
            .filter(|(_, value): &(String, String)| !value.is_empty())
            .collect();
        Self {
            path,
            pairs,
            faults: Vec::new(),
        }
    }

    /// A filter as it was typed; empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// A filter as it was typed, when there is one.
    pub(crate) fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Reads a filter. One that cannot be read is left out and named.
    pub(crate) fn take<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.some(name)?.to_owned();
        let read = text.parse().ok();
        if read.is_none() {
            self.faults.push(format!(
                "“{text}” cannot be used for {}; the filter is left out.",
                words(name)
            ));
            self.pairs.retain(|(key, _)| key != name);
        }
        read
    }

    /// This list at another address: a form that was sent shows the list again.
    #[must_use]
    pub(crate) fn at_path(mut self, path: String) -> Self {
        self.path = path;
        self
    }

    /// This list without a filter that was read in another way.
    #[must_use]
    pub(crate) fn ignoring(mut self, name: &str) -> Self {
        self.pairs.retain(|(key, _)| key != name);
        self
    }

    /// Which page is wanted; a cursor that cannot be read leads to the first one.
    pub(crate) fn page(&self, size: u16) -> PageRequest {
        PageRequest {
            size: PageSize::new(size).unwrap_or(PageSize::DEFAULT),
            after: self.text(CURSOR).parse().ok(),
        }
    }

    /// Whether this is not the first page.
    pub(crate) fn is_continued(&self) -> bool {
        self.some(CURSOR).is_some()
    }

    /// Whether anything is searched or filtered.
    pub(crate) fn is_filtered(&self) -> bool {
        self.pairs.iter().any(|(name, _)| name != CURSOR)
    }

    /// What could not be used.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The address of the next page.
    pub(crate) fn next(&self, cursor: Option<&Cursor>) -> Option<String> {
        cursor.map(|cursor| self.with(CURSOR, cursor))
    }

    /// The address of the first page.
    pub(crate) fn first(&self) -> String {
        self.without(CURSOR)
    }

    /// The address of this list with a filter set, from its first page.
    pub(crate) fn with(&self, name: &str, value: impl Display) -> String {
        let kept = self.others(name);
        self.address(kept.chain([(name, value.to_string())]))
    }

    /// The address of this list without a filter, from its first page.
    pub(crate) fn without(&self, name: &str) -> String {
        self.address(self.others(name))
    }

    /// The address of this list without search and filters.
    pub(crate) fn cleared(&self) -> &str {
        &self.path
    }

    /// The address of a download of the same list.
    pub(crate) fn at(&self, path: &str) -> String {
        let mut other = self.clone();
        path.clone_into(&mut other.path);
        other.first()
    }

    fn others<'l>(&'l self, name: &'l str) -> impl Iterator<Item = (&'l str, String)> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key != name && key != CURSOR)
            .map(|(key, value)| (key.as_str(), value.clone()))
    }

    fn address<'l>(&self, pairs: impl Iterator<Item = (&'l str, String)>) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        if query.is_empty() {
            self.path.clone()
        } else {
            [self.path.as_str(), "?", &query].concat()
        }
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::VersionState;

    use super::*;

    #[test]
    fn links_keep_the_other_filters_and_begin_at_the_first_page() {
        let list = Listing::new("/apis".to_owned(), "q=a+b&state=draft&cursor=x&empty=");
        assert_eq!(
            (list.text("q"), list.text("empty"), list.some("none")),
            ("a b", "", None)
        );
        assert_eq!(list.with("state", "published"), "/apis?q=a+b&state=published");
        assert_eq!(list.without("q"), "/apis?state=draft");
        assert_eq!(list.at("/apis.csv"), "/apis.csv?q=a+b&state=draft");
        assert_eq!(list.cleared(), "/apis");
        assert!(list.is_filtered() && list.is_continued());
    }

    #[test]
    fn an_unusable_filter_is_named_and_left_out() {
        let mut list = Listing::new("/apis".to_owned(), "state=gone&limit=5");
        assert_eq!(list.take::<VersionState>("state"), None);
        assert_eq!(
            list.faults(),
            ["“gone” cannot be used for state; the filter is left out."]
        );
        assert_eq!(list.first(), "/apis?limit=5");
        assert_eq!(list.take::<u8>("limit"), Some(5));
    }
}
