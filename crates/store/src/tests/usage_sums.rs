//! Figures are the same whether they are added up ahead of time or not.

use std::time::Duration;

use gatewright_model::histogram::LatencyHistogram;
use gatewright_model::id::EntityId;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallRecord, CallSource, CallSubject};
use uuid::Uuid;

use super::traffic::{call, rollup};
use crate::call::TrafficView;
use crate::store::Store;
use crate::testing::sample::World;
use crate::testing::{NOW, store_test};
use crate::usage::{GroupKey, UsageFilter, UsageGroup, UsageSum};

const HOUR: Duration = Duration::from_secs(3_600);
const GROUPS: [UsageGroup; 7] = [
    UsageGroup::Api,
    UsageGroup::Version,
    UsageGroup::Operation,
    UsageGroup::Plan,
    UsageGroup::Application,
    UsageGroup::Credential,
    UsageGroup::Status,
];

fn wanted(hours: u32, step: Duration) -> UsageFilter {
    UsageFilter {
        api: None,
        version: None,
        operation: None,
        plan: None,
        application: None,
        credential: None,
        status: None,
        source: None,
        from: NOW.minus(hours * HOUR),
        to: NOW,
        step,
        group_by: None,
        view: None,
    }
}

/// Three days of calls: to the world's API, to another, and by nobody in particular.
fn calls(world: &World) -> Vec<CallRecord> {
    let other = CallSubject {
        api_id: Some(named(2)),
        application_id: Some(named(1)),
        operation: Some("other".into()),
        ..CallSubject::default()
    };
    let one = |number: u32| {
        let at = NOW.minus(number * HOUR / 3);
        let status = if number.is_multiple_of(7) { 500 } else { 200 };
        let mut one = call(world, at, status, 1_000 + u64::from(number) * 500);
        match number % 5 {
            0 => one.subject = other.clone(),
            1 => one.subject = CallSubject::default(),
            // Of the world's application to another API, and the other way round.
            3 if number.is_multiple_of(2) => one.subject.api_id = other.api_id,
            4 => one.subject.application_id = other.application_id,
            2 => one.source = CallSource::Sample,
            _ => {}
        }
        one
    };
    (1..216).map(one).collect()
}

async fn write(store: &Store, batch: u128, calls: &[CallRecord]) {
    let rollups: Vec<_> = calls.iter().map(rollup).collect();
    store
        .write_traffic(Uuid::from_u128(batch), &[], &rollups, NOW)
        .await
        .unwrap();
}

async fn fold_all(store: &Store) -> usize {
    let mut all = 0;
    loop {
        match store.fold_usage(NOW, 10).await.unwrap() {
            0 => return all,
            folded => all += folded,
        }
    }
}

/// What members of teams see: an application, an API, both, and both of others.
fn views(world: &World) -> Vec<TrafficView> {
    let (own, api) = (vec![world.application.id], vec![world.api.id]);
    let (other, foreign) = (vec![named(1)], vec![named(2)]);
    let view = |applications: &Vec<_>, apis: &Vec<_>| TrafficView {
        applications: applications.clone(),
        apis: apis.clone(),
    };
    vec![
        view(&own, &Vec::new()),
        view(&Vec::new(), &api),
        view(&own, &api),
        view(&other, &api),
        view(&own, &foreign),
    ]
}

/// The id with this number.
fn named<I: EntityId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

/// The answers to those who see a part.
async fn seen_answers(store: &Store, world: &World) -> Vec<Vec<UsageSum>> {
    let tenant = world.tenant.id;
    let mut answers = Vec::new();
    for view in views(world) {
        for (group_by, api) in [
            (None, None),
            (Some(UsageGroup::Status), None),
            (None, Some(world.api.id)),
        ] {
            let view = Some(view.clone());
            let filter = UsageFilter {
                view,
                api,
                group_by,
                ..wanted(60, HOUR)
            };
            answers.push(store.usage(tenant, &filter).await.unwrap());
        }
        for group in GROUPS {
            let filter = UsageFilter {
                view: Some(view.clone()),
                group_by: Some(group),
                ..wanted(70, HOUR)
            };
            let found = store.usage_groups(tenant, &filter, None, 50).await.unwrap();
            answers.push(found.groups);
        }
    }
    answers
}

