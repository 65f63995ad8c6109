//! Subscriptions: an application's right to use an API under a plan.

mod history;
mod quota;

use std::time::Duration;

use axum::extract::State;
use gatewright_control::subscriptions::{NewSubscription, SubscriptionAction, SubscriptionFilter};
use gatewright_control::{Caller, Control, IfMatch};
use gatewright_model::consumer::{Subscription, SubscriptionState};
use gatewright_model::id::{ApiId, ApplicationId, PlanId, PlanVersionId, SubscriptionId, UserId};
use gatewright_model::reference::Ref;
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::entity_tag::Expected;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApplicationsRead, Either, SubscriptionsManage, SubscriptionsRequest};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Listing;

use super::applications::Reason;
use crate::answer::{Created, Found, Listed};
use crate::filters::filter;
use crate::input::{Json, input};
use crate::operation::{About, Api, about};
use crate::output::output;

const fn verb(id: &'static str, summary: &'static str) -> About {
    about(id, summary).conflicts(&["illegal_transition"])
}

const fn switch(id: &'static str, summary: &'static str) -> About {
    about(id, summary).conflicts(&["illegal_transition"])
}

pub(crate) fn add(api: Api) -> Api {
    let request = about(
        "request_subscription",
        "Asks for a subscription: active at once, or pending.",
    )
    .conflicts(&[
        "subscription_exists",
        "application_not_active",
        "plan_keyless",
        "plan_not_open",
        "no_open_version",
    ]);
    let api = api
        .tag("subscriptions")
        .get(
            "/applications/{application}/subscriptions",
            about(
                "list_application_subscriptions",
                "Lists the subscriptions of an application.",
            ),
            list_of_application,
        )
        .post("/applications/{application}/subscriptions", request, request_one)
        .get(
            "/subscriptions",
            about("list_subscriptions", "Lists subscriptions."),
            list,
        )
        .get(
            "/subscriptions/{subscription}",
            about("get_subscription", "One subscription."),
            get,
        );
    add_verbs(history::add(quota::add(api)))
}

fn add_verbs(api: Api) -> Api {
    api.post(
        "/subscriptions/{subscription}/suspend",
        verb("suspend_subscription", "The provider refuses it for a reason."),
        suspend,
    )
    .post(
        "/subscriptions/{subscription}/resume",
        verb("resume_subscription", "The provider lets it work again."),
        resume,
    )
    .post(
        "/subscriptions/{subscription}/close",
        verb("close_subscription", "Ends it, at once or after a grace."),
        close,
    )
    .post(
        "/subscriptions/{subscription}/withdraw",
        verb("withdraw_subscription", "The consumer takes the request back."),
        withdraw,
    )
    .post(
        "/subscriptions/{subscription}/pause",
        switch("pause_subscription", "The consumer switches it off."),
        pause,
    )
    .post(
        "/subscriptions/{subscription}/unpause",
        switch("unpause_subscription", "The consumer switches it on."),
        unpause,
    )
}

input! {
    /// A request for a subscription.
    SubscriptionRequest {
        /// Under which plan.
        plan_id: PlanId,
        /// What the approver reads.
        reason: Option<Remark>,
    }
}

input! {
    /// When a subscription ends.
    SubscriptionClose {
        /// How long it still works, in seconds.
        grace_seconds: u32 = 0,
    }
}

filter! {
    /// Which subscriptions are listed.
    SubscriptionQuery {
        /// Whose, by id or slug.
        application: Ref<ApplicationId>,
        /// To which API, by id or slug.
        api: Ref<ApiId>,
        /// Under which plan.
        plan: PlanId,
        /// Where it is in its life.
        state: SubscriptionState,
    }
}

filter! {
    /// Which subscriptions of an application are listed.
    ApplicationSubscriptionQuery {
        /// Where it is in its life.
        state: SubscriptionState,
    }
}

