//! Usage of the last seven days, made up and marked as such, so that charts
//! have something to show. Every figure comes from the same list of calls: what
//! the charts add up is what the records of the last day and the keys tell.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_control::subscriptions::SubscriptionFilter;
use gatewright_control::{Caller, Control};
use gatewright_demo::seed::{APPLICATIONS, SeedApplication};
use gatewright_model::api::VersionState;
use gatewright_model::consumer::{Subscription, SubscriptionState};
use gatewright_model::id::{CallId, CredentialId, EntityId, NodeId, uuid_v7};
use gatewright_model::page::PageRequest;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::Slug;
use gatewright_model::time::{Entropy, SystemEntropy, Timestamp};
use gatewright_model::traffic::{
    CallRecord, CallSource, CallSubject, RollupKey, RollupValue, TraceId, minute_of,
};
use gatewright_store::Scope;
use uuid::Uuid;

use crate::failure::Failure;

const HOURS: u32 = 7 * 24;
/// For so many hours each call has its record: as far back as people look at single calls.
/// Older ones are counted at the beginning of their hour.
const RECORDED_HOURS: u32 = 24;
const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_MS: i64 = 3_600_000;
/// Of a hundred calls of a day, how many at each hour.
const DAY_CURVE: [u32; 24] = [
    1, 1, 1, 1, 1, 2, 3, 4, 6, 7, 7, 6, 5, 6, 7, 7, 6, 6, 5, 5, 4, 4, 3, 2,
];
/// Where the calls come from: an address for documentation (RFC 5737).
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const BYTES_IN: u64 = 0;
const BYTES_OUT: u64 = 1_800;

/// What a call of the sample reaches.
struct Reached {
    subject: CallSubject,
    method: String,
    /// With values in the place of its parameters.
    path: String,
    takes_id: bool,
    target: Option<Arc<str>>,
    base_us: u64,
}

/// Everything that is written.
#[derive(Default)]
struct Sample {
    records: Vec<CallRecord>,
    rollups: HashMap<RollupKey, RollupValue>,
    last_used: HashMap<CredentialId, Timestamp>,
}

/// Writes a week of usage for every active subscription of the demo.
pub(super) async fn write(control: &Control, caller: &Caller) -> Result<(), Failure> {
    let now = control.now();
    let mut sample = Sample::default();
    for seed in APPLICATIONS {
        for subscription in active(control, caller, seed).await? {
            let reached = reached(control, caller, &subscription).await?;
            sample.add_week(caller, seed, &reached, now);
        }
    }
    let store = control.store();
    let rollups: Vec<_> = sample.rollups.into_iter().collect();
    store
        .write_traffic(uuid_v7(now, random()), &sample.records, &rollups, now)
        .await?;
    let stamps: Vec<_> = sample.last_used.into_iter().collect();
    let mut tx = store.begin(Scope::System).await?;
    tx.credentials().stamp_used(&stamps).await?;
    tx.commit(now).await?;
    Ok(())
}

/// The digits of an id, which is as good a trace as any.
fn trace_id(id: Uuid) -> TraceId {
    let mut digits = [b'0'; 32];
    id.simple().encode_lower(&mut digits);
    TraceId::from_digits(digits)
}

