//! The console's first page: what needs somebody first, then how things go.
//! Each part fails alone.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::apis::ApiFilter;
use gatewright_control::approvals::ApprovalFilter;
use gatewright_control::views::ApiView;
use gatewright_model::api::VersionState;
use gatewright_model::approval::ApprovalState;
use gatewright_model::id::ApiId;
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::Demand;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::console::permit::{Console, TrafficRead};
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

/// As many things of one kind as the list names.
const MOST_OF_A_KIND: u16 = 5;
/// From this share of errors on an API is said to fail, in per cent.
const FAILING_PERCENT: u64 = 20;
/// Fewer calls say nothing about an API.
const ENOUGH_CALLS: u64 = 20;
/// A gateway that is behind for longer is worth a look.
const SETTLING: Duration = Duration::from_secs(10);

/// The first page.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/console", home)
}

/// Something that waits for somebody.
struct Item {
    tone: &'static str,
    icon: &'static str,
    title: String,
    note: String,
    href: String,
    action: &'static str,
}

/// The steps from nothing to a first subscriber.
struct Setup {
    imported: bool,
    published: bool,
    subscribed: bool,
}

#[derive(Template)]
#[template(path = "console/first_page.html")]
struct Home {
    shell: Shell,
    items: Vec<Item>,
    setup: Option<Setup>,
    traffic: Option<Traffic>,
    may_import: bool,
}

