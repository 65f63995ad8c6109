//! The installation itself: version, store, clock, migrations, addresses; each
//! finding with its fix.

use askama::Template;
use axum::extract::State;
use gatewright_control::system::SystemView;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::PlatformManage;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// A store that takes longer for a statement makes every page slow, in milliseconds.
const SLOW_MS: u128 = 50;
/// Clocks that differ by more make expiries and rates wrong, in milliseconds.
const SKEWED_MS: u64 = 1000;

/// The page of the installation.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/console/system", system)
}

/// One thing that was looked at.
struct Check {
    title: &'static str,
    finding: String,
    fix: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "console/system/system.html")]
struct System {
    shell: Shell,
    view: SystemView,
    management_url: String,
    checks: Vec<Check>,
}

async fn system(
    caller: Authorized<PlatformManage>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let view = app.control.system(&caller).await?;
    Page::html(&System {
        shell: visit
            .shell("System")
            .crumb("Console", "/console")
            .last_crumb("System"),
        checks: checks(&view, app.secure()),
        management_url: app.settings.management_url.clone(),
        view,
    })
}

fn checks(view: &SystemView, secure: bool) -> Vec<Check> {
    let latency = view.latency.as_millis();
    let skew = view.clock_skew_ms.unwrap_or(0);
    vec![
        Check {
            title: "Store",
            finding: match latency {
                0 => format!("{} answers in less than 1 ms", view.store),
                latency => format!("{} answers in {latency} ms", view.store),
            },
            fix: (latency > SLOW_MS).then_some("Put the store nearer, or give its machine more room."),
        },
        Check {
            title: "Migrations",
            finding: match view.pending.as_slice() {
                [] => "every one is applied".to_owned(),
                pending => format!("not applied yet: {}", pending.join(", ")),
            },
            fix: (!view.pending.is_empty()).then_some("Run gatewright migrate with the same settings."),
        },
        Check {
            title: "Clock",
            finding: match view.clock_skew_ms {
                Some(skew) => format!("the store's clock is {skew} ms ahead of this machine's"),
                None => "the store runs on this machine's clock".to_owned(),
            },
            fix: (skew.unsigned_abs() > SKEWED_MS).then_some("Let both machines keep their time by NTP."),
        },
        Check {
            title: "Sessions",
            finding: if secure {
                "cookies travel by https alone".to_owned()
            } else if is_loopback(&view.portal_url) {
                "cookies travel by plain http, and never leave this machine".to_owned()
            } else {
                "cookies travel by plain http".to_owned()
            },
            fix: (!secure && !is_loopback(&view.portal_url))
                .then_some("Put a TLS proxy before the portal and set --portal-url to its https address."),
        },
    ]
}

fn is_loopback(address: &str) -> bool {
    ["http://127.", "http://localhost", "http://[::1]"]
        .iter()
        .any(|start| address.starts_with(start))
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;

    use crate::testing::TestPortal;

    #[tokio::test]
    async fn only_who_runs_the_installation_sees_it() {
        let portal = TestPortal::new().await;
        let page = portal.admin().await.get("/console/system").await;
        page.shows(&["SQLite", "every one is applied", "http://gw.test", "TLS proxy"]);
        let (owner, _) = portal.user("olga", Some(Role::Owner)).await;
        assert_eq!(owner.get("/console/system").await.status, 403);
    }
}