fn random() -> [u8; 10] {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    random
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

/// What the subscription opens: the reading operations of every version that is served.
async fn reached(
    control: &Control,
    caller: &Caller,
    subscription: &Subscription,
) -> Result<Vec<Reached>, Failure> {
    let api = Ref::Id(subscription.api_id);
    let application = Ref::Id(subscription.application_id);
    let keys = control
        .credentials()
        .list(caller, &application, PageRequest::default())
        .await?;
    let key = keys.items.first().map(|key| key.id);
    let page = control
        .versions()
        .list(caller, &api, PageRequest::default())
        .await?;
    let mut reached = Vec::new();
    for view in &page.items {
        if !matches!(
            view.version.state,
            VersionState::Published | VersionState::Deprecated
        ) {
            continue;
        }
        let version = VersionRef::Id(view.version.id);
        let base =
            url::Url::parse(&view.gateway_url).map_or_else(|_| String::new(), |url| url.path().to_owned());
        let target = view
            .upstream
            .as_ref()
            .and_then(|upstream| upstream.targets.first());
        let target: Option<Arc<str>> = target.map(|target| Arc::from(target.url.as_str()));
        for operation in control.versions().operations(caller, &api, &version).await? {
            if operation.method != "GET" {
                continue;
            }
            let spread = operation.key.bytes().map(u64::from).sum::<u64>() % 20;
            reached.push(Reached {
                path: [base.as_str(), &filled(&operation.template)].concat(),
                takes_id: operation.template.contains('{'),
                method: operation.method,
                target: target.clone(),
                base_us: 4_000 + spread * 700,
                subject: CallSubject {
                    api_id: Some(subscription.api_id),
                    version_id: Some(view.version.id),
                    operation: Some(Arc::from(operation.key)),
                    plan_id: Some(subscription.plan_id),
                    subscription_id: Some(subscription.id),
                    application_id: Some(subscription.application_id),
                    credential_id: key,
                },
            });
        }
    }
    Ok(reached)
}

/// A template with a value in the place of each parameter.
fn filled(template: &str) -> String {
    let part = |part: &str| {
        if part.starts_with('{') {
            "1".to_owned()
        } else {
            part.to_owned()
        }
    };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// What a call ends with: of a hundred, five find nothing and one fails.
const fn outcome(number: u32) -> (u16, Option<&'static str>) {
    match number * 37 % 100 {
        0..=4 => (404, None),
        5 => (502, Some("upstream_invalid")),
        _ => (200, None),
    }
}

impl Sample {
    fn add_week(&mut self, caller: &Caller, seed: &SeedApplication, reached: &[Reached], now: Timestamp) {
        let mut number = 0;
        let running = Timestamp::from_millis(now.as_millis().div_euclid(HOUR_MS) * HOUR_MS);
        for ago in (0..HOURS).rev() {
            let begin = running.minus(HOUR * ago);
            let hour = usize::try_from(begin.as_seconds().rem_euclid(86_400) / 3_600).unwrap_or(0);
            let calls = seed.sample_calls_a_day * DAY_CURVE.get(hour).copied().unwrap_or(0) / 100;
            let recorded = ago < RECORDED_HOURS;
            for call in 0..calls {
                let at = begin.plus(HOUR * call / calls);
                if at > now {
                    break;
                }
                let at = if recorded { at } else { begin };
                self.add_call(caller, seed, reached, (number, at), recorded);
                number += 1;
            }
        }
    }

    fn add_call(
        &mut self,
        caller: &Caller,
        seed: &SeedApplication,
        reached: &[Reached],
        (number, at): (u32, Timestamp),
        recorded: bool,
    ) {
        let (status, refusal) = outcome(number);
        // Only what is asked for by its id can be absent.
        let fits = |reached: &&Reached| status != 404 || reached.takes_id;
        let fitting = reached.iter().filter(fits).count().max(1);
        let index = usize::try_from(number).unwrap_or(0) % fitting;
        let Some(reached) = reached.iter().filter(fits).nth(index) else {
            return;
        };
        // Most calls are near the base, every tenth takes three times as long.
        let slow = if number % 10 == 9 { 3 } else { 1 };
        let upstream_us = reached.base_us * slow + u64::from(number % 7) * 310;
        let duration_us = upstream_us + 400;
        let key = RollupKey {
            minute: minute_of(at),
            tenant_id: caller.tenant_id,
            subject: reached.subject.clone(),
            status,
            source: CallSource::Sample,
        };
        let value = self.rollups.entry(key).or_default();
        value.requests += 1;
        value.errors += u64::from(status >= 400);
        value.bytes_in += BYTES_IN;
        value.bytes_out += BYTES_OUT;
        value.latency.record(duration_us);
        if let Some(key) = reached.subject.credential_id {
            self.last_used.insert(key, at);
        }
        if !recorded {
            return;
        }
        let id = uuid_v7(at, random());
        self.records.push(CallRecord {
            id: CallId::from_uuid(id),
            tenant_id: Some(caller.tenant_id),
            subject: reached.subject.clone(),
            at,
            source: CallSource::Sample,
            node_id: NodeId::from_uuid(Uuid::nil()),
            snapshot_seq: 0,
            method: reached.method.clone().into(),
            path: reached.path.clone(),
            status,
            refusal,
            client: Some(CLIENT),
            user_agent: Some(format!("{}/1.4", seed.slug)),
            target: reached.target.clone(),
            bytes_in: BYTES_IN,
            bytes_out: BYTES_OUT,
            duration_us,
            upstream_us,
            trace_id: trace_id(id),
            complete: true,
        });
    }
}
