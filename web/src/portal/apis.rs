//! The catalogue as a list: search, filters, order and page stand in the address.

use askama::Template;
use axum::extract::State;
use gatewright_control::catalog::{AccessWay, CatalogFilter, CatalogPage, CatalogSort, Facets};
use gatewright_model::api::{ApiKind, VersionState};
use gatewright_model::permission::Permission;
use gatewright_model::state::Word;
use gatewright_model::text::Slug;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use super::words::{self, Card};
use crate::app::App;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 24;
/// As many tags as are offered as filters.
const MOST_TAGS: usize = 15;
/// The filters beside the search, by their names in the address.
const FILTERS: [&str; 6] = ["tag", "team", "kind", "state", "access", "view"];

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/apis", list)
}

/// One choice of a filter.
struct Choice {
    label: String,
    count: u32,
    href: String,
    chosen: bool,
}

/// A filter with its choices.
struct Facet {
    label: &'static str,
    choices: Vec<Choice>,
}

/// A filter that is on.
struct Chip {
    label: String,
    href: String,
}

struct Results {
    base: String,
    cards: Vec<Card>,
    total: usize,
    found: usize,
    beyond: bool,
    table: bool,
    facets: Vec<Facet>,
    narrowed: bool,
    chips: Vec<Chip>,
    faults: Vec<String>,
    q: String,
    cleared: String,
    as_cards: String,
    as_table: String,
    search_operations: String,
    first: Option<String>,
    next: Option<String>,
    signed_in: bool,
    publisher: bool,
}

#[derive(Template)]
#[template(path = "portal/apis.html")]
struct Whole {
    shell: Shell,
    results: Results,
    kept: Vec<(&'static str, String)>,
    sort: &'static str,
}

#[derive(Template)]
#[template(path = "portal/apis.html", block = "results")]
struct Part {
    results: Results,
}

async fn list(_: Public, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let filter = filter(&mut list);
    let found = app
        .control
        .catalog()
        .list(&visit.reader(), &filter, list.page(PER_PAGE))
        .await?;
    let results = results(&visit, &list, &filter, found);
    if visit.is_fragment() {
        return Page::html(&Part { results });
    }
    let kept = FILTERS
        .iter()
        .filter_map(|name| Some((*name, list.some(name)?.to_owned())))
        .collect();
    Page::html(&Whole {
        shell: visit.shell("APIs"),
        results,
        kept,
        sort: filter.sort.map_or("", Word::as_str),
    })
}

fn filter(list: &mut Listing) -> CatalogFilter {
    let state = list.take::<VersionState>("state");
    CatalogFilter {
        q: list.some("q").map(str::to_owned),
        tags: list.some("tag").map(str::to_owned).into_iter().collect(),
        teams: list.take::<Slug>("team").into_iter().collect(),
        kinds: list.take::<ApiKind>("kind").into_iter().collect(),
        lifecycles: state.into_iter().collect(),
        ways: list.take::<AccessWay>("access").into_iter().collect(),
        featured: false,
        sort: list.take::<CatalogSort>("sort"),
    }
}

fn results(visit: &Visit, list: &Listing, filter: &CatalogFilter, found: CatalogPage) -> Results {
    let next = list.next(found.page.next.as_ref());
    let facets = facets(list, filter, &found.facets);
    let search = [visit.base(), "/search"].concat();
    Results {
        base: visit.base().to_owned(),
        cards: found.page.items.into_iter().map(Card::of).collect(),
        total: found.total,
        found: found.found,
        beyond: found.beyond,
        table: list.text("view") == "table",
        chips: chips(list, &facets),
        narrowed: facets
            .iter()
            .any(|facet| facet.choices.iter().any(|choice| choice.chosen)),
        facets,
        faults: list.faults().to_vec(),
        q: list.text("q").to_owned(),
        cleared: list.cleared().to_owned(),
        as_cards: list.without("view"),
        as_table: list.with("view", "table"),
        search_operations: FILTERS
            .iter()
            .fold(list.clone().ignoring("sort"), |list, name| list.ignoring(name))
            .at(&search),
        first: list.is_continued().then(|| list.first()),
        next,
        signed_in: visit.caller().is_some(),
        publisher: visit.may(Permission::ApisWrite),
    }
}

fn facets(list: &Listing, filter: &CatalogFilter, counts: &Facets) -> Vec<Facet> {
    let words = |of: &'static str, choices: Vec<(String, String, u32)>| Facet {
        label: label(of),
        choices: choices
            .into_iter()
            .map(|(value, label, count)| choice(list, of, &value, label, count))
            .collect(),
    };
    let offered = counts
        .tags
        .iter()
        .enumerate()
        .filter(|(at, (tag, _))| *at < MOST_TAGS || filter.tags.contains(tag));
    let tags = offered.map(|(_, (tag, count))| (tag.clone(), tag.clone(), *count));
    let teams = counts.teams.iter();
    let teams = teams.map(|(team, count)| (team.slug.to_string(), team.name.to_string(), *count));
    let kinds = counts.kinds.iter();
    let kinds = kinds.map(|(kind, count)| (kind.to_string(), words::kind(*kind).to_owned(), *count));
    let states = counts.lifecycles.iter();
    let states = states.map(|(state, count)| (state.to_string(), state.to_string(), *count));
    let ways = counts.ways.iter();
    let ways = ways.map(|(way, count)| (way.to_string(), words::way(*way).to_owned(), *count));
    [
        words("access", ways.collect()),
        words("state", states.collect()),
        words("kind", kinds.collect()),
        words("team", teams.collect()),
        words("tag", tags.collect()),
    ]
    .into_iter()
    .filter(|facet| !facet.choices.is_empty())
    .collect()
}

