//! How much an application is used: over time, by version, by status; as a
//! chart with its table, and as a file.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use gatewright_control::consumer::SubscriptionView;
use gatewright_control::names::Wanted;
use gatewright_control::quota::LimitStanding;
use gatewright_control::usage::{UsageGroup, UsageQuery, UsageRow};
use gatewright_control::{Caller, Error};
use gatewright_model::consumer::SubscriptionState;
use gatewright_model::id::{ApplicationId, SubscriptionId};
use gatewright_model::limit::LimitKind;
use gatewright_model::reference::Ref;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::UsageRead;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::CONTENT_DISPOSITION;

use super::frame::{Frame, Tab, moment};
use crate::app::App;
use crate::chart::{Chart, Kind, Tone};
use crate::csv::Csv;
use crate::filters;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{FIELD, Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

const SPLIT: &str = "split";
/// As many series as a chart tells apart; the rest is one more.
const MOST_SERIES: usize = 5;
const TONES: [Tone; 6] = [
    Tone::Accent,
    Tone::Ok,
    Tone::Warn,
    Tone::Ai,
    Tone::Danger,
    Tone::Muted,
];

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps/{application}/usage", show)
        .get("/me/apps/{application}/usage.csv", csv)
}

#[derive(Template)]
#[template(path = "portal/me/usage.html")]
struct UsagePage {
    shell: Shell,
    frame: Frame,
    list: Listing,
    range: Range,
    choices: [(&'static str, &'static str); 6],
    split: &'static str,
    traffic: Traffic,
    by: Option<Chart>,
    parts: Vec<Part>,
    quotas: Vec<Quota>,
    as_of: Timestamp,
    csv: String,
}

/// The sum of one group.
struct Part {
    name: String,
    requests: u64,
    errors: u64,
    bytes: u64,
}

/// A quota with how far it is used.
struct Quota {
    label: String,
    used: u64,
    whole: u64,
    text: String,
    href: String,
}

async fn show(
    caller: Authorized<UsageRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Usage).await?;
    let list = Listing::of(&visit);
    let range = Range::of(&list, Span::Day, app.control.now());
    let query = UsageQuery {
        application: Some(frame.reference()),
        ..range.query()
    };
    let rows = app.control.usage().query(&caller, &query).await?;
    let (split, group) = chosen_split(&list);
    let grouped = match group {
        Some(group) => groups(&app, &caller, &query, group).await?,
        None => Vec::new(),
    };
    let template = UsagePage {
        shell: frame.shell(&visit),
        choices: Range::choices(),
        traffic: Traffic::of(&range, &rows),
        by: group.map(|_| chart_by(&range, &grouped)),
        parts: parts(&grouped),
        as_of: app.control.now(),
        quotas: quotas(&app, &caller, &frame).await?,
        csv: list.at(&[frame.href.as_str(), "/usage.csv"].concat()),
        split,
        range,
        frame,
        list,
    };
    Page::html(&template)
}

fn chosen_split(list: &Listing) -> (&'static str, Option<UsageGroup>) {
    match list.text(SPLIT) {
        "version" => ("version", Some(UsageGroup::Version)),
        "status" => ("status", Some(UsageGroup::Status)),
        "operation" => ("operation", Some(UsageGroup::Operation)),
        "key" => ("key", Some(UsageGroup::Credential)),
        _ => ("", None),
    }
}

/// Rows whose groups are named as people know them.
async fn groups(
    app: &App,
    caller: &Caller,
    query: &UsageQuery,
    group: UsageGroup,
) -> Result<Vec<UsageRow>, Error> {
    let query = UsageQuery {
        group_by: Some(group),
        ..query.clone()
    };
    let mut rows = app.control.usage().query(caller, &query).await?;
    let ids = || rows.iter().filter_map(|row| row.group.as_deref());
    let mut wanted = Wanted::default();
    match group {
        UsageGroup::Version => wanted.versions = ids().filter_map(|id| id.parse().ok()).collect(),
        UsageGroup::Credential => wanted.credentials = ids().filter_map(|id| id.parse().ok()).collect(),
        _ => {}
    }
    let names = app.control.names(caller, &wanted).await?;
    for row in &mut rows {
        let Some(raw) = row.group.take() else {
            continue;
        };
        row.group = Some(match group {
            UsageGroup::Version => raw
                .parse()
                .ok()
                .and_then(|id| names.versions.get(&id))
                .map_or_else(|| raw.clone(), ToString::to_string),
            UsageGroup::Credential => raw
                .parse()
                .ok()
                .and_then(|id| names.credentials.get(&id))
                .map_or_else(|| raw.clone(), |prefix| format!("{prefix}…")),
            _ => raw,
        });
    }
    Ok(rows)
}

