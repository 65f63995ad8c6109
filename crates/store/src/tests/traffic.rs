//! Call records, usage figures and counters of limits.

use std::time::Duration;

use gatewright_model::id::{EntityId, uuid_v7};
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{
    CallRecord, CallSource, CallSubject, RollupKey, RollupValue, TraceId, minute_of,
};
use uuid::Uuid;

use crate::call::{CallFilter, TrafficView};
use crate::testing::sample::{World, id};
use crate::testing::{NOW, store_test};
use crate::usage::{GroupKey, UsageFilter, UsageGroup};

pub(super) fn call(world: &World, at: Timestamp, status: u16, duration_us: u64) -> CallRecord {
    CallRecord {
        id: id(),
        tenant_id: Some(world.tenant.id),
        subject: CallSubject {
            api_id: Some(world.api.id),
            version_id: Some(world.version.id),
            operation: Some("listOrders".into()),
            plan_id: Some(world.plan.id),
            subscription_id: Some(world.subscription.id),
            application_id: Some(world.application.id),
            credential_id: Some(world.credential.id),
        },
        at,
        source: CallSource::Client,
        node_id: id(),
        snapshot_seq: 3,
        method: "GET".into(),
        path: "/orders/v1/orders".to_owned(),
        status,
        refusal: (status == 429).then_some("rate_limited"),
        client: Some("2001:db8::1".parse().unwrap()),
        user_agent: None,
        target: Some("http://127.0.0.1:9001".into()),
        bytes_in: 1,
        bytes_out: 2,
        duration_us,
        upstream_us: 1,
        trace_id: TraceId::from_digits([b'0'; 32]),
        complete: true,
    }
}

pub(super) fn rollup(call: &CallRecord) -> (RollupKey, RollupValue) {
    let mut value = RollupValue::default();
    value.add(call);
    let key = RollupKey {
        minute: minute_of(call.at),
        tenant_id: call.tenant_id.unwrap(),
        subject: call.subject.clone(),
        status: call.status,
        source: call.source,
    };
    (key, value)
}

fn wanted(group_by: Option<UsageGroup>) -> UsageFilter {
    UsageFilter {
        api: None,
        version: None,
        operation: None,
        plan: None,
        application: None,
        credential: None,
        status: None,
        source: None,
        from: NOW.minus(Duration::from_secs(86_400)),
        to: NOW.plus(Duration::from_secs(3 * 86_400)),
        step: Duration::from_secs(3_600),
        group_by,
        view: None,
    }
}

store_test! {
    async fn a_batch_counts_once_and_figures_add_up(store: Store) {
        let world = World::make(&store, "acme").await;
        let other = World::make(&store, "other").await;
        let tomorrow = NOW.plus(Duration::from_secs(86_400));
        let calls = [
            call(&world, NOW, 200, 1_000),
            call(&world, NOW, 200, 2_000),
            call(&world, NOW, 429, 100),
            call(&world, tomorrow, 200, 5_000),
            call(&other, NOW, 200, 1_000),
        ];
        let rollups: Vec<_> = calls.iter().map(rollup).collect();
        let batch = Uuid::from_u128(1);
        store.write_traffic(batch, &calls, &rollups, NOW).await.unwrap();
        store.write_traffic(batch, &calls, &rollups, NOW).await.unwrap();
        store.write_traffic(Uuid::from_u128(2), &[], &rollups[..1], NOW).await.unwrap();

        let sums = store.usage(world.tenant.id, &wanted(None)).await.unwrap();
        assert_eq!(sums.len(), 2, "two buckets: {sums:?}");
        assert_eq!((sums[0].value.requests, sums[0].value.errors, sums[0].value.bytes_out), (4, 1, 8));
        let longest = sums[0].value.latency.percentile(1.0).unwrap();
        assert!((1_880..=2_120).contains(&longest), "{longest}");
        assert_eq!(sums[1].value.requests, 1);
        let by_status = store.usage(world.tenant.id, &wanted(Some(UsageGroup::Status))).await.unwrap();
        let counted: Vec<_> = by_status.iter().map(|sum| (sum.group.clone(), sum.value.requests)).collect();
        assert_eq!(counted, [
            (Some(GroupKey::Status(200)), 3),
            (Some(GroupKey::Status(429)), 1),
            (Some(GroupKey::Status(200)), 1),
        ]);

        let page = PageRequest { size: PageSize::new(3).unwrap(), after: None };
        let first = store.calls(world.tenant.id, &CallFilter::default(), page).await.unwrap();
        let rest = PageRequest { after: first.next, ..page };
        let second = store.calls(world.tenant.id, &CallFilter::default(), rest).await.unwrap();
        assert_eq!((first.items.len(), second.items.len(), second.next), (3, 1, None));
        let refused = CallFilter { status: Some(429), ..CallFilter::default() };
        let refused = store.calls(world.tenant.id, &refused, page).await.unwrap().items;
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0], crate::call::StoredCall::from(&calls[2]));
        assert_eq!(store.call(world.tenant.id, calls[0].id, None).await.unwrap().unwrap().id, calls[0].id);
        assert_eq!(store.call(other.tenant.id, calls[0].id, None).await.unwrap(), None);
    }
}

