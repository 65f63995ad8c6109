//! Who uses an API, under which plan, and how much.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::subscriptions::SubscriptionFilter;
use gatewright_control::usage::{UsageGroup, UsageQuery};
use gatewright_model::consumer::{Subscription, SubscriptionState};
use gatewright_model::id::ApiId;
use gatewright_model::page::PageRequest;
use gatewright_model::reference::Ref;
use gatewright_model::state::Word;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use crate::app::App;
use crate::console::permit::TrafficRead;
use crate::listing::Listing;
use crate::page::Page;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;

struct Row {
    subscription: Subscription,
    application: String,
    plan: String,
    calls: Option<u64>,
}

#[derive(Template)]
#[template(path = "console/apis/subscribers.html")]
struct Subscribers {
    shell: Shell,
    frame: Frame,
    list: Listing,
    rows: Vec<Row>,
    states: Vec<(&'static str, &'static str)>,
    plans: Vec<(String, String)>,
    first: Option<String>,
    next: Option<String>,
}

pub(super) async fn list(
    caller: Authorized<TrafficRead>,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &api, Tab::Subscribers).await?;
    let mut list = Listing::of(&visit);
    let filter = SubscriptionFilter {
        api: Some(frame.reference()),
        plan: list.take("plan"),
        state: list.take::<SubscriptionState>("state"),
        application: None,
    };
    let page = app
        .control
        .subscriptions()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let wanted = Wanted {
        applications: page.items.iter().map(|item| item.application_id).collect(),
        plans: page.items.iter().map(|item| item.plan_id).collect(),
        ..Wanted::default()
    };
    let names = app.control.names(&caller, &wanted).await?;
    let calls = calls(&app, &caller, &frame).await;
    let template = Subscribers {
        shell: frame.shell(&visit, "Subscribers"),
        rows: page
            .items
            .into_iter()
            .map(|subscription| row(subscription, &names, calls.as_ref()))
            .collect(),
        states: std::iter::once(("", "Any state"))
            .chain(
                SubscriptionState::ALL
                    .iter()
                    .map(|state| (state.as_str(), state.as_str())),
            )
            .collect(),
        plans: plans(&app, &caller, &frame).await?,
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        list,
        frame,
    };
    Page::html(&template)
}

fn row(subscription: Subscription, names: &Names, calls: Option<&HashMap<String, u64>>) -> Row {
    let application = names.applications.get(&subscription.application_id);
    let plan = names.plans.get(&subscription.plan_id);
    let id = subscription.application_id.to_string();
    Row {
        application: application.map_or_else(|| id.clone(), |named| named.name.to_string()),
        plan: plan.map(|named| named.name.to_string()).unwrap_or_default(),
        calls: calls.map(|calls| calls.get(&id).copied().unwrap_or(0)),
        subscription,
    }
}

/// The calls of the last 30 days by application; `None` where usage may not be seen.
async fn calls(app: &App, caller: &Caller, frame: &Frame) -> Option<HashMap<String, u64>> {
    if !frame.may.usage {
        return None;
    }
    let query = UsageQuery {
        api: Some(frame.reference()),
        group_by: Some(UsageGroup::Application),
        ..Range::last(Span::Month, app.control.now()).query()
    };
    let rows = app.control.usage().query(caller, &query).await.ok()?;
    let mut sums = HashMap::new();
    for row in rows {
        *sums.entry(row.group.unwrap_or_default()).or_insert(0) += row.requests;
    }
    Some(sums)
}

async fn plans(app: &App, caller: &Caller, frame: &Frame) -> Result<Vec<(String, String)>, Problem> {
    let known = app
        .control
        .plans()
        .list(caller, &frame.reference(), PageRequest::default())
        .await?;
    let named = known
        .items
        .iter()
        .map(|plan| (plan.id.to_string(), plan.name.to_string()));
    Ok(std::iter::once((String::new(), "Any plan".to_owned()))
        .chain(named)
        .collect())
}
