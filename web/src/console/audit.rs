//! Who did what: the audit trail, one event, and the examination of its chain.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::audit::{AuditFilter, AuditVerdict};
use gatewright_control::names::{Names, Wanted};
use gatewright_model::audit::{AuditEvent, AuditSource};
use gatewright_model::id::{AuditEventId, EntityId};
use gatewright_model::page::PageRequest;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::AuditRead;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;

use crate::app::App;
use crate::csv::Csv;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/audit";
const PER_PAGE: u16 = 50;
/// An export ends here; a longer stretch is exported in pieces.
const MOST_EXPORTED: usize = 10_000;

/// The pages of the audit trail.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, list)
        .get("/console/audit.csv", export)
        .post("/console/audit/verify", verify)
        .get("/console/audit/{event}", one)
}

#[derive(Template)]
#[template(path = "console/audit/list.html")]
struct List {
    shell: Shell,
    list: Listing,
    ranges: [(&'static str, &'static str); 6],
    range: &'static str,
    items: Vec<AuditEvent>,
    names: Names,
    first: Option<String>,
    next: Option<String>,
    export: String,
    verdict: Option<AuditVerdict>,
}

#[derive(Template)]
#[template(path = "console/audit/event.html")]
struct One {
    shell: Shell,
    event: AuditEvent,
    actor: String,
    door: &'static str,
    thing: Option<String>,
    details: String,
    hash: String,
}

fn filter_of(list: &mut Listing, range: &Range) -> AuditFilter {
    AuditFilter {
        action: list.some("action").map(str::to_owned),
        subject_kind: list.some("kind").map(str::to_owned),
        subject_id: list.some("subject").map(str::to_owned),
        user: list.take("user"),
        from: Some(range.from),
        to: None,
    }
}

async fn list(caller: Authorized<AuditRead>, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    show(&app, &visit, &caller, None).await
}

async fn verify(
    caller: Authorized<AuditRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let verdict = app.control.audit().verify(&caller).await?;
    show(&app, &visit, &caller, Some(verdict)).await
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    verdict: Option<AuditVerdict>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(visit).at_path([visit.base(), PATH].concat());
    let range = Range::of(&list, Span::Month, app.control.now());
    let filter = filter_of(&mut list, &range);
    let page = app
        .control
        .audit()
        .list(caller, &filter, list.page(PER_PAGE))
        .await?;
    let template = List {
        shell: visit
            .shell("Audit")
            .crumb("Console", "/console")
            .last_crumb("Audit"),
        ranges: Range::choices(),
        range: range.span.as_str(),
        names: names(app, caller, &page.items).await?,
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        export: list.at(&[visit.base(), "/console/audit.csv"].concat()),
        items: page.items,
        list,
        verdict,
    };
    Page::html(&template)
}

async fn one(
    caller: Authorized<AuditRead>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<AuditEventId>,
) -> Result<Page, Problem> {
    let event = app.control.audit().get(&caller, id).await?;
    let names = names(&app, &caller, std::slice::from_ref(&event)).await?;
    let template = One {
        shell: visit
            .shell(event.action.clone())
            .crumb("Console", "/console")
            .crumb("Audit", PATH)
            .last_crumb(event.action.clone()),
        actor: actor(&names, &event),
        door: door(&event.actor.source),
        thing: thing(&names, &event),
        details: serde_json::to_string_pretty(&event.details).unwrap_or_default(),
        hash: hex::encode(event.hash),
        event,
    };
    Page::html(&template)
}

async fn export(
    caller: Authorized<AuditRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let range = Range::of(&list, Span::Month, app.control.now());
    let filter = filter_of(&mut list, &range);
    let mut csv = Csv::new(&[
        "time", "actor", "source", "action", "kind", "subject", "details", "id",
    ]);
    let mut page = PageRequest {
        after: None,
        ..list.page(200)
    };
    let mut exported = 0;
    loop {
        let found = app.control.audit().list(&caller, &filter, page).await?;
        let names = names(&app, &caller, &found.items).await?;
        for event in &found.items {
            csv.row([
                event.at.to_string(),
                actor(&names, event),
                event.actor.source.to_string(),
                event.action.clone(),
                event.subject_kind.clone(),
                event.subject_id.clone(),
                event.details.to_string(),
                event.id.to_string(),
            ]);
        }
        exported += found.items.len();
        match found.next {
            Some(next) if exported < MOST_EXPORTED => page.after = Some(next),
            _ => break,
        }
    }
    let name = HeaderValue::from_static("attachment; filename=\"audit.csv\"");
    Ok(Page::bytes("text/csv; charset=utf-8", csv.finish()).header(CONTENT_DISPOSITION, name))
}