fn label(filter: &str) -> &'static str {
    match filter {
        "access" => "Access",
        "state" => "State",
        "kind" => "Kind",
        "team" => "Team",
        _ => "Tag",
    }
}

/// A choice leads to the list with it, and back once it is made.
fn choice(list: &Listing, filter: &str, value: &str, label: String, count: u32) -> Choice {
    let chosen = list.text(filter) == value;
    let href = if chosen {
        list.without(filter)
    } else {
        list.with(filter, value)
    };
    Choice {
        label,
        count,
        href,
        chosen,
    }
}

fn chips(list: &Listing, facets: &[Facet]) -> Vec<Chip> {
    let on = facets.iter().flat_map(|facet| {
        let chosen = facet.choices.iter().filter(|choice| choice.chosen);
        chosen.map(|choice| Chip {
            label: format!("{}: {}", facet.label, choice.label),
            href: choice.href.clone(),
        })
    });
    let searched = list.some("q").map(|q| Chip {
        label: format!("Search: {q}"),
        href: list.without("q"),
    });
    searched.into_iter().chain(on).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn search_and_filters_narrow_the_list() {
        let portal = TestPortal::new().await;
        portal.published("petstore").await;
        portal.published("orders").await;
        portal.draft("hidden").await;
        let visitor = portal.visitor();
        let all = visitor.get("/apis").await;
        all.shows(&["/apis/petstore", "/apis/orders", "2 APIs", "Key at once"]);
        assert!(!all.text.contains("/apis/hidden"));
        let one = visitor.get("/apis?q=orders").await;
        one.shows(&["/apis/orders", "1 API"]);
        assert!(!one.text.contains("href=\"/apis/petstore\""));
        visitor
            .get("/apis?q=getpet")
            .await
            .shows(&["/apis/petstore", "/apis/orders"]);
        visitor
            .get("/apis?tag=pets&access=auto&view=table")
            .await
            .shows(&["<table", "Tag: pets"]);
        visitor
            .get("/apis?q=zebra")
            .await
            .shows(&["Nothing matches", "Clear filters"]);
        visitor
            .get("/apis?state=gone")
            .await
            .shows(&["the filter is left out", "/apis/orders"]);
    }

    #[tokio::test]
    async fn a_fragment_is_the_results_alone() {
        let portal = TestPortal::new().await;
        portal.published("petstore").await;
        let part = portal.visitor().fragment("/apis?q=pet").await;
        part.shows(&["/apis/petstore"]);
        assert!(!part.text.contains("<html"));
    }
}
