//! Every subscription of the tenant, for those who provide APIs.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::subscriptions::{SubscriptionAction, SubscriptionFilter};
use gatewright_control::{Caller, IfMatch};
use gatewright_model::consumer::{Subscription, SubscriptionState};
use gatewright_model::id::SubscriptionId;
use gatewright_model::invalid::Invalid;
use gatewright_model::permission::Permission;
use gatewright_model::plan::Plan;
use gatewright_model::text::Remark;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::SubscriptionsManage;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::console::permit::Subscriptions;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/subscriptions";
const PER_PAGE: u16 = 50;
const DAY: Duration = Duration::from_secs(86_400);
/// For how long a closing subscription may go on, in days.
const GRACES: [u32; 4] = [0, 7, 30, 90];

/// The pages of subscriptions.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, list)
        .get("/console/subscriptions/{subscription}", one)
        .post("/console/subscriptions/{subscription}/suspend", suspend)
        .post("/console/subscriptions/{subscription}/resume", resume)
        .post("/console/subscriptions/{subscription}/close", close)
}

#[derive(Template)]
#[template(path = "console/subscriptions/list.html")]
struct List {
    shell: Shell,
    list: Listing,
    items: Vec<Subscription>,
    names: Names,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/subscriptions/subscription.html")]
struct One {
    shell: Shell,
    form: FormState,
    subscription: Subscription,
    names: Names,
    sees_calls: bool,
    plan: Option<Plan>,
    may_suspend: bool,
    may_resume: bool,
    may_close: bool,
}

async fn list(
    caller: Authorized<Subscriptions>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let filter = SubscriptionFilter {
        application: list.take("application"),
        api: list.take("api"),
        plan: list.take("plan"),
        state: list.take::<SubscriptionState>("state"),
    };
    let page = app
        .control
        .subscriptions()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let template = List {
        shell: visit
            .shell("Subscriptions")
            .crumb("Console", "/console")
            .last_crumb("Subscriptions"),
        names: names(&app, &caller, &page.items).await?,
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        items: page.items,
        list,
    };
    Page::html(&template)
}

async fn one(
    caller: Authorized<Subscriptions>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<SubscriptionId>,
) -> Result<Page, Problem> {
    show(&app, &visit, &caller, id, FormState::default()).await
}

async fn suspend(
    caller: Authorized<SubscriptionsManage>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<SubscriptionId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let Some(reason) = form.take("reason", Remark::parse(fields.get("reason"))) else {
        return show(&app, &visit, &caller, id, form).await;
    };
    let action = SubscriptionAction::Suspend { reason: Some(reason) };
    act(&app, &visit, &caller, id, (action, "Suspended."), form).await
}

async fn resume(
    caller: Authorized<SubscriptionsManage>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<SubscriptionId>,
) -> Result<Page, Problem> {
    let step = (SubscriptionAction::Resume, "It works again.");
    act(&app, &visit, &caller, id, step, FormState::default()).await
}

async fn close(
    caller: Authorized<SubscriptionsManage>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<SubscriptionId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let chosen = fields.get("grace_days").parse().ok();
    let days = chosen
        .filter(|days| GRACES.contains(days))
        .ok_or_else(|| Invalid::new("invalid_grace", "must be one of the choices"));
    let Some(days) = form.take("grace_days", days) else {
        return show(&app, &visit, &caller, id, form).await;
    };
    let action = SubscriptionAction::Close { grace: DAY * days };
    let done = if days == 0 {
        "Closed."
    } else {
        "It closes at the end of its grace."
    };
    act(&app, &visit, &caller, id, (action, done), form).await
}

async fn act(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: SubscriptionId,
    (action, done): (SubscriptionAction, &str),
    form: FormState,
) -> Result<Page, Problem> {
    let subscriptions = app.control.subscriptions();
    match subscriptions.transition(caller, id, action, IfMatch::ANY).await {
        Ok(_) => Ok(visit.redirect_with(&format!("{PATH}/{id}"), done)),
        Err(error) => show(app, visit, caller, id, form.refused(error)?).await,
    }
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: SubscriptionId,
    form: FormState,
) -> Result<Page, Problem> {
    let subscription = app.control.subscriptions().get(caller, id).await?;
    let names = names(app, caller, std::slice::from_ref(&subscription)).await?;
    let api = names.apis.get(&subscription.api_id);
    let application = names.applications.get(&subscription.application_id);
    let title = match (application, api) {
        (Some(application), Some(api)) => format!("{} uses {}", application.name, api.name),
        _ => "Subscription".to_owned(),
    };
    let shell = visit
        .shell(title.clone())
        .crumb("Console", "/console")
        .crumb("Subscriptions", PATH)
        .last_crumb(title);
    let manages = caller.rights.anywhere(Permission::SubscriptionsManage);
    let state = subscription.state;
    let template = One {
        sees_calls: visit.may(Permission::CallsRead),
        shell: shell.with(&form),
        form: form.or("grace_days", "0"),
        plan: app.control.plans().get(caller, subscription.plan_id).await.ok(),
        may_suspend: manages && state == SubscriptionState::Active,
        may_resume: manages && state == SubscriptionState::Suspended,
        may_close: manages && matches!(state, SubscriptionState::Active | SubscriptionState::Suspended),
        subscription,
        names,
    };
    Page::form(&template, &template.form)
}

async fn names(app: &App, caller: &Caller, items: &[Subscription]) -> Result<Names, Problem> {
    let wanted = Wanted {
        apis: items.iter().map(|item| item.api_id).collect(),
        plans: items.iter().map(|item| item.plan_id).collect(),
        applications: items.iter().map(|item| item.application_id).collect(),
        users: items.iter().filter_map(|item| item.created_by).collect(),
        ..Wanted::default()
    };
    Ok(app.control.names(caller, &wanted).await?)
}

#[cfg(test)]
mod tests {
    use gatewright_control::subscriptions::NewSubscription;
    use gatewright_model::reference::Ref;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn a_subscription_is_suspended_resumed_and_closed() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&["No subscription yet"]);
        let (_, plan) = portal.published("shop").await;
        let caller = portal.admin_caller().await;
        let application = portal.application("Till").await;
        let new = NewSubscription {
            plan_id: plan.id,
            reason: None,
        };
        let subscriptions = portal.control.subscriptions();
        let subscription = subscriptions
            .request(&caller, &Ref::Id(application.id), new)
            .await
            .unwrap();
        admin
            .get("/console/subscriptions?api=shop&state=active")
            .await
            .shows(&["Till", "Pets", "Free"]);
        admin
            .get("/console/subscriptions?state=nonsense")
            .await
            .shows(&["cannot be used for state"]);
        let path = format!("{PATH}/{}", subscription.id);
        admin.get(&path).await.shows(&["Till uses Pets", "Suspend"]);
        admin
            .post(&format!("{path}/suspend"), &[])
            .await
            .refuses(&["Enter a reason"]);
        admin
            .post(&format!("{path}/suspend"), &[("reason", "abuse")])
            .await
            .location();
        admin.get(&path).await.shows(&["suspended", "abuse"]);
        admin.post(&format!("{path}/resume"), &[]).await.location();
        let too_long = admin
            .post(&format!("{path}/close"), &[("grace_days", "4000")])
            .await;
        too_long.refuses(&["When must be one of the choices"]);
        admin
            .post(&format!("{path}/close"), &[("grace_days", "0")])
            .await
            .location();
        admin.get(&path).await.shows(&["closed"]);
        admin
            .post(&format!("{path}/resume"), &[])
            .await
            .refuses(&["There is a problem"]);
    }
}
