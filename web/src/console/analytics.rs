//! Usage: how much, how well, by what; as charts, tables and CSV.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::usage::{UsageGroup, UsageQuery, UsageRow};
use gatewright_model::id::EntityId;
use gatewright_model::state::Word as _;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;

use crate::app::App;
use crate::console::permit::TrafficRead;
use crate::csv::Csv;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

const PATH: &str = "/console/analytics";
/// What the figures can be split by, and what a column of it is called.
const SPLITS: [(UsageGroup, &str); 7] = [
    (UsageGroup::Api, "API"),
    (UsageGroup::Version, "Version"),
    (UsageGroup::Operation, "Operation"),
    (UsageGroup::Plan, "Plan"),
    (UsageGroup::Application, "Application"),
    (UsageGroup::Credential, "Key"),
    (UsageGroup::Status, "Status"),
];
/// A table of groups ends here; the rest is in the CSV.
const MOST_GROUPS: u16 = 50;

/// The pages of usage.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get(PATH, overview).get("/console/analytics.csv", export)
}

/// One line of the table: a group with its figures over the whole time.
struct Group {
    label: String,
    requests: u64,
    errors: u64,
    bytes: u64,
    p95_ms: Option<f64>,
    href: Option<String>,
}

#[derive(Template)]
#[template(path = "console/analytics/overview.html")]
struct Overview {
    shell: Shell,
    list: Listing,
    ranges: [(&'static str, &'static str); 6],
    range: &'static str,
    by: &'static str,
    splits: [(&'static str, &'static str); 7],
    split: &'static str,
    /// The split within a heading.
    split_of: String,
    traffic: Traffic,
    groups: Vec<Group>,
    more: u64,
    export: String,
}

/// What the figures are split by. Without a choice it is the API.
fn group_of(list: &mut Listing) -> UsageGroup {
    list.take("by").unwrap_or(UsageGroup::Api)
}

fn narrowed(list: &mut Listing, query: UsageQuery) -> UsageQuery {
    let api = list.take("api");
    UsageQuery {
        version: if api.is_some() { list.take("version") } else { None },
        api,
        plan: list.take("plan"),
        application: list.take("application"),
        status: list.take("status"),
        ..query
    }
}

async fn overview(
    caller: Authorized<TrafficRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let range = Range::of(&list, Span::Day, app.control.now());
    let by = group_of(&mut list);
    let query = narrowed(&mut list, range.query());
    let usage = app.control.usage();
    let rows = usage.query(&caller, &query).await?;
    let grouped = UsageQuery {
        group_by: Some(by),
        ..query
    };
    let split = usage.groups(&caller, &grouped, MOST_GROUPS).await?;
    let groups = groups(&app, &caller, &list, by, &split.rows).await?;
    let more = split.total.saturating_sub(groups.len() as u64);
    let split = SPLITS
        .iter()
        .find(|(group, _)| *group == by)
        .map_or("Group", |(_, name)| name);
    let template = Overview {
        shell: visit
            .shell("Usage")
            .crumb("Console", "/console")
            .last_crumb("Usage"),
        ranges: Range::choices(),
        range: range.span.as_str(),
        by: by.as_str(),
        splits: SPLITS.map(|(group, name)| (group.as_str(), name)),
        split,
        split_of: match by {
            UsageGroup::Api => split.to_owned(),
            _ => split.to_lowercase(),
        },
        traffic: Traffic::of(&range, &rows),
        groups,
        more,
        export: list.at(&[visit.base(), "/console/analytics.csv"].concat()),
        list,
    };
    Page::html(&template)
}

