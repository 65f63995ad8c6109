//! One search over everything that is on show: APIs and their operations.

use askama::Template;
use axum::extract::State;
use gatewright_control::catalog::FoundOperation;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use super::words::Card;
use crate::app::App;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// As many hits of each kind.
const MOST: usize = 25;

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/search", search)
}

/// Another search that perhaps was meant.
struct Suggestion {
    text: String,
    href: String,
}

struct Hits {
    base: String,
    q: String,
    apis: Vec<Card>,
    apis_total: usize,
    all_apis: String,
    operations: Vec<FoundOperation>,
    more_operations: bool,
    suggestion: Option<Suggestion>,
}

#[derive(Template)]
#[template(path = "portal/search.html")]
struct Whole {
    shell: Shell,
    hits: Hits,
}

#[derive(Template)]
#[template(path = "portal/search.html", block = "hits")]
struct Part {
    hits: Hits,
}

async fn search(_: Public, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let list = Listing::of(&visit);
    let q = list.text("q").to_owned();
    let found = app.control.catalog().search(&visit.reader(), &q, MOST).await?;
    let suggestion = found.suggestion.map(|text| Suggestion {
        href: list.with("q", &text),
        text,
    });
    let hits = Hits {
        base: visit.base().to_owned(),
        apis: found.apis.into_iter().map(Card::of).collect(),
        apis_total: found.apis_total,
        all_apis: list.at(&[visit.base(), "/apis"].concat()),
        operations: found.operations,
        more_operations: found.more_operations,
        suggestion,
        q: q.clone(),
    };
    if visit.is_fragment() {
        return Page::html(&Part { hits });
    }
    let title = if q.is_empty() {
        "Search".to_owned()
    } else {
        format!("Search: {q}")
    };
    Page::html(&Whole {
        shell: visit.shell(title).searched(q),
        hits,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn apis_and_operations_are_found_by_any_part_of_a_word() {
        let portal = TestPortal::new().await;
        portal.published("petstore").await;
        let visitor = portal.visitor();
        visitor.get("/search").await.shows(&["Search"]);
        visitor
            .get("/search?q=one+PET")
            .await
            .shows(&["/apis/petstore/v/v1/ops/getpet", "One pet"]);
        visitor
            .get("/search?q=/pets/")
            .await
            .shows(&["/apis/petstore/v/v1/ops/getpet"]);
        let nothing = visitor.get("/search?q=pest").await;
        nothing.shows(&["Nothing was found", "Did you mean", "q=Pets"]);
    }

    #[tokio::test]
    async fn what_is_typed_stays_text() {
        let portal = TestPortal::new().await;
        let typed = portal.visitor().get("/search?q=%3Cscript%3E%22x").await;
        typed.shows(&["&#60;script&#62;"]);
        assert!(!typed.text.contains("<script>\"x"));
    }
}
