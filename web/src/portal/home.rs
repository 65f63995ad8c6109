//! The first page of the portal: search, what is to be shown first, what is
//! new, and for those who are signed in where they left.

use askama::Template;
use axum::extract::State;
use gatewright_control::catalog::{CatalogFilter, CatalogSort, OwnSubscription};
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::permission::Permission;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use super::words::Card;
use crate::app::App;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// As many new APIs as the page shows.
const NEWEST: u16 = 6;
/// As many that are to be shown first.
const FEATURED: u16 = 12;
/// As many tags.
const TAGS: usize = 12;
/// As many of the visitor's own subscriptions.
const RECENT: u16 = 3;

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/", show)
}

/// A tag with a link to its APIs.
struct TagLink {
    name: String,
    query: String,
    count: u32,
}

#[derive(Template)]
#[template(path = "portal/home.html")]
struct Home {
    shell: Shell,
    total: usize,
    beyond: bool,
    featured: Vec<Card>,
    newest: Vec<Card>,
    tags: Vec<TagLink>,
    recent: Vec<OwnSubscription>,
    signed_in: bool,
    publisher: bool,
}

async fn show(_: Public, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let reader = visit.reader();
    let mut filter = CatalogFilter {
        sort: Some(CatalogSort::Newest),
        ..CatalogFilter::default()
    };
    let first = |most| PageRequest {
        size: PageSize::new(most).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    let catalog = app.control.catalog();
    // What is shown first is not shown twice: some of the newest may be among that.
    let found = catalog.list(&reader, &filter, first(NEWEST + FEATURED)).await?;
    filter.featured = true;
    let featured = catalog.list(&reader, &filter, first(FEATURED)).await?;
    let is_featured = |id| featured.page.items.iter().any(|other| other.id == id);
    let newest = found.page.items.into_iter().filter(|item| !is_featured(item.id));
    let newest: Vec<_> = newest.take(usize::from(NEWEST)).map(Card::of).collect();
    let tags = found.facets.tags.into_iter().take(TAGS);
    let template = Home {
        shell: visit.shell("APIs for your programs"),
        total: found.total,
        beyond: found.beyond,
        featured: featured.page.items.into_iter().map(Card::of).collect(),
        newest,
        tags: tags.map(|(name, count)| tag_link(name, count)).collect(),
        recent: catalog.recent(&reader, RECENT).await?,
        signed_in: visit.caller().is_some(),
        publisher: visit.may(Permission::ApisWrite),
    };
    Page::html(&template)
}

fn tag_link(name: String, count: u32) -> TagLink {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("tag", &name)
        .finish();
    TagLink { name, query, count }
}

#[cfg(test)]
mod tests {
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn an_empty_portal_says_what_to_do() {
        let portal = TestPortal::new().await;
        let seen = portal.visitor().get("/").await;
        seen.shows(&["No API is published yet"]);
        assert!(!seen.text.contains("/console/apis/new"));
        portal.admin().await.get("/").await.shows(&["/console/apis/new"]);
    }

    #[tokio::test]
    async fn featured_apis_come_before_new_ones_and_only_for_those_who_find_them() {
        let portal = TestPortal::new().await;
        for slug in ["petstore", "orders"] {
            portal.published(slug).await;
        }
        let visitor = portal.visitor();
        assert!(!visitor.get("/").await.text.contains("Featured APIs"));
        let admin = portal.admin().await;
        let settings = "/console/apis/petstore/settings";
        let form = |visibility: &'static str| {
            [
                ("name", "Petstore"),
                ("visibility", visibility),
                ("context_path", "/petstore"),
                ("featured", "yes"),
            ]
        };
        let saved = admin.post(settings, &form("public")).await;
        assert_eq!(saved.location(), settings);
        let seen = visitor.get("/").await;
        seen.shows(&["Featured APIs"]);
        let (before, rest) = seen.text.split_once("id=\"featured\"").unwrap();
        let (featured, newest) = rest.split_once("id=\"newest\"").unwrap();
        assert!(featured.contains("/apis/petstore") && !featured.contains("/apis/orders"));
        assert!(
            newest.contains("/apis/orders")
                && !newest.contains("/apis/petstore")
                && !before.contains("/apis/petstore")
        );
        let page = admin.get(settings).await;
        assert!(page.text.contains("value=\"yes\" checked"), "{}", page.text);
        admin.get("/console/audit").await.shows(&["api.update"]);

        admin.post(settings, &form("private")).await.location();
        assert!(!visitor.get("/").await.text.contains("/apis/petstore"));
        // Without the tick it is an API like any other.
        admin.post(settings, &form("public")[..3]).await.location();
        assert!(!visitor.get("/").await.text.contains("Featured APIs"));
    }

    #[tokio::test]
    async fn new_apis_and_their_tags_are_shown() {
        let portal = TestPortal::new().await;
        portal.published("petstore").await;
        portal.draft("secret").await;
        let seen = portal.visitor().get("/").await;
        seen.shows(&["/apis/petstore", "/apis?tag=pets", "Find an API"]);
        assert!(!seen.text.contains("/apis/secret"), "a draft is not on show");
    }
}
