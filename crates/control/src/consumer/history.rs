//! What happened to a subscription, read off the audit trail.

use std::collections::HashMap;

use gatewright_model::audit::AuditEvent;
use gatewright_model::id::{SubscriptionId, UserId};
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::text::Name;
use gatewright_model::time::Timestamp;
use gatewright_store::{AuditFilter, Tx};
use serde_json::Value;

use crate::caller::Caller;
use crate::error::Result;
use crate::subscriptions::Subscriptions;

/// More than any subscription goes through.
const MOST_EVENTS: u16 = 100;

/// One thing that happened to a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionEvent {
    /// When.
    pub at: Timestamp,
    /// What: `subscription.activate`.
    pub action: String,
    /// The state that it led to, where it led to one.
    pub to: Option<String>,
    /// What was said about it.
    pub comment: Option<String>,
    /// Who did it; `None` for Gatewright itself and for people of other tenants.
    pub who: Option<Name>,
}

impl Subscriptions<'_> {
    /// What happened to a subscription, newest first.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn history(&self, caller: &Caller, id: SubscriptionId) -> Result<Vec<SubscriptionEvent>> {
        let subscription = self.get(caller, id).await?;
        let mut tx = self.0.read(caller).await?;
        let filter = AuditFilter {
            subject_kind: Some("subscription".to_owned()),
            subject_id: Some(subscription.id.to_string()),
            ..AuditFilter::default()
        };
        let page = PageRequest {
            size: PageSize::new(MOST_EVENTS).unwrap_or(PageSize::DEFAULT),
            after: None,
        };
        let mut names = HashMap::new();
        let mut events = Vec::new();
        for event in tx.audit_events().list(&filter, page).await?.items {
            let who = match event.actor.user_id {
                Some(user) => name_of(&mut tx, &mut names, user).await?,
                None => None,
            };
            let mut told = told(event, who);
            if told.action == "subscription.request" {
                told.comment = subscription.request_note.as_ref().map(ToString::to_string);
            }
            events.push(told);
        }
        Ok(events)
    }
}

fn told(event: AuditEvent, who: Option<Name>) -> SubscriptionEvent {
    let text = |name: &str| event.details.get(name).and_then(Value::as_str).map(str::to_owned);
    SubscriptionEvent {
        at: event.at,
        to: text("to").or_else(|| text("state")),
        comment: text("reason"),
        action: event.action,
        who,
    }
}

async fn name_of(
    tx: &mut Tx,
    names: &mut HashMap<UserId, Option<Name>>,
    user: UserId,
) -> Result<Option<Name>> {
    if let Some(name) = names.get(&user) {
        return Ok(name.clone());
    }
    let name = tx.users().find(user).await?.map(|user| user.name);
    names.insert(user, name.clone());
    Ok(name)
}
