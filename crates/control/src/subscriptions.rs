//! Subscriptions: asking for one, granting it, stopping and ending it.

mod restore;

use std::time::Duration;

use gatewright_model::approval::{ApprovalSubject, ApprovalVerb};
use gatewright_model::consumer::{
    Application, ApplicationState, Subscription, SubscriptionState, SubscriptionVerb,
};
use gatewright_model::id::{ApiId, ApplicationId, PlanId, SubscriptionId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::plan::{ApprovalMode, Plan, PlanState, Security};
use gatewright_model::reference::Ref;
use gatewright_model::state::{IllegalTransition, Word};
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_store::{SubscriptionFilter as StoredFilter, Tx};
use serde_json::json;

use crate::apis::visible;
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::{applications, approvals, outbox_entry, snapshot};

pub(crate) use restore::{reopen, restore};

/// The longest time that a closing subscription still works.
const MAX_CLOSING: Duration = Duration::from_secs(365 * 86_400);

/// Use cases of subscriptions.
#[derive(Debug, Clone, Copy)]
pub struct Subscriptions<'c>(pub(crate) &'c Control);

/// A request for a subscription.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// Under which plan.
    pub plan_id: PlanId,
    /// For the approver.
    pub reason: Option<Remark>,
}

/// Which subscriptions a list shows.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFilter {
    /// Of which application.
    pub application: Option<Ref<ApplicationId>>,
    /// Of which API.
    pub api: Option<Ref<ApiId>>,
    /// Under which plan.
    pub plan: Option<PlanId>,
    /// In which state.
    pub state: Option<SubscriptionState>,
}

/// What can be asked of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionAction {
    /// The provider stops it.
    Suspend {
        /// The consumer is told.
        reason: Option<Remark>,
    },
    /// The provider lets it work again.
    Resume,
    /// Either side ends it, at once or after a grace.
    Close {
        /// How long it still works.
        grace: Duration,
    },
    /// The consumer takes the request back.
    Withdraw,
    /// The consumer switches it off.
    Pause,
    /// The consumer switches it on.
    Unpause,
}

impl Control {
    /// Use cases of subscriptions.
    #[must_use]
    pub const fn subscriptions(&self) -> Subscriptions<'_> {
        Subscriptions(self)
    }
}

impl Subscriptions<'_> {
    /// Asks for a subscription. Under a plan with automatic approval it is active at once.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `subscription_exists` names the live one;
    /// [`Error::Guard`] when plan or application are not open.
    pub async fn request(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        new: NewSubscription,
    ) -> Result<Subscription> {
        let once = || self.request_once(caller, application, new.clone());
        self.0.settled(once).await
    }

    async fn request_once(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        new: NewSubscription,
    ) -> Result<Subscription> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let application =
            applications::find(&mut tx, caller, application, Permission::SubscriptionsRequest).await?;
        let subscription = ask(self.0, &mut tx, caller, &application, new).await?;
        self.0.commit(tx, now).await?;
        Ok(subscription)
    }

    /// Lists subscriptions: the caller's own, and those of the caller's APIs.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &SubscriptionFilter,
        page: PageRequest,
    ) -> Result<Page<Subscription>> {
        caller.require_anywhere(Permission::ApplicationsRead)?;
        let mut tx = self.0.read(caller).await?;
        let application = match &filter.application {
            Some(application) => Some(
                applications::find(&mut tx, caller, application, Permission::ApplicationsRead)
                    .await?
                    .id,
            ),
            None => None,
        };
        let api = match &filter.api {
            Some(api) => Some(visible(&mut tx, caller, api).await?.id),
            None => None,
        };
        let stored = StoredFilter {
            application,
            api,
            plan: filter.plan,
            state: filter.state,
            teams: caller.rights.teams_with(Permission::ApplicationsRead),
        };
        Ok(tx.subscriptions().list(&stored, page).await?)
    }

    /// One subscription.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: SubscriptionId) -> Result<Subscription> {
        let mut tx = self.0.read(caller).await?;
        Ok(seen(&mut tx, caller, id).await?.subscription)
    }

    /// Moves or switches a subscription.
    ///
    /// # Errors
    /// [`Error::Illegal`], [`Error::Forbidden`], [`Error::Stale`].
    pub async fn transition(
        &self,
        caller: &Caller,
        id: SubscriptionId,
        action: SubscriptionAction,
        if_match: IfMatch,
    ) -> Result<Subscription> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let seen = seen(&mut tx, caller, id).await?;
        if_match.check(seen.subscription.row_version)?;
        seen.may(caller, &action)?;
        let subscription = match action {
            SubscriptionAction::Pause => switch(self.0, &mut tx, caller, seen.subscription, true).await?,
            SubscriptionAction::Unpause => switch(self.0, &mut tx, caller, seen.subscription, false).await?,
            SubscriptionAction::Suspend { reason } => {
                end(
                    self.0,
                    &mut tx,
                    caller,
                    seen.subscription,
                    SubscriptionVerb::Suspend,
                    reason,
                )
                .await?
            }
            SubscriptionAction::Resume => {
                end(
                    self.0,
                    &mut tx,
                    caller,
                    seen.subscription,
                    SubscriptionVerb::Resume,
                    None,
                )
                .await?
            }
            SubscriptionAction::Withdraw => {
                end(
                    self.0,
                    &mut tx,
                    caller,
                    seen.subscription,
                    SubscriptionVerb::Withdraw,
                    None,
                )
                .await?
            }
            SubscriptionAction::Close { grace } => {
                close(self.0, &mut tx, caller, seen.subscription, grace, None).await?
            }
        };
        self.0.commit(tx, now).await?;
        Ok(subscription)
    }
}

