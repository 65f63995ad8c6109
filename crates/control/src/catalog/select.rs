//! Looking through a shelf: which goods a reader finds, which of them fit a
//! search and its filters, in which order, and how many each filter would leave.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use gatewright_model::api::{ApiKind, VersionState};
use gatewright_model::id::TeamId;

use crate::catalog::shelf::{Goods, Item};
use crate::catalog::{AccessWay, CatalogFilter, CatalogSort};
use crate::reader::Reader;

/// More words than anybody searches for.
const MOST_WORDS: usize = 8;

/// The words of a search. All of them have to occur, in any order and anywhere
/// inside of a word; case, hyphens and quotes do not matter.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    whole: String,
    words: Vec<String>,
}

impl Words {
    pub(super) fn parse(q: Option<&str>) -> Self {
        let whole = q.unwrap_or_default().trim().to_lowercase();
        let separates =
            |c: char| c.is_whitespace() || matches!(c, '-' | '_' | ',' | ';' | '"' | '\'' | '“' | '”' | '`');
        let words = whole
            .split(separates)
            .filter(|word| !word.is_empty())
            .take(MOST_WORDS)
            .map(str::to_owned)
            .collect();
        Self { whole, words }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether all words occur in a text of lower case.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.words.iter().all(|word| text.contains(word.as_str()))
    }

    /// Whether any of the words occurs in a text of lower case.
    pub(super) fn touch(&self, text: &str) -> bool {
        self.words.iter().any(|word| text.contains(word.as_str()))
    }

    /// How well an API fits that has all words: its name counts most.
    pub(super) fn score(&self, item: &Item) -> u32 {
        let name = item.name.as_str();
        let whole = if name == self.whole || item.api.slug.as_str() == self.whole {
            1_000
        } else if name.starts_with(&self.whole) {
            200
        } else {
            0
        };
        let words = self.words.iter().map(|word| {
            if begins_a_word(name, word) {
                60
            } else if name.contains(word.as_str()) {
                40
            } else if item.api.slug.as_str().contains(word.as_str()) {
                20
            } else if item.tags.iter().any(|tag| tag.to_lowercase() == *word) {
                15
            } else {
                1
            }
        });
        let ending = u32::from(item.lifecycle() == VersionState::Deprecated);
        (whole + words.sum::<u32>()).saturating_sub(5 * ending)
    }
}

fn begins_a_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|c| !c.is_alphanumeric())
    })
}

/// What fits, and what each filter would leave.
#[derive(Debug)]
pub(super) struct Selection<'g> {
    pub(super) items: Vec<&'g Item>,
    pub(super) tags: Vec<(&'g str, u32)>,
    pub(super) teams: Vec<(TeamId, u32)>,
    pub(super) kinds: Vec<(ApiKind, u32)>,
    pub(super) lifecycles: Vec<(VersionState, u32)>,
    pub(super) ways: Vec<(AccessWay, u32)>,
    /// How many of all goods the reader finds.
    pub(super) found: usize,
    /// Whether there are goods that this reader does not find.
    pub(super) beyond: bool,
}

/// Which filters an API passes.
struct Passes {
    tag: bool,
    team: bool,
    kind: bool,
    lifecycle: bool,
    way: bool,
}

impl Passes {
    fn of(item: &Item, filter: &CatalogFilter, teams: &[TeamId]) -> Self {
        let any = |wanted: bool, fits: bool| !wanted || fits;
        let tagged = || item.tags.iter().any(|tag| filter.tags.contains(tag));
        let opened = || item.ways.iter().any(|way| filter.ways.contains(way));
        Self {
            tag: any(!filter.tags.is_empty(), tagged()),
            team: any(!filter.teams.is_empty(), teams.contains(&item.api.team_id)),
            kind: any(!filter.kinds.is_empty(), filter.kinds.contains(&item.api.kind)),
            lifecycle: any(
                !filter.lifecycles.is_empty(),
                filter.lifecycles.contains(&item.lifecycle()),
            ),
            way: any(!filter.ways.is_empty(), opened()),
        }
    }

    const fn failed(&self) -> u8 {
        !self.tag as u8 + !self.team as u8 + !self.kind as u8 + !self.lifecycle as u8 + !self.way as u8
    }

    /// Whether it passes all filters but perhaps this one: so many would be
    /// left if this one were chosen otherwise.
    const fn but(&self, this: bool) -> bool {
        self.failed() == 0 || (self.failed() == 1 && !this)
    }
}

#[derive(Default)]
struct Counts<'g> {
    tags: HashMap<&'g str, u32>,
    teams: HashMap<TeamId, u32>,
    kinds: HashMap<ApiKind, u32>,
    lifecycles: HashMap<VersionState, u32>,
    ways: HashMap<AccessWay, u32>,
}

impl<'g> Counts<'g> {
    fn add(&mut self, item: &'g Item, passes: &Passes) {
        if passes.but(passes.tag) {
            for tag in &item.tags {
                *self.tags.entry(tag.as_str()).or_default() += 1;
            }
        }
        if passes.but(passes.team) {
            *self.teams.entry(item.api.team_id).or_default() += 1;
        }
        if passes.but(passes.kind) {
            *self.kinds.entry(item.api.kind).or_default() += 1;
        }
        if passes.but(passes.lifecycle) {
            *self.lifecycles.entry(item.lifecycle()).or_default() += 1;
        }
        if passes.but(passes.way) {
            for way in &item.ways {
                *self.ways.entry(*way).or_default() += 1;
            }
        }
    }
}

/// The most frequent first, then in order.
fn ranked<K: Copy + Ord + Hash>(counts: HashMap<K, u32>) -> Vec<(K, u32)> {
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_unstable_by_key(|(key, count)| (Reverse(*count), *key));
    ranked
}

/// Looks through the goods for a reader; `teams` are those that the filter names.
pub(super) fn select<'g>(
    goods: &'g Goods,
    reader: &Reader,
    filter: &CatalogFilter,
    teams: &[TeamId],
) -> Selection<'g> {
    let words = Words::parse(filter.q.as_deref());
    let (mut items, mut counts, mut found) = (Vec::new(), Counts::default(), 0);
    for item in goods.items.iter().map(Arc::as_ref) {
        if !reader.finds(item.api.visibility, item.api.team_id) {
            continue;
        }
        found += 1;
        if (filter.featured && !item.api.featured) || !words.are_in(&item.text) {
            continue;
        }
        let passes = Passes::of(item, filter, teams);
        counts.add(item, &passes);
        if passes.failed() == 0 {
            items.push(item);
        }
    }
    arrange(&mut items, filter.sort, &words);
    Selection {
        items,
        tags: ranked(counts.tags),
        teams: ranked(counts.teams),
        kinds: ranked(counts.kinds),
        lifecycles: ranked(counts.lifecycles),
        ways: ranked(counts.ways),
        found,
        beyond: found < goods.items.len(),
    }
}

/// The goods come in the order of their names.
fn arrange(items: &mut [&Item], sort: Option<CatalogSort>, words: &Words) {
    match sort {
        Some(CatalogSort::Newest) => items.sort_by_key(|item| Reverse(item.published_at())),
        Some(CatalogSort::Name) => {}
        Some(CatalogSort::Relevance) | None => {
            if !words.is_empty() {
                items.sort_by_cached_key(|item| Reverse(words.score(item)));
            }
        }
    }
}
