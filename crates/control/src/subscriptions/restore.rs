//! What comes back with an application that is taken out of the archive.

use gatewright_model::approval::ApprovalSubject;
use gatewright_model::consumer::{Application, Subscription, SubscriptionState};
use gatewright_model::plan::Plan;
use gatewright_model::time::Timestamp;
use gatewright_store::Tx;
use serde_json::json;

use super::{check_open, granted_by};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::{approvals, outbox_entry};

/// Asks anew for what the archiving of an application closed: at once under a
/// plan with automatic approval, else as a request. What is not open any longer,
/// was ending anyway or has been asked for again stays closed.
pub(crate) async fn restore(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    application: &Application,
    archived_at: Timestamp,
) -> Result<()> {
    let closed = tx
        .subscriptions()
        .closed_with_application(application.id, archived_at)
        .await?;
    for subscription in closed {
        let Some(plan) = tx.plans().find(subscription.plan_id).await? else {
            continue;
        };
        match check_open(tx, application, &plan).await {
            Err(Error::Guard { .. }) => continue,
            other => other?,
        }
        let taken = tx.subscriptions().find_live(application.id, plan.id).await?;
        if subscription.closing_at.is_none() && taken.is_none() {
            restore_one(control, tx, caller, subscription, &plan, application.updated_at).await?;
        }
    }
    Ok(())
}

async fn restore_one(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut subscription: Subscription,
    plan: &Plan,
    now: Timestamp,
) -> Result<()> {
    subscription.plan_version_id = plan.current.id;
    let subscription = reopen(control, tx, caller, subscription, granted_by(plan), now).await?;
    if subscription.state == SubscriptionState::Pending {
        let missing = Error::missing("api");
        let api = tx.apis().find(subscription.api_id).await?.ok_or(missing)?;
        let subject = ApprovalSubject::Subscription(subscription.id);
        approvals::open(control, tx, caller, &api, subject, subscription.request_note).await?;
    }
    Ok(())
}

/// Takes a subscription back from its end: the one way that no verb of its own names.
pub(crate) async fn reopen(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut subscription: Subscription,
    state: SubscriptionState,
    now: Timestamp,
) -> Result<Subscription> {
    let before = subscription.state;
    subscription.state = state;
    subscription.reason = None;
    subscription.updated_at = now;
    let subscription = tx.subscriptions().update(&subscription).await?;
    tx.touch_subscription(subscription.id);
    let (id, action) = (subscription.id, "subscription.restore");
    let details = json!({ "from": before, "to": subscription.state });
    tx.audit(entry(caller, now, action, "subscription", id, details.clone()));
    tx.outbox(outbox_entry::event(control, caller, now, action, id, &details));
    Ok(subscription)
}