async fn home(caller: Authorized<Console>, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let few = PageRequest {
        size: PageSize::new(MOST_OF_A_KIND).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    let now = app.control.now();
    let apis = app
        .control
        .apis()
        .list(&caller, &ApiFilter::default(), PageRequest::default())
        .await
        .map(|page| page.items)
        .unwrap_or_default();
    let own: Vec<_> = apis
        .iter()
        .filter(|api| caller.rights.in_team(Permission::ApisWrite, api.api.team_id))
        .collect();
    let mut items = Vec::new();
    items.extend(waiting(&app, &visit, &caller, few).await);
    items.extend(sign_ups(&app, &visit, &caller).await);
    items.extend(failing(&app, &visit, &caller, now, &own).await);
    items.extend(gateways(&app, &visit, &caller, now).await);
    items.extend(drafts(&visit, &own));
    let traffic = day(&app, &caller, now).await;
    let template = Home {
        shell: visit.shell("Overview").last_crumb("Console"),
        setup: setup(&app, &caller, &own).await,
        may_import: visit.may(Permission::ApisWrite),
        items,
        traffic,
    };
    Page::html(&template)
}

async fn day(app: &App, caller: &Caller, now: Timestamp) -> Option<Traffic> {
    let range = Range::last(Span::Day, now);
    let rows = app.control.usage().query(caller, &range.query()).await.ok()?;
    Some(Traffic::of(&range, &rows))
}

/// Requests that wait for a decision.
async fn waiting(app: &App, visit: &Visit, caller: &Caller, few: PageRequest) -> Option<Item> {
    if !caller.rights.anywhere(Permission::ApprovalsDecide) {
        return None;
    }
    let filter = ApprovalFilter {
        state: Some(ApprovalState::Open),
        kind: None,
    };
    let page = app.control.approvals().list(caller, &filter, few).await.ok()?;
    let count = page.items.len();
    let more = if page.next.is_some() { "More than " } else { "" };
    (count > 0).then(|| Item {
        tone: "accent",
        icon: "circle-check",
        title: match count {
            1 => "1 request waits for a decision".to_owned(),
            count => format!("{more}{count} requests wait for a decision"),
        },
        note: page
            .items
            .first()
            .and_then(|approval| approval.note.as_ref())
            .map(|note| format!("The newest: {note}"))
            .unwrap_or_default(),
        href: [visit.base(), "/console/approvals"].concat(),
        action: "Decide",
    })
}

/// People who wait for an account.
async fn sign_ups(app: &App, visit: &Visit, caller: &Caller) -> Option<Item> {
    let count = app.control.accounts().waiting_sign_ups(caller).await.ok()?;
    (count > 0).then(|| Item {
        tone: "accent",
        icon: "user-plus",
        title: if count == 1 {
            "1 person waits for an account".to_owned()
        } else {
            format!("{count} people wait for an account")
        },
        note: String::new(),
        href: [visit.base(), "/console/users"].concat(),
        action: "Look",
    })
}

/// APIs of which many calls fail.
async fn failing(app: &App, visit: &Visit, caller: &Caller, now: Timestamp, own: &[&ApiView]) -> Vec<Item> {
    if !TrafficRead::ANY_OF
        .iter()
        .any(|permission| visit.may(*permission))
    {
        return Vec::new();
    }
    let query = Range::last(Span::Hour, now).query();
    let usage = app.control.usage();
    let rows = usage
        .of_apis(caller, &query, own.iter().map(|api| api.api.id))
        .await
        .unwrap_or_default();
    let sums = |id: ApiId| {
        let id = id.to_string();
        let row = rows.iter().find(|row| row.group.as_deref() == Some(id.as_str()));
        row.map_or((0, 0), |row| (row.requests, row.errors))
    };
    own.iter()
        .map(|api| (api, sums(api.api.id)))
        .filter(|(_, (requests, errors))| {
            *requests >= ENOUGH_CALLS && errors * 100 >= requests * FAILING_PERCENT
        })
        .take(usize::from(MOST_OF_A_KIND))
        .map(|(api, (requests, errors))| Item {
            tone: "danger",
            icon: "triangle-alert",
            title: format!("{errors} of {requests} calls to {} failed", api.api.name),
            note: "Within the last hour, refusals included".to_owned(),
            href: format!("{}/console/logs?api={}&range=1h", visit.base(), api.api.slug),
            action: "Look",
        })
        .collect()
}

/// Gateways that are silent or behind.
async fn gateways(app: &App, visit: &Visit, caller: &Caller, now: Timestamp) -> Option<Item> {
    let known = app.control.nodes().list(caller).await.ok()?;
    let late = known
        .nodes
        .iter()
        .filter(|node| !node.in_sync && now.since(node.last_seen_at) > SETTLING)
        .count();
    (late > 0).then(|| Item {
        tone: "warn",
        icon: "server",
        title: format!("{late} of {} gateways are not in sync", known.nodes.len()),
        note: "They serve what they know; newer changes are missing there".to_owned(),
        href: [visit.base(), "/console/gateways"].concat(),
        action: "Look",
    })
}

/// Versions that nobody can call yet, or that end soon.
fn drafts(visit: &Visit, own: &[&ApiView]) -> Vec<Item> {
    own.iter()
        .filter(|api| {
            !api.versions.is_empty()
                && api
                    .versions
                    .iter()
                    .all(|version| version.state == VersionState::Draft)
        })
        .take(usize::from(MOST_OF_A_KIND))
        .map(|api| Item {
            tone: "muted",
            icon: "pencil",
            title: format!("{} is a draft", api.api.name),
            note: "Nobody can call it until a version is published".to_owned(),
            href: format!("{}/console/apis/{}", visit.base(), api.api.slug),
            action: "Go on",
        })
        .collect()
}

/// The steps that are left until somebody uses an API; nothing once somebody does.
async fn setup(app: &App, caller: &Caller, own: &[&ApiView]) -> Option<Setup> {
    if !caller.rights.anywhere(Permission::ApisWrite) {
        return None;
    }
    let published = own.iter().find(|api| {
        api.versions
            .iter()
            .any(|version| matches!(version.state, VersionState::Published | VersionState::Deprecated))
    });
    let mut subscribed = false;
    if published.is_some() {
        for api in own {
            let filter = gatewright_control::subscriptions::SubscriptionFilter {
                api: Some(Ref::Id(api.api.id)),
                ..Default::default()
            };
            let found = app
                .control
                .subscriptions()
                .list(caller, &filter, PageRequest::default())
                .await;
            if found.is_ok_and(|page| !page.items.is_empty()) {
                subscribed = true;
                break;
            }
        }
    }
    let setup = Setup {
        imported: !own.is_empty(),
        published: published.is_some(),
        subscribed,
    };
    (!(setup.imported && setup.published && setup.subscribed)).then_some(setup)
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;

    use crate::testing::TestPortal;

    #[tokio::test]
    async fn the_first_page_names_what_to_do_next() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin
            .get("/console")
            .await
            .shows(&["Import API", "Nothing needs you"]);
        portal.draft("shop").await;
        admin.get("/console").await.shows(&["Pets is a draft"]);
        portal
            .user("ada", Some(Role::Auditor))
            .await
            .0
            .get("/console")
            .await
            .shows(&["Overview"]);
        let (nobody, _) = portal.user("nobody", None).await;
        assert_eq!(nobody.get("/console").await.status, 403);
        let led = portal.visitor().get("/console").await;
        assert_eq!(led.location(), "/sign-in?return_to=/console");
    }
}
