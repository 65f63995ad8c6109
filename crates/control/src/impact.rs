//! Who is affected when a version ends: the applications that call it, and
//! those that may.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use gatewright_model::consumer::SubscriptionState;
use gatewright_model::id::{ApiId, ApplicationId};
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::time::Timestamp;
use gatewright_store::Wanted;

use crate::caller::Caller;
use crate::error::Result;
use crate::subscriptions::SubscriptionFilter;
use crate::usage::{UsageGroup, UsageQuery, UsageStep};
use crate::versions::Versions;

/// Calls further back are past use.
const LOOKS_BACK: Duration = Duration::from_secs(30 * 86_400);

/// Who is affected by the end of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// From when on calls were counted.
    pub since: Timestamp,
    /// The applications, those that call most first.
    pub applications: Vec<Affected>,
    /// Calls without a key in that time.
    pub anonymous_calls: u64,
}

/// An application that is affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Affected {
    /// Its id.
    pub id: ApplicationId,
    /// As people read it; its id once it is gone.
    pub name: String,
    /// How many calls it made.
    pub calls: u64,
    /// The hour of its last call.
    pub last_call: Option<Timestamp>,
    /// Whether a subscription of it is active.
    pub subscribed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    count: u64,
    last: Option<Timestamp>,
}

impl Versions<'_> {
    /// Who is affected by the end of a version: every application that called
    /// it in the last 30 days, and every one that is subscribed to its API.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`] without the right to read usage and applications.
    pub async fn impact(&self, caller: &Caller, api: &Ref<ApiId>, version: &VersionRef) -> Result<Impact> {
        let to = self.0.now();
        let since = to.minus(LOOKS_BACK);
        let query = UsageQuery {
            api: Some(api.clone()),
            version: Some(version.clone()),
            from: Some(since),
            to: Some(to),
            group_by: Some(UsageGroup::Application),
            ..UsageQuery::by(UsageStep::Hour)
        };
        let mut anonymous_calls = 0;
        let mut calls: BTreeMap<ApplicationId, Calls> = BTreeMap::new();
        for row in self.0.usage().query(caller, &query).await? {
            let group = row.group.as_deref();
            match group.and_then(|id| id.parse::<ApplicationId>().ok()) {
                Some(id) => {
                    let sum = calls.entry(id).or_default();
                    sum.count += row.requests;
                    sum.last = sum.last.max(Some(row.bucket));
                }
                None => anonymous_calls += row.requests,
            }
        }
        let subscribed = self.subscribed(caller, api).await?;
        for id in &subscribed {
            calls.entry(*id).or_default();
        }
        Ok(Impact {
            since,
            applications: self.named(caller, calls, &subscribed).await?,
            anonymous_calls,
        })
    }

    async fn subscribed(&self, caller: &Caller, api: &Ref<ApiId>) -> Result<HashSet<ApplicationId>> {
        let filter = SubscriptionFilter {
            api: Some(api.clone()),
            state: Some(SubscriptionState::Active),
            ..SubscriptionFilter::default()
        };
        let mut found = HashSet::new();
        let mut request = PageRequest {
            size: PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT),
            after: None,
        };
        loop {
            let page = self.0.subscriptions().list(caller, &filter, request).await?;
            found.extend(page.items.iter().map(|subscription| subscription.application_id));
            match page.next {
                Some(next) => request.after = Some(next),
                None => return Ok(found),
            }
        }
    }

    async fn named(
        &self,
        caller: &Caller,
        calls: BTreeMap<ApplicationId, Calls>,
        subscribed: &HashSet<ApplicationId>,
    ) -> Result<Vec<Affected>> {
        let wanted = Wanted {
            applications: calls.keys().copied().collect(),
            ..Wanted::default()
        };
        let names = self.0.names(caller, &wanted).await?;
        let mut affected: Vec<_> = calls
            .into_iter()
            .map(|(id, calls)| Affected {
                id,
                name: names
                    .applications
                    .get(&id)
                    .map_or_else(|| id.to_string(), |named| named.name.to_string()),
                calls: calls.count,
                last_call: calls.last,
                subscribed: subscribed.contains(&id),
            })
            .collect();
        affected.sort_by(|one, other| {
            other
                .calls
                .cmp(&one.calls)
                .then_with(|| one.name.cmp(&other.name))
        });
        Ok(affected)
    }
}