/// Asks for a subscription inside of a transaction that somebody else commits.
pub(crate) async fn ask(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    application: &Application,
    new: NewSubscription,
) -> Result<Subscription> {
    let now = control.now();
    let unknown = || {
        Error::field(
            "/plan_id",
            Invalid::new("unknown_plan", "must be the id of a plan that is open to you"),
        )
    };
    let plan = tx.plans().find(new.plan_id).await?.ok_or_else(unknown)?;
    let api = match visible(tx, caller, &Ref::Id(plan.api_id)).await {
        Err(Error::NotFound { .. }) => return Err(unknown()),
        other => other?,
    };
    check_open(tx, application, &plan).await?;
    if let Some(existing) = tx.subscriptions().find_live(application.id, plan.id).await? {
        return Err(Error::duplicate("subscription_exists", "plan_id", existing.id));
    }
    let automatic = plan.approval == ApprovalMode::Auto;
    let subscription = build(control, caller, application, &plan, new.reason, now);
    tx.subscriptions().insert(&subscription).await?;
    tx.touch_subscription(subscription.id);
    let details =
        json!({ "application": application.id, "plan": plan.id, "api": api.id, "state": subscription.state });
    tx.audit(entry(
        caller,
        now,
        "subscription.request",
        "subscription",
        subscription.id,
        details.clone(),
    ));
    tx.outbox(outbox_entry::event(
        control,
        caller,
        now,
        "subscription.request",
        subscription.id,
        &details,
    ));
    if !automatic {
        let subject = ApprovalSubject::Subscription(subscription.id);
        approvals::open(
            control,
            tx,
            caller,
            &api,
            subject,
            subscription.request_note.clone(),
        )
        .await?;
    }
    Ok(subscription)
}

/// The state in which a subscription under a plan begins.
const fn granted_by(plan: &Plan) -> SubscriptionState {
    match plan.approval {
        ApprovalMode::Auto => SubscriptionState::Active,
        ApprovalMode::Manual => SubscriptionState::Pending,
    }
}

/// A subscription with the teams on both sides of it.
struct Seen {
    subscription: Subscription,
    consumer: gatewright_model::id::TeamId,
    provider: gatewright_model::id::TeamId,
}

