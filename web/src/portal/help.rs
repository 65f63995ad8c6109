//! Help: what a consumer has to know, on one page that every footer links.

use askama::Template;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/help", show)
}

#[derive(Template)]
#[template(path = "portal/help.html")]
struct Help {
    shell: Shell,
}

async fn show(_: Public, visit: Visit) -> Result<Page, Problem> {
    Page::html(&Help {
        shell: visit.shell("Help"),
    })
}