store_test! {
    async fn calls_and_figures_are_told_apart_by_where_they_came_from(store: Store) {
        let world = World::make(&store, "acme").await;
        let tried = CallRecord { source: CallSource::Console, ..call(&world, NOW, 200, 1_000) };
        let calls = [call(&world, NOW, 200, 1_000), tried.clone()];
        let made_up = CallRecord { source: CallSource::Sample, ..call(&world, NOW, 500, 1_000) };
        let rollups: Vec<_> = calls.iter().chain([&made_up]).map(rollup).collect();
        store.write_traffic(Uuid::from_u128(1), &calls, &rollups, NOW).await.unwrap();
        let sums = store.usage(world.tenant.id, &wanted(None)).await.unwrap();
        assert_eq!(sums.iter().map(|sum| sum.sample).sum::<u64>(), 1, "marked without being asked for");
        for (source, requests) in [(None, 3), (Some(CallSource::Console), 1), (Some(CallSource::Sample), 1)] {
            let filter = UsageFilter { source, ..wanted(None) };
            let sums = store.usage(world.tenant.id, &filter).await.unwrap();
            assert_eq!(sums.iter().map(|sum| sum.value.requests).sum::<u64>(), requests, "{source:?}");
        }
        let filter = CallFilter { source: Some(CallSource::Console), ..CallFilter::default() };
        let found = store.calls(world.tenant.id, &filter, PageRequest::default()).await.unwrap().items;
        assert_eq!(found.iter().map(|call| call.id).collect::<Vec<_>>(), [tried.id]);
    }
}

store_test! {
    async fn what_is_seen_depends_on_the_teams(store: Store) {
        let world = World::make(&store, "acme").await;
        let calls = [call(&world, NOW, 200, 1_000)];
        store.write_traffic(Uuid::from_u128(1), &calls, &[rollup(&calls[0])], NOW).await.unwrap();
        for (teams, found) in [(vec![world.team.id], 1), (vec![], 0)] {
            let mut tx = store.read(world.scope()).await.unwrap();
            let view = Some(tx.traffic_view(&teams).await.unwrap());
            drop(tx);
            let filter = CallFilter { view: view.clone(), ..CallFilter::default() };
            assert_eq!(store.calls(world.tenant.id, &filter, PageRequest::default()).await.unwrap().items.len(), found);
            let filter = UsageFilter { view, ..wanted(None) };
            assert_eq!(store.usage(world.tenant.id, &filter).await.unwrap().len(), found);
        }
    }
}

/// The time at which a call was made is in its id, as gateways make them.
fn made(world: &World, number: u32) -> CallRecord {
    let at = NOW.minus(Duration::from_secs(u64::from(number) * 1_700));
    let mut made = call(world, at, if number.is_multiple_of(9) { 500 } else { 200 }, 1_000);
    made.id = EntityId::from_uuid(uuid_v7(at, [u8::try_from(number % 200).unwrap(); 10]));
    let foreign = || Some(EntityId::from_uuid(Uuid::from_u128(77)));
    match number % 7 {
        0 => {
            made.subject = CallSubject {
                api_id: foreign(),
                application_id: None,
                ..CallSubject::default()
            }
        }
        1 => made.subject.application_id = Some(EntityId::from_uuid(Uuid::from_u128(78))),
        2 => made.subject.api_id = foreign(),
        3..6 => made.subject = CallSubject::default(),
        _ => {}
    }
    made
}