impl Seen {
    fn may(&self, caller: &Caller, action: &SubscriptionAction) -> Result<()> {
        let as_consumer = caller.require_in(Permission::SubscriptionsRequest, self.consumer);
        let as_provider = caller.require_in(Permission::SubscriptionsManage, self.provider);
        match action {
            SubscriptionAction::Suspend { .. } | SubscriptionAction::Resume => as_provider,
            SubscriptionAction::Withdraw | SubscriptionAction::Pause | SubscriptionAction::Unpause => {
                as_consumer
            }
            SubscriptionAction::Close { .. } => as_consumer.or(as_provider),
        }
    }
}

async fn seen(tx: &mut Tx, caller: &Caller, id: SubscriptionId) -> Result<Seen> {
    let missing = || Error::missing("subscription");
    let subscription = tx.subscriptions().find(id).await?.ok_or_else(missing)?;
    let consumer = tx
        .applications()
        .find(subscription.application_id)
        .await?
        .ok_or_else(missing)?
        .team_id;
    let provider = tx
        .apis()
        .find(subscription.api_id)
        .await?
        .ok_or_else(missing)?
        .team_id;
    let read = Permission::ApplicationsRead;
    if caller.rights.in_team(read, consumer) || caller.rights.in_team(read, provider) {
        Ok(Seen {
            subscription,
            consumer,
            provider,
        })
    } else {
        Err(missing())
    }
}

async fn check_open(tx: &mut Tx, application: &Application, plan: &Plan) -> Result<()> {
    if application.state != ApplicationState::Active {
        return Err(Error::guard(
            "application_not_active",
            format!("the application is {}", application.state),
        ));
    }
    if plan.security == Security::Keyless {
        return Err(Error::guard(
            "plan_keyless",
            "a keyless plan needs no subscription: call the API without a key",
        ));
    }
    if plan.state != PlanState::Published {
        return Err(Error::guard(
            "plan_not_open",
            format!("the plan is {}: choose a published one", plan.state),
        ));
    }
    let versions = tx.versions().of_api(plan.api_id).await?;
    if versions
        .iter()
        .any(|version| version.state.is_open() && plan.versions.includes(version.id))
    {
        Ok(())
    } else {
        Err(Error::guard(
            "no_open_version",
            "no version that this plan covers is open to new subscriptions",
        ))
    }
}

fn build(
    control: &Control,
    caller: &Caller,
    application: &Application,
    plan: &Plan,
    note: Option<Remark>,
    now: Timestamp,
) -> Subscription {
    Subscription {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        application_id: application.id,
        api_id: plan.api_id,
        plan_id: plan.id,
        plan_version_id: plan.current.id,
        state: granted_by(plan),
        paused: false,
        request_note: note,
        reason: None,
        ends_at: None,
        closing_at: None,
        created_by: caller.author(),
        created_at: now,
        updated_at: now,
        row_version: 1,
    }
}

/// Carries a decision about a pending subscription out. It is pinned to the
/// limits that are current when it is granted.
pub(crate) async fn decide(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    id: SubscriptionId,
    verb: SubscriptionVerb,
    comment: Option<Remark>,
) -> Result<()> {
    let mut subscription = tx
        .subscriptions()
        .find(id)
        .await?
        .ok_or(Error::missing("subscription"))?;
    let plan = tx
        .plans()
        .find(subscription.plan_id)
        .await?
        .ok_or(Error::missing("plan"))?;
    subscription.plan_version_id = plan.current.id;
    end(control, tx, caller, subscription, verb, comment)
        .await
        .map(|_| ())
}

/// The move that ends a live subscription from the provider's side: what was never granted is rejected.
pub(crate) const fn final_verb(state: SubscriptionState) -> SubscriptionVerb {
    match state {
        SubscriptionState::Pending => SubscriptionVerb::Reject,
        _ => SubscriptionVerb::Close,
    }
}

/// Moves a subscription inside of a transaction that somebody else commits.
pub(crate) async fn end(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    subscription: Subscription,
    verb: SubscriptionVerb,
    reason: Option<Remark>,
) -> Result<Subscription> {
    end_at(control, tx, caller, subscription, verb, reason, control.now()).await
}

