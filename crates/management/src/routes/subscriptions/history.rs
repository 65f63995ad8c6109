//! What happened to a subscription.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::consumer::SubscriptionEvent;
use gatewright_model::id::SubscriptionId;
use gatewright_model::text::Name;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::ApplicationsRead;
use gatewright_webkit::problem::Problem;

use crate::answer::Listed;
use crate::operation::{Api, about};
use crate::output::output;

pub(super) fn add(api: Api) -> Api {
    api.get(
        "/subscriptions/{subscription}/history",
        about(
            "get_subscription_history",
            "What happened to a subscription, newest first; at most 100 events.",
        ),
        history,
    )
}

output! {
    /// One thing that happened to a subscription.
    EventBody as "SubscriptionEvent" {
        /// When.
        at: Timestamp,
        /// What, as the audit trail names it.
        action: String,
        /// The state that it led to; null where it led to none.
        to: Option<String>,
        /// What was said about it.
        comment: Option<String>,
        /// Who did it; null for Gatewright itself and for people of other tenants.
        who: Option<Name>,
    }
}

impl From<SubscriptionEvent> for EventBody {
    fn from(event: SubscriptionEvent) -> Self {
        Self {
            at: event.at,
            action: event.action,
            to: event.to,
            comment: event.comment,
            who: event.who,
        }
    }
}

async fn history(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(id): At<SubscriptionId>,
) -> Result<Listed<EventBody>, Problem> {
    let events = control.subscriptions().history(&caller, id).await?;
    Ok(Listed::whole(events.into_iter().map(EventBody::from).collect()))
}
