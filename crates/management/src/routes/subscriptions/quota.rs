//! What is left of the limits of a subscription.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::quota::LimitStanding;
use gatewright_model::id::SubscriptionId;
use gatewright_model::limit::Limit;
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
        "/subscriptions/{subscription}/quota",
        about(
            "get_subscription_quota",
            "What is left of each limit of a subscription, some seconds old at most.",
        ),
        quota,
    )
}

output! {
    /// How far a limit of a subscription is used.
    LimitUse as "LimitUse" {
        /// The limit to which the subscription is pinned.
        limit: Limit,
        /// Spent in the running period; of a rate, of the calls that may follow at once. Null
        /// where each address has a counter of its own, and while the counters cannot be read.
        used: Option<u64>,
        /// What is left of it; null as above.
        remaining: Option<u64>,
        /// When the counter starts anew; null as above.
        resets_at: Option<Timestamp>,
    }
}

impl From<LimitStanding> for LimitUse {
    fn from(standing: LimitStanding) -> Self {
        let counter = standing.counter;
        Self {
            limit: standing.limit,
            used: counter.map(|counter| counter.used),
            remaining: counter.map(|counter| counter.remaining),
            resets_at: counter.map(|counter| counter.resets_at),
        }
    }
}

async fn quota(
    caller: Authorized<ApplicationsRead>,
    State(control): State<Control>,
    At(id): At<SubscriptionId>,
) -> Result<Listed<LimitUse>, Problem> {
    let standings = control.subscriptions().standing(&caller, id).await?;
    Ok(Listed::whole(standings.into_iter().map(LimitUse::from).collect()))
}