async fn names(app: &App, caller: &Caller, events: &[AuditEvent]) -> Result<Names, Problem> {
    fn ids<I: EntityId + std::str::FromStr>(events: &[AuditEvent]) -> Vec<I> {
        let ids = events.iter().filter_map(|event| event.subject_id.parse().ok());
        ids.collect()
    }
    let actors = events.iter().filter_map(|event| event.actor.user_id);
    let wanted = Wanted {
        apis: ids(events),
        versions: ids(events),
        plans: ids(events),
        applications: ids(events),
        credentials: ids(events),
        teams: ids(events),
        users: actors.chain(ids(events)).collect(),
    };
    Ok(app.control.names(caller, &wanted).await?)
}

/// What the thing is called. What is gone, or has no name, has its id alone.
fn thing(names: &Names, event: &AuditEvent) -> Option<String> {
    fn find<I: EntityId + std::str::FromStr + Eq + std::hash::Hash, T>(
        names: &HashMap<I, T>,
        event: &AuditEvent,
        written: impl Fn(&T) -> String,
    ) -> Option<String> {
        names.get(&event.subject_id.parse().ok()?).map(written)
    }
    find(&names.apis, event, |api| api.name.to_string())
        .or_else(|| find(&names.versions, event, ToString::to_string))
        .or_else(|| find(&names.plans, event, |plan| plan.name.to_string()))
        .or_else(|| find(&names.applications, event, |named| named.name.to_string()))
        .or_else(|| find(&names.credentials, event, |prefix| format!("{prefix}…")))
        .or_else(|| find(&names.teams, event, |team| team.name.to_string()))
        .or_else(|| find(&names.users, event, |(name, _)| name.to_string()))
}

/// The door in words.
const fn door(source: &AuditSource) -> &'static str {
    match source {
        AuditSource::Api => "management API",
        AuditSource::Ui => "browser",
        AuditSource::Cli => "command line",
        AuditSource::System => "by itself",
    }
}

/// Who did it, in words.
fn actor(names: &Names, event: &AuditEvent) -> String {
    match event.actor.user_id {
        Some(id) => names
            .users
            .get(&id)
            .map_or_else(|| id.to_string(), |(name, _)| name.to_string()),
        None => "Gatewright".to_owned(),
    }
}

impl List {
    fn actor(&self, event: &AuditEvent) -> String {
        actor(&self.names, event)
    }

    fn thing(&self, event: &AuditEvent) -> Option<String> {
        thing(&self.names, event)
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn the_trail_is_listed_filtered_exported_and_verified() {
        let portal = TestPortal::new().await;
        portal.published("shop").await;
        let (auditor, _) = portal.user("ada", Some(Role::Auditor)).await;
        auditor
            .get(PATH)
            .await
            .shows(&["version.publish", "api.create", "Export", "<bdi>Pets</bdi>"]);
        let filtered = auditor.get("/console/audit?action=version.publish").await;
        filtered.shows(&["version.publish"]);
        assert!(!filtered.text.contains("api.create"));
        auditor
            .get("/console/audit?action=nothing.such")
            .await
            .shows(&["Nothing matches"]);
        auditor
            .post("/console/audit/verify", &[])
            .await
            .shows(&["unbroken"]);
        let csv = auditor.get("/console/audit.csv?action=version.publish").await;
        assert!(csv.header("content-type").starts_with("text/csv"));
        assert_eq!(csv.text.lines().count(), 2, "{}", csv.text);
        let link = filtered.text.split("/console/audit/aud_").nth(1).unwrap();
        let event = format!("{PATH}/aud_{}", &link[..26]);
        auditor
            .get(&event)
            .await
            .shows(&["version.publish", "Request", "hash"]);
        let (developer, _) = portal.user("dev", Some(Role::Developer)).await;
        assert_eq!(developer.get(PATH).await.status, 403);
    }
}