store_test! {
    async fn what_is_seen_comes_page_by_page_newest_first(store: Store) {
        let world = World::make(&store, "acme").await;
        let calls: Vec<CallRecord> = (1..400).map(|number| made(&world, number)).collect();
        store.write_traffic(Uuid::from_u128(1), &calls, &[], NOW).await.unwrap();
        let view = TrafficView { applications: vec![world.application.id], apis: vec![world.api.id] };
        let day = Some(NOW.minus(Duration::from_secs(2 * 86_400)));
        let wide = CallFilter { view: Some(view), ..CallFilter::default() };
        for filter in [
            wide.clone(),
            CallFilter { from: day, ..wide.clone() },
            CallFilter { to: day, ..wide.clone() },
            CallFilter { status: Some(500), ..wide.clone() },
            CallFilter { application: Some(world.application.id), ..wide.clone() },
            CallFilter { api: Some(EntityId::from_uuid(Uuid::from_u128(77))), ..wide.clone() },
        ] {
            let seen = |call: &&CallRecord| {
                let subject = &call.subject;
                (subject.api_id == Some(world.api.id) || subject.application_id == Some(world.application.id))
                    && filter.from.is_none_or(|from| call.at >= from)
                    && filter.to.is_none_or(|to| call.at < to)
                    && filter.status.is_none_or(|status| call.status == status)
                    && filter.application.is_none_or(|wanted| subject.application_id == Some(wanted))
                    && filter.api.is_none_or(|wanted| subject.api_id == Some(wanted))
            };
            let expected: Vec<_> = calls.iter().filter(seen).map(|call| call.id).collect();
            assert!(!expected.is_empty());
            let mut found = Vec::new();
            let mut page = PageRequest { size: PageSize::new(11).unwrap(), after: None };
            loop {
                let part = store.calls(world.tenant.id, &filter, page).await.unwrap();
                found.extend(part.items.iter().map(|call| call.id));
                let Some(next) = part.next else { break };
                page.after = Some(next);
            }
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

store_test! {
    async fn old_traffic_is_forgotten(store: Store) {
        let world = World::make(&store, "acme").await;
        let old = call(&world, NOW.minus(Duration::from_secs(40 * 86_400)), 200, 1_000);
        let new = call(&world, NOW, 200, 1_000);
        let rollups = [rollup(&old), rollup(&new)];
        store.write_traffic(Uuid::from_u128(1), &[old, new.clone()], &rollups, NOW).await.unwrap();
        store.prepare_traffic(NOW).await.unwrap();
        let month = Duration::from_secs(30 * 86_400);
        assert!(store.forget_traffic(NOW, month, month).await.unwrap() >= 2);
        assert_eq!(store.forget_traffic(NOW, month, month).await.unwrap(), 0);
        let left = store.calls(world.tenant.id, &CallFilter::default(), PageRequest::default()).await.unwrap();
        assert_eq!(left.items.iter().map(|call| call.id).collect::<Vec<_>>(), [new.id]);
        let from_start = UsageFilter { from: Timestamp::from_millis(0), ..wanted(None) };
        assert_eq!(store.usage(world.tenant.id, &from_start).await.unwrap().len(), 1);
    }
}

store_test! {
    async fn rollups_of_two_gateways_lose_nothing(store: Store) {
        let world = World::make(&store, "acme").await;
        let one = rollup(&call(&world, NOW, 200, 1_000));
        let writers: Vec<_> = (0..8_u128)
            .map(|writer| {
                let (store, one) = (store.clone(), one.clone());
                tokio::spawn(async move {
                    for round in 0..5_u128 {
                        let batch = Uuid::from_u128(writer * 100 + round);
                        store.write_traffic(batch, &[], std::slice::from_ref(&one), NOW).await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let sums = store.usage(world.tenant.id, &wanted(None)).await.unwrap();
        assert_eq!(sums[0].value.requests, 40);
    }
}

store_test! {
    async fn counters_are_changed_one_after_the_other(store: Store) {
        let keys = [(Uuid::from_u128(1), "sub_1".to_owned()), (Uuid::from_u128(1), "sub_2".to_owned())];
        let far = NOW.plus(Duration::from_secs(3_600 * 24 * 365 * 50));
        let writers: Vec<_> = (0..6)
            .map(|_| {
                let (store, keys) = (store.clone(), keys.clone());
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let add = |_, states: Vec<Option<Vec<u8>>>| {
                            let next = states.into_iter().map(|state| state.map_or(1, |state| state[0] + 1));
                            next.map(|next| Some((vec![next], far))).collect()
                        };
                        store.update_counters(&keys, NOW, add).await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let mut seen = Vec::new();
        store.update_counters(&keys, NOW, |_, states| { seen = states; vec![None, None] }).await.unwrap();
        assert_eq!(seen, [Some(vec![30]), Some(vec![30])]);
        assert_eq!(store.forget_counters(NOW).await.unwrap(), 0);
        assert_eq!(store.forget_counters(far.plus(Duration::from_secs(1))).await.unwrap(), 2);
    }
}
