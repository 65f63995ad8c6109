//! Usage of the last seven days, made up and marked as such, so that charts
//! have something to show.

use std::sync::Arc;
use std::time::Duration;

use gatewright_control::subscriptions::SubscriptionFilter;
use gatewright_control::{Caller, Control};
use gatewright_demo::seed::{APPLICATIONS, SeedApplication};
use gatewright_model::api::{ApiVersion, VersionState};
use gatewright_model::consumer::{Subscription, SubscriptionState};
use gatewright_model::id::uuid_v7;
use gatewright_model::page::PageRequest;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::Slug;
use gatewright_model::time::{Entropy, SystemEntropy, Timestamp};
use gatewright_model::traffic::{CallSource, CallSubject, RollupKey, RollupValue, minute_of};

use crate::failure::Failure;

const HOURS: u32 = 7 * 24;
const HOUR: Duration = Duration::from_secs(3_600);
/// Of a hundred calls, how many at each hour of the day; the sum is what a day weighs.
const DAY_CURVE: [u32; 24] = [
    1, 1, 1, 1, 1, 2, 3, 4, 6, 7, 7, 6, 5, 6, 7, 7, 6, 6, 5, 5, 4, 4, 3, 2,
];
/// What calls end with, in a hundred.
const OUTCOMES: [(u16, u32); 3] = [(200, 94), (404, 5), (502, 1)];

/// Writes a week of usage for every active subscription of the demo.
pub(super) async fn write(control: &Control, caller: &Caller) -> Result<(), Failure> {
    let now = control.now();
    let mut rollups = Vec::new();
    for seed in APPLICATIONS {
        for subscription in active(control, caller, seed).await? {
            rollups.extend(week(control, caller, &subscription, seed.sample_calls, now).await?);
        }
    }
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    control
        .store()
        .write_traffic(uuid_v7(now, random), &[], &rollups, now)
        .await?;
    Ok(())
}

async fn active(
    control: &Control,
    caller: &Caller,
    seed: &SeedApplication,
) -> Result<Vec<Subscription>, Failure> {
    let Ok(slug) = Slug::parse(seed.slug) else {
        return Ok(Vec::new());
    };
    let filter = SubscriptionFilter {
        application: Some(Ref::Slug(slug)),
        state: Some(SubscriptionState::Active),
        ..SubscriptionFilter::default()
    };
    let page = control
        .subscriptions()
        .list(caller, &filter, PageRequest::default())
        .await?;
    Ok(page.items)
}

async fn week(
    control: &Control,
    caller: &Caller,
    subscription: &Subscription,
    calls: u32,
    now: Timestamp,
) -> Result<Vec<(RollupKey, RollupValue)>, Failure> {
    let api = Ref::Id(subscription.api_id);
    let versions = control.versions();
    let page = versions.list(caller, &api, PageRequest::default()).await?;
    let routed =
        |version: &ApiVersion| matches!(version.state, VersionState::Published | VersionState::Deprecated);
    let mut subjects = Vec::new();
    for view in page.items.iter().filter(|view| routed(&view.version)) {
        let reference = VersionRef::Id(view.version.id);
        for operation in versions.operations(caller, &api, &reference).await? {
            subjects.push(CallSubject {
                api_id: Some(subscription.api_id),
                version_id: Some(view.version.id),
                operation: Some(Arc::from(operation.key)),
                plan_id: Some(subscription.plan_id),
                subscription_id: Some(subscription.id),
                application_id: Some(subscription.application_id),
                credential_id: None,
            });
        }
    }
    let share = Share::new(calls, u32::try_from(subjects.len()).unwrap_or(u32::MAX));
    let hours = (1..=HOURS).flat_map(|ago| {
        let at = minute_of(now.minus(HOUR * ago));
        subjects.iter().map(move |subject| (at, subject))
    });
    Ok(hours
        .flat_map(|(at, subject)| share.rollups(caller, at, subject))
        .collect())
}

/// How the calls of a week are spread.
#[derive(Debug, Clone, Copy)]
struct Share {
    calls_a_day: u32,
    subjects: u32,
}

impl Share {
    fn new(calls: u32, subjects: u32) -> Self {
        Self {
            calls_a_day: calls / 7,
            subjects: subjects.max(1),
        }
    }

    fn rollups(self, caller: &Caller, at: Timestamp, subject: &CallSubject) -> Vec<(RollupKey, RollupValue)> {
        let hour = usize::try_from(at.as_seconds().rem_euclid(86_400) / 3_600).unwrap_or(0);
        let weight = DAY_CURVE.get(hour).copied().unwrap_or(1);
        let calls = self.calls_a_day * weight / 100 / self.subjects;
        let of_outcome = |(status, percent): (u16, u32)| {
            let requests = (calls * percent).div_ceil(100);
            (requests > 0).then(|| {
                let key = RollupKey {
                    minute: at,
                    tenant_id: caller.tenant_id,
                    subject: subject.clone(),
                    status,
                    source: CallSource::Sample,
                };
                (key, value(status, requests, subject))
            })
        };
        OUTCOMES.into_iter().filter_map(of_outcome).collect()
    }
}

/// Latencies that differ from operation to operation and are the same at every run.
fn value(status: u16, requests: u32, subject: &CallSubject) -> RollupValue {
    let name = subject.operation.as_deref().unwrap_or("");
    let base: u64 = 4_000 + name.bytes().map(u64::from).sum::<u64>() % 20 * 700;
    let mut value = RollupValue {
        requests: u64::from(requests),
        errors: if status >= 400 { u64::from(requests) } else { 0 },
        bytes_in: 0,
        bytes_out: u64::from(requests) * 1_800,
        ..RollupValue::default()
    };
    for call in 0..u64::from(requests) {
        // Most calls are near the base, every tenth takes three times as long.
        let slow = if call % 10 == 9 { 3 } else { 1 };
        value.latency.record(base * slow + call % 7 * 310);
    }
    value
}
