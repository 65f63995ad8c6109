//! The names of operations in URLs.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// `[a-z0-9][a-z0-9-]{0,62}`: what stands for an operation in a URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(String);

/// Characters of a slug.
const LONGEST: usize = 63;

/// Not of the form of a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to 63 characters a-z, 0-9 and `-`, and does not begin with `-`")]
pub struct InvalidSlug;

impl Slug {
    /// The slug of a text: lower case, everything else one hyphen; `None` when
    /// nothing is left.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut slug = String::new();
        for character in text.chars() {
            if slug.len() == LONGEST {
                break;
            }
            let lower = character.to_ascii_lowercase();
            if lower.is_ascii_lowercase() || lower.is_ascii_digit() {
                slug.push(lower);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(slug.trim_end_matches('-').len());
        (!slug.is_empty()).then_some(Self(slug))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn numbered(&self, number: usize) -> Self {
        let suffix = format!("-{number}");
        let kept: String = self.0.chars().take(LONGEST - suffix.len()).collect();
        Self(format!("{}{suffix}", kept.trim_end_matches('-')))
    }
}

impl TryFrom<String> for Slug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.len() > LONGEST || text.starts_with('-') || !text.bytes().all(good) {
            return Err(InvalidSlug);
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The slugs of the operations of earlier revisions, by operation key. An
/// operation keeps its slug, and no other one ever gets it.
pub type KnownSlugs = HashMap<String, Slug>;

/// Gives each operation of a revision its slug.
pub(crate) struct Assigner<'k> {
    known: &'k KnownSlugs,
    taken: HashSet<Slug>,
    next_number: HashMap<Slug, usize>,
}

impl<'k> Assigner<'k> {
    pub(crate) fn new(known: &'k KnownSlugs) -> Self {
        Self {
            known,
            taken: known.values().cloned().collect(),
            next_number: HashMap::new(),
        }
    }

    /// The slug of the operation with this key: the known one, else one made of
    /// the first text that gives any, numbered when it is taken.
    pub(crate) fn assign(&mut self, key: &str, texts: &[&str]) -> Slug {
        if let Some(slug) = self.known.get(key) {
            return slug.clone();
        }
        let made = texts.iter().find_map(|text| Slug::of(text));
        let wanted = made.unwrap_or_else(|| Slug("op".to_owned()));
        let mut slug = wanted.clone();
        while !self.taken.insert(slug.clone()) {
            let number = self.next_number.entry(wanted.clone()).or_insert(2);
            slug = wanted.numbered(*number);
            *number += 1;
        }
        slug
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::{Assigner, KnownSlugs, Slug};

    #[test]
    fn texts_become_slugs() {
        for (text, slug) in [
            ("listPets", Some("listpets")),
            ("repos/list-for-org", Some("repos-list-for-org")),
            ("GET /pets/{id}", Some("get-pets-id")),
            ("__a..b__", Some("a-b")),
            ("été", Some("t")),
            ("日本", None),
            ("", None),
        ] {
            assert_eq!(Slug::of(text).as_ref().map(Slug::as_str), slug, "{text}");
        }
    }

    #[test]
    fn collisions_are_numbered_in_order() {
        let known = KnownSlugs::new();
        let mut assigner = Assigner::new(&known);
        let slugs: Vec<String> = ["a_b", "a-b", "a b"]
            .iter()
            .map(|key| assigner.assign(key, &[key]).to_string())
            .collect();
        assert_eq!(slugs, ["a-b", "a-b-2", "a-b-3"]);
        assert_eq!(assigner.assign("日", &["日", "GET /日"]).as_str(), "get");
    }

    #[test]
    fn an_operation_keeps_its_slug_and_nobody_gets_that_of_another() {
        let known = KnownSlugs::from([
            ("old".to_owned(), Slug::of("list").unwrap()),
            ("gone".to_owned(), Slug::of("list-2").unwrap()),
        ]);
        let mut assigner = Assigner::new(&known);
        assert_eq!(assigner.assign("new", &["list"]).as_str(), "list-3");
        assert_eq!(assigner.assign("old", &["something else"]).as_str(), "list");
    }

    proptest! {
        #[test]
        fn every_slug_is_valid_and_unique(texts in proptest::collection::vec(any::<String>(), 1..20), long in "[a-z-]{60,70}") {
            let known = KnownSlugs::new();
            let mut assigner = Assigner::new(&known);
            let mut seen = std::collections::HashSet::new();
            for text in texts.iter().chain([&long, &long, &long]) {
                let slug = assigner.assign(text, &[text]);
                prop_assert!(Slug::try_from(slug.as_str().to_owned()).is_ok(), "{slug}");
                prop_assert!(seen.insert(slug));
            }
        }
    }
}
