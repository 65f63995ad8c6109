//! What holds for every history of a counter, in virtual time.

use std::sync::Arc;

use gatewright_model::id::{EntityId, LimitId, uuid_v7};
use gatewright_model::limit::ResetKind;
use proptest::prelude::*;

use super::*;
use crate::authority::{CounterKey, KnownUse, LeaseReport, PartitionKey};
use crate::terms::tests::{quota, rate};

/// Half an hour past a full one.
const START: i64 = 1_764_001_800_000;

fn id<I: EntityId>(number: u64) -> I {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    I::from_uuid(uuid_v7(Timestamp::from_millis(1), random))
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn request(lease: u64, node: u64, spec: &LimitSpec, want: u64) -> LeaseRequest {
    LeaseRequest {
        lease: id(lease),
        node: id(node),
        key: CounterKey {
            limit: id::<LimitId>(1),
            partition: PartitionKey::new("p").unwrap(),
        },
        spec: Arc::new(spec.clone()),
        want,
        nodes: 2,
        reports: Vec::new(),
        known: KnownUse::default(),
    }
}

#[test]
fn a_refusal_without_news_writes_nothing() {
    let spec = quota(1, "1h", ResetKind::Calendar);
    let mut counter = None;
    assert_eq!(
        Counter::lease(&mut counter, at(0), &request(1, 1, &spec, 1)).1,
        Effect::Changed
    );
    let (answer, effect) = Counter::lease(&mut counter, at(1), &request(2, 2, &spec, 1));
    assert_eq!((answer.granted, effect), (0, Effect::Same));
    assert_eq!(answer.retry_after, Duration::from_millis(1_799_999));
    let (_, effect) = Counter::lease(&mut counter, at(1), &request(3, 2, &spec, 0));
    assert_eq!(effect, Effect::Same);
}

#[test]
fn another_amount_of_a_rate_keeps_what_was_used() {
    let mut counter = None;
    let mut ask = |lease, spec: &LimitSpec, want, millis| {
        Counter::lease(&mut counter, at(millis), &request(lease, 1, spec, want))
    };
    for lease in 0..4 {
        assert_eq!(ask(lease, &rate(10, "1m", 10), 1, 0).0.granted, 1);
    }
    assert_eq!(ask(10, &rate(100, "1m", 100), 0, 0).0.remaining, 96);
    let (less, effect) = ask(11, &rate(3, "1m", 3), 1, 0);
    assert_eq!((less.granted, effect), (0, Effect::Changed));
    assert_eq!(less.retry_after, Duration::from_secs(20));
    assert_eq!(ask(12, &rate(3, "1m", 3), 1, 20_000).0.granted, 1);
}

#[test]
fn a_clock_that_goes_back_over_the_boundary_gives_nothing_twice() {
    let spec = quota(4, "1h", ResetKind::Calendar);
    let mut counter = None;
    let hour = 3_600_000;
    let mut granted = 0;
    for lease in 0..10 {
        granted += Counter::lease(&mut counter, at(hour), &request(lease, 1, &spec, 4))
            .0
            .granted;
    }
    assert_eq!(granted, 4);
    for lease in 10..20 {
        let back = Counter::lease(&mut counter, at(hour / 4), &request(lease, 1, &spec, 4)).0;
        assert_eq!(back.granted, 0);
    }
    let next = Counter::lease(&mut counter, at(2 * hour), &request(99, 1, &spec, 4)).0;
    assert_eq!((next.granted, next.used), (1, 1));
}

#[test]
fn a_written_off_lease_cannot_be_returned() {
    let spec = quota(80, "1h", ResetKind::Calendar);
    let mut counter = None;
    let (lease, _) = Counter::lease(&mut counter, at(0), &request(1, 1, &spec, 10));
    let life = i64::try_from(lease.lease_for.as_millis()).unwrap();
    let mut late = request(2, 1, &spec, 0);
    late.reports.push(LeaseReport {
        lease: id(1),
        spent: 0,
        fate: LeaseFate::Closed,
    });
    assert_eq!(
        Counter::lease(&mut counter.clone(), at(life - 1), &late).0.used,
        0
    );
    assert_eq!(Counter::lease(&mut counter, at(life), &late).0.used, 10);
}

#[derive(Debug, Clone)]
enum Event {
    Lease { node: u64, want: u64 },
    Repeat,
    Return { nth: usize, part: u64 },
    Pass { millis: i64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1_u64..4, 1_u64..40).prop_map(|(node, want)| Event::Lease { node, want }),
        1 => Just(Event::Repeat),
        3 => (0_usize..8, 0_u64..=100).prop_map(|(nth, part)| Event::Return { nth, part }),
        2 => (0_i64..300).prop_map(|millis| Event::Pass { millis }),
        1 => (0_i64..4_000).prop_map(|millis| Event::Pass { millis }),
        1 => (9_700_i64..10_050).prop_map(|millis| Event::Pass { millis }),
    ]
}