fn name_of(row: &UsageRow) -> &str {
    row.group.as_deref().unwrap_or("not known")
}

/// The sums of the groups, the largest first.
fn parts(rows: &[UsageRow]) -> Vec<Part> {
    let mut sums: BTreeMap<&str, Part> = BTreeMap::new();
    for row in rows {
        let part = sums.entry(name_of(row)).or_insert_with(|| Part {
            name: name_of(row).to_owned(),
            requests: 0,
            errors: 0,
            bytes: 0,
        });
        part.requests += row.requests;
        part.errors += row.errors;
        part.bytes += row.bytes_in + row.bytes_out;
    }
    let mut parts: Vec<Part> = sums.into_values().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.requests));
    parts
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of calls are far below 2^53, and charts are drawn in pixels"
)]
fn chart_by(range: &Range, rows: &[UsageRow]) -> Chart {
    let buckets = range.buckets();
    let names: Vec<String> = parts(rows)
        .into_iter()
        .take(MOST_SERIES)
        .map(|part| part.name)
        .collect();
    let sum = |matches: &dyn Fn(&str) -> bool| -> Vec<f64> {
        buckets
            .iter()
            .map(|bucket| {
                let of = rows
                    .iter()
                    .filter(|row| row.bucket == *bucket && matches(name_of(row)));
                of.map(|row| row.requests).sum::<u64>() as f64
            })
            .collect()
    };
    let mut chart = Chart::new("Calls, split", Kind::StackedArea)
        .times(buckets.iter().copied())
        .partial_last(true);
    for (name, tone) in names.iter().zip(TONES) {
        chart = chart.series(name.as_str(), tone, sum(&|other| other == name));
    }
    let rest = sum(&|other| !names.iter().any(|name| name == other));
    if rest.iter().any(|value| *value > 0.0) {
        chart = chart.series("others", Tone::Muted, rest);
    }
    chart
}

/// The quotas of what the application has access to.
async fn quotas(app: &App, caller: &Caller, frame: &Frame) -> Result<Vec<Quota>, Error> {
    let views = app
        .control
        .consumer()
        .subscriptions(caller, &frame.reference())
        .await?;
    let mut quotas = Vec::new();
    for view in views {
        if view.subscription.state != SubscriptionState::Active {
            continue;
        }
        let id = view.subscription.id;
        let standings = app.control.subscriptions().standing(caller, id).await?;
        let of = standings
            .iter()
            .filter(|standing| standing.limit.kind == LimitKind::Quota);
        quotas.extend(of.filter_map(|standing| quota(frame, &view, id, standing)));
    }
    Ok(quotas)
}

fn quota(
    frame: &Frame,
    view: &SubscriptionView,
    id: SubscriptionId,
    standing: &LimitStanding,
) -> Option<Quota> {
    let counter = standing.counter?;
    let number = |number: u64| filters::grouped(&number.to_string());
    Some(Quota {
        label: format!("{}: {}", view.api.name, standing.limit.in_words()),
        used: counter.used,
        whole: standing.whole(),
        text: format!(
            "{} of {}; starts anew {}",
            number(counter.used),
            number(standing.whole()),
            moment(counter.resets_at)
        ),
        href: format!("{}/subscriptions/{id}", frame.href),
    })
}

async fn csv(
    caller: Authorized<UsageRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Usage).await?;
    let list = Listing::of(&visit);
    let range = Range::of(&list, Span::Day, app.control.now());
    let query = UsageQuery {
        application: Some(frame.reference()),
        ..range.query()
    };
    let (split, group) = chosen_split(&list);
    let rows = match group {
        Some(group) => groups(&app, &caller, &query, group).await?,
        None => app.control.usage().query(&caller, &query).await?,
    };
    let name = format!(
        "attachment; filename=\"{}-{}.csv\"",
        frame.application.slug,
        list.some(FIELD).map_or("24h", |_| range.span.as_str())
    );
    let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    let text = table(&rows, split);
    Ok(Page::bytes("text/csv; charset=utf-8", text).header(CONTENT_DISPOSITION, name))
}

fn table(rows: &[UsageRow], split: &str) -> String {
    let group = if split.is_empty() { "group" } else { split };
    let mut csv = Csv::new(&[
        "bucket",
        group,
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
        csv.row([
            row.bucket.to_string(),
            row.group.clone().unwrap_or_default(),
            row.requests.to_string(),
            row.errors.to_string(),
            row.bytes_in.to_string(),
            row.bytes_out.to_string(),
            number(row.p50_ms),
            number(row.p95_ms),
            number(row.p99_ms),
        ]);
    }
    csv.finish()
}
