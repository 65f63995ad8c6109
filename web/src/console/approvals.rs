//! Requests that wait for a decision: the queue, and one of them with all that
//! is needed to decide it.

use askama::Template;
use axum::extract::State;
use gatewright_control::approvals::{ApprovalFilter, Decision};
use gatewright_control::names::{Names, Wanted};
use gatewright_control::usage::{UsageQuery, UsageStep};
use gatewright_control::{Caller, Error, IfMatch};
use gatewright_model::approval::{Approval, ApprovalState, ApprovalSubject};
use gatewright_model::consumer::Subscription;
use gatewright_model::id::ApprovalId;
use gatewright_model::permission::Permission;
use gatewright_model::plan::Plan;
use gatewright_model::reference::Ref;
use gatewright_model::state::Word;
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApprovalsDecide, ApprovalsRead};
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/approvals";
const PER_PAGE: u16 = 50;
/// How far back past use of an application is counted, in days.
const PAST_USE_DAYS: u32 = 30;
/// As many requests as one form decides at once.
const MOST_AT_ONCE: usize = 50;

/// The pages of approvals.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, queue)
        .post("/console/approvals/approve", approve_chosen)
        .get("/console/approvals/{approval}", one)
        .post("/console/approvals/{approval}/approve", approve)
        .post("/console/approvals/{approval}/reject", reject)
}

/// A request in words.
struct Row {
    id: ApprovalId,
    state: ApprovalState,
    requester: String,
    application: Option<String>,
    api: String,
    about: String,
    note: Option<Remark>,
    created_at: Timestamp,
    overdue: bool,
    decidable: bool,
}

#[derive(Template)]
#[template(path = "console/approvals/queue.html")]
struct Queue {
    shell: Shell,
    list: Listing,
    state: &'static str,
    rows: Vec<Row>,
    first: Option<String>,
    next: Option<String>,
    decidable: bool,
}

#[derive(Template)]
#[template(path = "console/approvals/request.html")]
struct Request {
    shell: Shell,
    form: FormState,
    row: Row,
    approval: Approval,
    limits: Vec<String>,
    plan: Option<Plan>,
    requester_email: Option<String>,
    decider: Option<String>,
    past_calls: Option<u64>,
    subscription: Option<Subscription>,
    may_decide: bool,
}

async fn queue(
    caller: Authorized<ApprovalsRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let all = list.text("state") == "all";
    if all {
        list = list.ignoring("state");
    }
    let chosen = list.take::<ApprovalState>("state");
    let state = if all {
        None
    } else {
        Some(chosen.unwrap_or(ApprovalState::Open))
    };
    let filter = ApprovalFilter { state, kind: None };
    let page = app
        .control
        .approvals()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let details = Details::of(&app, &caller, &page.items).await?;
    let now = app.control.now();
    let rows: Vec<_> = page
        .items
        .iter()
        .map(|approval| details.row(&caller, approval, now))
        .collect();
    let template = Queue {
        shell: visit
            .shell("Approvals")
            .crumb("Console", "/console")
            .last_crumb("Approvals"),
        state: state.map_or("all", Word::as_str),
        decidable: rows.iter().any(|row| row.decidable),
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        rows,
        list,
    };
    Page::html(&template)
}

async fn one(
    caller: Authorized<ApprovalsRead>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<ApprovalId>,
) -> Result<Page, Problem> {
    show(&app, &visit, &caller, id, FormState::default()).await
}

async fn approve(
    caller: Authorized<ApprovalsDecide>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<ApprovalId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let comment = fields
        .some("comment")
        .and_then(|text| form.take("comment", Remark::parse(text)));
    if !form.is_ok() {
        return show(&app, &visit, &caller, id, form).await;
    }
    let decision = Decision::Approve { comment };
    decide(&app, &visit, &caller, id, decision, form, "Approved.").await
}

async fn reject(
    caller: Authorized<ApprovalsDecide>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<ApprovalId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    match form.take("reason", Remark::parse(fields.get("reason"))) {
        Some(comment) => {
            let decision = Decision::Reject { comment };
            decide(
                &app,
                &visit,
                &caller,
                id,
                decision,
                form,
                "Rejected. The requester sees your reason.",
            )
            .await
        }
        None => show(&app, &visit, &caller, id, form).await,
    }
}

async fn decide(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: ApprovalId,
    decision: Decision,
    form: FormState,
    done: &str,
) -> Result<Page, Problem> {
    match app
        .control
        .approvals()
        .decide(caller, id, decision, IfMatch::ANY)
        .await
    {
        Ok(_) => Ok(visit.redirect_with(PATH, done)),
        Err(error) => show(app, visit, caller, id, form.refused(error)?).await,
    }
}

