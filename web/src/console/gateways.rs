//! The gateways: which serve, and whether each has the newest configuration.

use askama::Template;
use axum::extract::State;
use gatewright_control::nodes::{NodeList, NodeView};
use gatewright_model::id::NodeId;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::console::permit::Gateways;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/gateways";
/// A node that did not report for so long is called silent, in milliseconds.
const SILENT_MS: i64 = 30_000;

/// The pages of gateways.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get(PATH, list).get("/console/gateways/{node}", one)
}

#[derive(Template)]
#[template(path = "console/gateways/list.html")]
struct List {
    shell: Shell,
    known: NodeList,
    now: Timestamp,
}

#[derive(Template)]
#[template(path = "console/gateways/gateway.html")]
struct One {
    shell: Shell,
    node: NodeView,
    now: Timestamp,
}

/// Whether a node has not reported for a while.
fn is_silent(node: &NodeView, now: &Timestamp) -> bool {
    now.as_millis() - node.last_seen_at.as_millis() > SILENT_MS
}

async fn list(caller: Authorized<Gateways>, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    Page::html(&List {
        shell: visit
            .shell("Gateways")
            .crumb("Console", "/console")
            .last_crumb("Gateways"),
        known: app.control.nodes().list(&caller).await?,
        now: app.control.now(),
    })
}

async fn one(
    caller: Authorized<Gateways>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<NodeId>,
) -> Result<Page, Problem> {
    let node = app.control.nodes().get(&caller, id).await?;
    let title = node
        .inside
        .as_ref()
        .map_or_else(|| id.to_string(), |inside| inside.name.clone());
    Page::html(&One {
        shell: visit
            .shell(title.clone())
            .crumb("Console", "/console")
            .crumb("Gateways", PATH)
            .last_crumb(title),
        node,
        now: app.control.now(),
    })
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn without_a_gateway_the_page_says_how_to_start_one() {
        let portal = TestPortal::new().await;
        portal
            .admin()
            .await
            .get(PATH)
            .await
            .shows(&["No gateway has reported", "gatewright serve"]);
        let (support, _) = portal.user("sam", Some(Role::Support)).await;
        assert_eq!(support.get(PATH).await.status, 200);
        let (developer, _) = portal.user("dev", Some(Role::Developer)).await;
        assert_eq!(developer.get(PATH).await.status, 403);
    }
}