/// The same at a time that other rows of the transaction carry too.
pub(crate) async fn end_at(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut subscription: Subscription,
    verb: SubscriptionVerb,
    reason: Option<Remark>,
    now: Timestamp,
) -> Result<Subscription> {
    let before = subscription.state;
    subscription.state = before.after(verb)?;
    subscription.reason = reason;
    subscription.updated_at = now;
    if before == SubscriptionState::Pending
        && matches!(verb, SubscriptionVerb::Withdraw | SubscriptionVerb::Reject)
    {
        let subject = ApprovalSubject::Subscription(subscription.id);
        approvals::settle_open(control, tx, caller, subject, ApprovalVerb::Cancel, None).await?;
    }
    let subscription = tx.subscriptions().update(&subscription).await?;
    tx.touch_subscription(subscription.id);
    let details = json!({ "from": before, "to": subscription.state, "reason": subscription.reason });
    tx.audit(entry(
        caller,
        now,
        action(verb),
        "subscription",
        subscription.id,
        details.clone(),
    ));
    tx.outbox(outbox_entry::event(
        control,
        caller,
        now,
        action(verb),
        subscription.id,
        &details,
    ));
    if before == SubscriptionState::Closing {
        drop_closed_plan(tx, &subscription).await?;
    }
    Ok(subscription)
}

const fn action(verb: SubscriptionVerb) -> &'static str {
    match verb {
        SubscriptionVerb::Activate => "subscription.activate",
        SubscriptionVerb::Reject => "subscription.reject",
        SubscriptionVerb::Withdraw => "subscription.withdraw",
        SubscriptionVerb::Suspend => "subscription.suspend",
        SubscriptionVerb::Resume => "subscription.resume",
        SubscriptionVerb::BeginClosing => "subscription.begin_closing",
        SubscriptionVerb::Close => "subscription.close",
        SubscriptionVerb::Expire => "subscription.expire",
    }
}

/// Whether a grace is one that can be asked for.
pub(crate) fn check_grace(grace: Duration) -> Result<()> {
    if grace > MAX_CLOSING {
        let rule = Invalid::new("grace_too_long", "must be at most 365 days");
        return Err(Error::field("/grace_seconds", rule));
    }
    Ok(())
}

/// Ends a subscription, at once or after a grace.
pub(crate) async fn close(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut subscription: Subscription,
    grace: Duration,
    reason: Option<Remark>,
) -> Result<Subscription> {
    check_grace(grace)?;
    let verb = if grace.is_zero() {
        SubscriptionVerb::Close
    } else {
        subscription.closing_at = Some(control.now().plus(grace));
        SubscriptionVerb::BeginClosing
    };
    end(control, tx, caller, subscription, verb, reason).await
}

/// The terms of a closed plan stay with the gateways while a subscription goes
/// on under it: with its end they may go.
async fn drop_closed_plan(tx: &mut Tx, ended: &Subscription) -> Result<()> {
    let plan = tx.plans().find(ended.plan_id).await?;
    if plan.is_some_and(|plan| plan.state == PlanState::Closed) {
        let api = tx.apis().lock(ended.api_id).await?.ok_or(Error::missing("api"))?;
        snapshot::refresh_api(tx, &api).await?;
    }
    Ok(())
}

async fn switch(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut subscription: Subscription,
    paused: bool,
) -> Result<Subscription> {
    let state = subscription.state;
    if state == SubscriptionState::Pending || !state.is_live() {
        return Err(Error::Illegal(IllegalTransition {
            entity: "subscription",
            state: state.as_str(),
            verb: if paused { "pause" } else { "unpause" },
            allowed: state.reachable(),
        }));
    }
    let now = control.now();
    subscription.paused = paused;
    subscription.updated_at = now;
    let subscription = tx.subscriptions().update(&subscription).await?;
    tx.touch_subscription(subscription.id);
    let action = if paused {
        "subscription.pause"
    } else {
        "subscription.unpause"
    };
    tx.audit(entry(
        caller,
        now,
        action,
        "subscription",
        subscription.id,
        json!({}),
    ));
    Ok(subscription)
}