/// Approves what was ticked; what cannot be approved is counted, not hidden.
async fn approve_chosen(
    caller: Authorized<ApprovalsDecide>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let (mut done, mut refused) = (0_u32, 0_u32);
    let chosen = fields.all("approval").filter_map(|id| id.parse().ok());
    for id in chosen.take(MOST_AT_ONCE) {
        let decision = Decision::Approve { comment: None };
        match app
            .control
            .approvals()
            .decide(&caller, id, decision, IfMatch::ANY)
            .await
        {
            Ok(_) => done += 1,
            Err(Error::Unavailable) => return Err(Problem::unavailable()),
            Err(_) => refused += 1,
        }
    }
    let text = match (done, refused) {
        (0, 0) => "Nothing was chosen.".to_owned(),
        (done, 0) => format!("{done} approved."),
        (done, refused) => format!("{done} approved; {refused} could not be: open them to see why."),
    };
    Ok(visit.redirect_with(PATH, text))
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: ApprovalId,
    form: FormState,
) -> Result<Page, Problem> {
    let approval = app.control.approvals().get(caller, id).await?;
    let details = Details::of(app, caller, std::slice::from_ref(&approval)).await?;
    let row = details.row(caller, &approval, app.control.now());
    let subscription = details.subscription_of(&approval).cloned();
    let plan = match &subscription {
        Some(subscription) => app.control.plans().get(caller, subscription.plan_id).await.ok(),
        None => None,
    };
    let person = |id| details.names.users.get(&id);
    let shell = visit
        .shell(row.about.clone())
        .crumb("Console", "/console")
        .crumb("Approvals", PATH)
        .last_crumb(row.about.clone());
    let template = Request {
        shell: shell.with(&form),
        limits: plan
            .iter()
            .flat_map(|plan| {
                plan.current
                    .limits
                    .iter()
                    .map(gatewright_model::limit::Limit::in_words)
            })
            .collect(),
        requester_email: approval
            .requested_by
            .and_then(person)
            .map(|(_, email)| email.to_string()),
        decider: approval
            .decided_by
            .and_then(person)
            .map(|(name, _)| name.to_string()),
        past_calls: past_calls(app, caller, subscription.as_ref()).await,
        may_decide: row.decidable,
        form,
        row,
        plan,
        subscription,
        approval,
    };
    Page::form(&template, &template.form)
}

/// How often the application called this API lately. Unknown to who may not see usage.
async fn past_calls(app: &App, caller: &Caller, subscription: Option<&Subscription>) -> Option<u64> {
    let subscription = subscription?;
    let now = app.control.now();
    let query = UsageQuery {
        application: Some(Ref::Id(subscription.application_id)),
        from: Some(now.minus(std::time::Duration::from_secs(86_400) * PAST_USE_DAYS)),
        ..UsageQuery::by(UsageStep::Day)
    };
    let rows = app.control.usage().query(caller, &query).await.ok()?;
    Some(rows.iter().map(|row| row.requests).sum())
}

/// What the requests are about, looked up for all of them at once.
struct Details {
    subscriptions: Vec<Subscription>,
    names: Names,
}

impl Details {
    async fn of(app: &App, caller: &Caller, approvals: &[Approval]) -> Result<Self, Problem> {
        let mut subscriptions = Vec::new();
        let mut wanted = Wanted::default();
        for approval in approvals {
            wanted.apis.push(approval.api_id);
            wanted.users.extend(approval.requested_by);
            wanted.users.extend(approval.decided_by);
            match approval.subject {
                ApprovalSubject::Version(id) => wanted.versions.push(id),
                ApprovalSubject::Subscription(id) => {
                    // One that is gone leaves its request readable.
                    if let Ok(subscription) = app.control.subscriptions().get(caller, id).await {
                        wanted.applications.push(subscription.application_id);
                        wanted.plans.push(subscription.plan_id);
                        subscriptions.push(subscription);
                    }
                }
            }
        }
        let names = app.control.names(caller, &wanted).await?;
        Ok(Self { subscriptions, names })
    }

    fn subscription_of(&self, approval: &Approval) -> Option<&Subscription> {
        let ApprovalSubject::Subscription(id) = approval.subject else {
            return None;
        };
        self.subscriptions
            .iter()
            .find(|subscription| subscription.id == id)
    }

