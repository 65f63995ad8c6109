//! How the catalogue's words read on its pages.

use gatewright_control::catalog::{AccessWay, CatalogEntry, OpenPlan};
use gatewright_model::api::{ApiKind, VersionState, Visibility};
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// As much of a description as a card shows, in characters.
const OPENING: usize = 220;

/// What an API speaks.
pub(super) const fn kind(kind: ApiKind) -> &'static str {
    match kind {
        ApiKind::Rest => "REST",
        ApiKind::Graphql => "GraphQL",
        ApiKind::Grpc => "gRPC",
        ApiKind::Soap => "SOAP",
        ApiKind::Ai => "AI",
        ApiKind::Mcp => "MCP",
    }
}

/// How callers get in.
pub(super) const fn way(way: AccessWay) -> &'static str {
    match way {
        AccessWay::Keyless => "No key needed",
        AccessWay::Auto => "Key at once",
        AccessWay::Manual => "Key after approval",
    }
}

/// Who finds an API; nothing to say about what everybody finds.
pub(super) const fn audience(visibility: Visibility) -> Option<&'static str> {
    match visibility {
        Visibility::Public => None,
        Visibility::Tenant => Some("For those who sign in"),
        Visibility::Teams => Some("For members of its teams"),
        Visibility::Private => Some("For its owners"),
    }
}

/// The first paragraph of a Markdown text, as plain text.
pub(super) fn opening(markdown: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Paragraph) => inside = true,
            Event::End(TagEnd::Paragraph) if !text.trim().is_empty() => break,
            Event::Text(part) | Event::Code(part) if inside => text.push_str(&part),
            Event::SoftBreak | Event::HardBreak if inside => text.push(' '),
            _ => {}
        }
    }
    let text = text.trim();
    if text.chars().count() <= OPENING {
        return text.to_owned();
    }
    let cut: String = text.chars().take(OPENING).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    [whole.trim_end_matches([',', '.', ';', ':']), " …"].concat()
}

/// An API as a card or a row shows it.
pub(super) struct Card {
    pub(super) slug: Slug,
    pub(super) name: String,
    pub(super) opening: String,
    pub(super) kind: &'static str,
    pub(super) team: String,
    pub(super) lifecycle: VersionState,
    pub(super) version: VersionLabel,
    pub(super) sunset_at: Option<Timestamp>,
    pub(super) versions: usize,
    pub(super) operations: usize,
    pub(super) ways: Vec<&'static str>,
    pub(super) published_at: Timestamp,
}

impl Card {
    pub(super) fn of(entry: CatalogEntry) -> Self {
        Self {
            opening: opening(&entry.description),
            slug: entry.slug,
            name: entry.name.to_string(),
            kind: kind(entry.kind),
            team: entry.team.map_or_else(String::new, |team| team.name.to_string()),
            lifecycle: entry.lifecycle,
            version: entry.version,
            sunset_at: entry.sunset_at,
            versions: entry.versions,
            operations: entry.operations,
            ways: entry.ways.into_iter().map(way).collect(),
            published_at: entry.published_at,
        }
    }
}

/// A plan that can be asked for.
pub(super) struct PlanCard {
    pub(super) id: String,
    pub(super) slug: Slug,
    pub(super) name: String,
    pub(super) opening: String,
    pub(super) way: &'static str,
    pub(super) keyless: bool,
    pub(super) limits: Vec<String>,
    pub(super) versions: String,
}

impl PlanCard {
    pub(super) fn of(open: &OpenPlan) -> Self {
        let versions: Vec<&str> = open.versions.iter().map(VersionLabel::as_str).collect();
        let word = if versions.len() == 1 {
            "Version"
        } else {
            "Versions"
        };
        Self {
            id: open.plan.id.to_string(),
            slug: open.plan.slug.clone(),
            name: open.plan.name.to_string(),
            opening: opening(&open.plan.description),
            way: way(open.way),
            keyless: open.way == AccessWay::Keyless,
            limits: open.limits.clone(),
            versions: format!("{word} {}", versions.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_shows_the_first_paragraph_as_plain_text() {
        assert_eq!(
            opening("# Pets\n\nAll **pets** of the\n[shop](https://x.test), `now`.\n\nMore."),
            "All pets of the shop, now."
        );
        assert_eq!(opening(""), "");
        assert_eq!(opening("<script>alert(1)</script>"), "");
        let long = opening(&"word ".repeat(100));
        assert!(long.ends_with("word …") && long.chars().count() <= OPENING + 2);
    }
}