/// Every question that sums may answer, with its answer.
async fn answers(store: &Store, world: &World) -> Vec<Vec<UsageSum>> {
    let tenant = world.tenant.id;
    let mut answers = Vec::new();
    for filter in [
        wanted(30, HOUR),
        wanted(72, 24 * HOUR),
        wanted(50, Duration::from_secs(60)),
        UsageFilter {
            api: Some(world.api.id),
            ..wanted(60, HOUR)
        },
        UsageFilter {
            application: Some(world.application.id),
            ..wanted(72, 24 * HOUR)
        },
        UsageFilter {
            status: Some(500),
            ..wanted(72, HOUR)
        },
        UsageFilter {
            operation: Some("listOrders".to_owned()),
            ..wanted(72, HOUR)
        },
        UsageFilter {
            source: Some(CallSource::Sample),
            ..wanted(72, HOUR)
        },
    ] {
        answers.push(store.usage(tenant, &filter).await.unwrap());
    }
    answers.extend(seen_answers(store, world).await);
    for group in GROUPS {
        for api in [None, Some(world.api.id)] {
            let filter = UsageFilter {
                api,
                group_by: Some(group),
                ..wanted(70, HOUR)
            };
            let found = store.usage_groups(tenant, &filter, None, 50).await.unwrap();
            assert_eq!(found.total, found.groups.len() as u64);
            answers.push(found.groups);
        }
    }
    answers
}

store_test! {
    async fn sums_tell_what_rollups_tell(store: Store) {
        let (world, other) = (World::make(&store, "acme").await, World::make(&store, "other").await);
        write(&store, 1, &calls(&world)).await;
        write(&store, 2, &[call(&other, NOW.minus(5 * HOUR), 200, 9)]).await;
        let before = answers(&store, &world).await;
        assert!(before.iter().all(|answer| !answer.is_empty()));
        assert_eq!(store.fold_usage(NOW, 2).await.unwrap(), 2, "no day is whole yet");
        assert_eq!(answers(&store, &world).await, before, "some hours are added up");
        assert!(fold_all(&store).await > 70, "72 hours and two days");
        assert_eq!(answers(&store, &world).await, before, "all are");

        let late = [call(&world, NOW.minus(30 * HOUR), 404, 7_000)];
        write(&store, 3, &late).await;
        let count = async |hours| {
            let sums = store.usage(world.tenant.id, &wanted(hours, 24 * HOUR)).await.unwrap();
            sums.iter().map(|sum| sum.value.requests).sum::<u64>()
        };
        assert_eq!(count(72).await, 216, "what comes late counts at once");
        let after = answers(&store, &world).await;
        assert_ne!(after, before);
        assert!(fold_all(&store).await >= 1);
        assert_eq!(answers(&store, &world).await, after);
        store.forget_samples(world.tenant.id).await.unwrap();
        assert_eq!(count(72).await, 216 - 43);
    }
}

store_test! {
    async fn groups_come_by_their_calls_and_only_as_asked(store: Store) {
        let world = World::make(&store, "acme").await;
        write(&store, 1, &calls(&world)).await;
        for _ in 0..2 {
            let filter = UsageFilter { group_by: Some(UsageGroup::Api), ..wanted(71, HOUR) };
            let top = store.usage_groups(world.tenant.id, &filter, None, 1).await.unwrap();
            let own = Some(GroupKey::Id(world.api.id.uuid()));
            assert_eq!((top.total, top.groups.len(), top.groups[0].group.clone()), (3, 1, own.clone()));
            assert!(top.groups[0].value.latency != LatencyHistogram::default());
            let among = [world.api.id.uuid()];
            let of = store.usage_groups(world.tenant.id, &filter, Some(&among), 9).await.unwrap();
            assert_eq!((of.total, of.groups[0].group.clone()), (1, own));
            let none = UsageFilter { to: Timestamp::from_millis(1), from: Timestamp::from_millis(0), ..filter };
            assert!(store.usage_groups(world.tenant.id, &none, None, 9).await.unwrap().groups.is_empty());
            fold_all(&store).await;
        }
    }
}
