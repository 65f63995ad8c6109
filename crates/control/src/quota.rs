//! What is left of the limits of a subscription, as the keeper of the counters
//! knows it: gateways take permits in batches and report what they spent with
//! the next one, so the figures are some seconds old.

use std::sync::Arc;
use std::time::Duration;

use gatewright_coordination::authority::{
    CounterKey, KnownUse, LeaseAnswer, LeaseRequest, LimitSpec, PartitionKey,
};
use gatewright_model::consumer::Subscription;
use gatewright_model::id::{EntityId, NodeId, SubscriptionId};
use gatewright_model::limit::{Limit, LimitKind, Partition};
use gatewright_model::time::Timestamp;
use uuid::Uuid;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::Result;
use crate::subscriptions::Subscriptions;

/// A page does not wait longer for the keeper of the counters.
const PATIENCE: Duration = Duration::from_millis(500);

/// One limit of a subscription and how far it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitStanding {
    /// The limit to which the subscription is pinned.
    pub limit: Limit,
    /// Absent where each address has a counter of its own, and while nobody
    /// can say what the counters hold.
    pub counter: Option<CounterStanding>,
}

/// How far a counter is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterStanding {
    /// Spent in the running period.
    pub used: u64,
    /// What is left of it; of a rate, how many calls can follow at once.
    pub remaining: u64,
    /// When the counter starts anew.
    pub resets_at: Timestamp,
}

impl LimitStanding {
    /// What the counter is measured against: the amount, or the burst of a rate.
    #[must_use]
    pub fn whole(&self) -> u64 {
        whole(&self.limit)
    }
}

impl Subscriptions<'_> {
    /// What is left of each limit of a subscription.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`].
    pub async fn standing(&self, caller: &Caller, id: SubscriptionId) -> Result<Vec<LimitStanding>> {
        let subscription = self.get(caller, id).await?;
        let mut tx = self.0.read(caller).await?;
        let terms = tx.plans().version(subscription.plan_version_id).await?;
        drop(tx);
        let limits = terms.map(|terms| terms.limits).unwrap_or_default();
        let mut standings = self.0.standings(&[(&subscription, &limits)]).await;
        Ok(standings.pop().unwrap_or_default())
    }
}

impl Control {
    /// What is left of the limits of several subscriptions, in their order. That
    /// the keeper of the counters is away is no error: then nothing is known.
    pub(crate) async fn standings(&self, wanted: &[(&Subscription, &[Limit])]) -> Vec<Vec<LimitStanding>> {
        let requests: Vec<LeaseRequest> = wanted
            .iter()
            .flat_map(|(subscription, limits)| limits.iter().map(move |limit| (subscription, limit)))
            .filter_map(|(subscription, limit)| self.question(subscription, limit))
            .collect();
        let now = self.now();
        let mut answers = self.ask(requests).await.map(Vec::into_iter);
        let mut of_limit = |subscription: &Subscription, limit: &Limit| LimitStanding {
            limit: limit.clone(),
            counter: partition(subscription, limit)
                .and(answers.as_mut())
                .and_then(Iterator::next)
                .map(|answer| read(limit, &answer, now)),
        };
        wanted
            .iter()
            .map(|(subscription, limits)| limits.iter().map(|limit| of_limit(subscription, limit)).collect())
            .collect()
    }

    /// A request for no permits: it changes nothing and is answered with how things stand.
    fn question(&self, subscription: &Subscription, limit: &Limit) -> Option<LeaseRequest> {
        Some(LeaseRequest {
            lease: self.new_id(self.now()),
            node: NodeId::from_uuid(Uuid::nil()),
            key: CounterKey {
                limit: limit.id,
                partition: partition(subscription, limit)?,
            },
            spec: Arc::new(LimitSpec::from(limit)),
            want: 0,
            nodes: 1,
            reports: Vec::new(),
            known: KnownUse::default(),
        })
    }

    async fn ask(&self, requests: Vec<LeaseRequest>) -> Option<Vec<LeaseAnswer>> {
        let counters = self.counters.as_ref()?;
        if requests.is_empty() {
            return None;
        }
        match tokio::time::timeout(PATIENCE, counters.lease(requests)).await {
            Ok(Ok(answers)) => Some(answers),
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "nobody can say what is left of limits");
                None
            }
            Err(_) => {
                tracing::debug!("the keeper of the counters is too slow for a page");
                None
            }
        }
    }
}

/// Whose counter the gateways use for this subscription; they name it by the id.
fn partition(subscription: &Subscription, limit: &Limit) -> Option<PartitionKey> {
    let key = match limit.partition {
        Partition::Subscription => subscription.id.to_string(),
        Partition::Application => subscription.application_id.to_string(),
        Partition::Ip => return None,
    };
    PartitionKey::new(&key).ok()
}

fn read(limit: &Limit, answer: &LeaseAnswer, now: Timestamp) -> CounterStanding {
    let whole = whole(limit);
    // What gateways hold and have not spent yet is not used.
    let used = match limit.kind {
        LimitKind::Quota => answer.used.saturating_sub(answer.outstanding_elsewhere),
        LimitKind::Rate => whole.saturating_sub(answer.remaining),
    };
    CounterStanding {
        used,
        remaining: whole.saturating_sub(used),
        resets_at: now.plus(answer.reset_after),
    }
}

fn whole(limit: &Limit) -> u64 {
    match limit.kind {
        LimitKind::Quota => limit.amount,
        LimitKind::Rate => limit.burst.unwrap_or(limit.amount),
    }
}