async fn export(
    caller: Authorized<TrafficRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let range = Range::of(&list, Span::Day, app.control.now());
    let by = group_of(&mut list);
    let query = UsageQuery {
        group_by: Some(by),
        ..narrowed(&mut list, range.query())
    };
    let rows = app.control.usage().query(&caller, &query).await?;
    let names = names(&app, &caller, by, &rows).await?;
    let by_word = by.as_str();
    let mut csv = Csv::new(&[
        "bucket",
        by_word,
        "name",
        "requests",
        "errors",
        "bytes_in",
        "bytes_out",
        "p50_ms",
        "p95_ms",
        "p99_ms",
    ]);
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    for row in rows {
        let key = row.group.clone().unwrap_or_default();
        csv.row([
            row.bucket.to_string(),
            key.clone(),
            label(&names, by, &key),
            row.requests.to_string(),
            row.errors.to_string(),
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
            number(row.p50_ms),
            number(row.p95_ms),
            number(row.p99_ms),
        ]);
    }
    let name = HeaderValue::from_static("attachment; filename=\"usage.csv\"");
    Ok(Page::bytes("text/csv; charset=utf-8", csv.finish()).header(CONTENT_DISPOSITION, name))
}

/// The groups as lines of the table.
async fn groups(
    app: &App,
    caller: &Caller,
    list: &Listing,
    by: UsageGroup,
    rows: &[UsageRow],
) -> Result<Vec<Group>, Problem> {
    let names = names(app, caller, by, rows).await?;
    let line = |row: &UsageRow| {
        let key = row.group.clone().unwrap_or_default();
        Group {
            label: label(&names, by, &key),
            requests: row.requests,
            errors: row.errors,
            bytes: row.bytes_in + row.bytes_out,
            p95_ms: row.p95_ms,
            href: filter_name(by).map(|name| list.with(name, &key)),
        }
    };
    Ok(rows.iter().map(line).collect())
}

/// The filter that narrows the page to one group, where there is one.
fn filter_name(by: UsageGroup) -> Option<&'static str> {
    match by {
        UsageGroup::Api => Some("api"),
        UsageGroup::Plan => Some("plan"),
        UsageGroup::Application => Some("application"),
        UsageGroup::Status => Some("status"),
        _ => None,
    }
}

async fn names(app: &App, caller: &Caller, by: UsageGroup, rows: &[UsageRow]) -> Result<Names, Problem> {
    fn ids<I: EntityId + std::str::FromStr>(rows: &[UsageRow]) -> Vec<I> {
        rows.iter()
            .filter_map(|row| row.group.as_deref()?.parse().ok())
            .collect()
    }
    let mut wanted = Wanted::default();
    match by {
        UsageGroup::Api => wanted.apis = ids(rows),
        UsageGroup::Version => wanted.versions = ids(rows),
        UsageGroup::Plan => wanted.plans = ids(rows),
        UsageGroup::Application => wanted.applications = ids(rows),
        UsageGroup::Credential => wanted.credentials = ids(rows),
        _ => {}
    }
    Ok(app.control.names(caller, &wanted).await?)
}

/// A group as people know it.
fn label(names: &Names, by: UsageGroup, key: &str) -> String {
    let name = match by {
        UsageGroup::Api => key
            .parse()
            .ok()
            .and_then(|id| names.apis.get(&id))
            .map(|api| api.name.to_string()),
        UsageGroup::Version => key
            .parse()
            .ok()
            .and_then(|id| names.versions.get(&id))
            .map(ToString::to_string),
        UsageGroup::Plan => key
            .parse()
            .ok()
            .and_then(|id| names.plans.get(&id))
            .map(|plan| plan.name.to_string()),
        UsageGroup::Application => key
            .parse()
            .ok()
            .and_then(|id| names.applications.get(&id))
            .map(|application| application.name.to_string()),
        UsageGroup::Credential => key
            .parse()
            .ok()
            .and_then(|id| names.credentials.get(&id))
            .map(|prefix| format!("{prefix}…")),
        _ => None,
    };
    match name {
        Some(name) => name,
        None if key.is_empty() => "none".to_owned(),
        None => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn usage_is_shown_empty_and_exported() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&["No call in this time"]);
        admin
            .get("/console/analytics?range=30d&by=application&api=none")
            .await;
        let csv = admin.get("/console/analytics.csv?by=plan").await;
        assert!(csv.text.starts_with("\"bucket\",\"plan\""), "{}", csv.text);
        let (auditor, _) = portal.user("ada", Some(Role::Auditor)).await;
        auditor.get(PATH).await.shows(&["Usage"]);
        let (nobody, _) = portal.user("nobody", None).await;
        assert_eq!(nobody.get(PATH).await.status, 403);
    }
}
