//! `/llms.txt`: what the portal offers, for programs that read text.

use std::fmt::Write;

use axum::extract::State;
use gatewright_control::catalog::CatalogFilter;
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::page::Page;
use crate::portal::words;
use crate::visit::Visit;

/// APIs that are listed.
const MOST: usize = 2_000;

pub(super) async fn show(_: Public, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let home = format!("{}{}", app.control.urls().portal, visit.base());
    let mut text = format!(
        "# {}\n\n> APIs and their references. Every page below is Markdown.\n\n## APIs\n\n",
        visit.tenant().name
    );
    let mut page = PageRequest {
        size: PageSize::new(200).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    let (reader, filter) = (visit.reader(), CatalogFilter::default());
    let mut listed = 0;
    loop {
        let found = app.control.catalog().list(&reader, &filter, page).await?;
        for api in &found.page.items {
            let about = words::opening(&api.description);
            // Writing to memory cannot fail.
            writeln!(
                text,
                "- [{}]({home}/apis/{slug}.md): {about} ([reference]({home}/apis/{slug}/v/{}/reference.md))",
                api.name,
                api.version,
                slug = api.slug
            )
            .unwrap_or_default();
        }
        listed += found.page.items.len();
        match found.page.next {
            Some(next) if listed < MOST => page.after = Some(next),
            _ => break,
        }
    }
    Ok(Page::text("text/plain; charset=utf-8", text).revalidated(&visit))
}