/// A grant, what of it was spent, and when that may have been last.
struct Grant {
    request: LeaseRequest,
    at: i64,
    last_use: i64,
    granted: u64,
    spent: u64,
    open: bool,
}

/// Plays the events; permits count as spent unless they were returned in time.
fn play(spec: &LimitSpec, events: Vec<Event>) -> Vec<Grant> {
    let mut counter = None;
    let mut now = 0;
    let mut grants: Vec<Grant> = Vec::new();
    for (number, event) in events.into_iter().enumerate() {
        let lease = u64::try_from(number).unwrap();
        match event {
            Event::Pass { millis } => now += millis,
            Event::Lease { node, want } => {
                let request = request(lease, node, spec, want);
                let answer = Counter::lease(&mut counter, at(now), &request).0;
                assert!(answer.granted <= want);
                let usable = i64::try_from(answer.usable_for.as_millis()).unwrap();
                grants.push(Grant {
                    request,
                    at: now,
                    last_use: now + usable,
                    granted: answer.granted,
                    spent: answer.granted,
                    open: true,
                });
            }
            Event::Repeat => {
                if let Some(last) = grants
                    .last()
                    .filter(|last| last.open && last.granted > 0 && last.at == now)
                {
                    let again = Counter::lease(&mut counter, at(now), &last.request).0;
                    assert_eq!(again.granted, last.granted);
                }
            }
            Event::Return { nth, part } => {
                let open = grants
                    .iter_mut()
                    .filter(|grant| grant.open && now <= grant.last_use);
                let Some(grant) = open.into_iter().nth(nth) else {
                    continue;
                };
                grant.spent = grant.granted * part / 100;
                grant.open = false;
                let mut back = request(lease, 1, spec, 0);
                back.node = grant.request.node;
                back.reports.push(LeaseReport {
                    lease: grant.request.lease,
                    spent: grant.spent,
                    fate: LeaseFate::Closed,
                });
                Counter::lease(&mut counter, at(now), &back);
                if Shape::of(spec) == Shape::Rate {
                    grant.last_use = grant.last_use.min(now);
                }
            }
        }
    }
    grants
}

proptest! {
    #[test]
    fn a_calendar_quota_never_gives_more_than_its_amount(
        amount in 1_u64..12,
        events in prop::collection::vec(event(), 1..200),
    ) {
        let spec = quota(amount, "10s", ResetKind::Calendar);
        let mut by_period = std::collections::BTreeMap::<i64, u64>::new();
        for grant in play(&spec, events) {
            *by_period.entry((START + grant.at).div_euclid(10_000)).or_default() += grant.spent;
        }
        prop_assert!(by_period.values().all(|spent| *spent <= amount), "{by_period:?}");
    }

    /// Wherever in its life each permit was spent: the worst is the end of one
    /// lease and the begin of the next, so both ends are tried.
    #[test]
    fn no_window_of_a_rolling_quota_holds_more_than_its_amount(
        amount in 1_u64..12,
        late in prop::collection::vec(any::<bool>(), 200),
        events in prop::collection::vec(event(), 1..200),
    ) {
        let spec = quota(amount, "10s", ResetKind::Rolling);
        let mut uses: Vec<(i64, u64)> = play(&spec, events)
            .into_iter()
            .zip(late)
            .map(|(grant, late)| (if late && grant.open { grant.last_use } else { grant.at }, grant.spent))
            .collect();
        uses.sort_unstable();
        for (start, _) in &uses {
            let held: u64 = uses.iter().filter(|(at, _)| at >= start && *at < start + 10_000).map(|(_, spent)| spent).sum();
            prop_assert!(held <= amount, "{held} > {amount}");
        }
    }

    #[test]
    fn a_rate_is_exceeded_by_one_percent_at_most(
        amount in 1_u64..500,
        burst in 1_u64..500,
        late in prop::collection::vec(any::<bool>(), 200),
        events in prop::collection::vec(event(), 1..200),
    ) {
        let spec = rate(amount, "10s", burst);
        let uses: Vec<(i64, u64)> = play(&spec, events)
            .into_iter()
            .zip(late)
            .map(|(grant, late)| (if late { grant.last_use } else { grant.at }, grant.granted))
            .collect();
        for (start, _) in &uses {
            let held: u64 = uses.iter().filter(|(at, _)| at >= start && *at < start + 10_000).map(|(_, spent)| spent).sum();
            let most = (amount + burst) + (amount + burst).div_ceil(100);
            prop_assert!(held <= most, "{held} > {most}");
        }
    }

    #[test]
    fn everything_can_be_used_when_everything_comes_back(amount in 1_u64..100_000, nodes in 1_u32..9) {
        let spec = quota(amount, "1h", ResetKind::Calendar);
        let mut counter = None;
        let mut sum = 0;
        for lease in 0.. {
            let mut asked = request(lease, lease % u64::from(nodes), &spec, u64::MAX);
            asked.nodes = nodes;
            match Counter::lease(&mut counter, at(0), &asked).0.granted {
                0 => break,
                granted => sum += granted,
            }
        }
        prop_assert_eq!(sum, amount);
    }
}