output! {
    /// A subscription.
    SubscriptionBody as "Subscription" {
        /// Its id.
        id: SubscriptionId,
        /// Who holds it.
        application_id: ApplicationId,
        /// Which API it opens.
        api_id: ApiId,
        /// Under which plan.
        plan_id: PlanId,
        /// The terms it is pinned to.
        plan_version_id: PlanVersionId,
        /// Where it is in its life.
        state: SubscriptionState,
        /// The consumer's own switch.
        paused: bool,
        /// What the consumer wrote with the request.
        request_note: Option<Remark>,
        /// Why it was suspended, rejected or closed.
        reason: Option<Remark>,
        /// When it ends by itself.
        ends_at: Option<Timestamp>,
        /// When a closing one is closed.
        closing_at: Option<Timestamp>,
        /// Who asked for it.
        created_by: Option<UserId>,
        /// When it was asked for.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

impl From<Subscription> for SubscriptionBody {
    fn from(subscription: Subscription) -> Self {
        Self {
            id: subscription.id,
            application_id: subscription.application_id,
            api_id: subscription.api_id,
            plan_id: subscription.plan_id,
            plan_version_id: subscription.plan_version_id,
            state: subscription.state,
            paused: subscription.paused,
            request_note: subscription.request_note,
            reason: subscription.reason,
            ends_at: subscription.ends_at,
            closing_at: subscription.closing_at,
            created_by: subscription.created_by,
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
        }
    }
}

fn found(subscription: Subscription) -> Found<SubscriptionBody> {
    let row_version = subscription.row_version;
    Found::tagged(subscription.into(), row_version)
}

async fn list_of_application(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(application): At<Ref<ApplicationId>>,
    Listing { filter, page }: Listing<ApplicationSubscriptionQuery>,
) -> Result<Listed<SubscriptionBody>, Problem> {
    let filter = SubscriptionFilter {
        application: Some(application),
        state: filter.state,
        ..SubscriptionFilter::default()
    };
    Ok(Listed::page(
        control.subscriptions().list(&caller, &filter, page).await?,
        SubscriptionBody::from,
    ))
}

async fn request_one(
    caller: Authorized<SubscriptionsRequest>,
    State(control): State<Control>,
    At(application): At<Ref<ApplicationId>>,
    Json(body): Json<SubscriptionRequest>,
) -> Result<Created<SubscriptionBody>, Problem> {
    let new = NewSubscription {
        plan_id: body.plan_id,
        reason: body.reason,
    };
    let subscription = control
        .subscriptions()
        .request(&caller, &application, new)
        .await?;
    Ok(Created::at("subscriptions", subscription.id, found(subscription)))
}

async fn list(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    Listing { filter, page }: Listing<SubscriptionQuery>,
) -> Result<Listed<SubscriptionBody>, Problem> {
    let SubscriptionQuery {
        application,
        api,
        plan,
        state,
    } = filter;
    let filter = SubscriptionFilter {
        application,
        api,
        plan,
        state,
    };
    Ok(Listed::page(
        control.subscriptions().list(&caller, &filter, page).await?,
        SubscriptionBody::from,
    ))
}

async fn get(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(subscription): At<SubscriptionId>,
) -> Result<Found<SubscriptionBody>, Problem> {
    Ok(found(control.subscriptions().get(&caller, subscription).await?))
}

type Answered = Result<Found<SubscriptionBody>, Problem>;

async fn step(
    control: &Control,
    caller: &Caller,
    id: SubscriptionId,
    action: SubscriptionAction,
    if_match: IfMatch,
) -> Answered {
    Ok(found(
        control
            .subscriptions()
            .transition(caller, id, action, if_match)
            .await?,
    ))
}

async fn suspend(
    caller: Authorized<SubscriptionsManage>,
    State(control): State<Control>,
    At(id): At<SubscriptionId>,
    Expected(if_match): Expected,
    Json(body): Json<Reason>,
) -> Answered {
    step(
        &control,
        &caller,
        id,
        SubscriptionAction::Suspend { reason: body.reason },
        if_match,
    )
    .await
}

async fn close(
    caller: Authorized<Either<SubscriptionsRequest, SubscriptionsManage>>,
    State(control): State<Control>,
    At(id): At<SubscriptionId>,
    Expected(if_match): Expected,
    Json(body): Json<SubscriptionClose>,
) -> Answered {
    let grace = Duration::from_secs(body.grace_seconds.into());
    step(
        &control,
        &caller,
        id,
        SubscriptionAction::Close { grace },
        if_match,
    )
    .await
}

macro_rules! verbs {
    ($($name:ident by $permit:ident => $action:ident;)+) => {$(
        async fn $name(
            caller: Authorized<$permit>,
            State(control): State<Control>,
            At(id): At<SubscriptionId>,
            Expected(if_match): Expected,
        ) -> Answered {
            step(&control, &caller, id, SubscriptionAction::$action, if_match).await
        }
    )+};
}

verbs! {
    resume by SubscriptionsManage => Resume;
    withdraw by SubscriptionsRequest => Withdraw;
    pause by SubscriptionsRequest => Pause;
    unpause by SubscriptionsRequest => Unpause;
}