    fn row(&self, caller: &Caller, approval: &Approval, now: Timestamp) -> Row {
        let names = &self.names;
        let api = names
            .apis
            .get(&approval.api_id)
            .map_or_else(|| "an API that is gone".to_owned(), |api| api.name.to_string());
        let subscription = self.subscription_of(approval);
        let about = match approval.subject {
            ApprovalSubject::Version(id) => names.versions.get(&id).map_or_else(
                || format!("Publish a version of {api}"),
                |label| format!("Publish {api} {label}"),
            ),
            ApprovalSubject::Subscription(_) => subscription
                .and_then(|subscription| names.plans.get(&subscription.plan_id))
                .map_or_else(
                    || format!("Use {api}"),
                    |plan| format!("Use {api} under {}", plan.name),
                ),
        };
        let open = approval.state == ApprovalState::Open;
        Row {
            id: approval.id,
            state: approval.state,
            requester: match approval.requested_by {
                Some(id) => names
                    .users
                    .get(&id)
                    .map_or_else(|| "somebody who left".to_owned(), |(name, _)| name.to_string()),
                None => "Gatewright".to_owned(),
            },
            application: subscription
                .and_then(|subscription| names.applications.get(&subscription.application_id))
                .map(|application| application.name.to_string()),
            api,
            about,
            note: approval.note.clone(),
            created_at: approval.created_at,
            overdue: open && approval.due_at < now,
            decidable: open
                && caller
                    .rights
                    .in_team(Permission::ApprovalsDecide, approval.team_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatewright_control::applications::NewApplication;
    use gatewright_control::plans::PlanPatch;
    use gatewright_control::subscriptions::NewSubscription;
    use gatewright_model::consumer::{Environment, SubscriptionState};
    use gatewright_model::permission::Role;
    use gatewright_model::plan::ApprovalMode;
    use gatewright_model::text::Name;

    use super::*;
    use crate::testing::TestPortal;

    /// A request that waits, and the subscription it is about.
    async fn waiting(portal: &TestPortal) -> (ApprovalId, Subscription) {
        let admin = portal.admin_caller().await;
        let (_, plan) = portal.published("shop").await;
        let manual = PlanPatch {
            approval: Some(ApprovalMode::Manual),
            ..PlanPatch::default()
        };
        let plans = portal.control.plans();
        plans.update(&admin, plan.id, manual, IfMatch::ANY).await.unwrap();
        let new = NewApplication {
            name: Name::parse("Till").unwrap(),
            slug: None,
            team: None,
            environment: Environment::Live,
        };
        let application = portal.control.applications().create(&admin, new).await.unwrap();
        let new = NewSubscription {
            plan_id: plan.id,
            reason: Some(Remark::parse("for the <b>tills</b>").unwrap()),
        };
        let subscription = portal
            .control
            .subscriptions()
            .request(&admin, &Ref::Id(application.id), new)
            .await
            .unwrap();
        let all = ApprovalFilter::default();
        let page = Listing::of_path(PATH).page(10);
        let open = portal.control.approvals().list(&admin, &all, page).await.unwrap();
        (open.items[0].id, subscription)
    }

    #[tokio::test]
    async fn a_request_is_rejected_with_a_reason_and_only_with_one() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&["Nothing waits"]);
        let (id, subscription) = waiting(&portal).await;
        admin
            .get(PATH)
            .await
            .shows(&["Use Pets under Free", "Till", "for the &#60;b&#62;tills"]);
        let request = format!("{PATH}/{id}");
        admin
            .get(&request)
            .await
            .shows(&["Approve", "No limits", "admin@example.com"]);
        admin
            .post(&format!("{request}/reject"), &[("reason", "")])
            .await
            .refuses(&["There is a problem", "Enter a reason"]);
        let done = admin
            .post(&format!("{request}/reject"), &[("reason", "use the sandbox")])
            .await;
        assert_eq!(done.location(), PATH);
        admin.get(&request).await.shows(&["rejected", "use the sandbox"]);
        let caller = portal.admin_caller().await;
        let after = portal
            .control
            .subscriptions()
            .get(&caller, subscription.id)
            .await
            .unwrap();
        assert_eq!(after.state, SubscriptionState::Rejected);
        // A second decision is refused on the page of the request.
        admin
            .post(&format!("{request}/approve"), &[])
            .await
            .refuses(&["There is a problem"]);
    }

    #[tokio::test]
    async fn several_are_approved_at_once_and_only_by_those_who_may() {
        let portal = TestPortal::new().await;
        let (id, subscription) = waiting(&portal).await;
        let id = id.to_string();
        let (support, _) = portal.user("sam", Some(Role::Support)).await;
        support.get(PATH).await.shows(&["Use Pets under Free"]);
        let chosen = [("approval", id.as_str()), ("approval", "nonsense")];
        let path = "/console/approvals/approve";
        assert_eq!(support.post(path, &chosen).await.status, 403);
        let admin = portal.admin().await;
        assert_eq!(admin.post(path, &chosen).await.location(), PATH);
        let caller = portal.admin_caller().await;
        let after = portal
            .control
            .subscriptions()
            .get(&caller, subscription.id)
            .await
            .unwrap();
        assert_eq!(after.state, SubscriptionState::Active);
    }
}
