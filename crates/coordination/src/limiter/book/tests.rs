//! Nodes and an authority in virtual time: whatever is lost, late or killed,
//! nobody is admitted above the amount.

use std::collections::BTreeMap;
use std::time::Instant;

use gatewright_model::id::{EntityId, LimitId, uuid_v7};
use gatewright_model::limit::{Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;
use crate::ledger::Counter;
use crate::limiter::permits::Decision;
use crate::limiter::registry::Registry;
use crate::limiter::{Cluster, LimiterSettings, Node, Wake};

/// A full ten seconds.
pub(super) const START: i64 = 1_764_001_800_000;
const WINDOW: i64 = 10_000;

pub(in crate::limiter) fn id<I: EntityId>(number: u64) -> I {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    I::from_uuid(uuid_v7(Timestamp::from_millis(1), random))
}

pub(in crate::limiter) fn limit(kind: LimitKind, amount: u64) -> Limit {
    Limit {
        id: id::<LimitId>(1),
        name: "test".parse().unwrap(),
        kind,
        unit: LimitUnit::Requests,
        amount,
        window: "10s".parse().unwrap(),
        burst: None,
        reset: ResetKind::Calendar,
        zone: "UTC".to_owned(),
        partition: Partition::Subscription,
        on_exceed: OnExceed::Reject,
        on_store_failure: OnStoreFailure::Closed,
    }
}

/// A node without its task: the test is the task.
pub(super) struct Bench {
    node: Arc<Node>,
    registry: Registry,
    pub(super) permits: Arc<Permits>,
    pub(super) book: Book,
    alive: bool,
    on_its_way: Option<LeaseAnswer>,
    #[cfg_attr(
        not(feature = "models"),
        expect(dead_code, reason = "the models ask who was woken")
    )]
    pub(super) woken: mpsc::UnboundedReceiver<Wake>,
}

impl Bench {
    pub(super) fn new(number: u64, limit: &Limit) -> Self {
        let (wake, woken) = mpsc::unbounded_channel();
        let nodes = 3.try_into().unwrap();
        let settings = LimiterSettings {
            // Whoever waits does so until it is told.
            wait: Duration::from_secs(3_600),
            ..LimiterSettings::new(id(number), Cluster::Shared { nodes })
        };
        let node = Arc::new(Node::new(settings, wake));
        let registry = Registry::default();
        let permits = registry.limit(&node, limit).permits("p").unwrap();
        Self {
            book: Book::new(&permits, 0),
            permits,
            registry,
            node,
            alive: true,
            on_its_way: None,
            woken,
        }
    }

    fn take(&self, now: Nanos) -> bool {
        let at = self.instant(now);
        let taken = self.alive && matches!(self.permits.take(at), Some(Decision::Taken(_)));
        if !taken {
            self.permits.pretend_waiting(1);
        }
        taken
    }

    pub(super) fn look(&mut self, now: Nanos, lease: u64, mode: Mode) -> Option<LeaseRequest> {
        let asker = Asker {
            node: self.node.id,
            nodes: 3,
            lease: id(lease),
        };
        match self.book.look(&self.permits, asker, now, mode) {
            Step::Send(request) if self.alive => Some(request),
            _ => None,
        }
    }

    pub(super) fn instant(&self, now: Nanos) -> Instant {
        self.node.instant(now)
    }

    fn deliver(&mut self, now: Nanos) {
        if let Some(answer) = self.on_its_way.take() {
            self.book.answered(&self.permits, &answer, false, now);
            self.permits.pretend_waiting(0);
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Limits and permits hold each other.
        self.registry.clear();
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// Calls, of which those that find nothing wait.
    Take {
        node: usize,
        times: u32,
    },
    /// Look, and let the request reach the authority.
    Ask {
        node: usize,
        mode: Mode,
    },
    /// Look, and let the request be lost.
    Lose {
        node: usize,
    },
    /// The answer of the last request arrives.
    Deliver {
        node: usize,
    },
    /// Calls until the authority refuses.
    Exhaust {
        node: usize,
    },
    /// Another node is about to refuse.
    Recall {
        node: usize,
    },
    Pass {
        millis: i64,
    },
    Kill {
        node: usize,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let node = 0_usize..3;
    let mode = prop_oneof![6 => Just(Mode::Serve), 1 => Just(Mode::Drain)];
    // Little, around the life of a lease, around a window.
    let millis =
        prop_oneof![4 => 0_i64..300, 1 => 8_500_i64..11_000, 1 => 0_i64..10_000, 1 => 9_700_i64..10_050];
    prop_oneof![
        8 => (node.clone(), 1_u32..12).prop_map(|(node, times)| Event::Take { node, times }),
        8 => (node.clone(), mode).prop_map(|(node, mode)| Event::Ask { node, mode }),
        1 => node.clone().prop_map(|node| Event::Lose { node }),
        8 => node.clone().prop_map(|node| Event::Deliver { node }),
        4 => node.clone().prop_map(|node| Event::Exhaust { node }),
        1 => node.clone().prop_map(|node| Event::Recall { node }),
        6 => millis.prop_map(|millis| Event::Pass { millis }),
        1 => node.prop_map(|node| Event::Kill { node }),
    ]
}

/// Three nodes, their authority, and when permits were taken.
struct World {
    nodes: Vec<Bench>,
    authority: Option<Counter>,
    /// Milliseconds after `START`.
    now: i64,
    leases: u64,
    taken: Vec<i64>,
}

impl World {
    fn new(limit: &Limit) -> Self {
        Self {
            nodes: (0..3).map(|number| Bench::new(number, limit)).collect(),
            authority: None,
            now: 0,
            leases: 0,
            taken: Vec::new(),
        }
    }

    fn take(&mut self, node: usize, times: u32) {
        for left in (1..=times).rev() {
            if !self.nodes[node].take(self.now * MILLI) {
                self.nodes[node].permits.pretend_waiting(left);
                return;
            }
            self.taken.push(self.now);
        }
    }

    fn ask(&mut self, node: usize, mode: Mode) -> Option<u64> {
        self.leases += 1;
        let request = self.nodes[node].look(self.now * MILLI, self.leases, mode)?;
        let at = Timestamp::from_millis(START + self.now);
        let answer = Counter::lease(&mut self.authority, at, &request).0;
        self.nodes[node].on_its_way = Some(answer);
        Some(answer.granted)
    }

    fn exhaust(&mut self, node: usize) {
        // An answer without permits may be one to a report: the next is a refusal.
        let mut refusals = 0;
        while refusals < 3 {
            self.take(node, 4_000);
            match self.ask(node, Mode::Serve) {
                Some(1..) => {}
                Some(0) => refusals += 1,
                None => return,
            }
            self.nodes[node].deliver(self.now * MILLI);
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Pass { millis } => self.now += millis,
            Event::Take { node, times } => self.take(node, times),
            Event::Ask { node, mode } => drop(self.ask(node, mode)),
            Event::Lose { node } => {
                self.leases += 1;
                drop(self.nodes[node].look(self.now * MILLI, self.leases, Mode::Serve));
            }
            Event::Deliver { node } => self.nodes[node].deliver(self.now * MILLI),
            Event::Exhaust { node } => self.exhaust(node),
            Event::Recall { node } => {
                let bench = &mut self.nodes[node];
                bench.book.recalled(&bench.permits, self.now * MILLI);
            }
            Event::Kill { node } => self.nodes[node].alive = false,
        }
    }
}

/// When permits were taken, in milliseconds after `START`.
fn play(limit: &Limit, events: &[Event]) -> Vec<i64> {
    let mut world = World::new(limit);
    for event in events {
        world.happen(event);
    }
    // Whatever leaked on the way can be had now.
    for node in 0..3 {
        world.exhaust(node);
    }
    world.taken
}

fn most_in_a_window(taken: &[i64]) -> u64 {
    let within = |start: &i64| {
        taken
            .iter()
            .filter(|at| *at >= start && **at < start + WINDOW)
            .count() as u64
    };
    taken.iter().map(within).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_quota_is_never_exceeded(
        amount in prop_oneof![3 => 1_u64..30, 1 => 300_u64..600],
        events in prop::collection::vec(event(), 1..200),
    ) {
        let mut by_period = BTreeMap::<i64, u64>::new();
        for at in play(&limit(LimitKind::Quota, amount), &events) {
            *by_period.entry(at / WINDOW).or_default() += 1;
        }
        prop_assert!(by_period.values().all(|taken| *taken <= amount), "{by_period:?}");
    }

    #[test]
    fn a_rolling_quota_is_never_exceeded_in_any_window(
        amount in prop_oneof![3 => 1_u64..30, 1 => 300_u64..600],
        events in prop::collection::vec(event(), 1..200),
    ) {
        let rolling = Limit { reset: ResetKind::Rolling, ..limit(LimitKind::Quota, amount) };
        let held = most_in_a_window(&play(&rolling, &events));
        prop_assert!(held <= amount, "{held} > {amount}");
    }

    #[test]
    fn a_rate_is_exceeded_by_one_percent_at_most(
        amount in 1_u64..300,
        events in prop::collection::vec(event(), 1..200),
    ) {
        let held = most_in_a_window(&play(&limit(LimitKind::Rate, amount), &events));
        let most = 2 * amount + (2 * amount).div_ceil(100);
        prop_assert!(held <= most, "{held} > {most}");
    }

    #[test]
    fn while_nodes_live_and_report_all_of_a_quota_can_be_used(
        amount in 1_u64..120,
        order in prop::collection::vec((0_usize..3, 1_u64..10), 600),
    ) {
        let limit = limit(LimitKind::Quota, amount);
        let mut nodes: Vec<Bench> = (0..3).map(|number| Bench::new(number, &limit)).collect();
        let mut authority = None;
        let mut taken = 0;
        for (number, (node, times)) in order.into_iter().enumerate() {
            // All within one period, and fast enough that nobody is idle.
            let now_ms = i64::try_from(number).unwrap() * 4;
            let now = now_ms * MILLI;
            taken += (0..times).filter(|_| nodes[node].take(now)).count() as u64;
            let at = Timestamp::from_millis(START + now_ms);
            if let Some(request) = nodes[node].look(now, number as u64, Mode::Serve) {
                let answer = Counter::lease(&mut authority, at, &request).0;
                let bench = &mut nodes[node];
                let recall = bench.book.answered(&bench.permits, &answer, false, now);
                bench.permits.pretend_waiting(0);
                if recall == Recall::Publish {
                    for (other, bench) in nodes.iter_mut().enumerate().filter(|(other, _)| *other != node) {
                        bench.book.recalled(&bench.permits, now);
                        if let Some(request) = bench.look(now, 10_000 * (other as u64 + 1) + number as u64, Mode::Serve) {
                            let answer = Counter::lease(&mut authority, at, &request).0;
                            bench.book.answered(&bench.permits, &answer, false, now);
                        }
                    }
                }
            }
        }
        prop_assert_eq!(taken, amount);
    }
}

#[test]
fn a_change_of_the_amount_reaches_permits_that_were_handed_out() {
    let mut wide = limit(LimitKind::Quota, 100);
    let mut bench = Bench::new(1, &wide);
    let mut authority = None;
    let mut ask = |bench: &mut Bench, lease| {
        let request = bench.look(MILLI, lease, Mode::Serve).unwrap();
        let answer = Counter::lease(&mut authority, Timestamp::from_millis(START), &request).0;
        bench.on_its_way = Some(answer);
        bench.deliver(MILLI);
        answer
    };
    bench.permits.pretend_waiting(8);
    assert_eq!(ask(&mut bench, 1).granted, 8);
    for _ in 0..3 {
        assert!(bench.take(2 * MILLI));
    }
    wide.amount = 4;
    drop(bench.registry.limit(&bench.node, &wide));
    bench.permits.pretend_waiting(8);
    // The five unspent go back, three are used: one is left.
    let answer = ask(&mut bench, 2);
    assert_eq!((answer.granted, answer.used), (1, 4));
    assert!(bench.take(2 * MILLI));
    assert!(!bench.take(2 * MILLI));
}

#[test]
fn unspent_permits_come_back_when_nobody_uses_them() {
    let mut bench = Bench::new(1, &limit(LimitKind::Quota, 1_000));
    let mut authority = None;
    bench.permits.pretend_waiting(20);
    let request = bench.look(0, 1, Mode::Serve).unwrap();
    bench.on_its_way = Some(Counter::lease(&mut authority, Timestamp::from_millis(START), &request).0);
    bench.deliver(0);
    for _ in 0..5 {
        assert!(bench.take(MILLI));
    }
    assert!(bench.look(2 * MILLI, 2, Mode::Serve).is_none());
    assert!(bench.look(2 * MILLI + IDLE - 1, 3, Mode::Serve).is_none());
    let back = bench.look(2 * MILLI + IDLE, 4, Mode::Serve).unwrap();
    assert_eq!(back.want, 0);
    let answer = Counter::lease(&mut authority, Timestamp::from_millis(START + 300), &back).0;
    assert_eq!(answer.used, 5);
    assert!(!bench.take(3 * MILLI + IDLE));
}

#[test]
fn demand_asks_for_the_next_batch_before_the_last_is_gone() {
    let mut bench = Bench::new(1, &limit(LimitKind::Quota, 1_000_000));
    let mut authority = None;
    let mut missed = 0;
    let mut calls = 0;
    for millis in 0..2_000 {
        let now = millis * MILLI;
        missed += u64::from(!bench.take(now));
        if let Some(request) = bench.look(now, u64::try_from(millis).unwrap(), Mode::Serve) {
            calls += 1;
            let at = Timestamp::from_millis(START + millis);
            bench.on_its_way = Some(Counter::lease(&mut authority, at, &request).0);
        }
        bench.deliver(now);
    }
    assert!(missed <= 10, "{missed} calls of 2,000 had to wait");
    assert!(calls <= 60, "{calls} requests for 2,000 calls");
}

/// So many calls, one in each stretch of milliseconds; how many requests they cost.
fn slow_calls(world: &mut World, node: usize, calls: i64, every: i64) -> u64 {
    let mut requests = 0;
    for _ in 0..calls {
        let until = world.now + every;
        let wanted = world.taken.len() + 1;
        while world.now < until {
            if world.taken.len() < wanted {
                world.take(node, 1);
            }
            for asker in 0..world.nodes.len() {
                if world.ask(asker, Mode::Serve).is_some() {
                    requests += u64::from(asker == node);
                    world.nodes[asker].deliver(world.now * MILLI);
                }
            }
            // Nobody looks at an account that nothing happens to.
            world.now += if world.taken.len() < wanted { 10 } else { 250 };
        }
    }
    requests
}

#[test]
fn a_key_in_slow_and_steady_use_costs_few_requests() {
    let mut limit = limit(LimitKind::Quota, 100_000);
    limit.window = "1d".parse().unwrap();
    let mut world = World::new(&limit);
    let requests = slow_calls(&mut world, 0, 100, 1_000);
    assert!(requests <= 30, "{requests} requests for 100 calls");
    // A quota that is nearly used up is asked about call by call, as before.
    limit.amount = 100;
    let mut world = World::new(&limit);
    let requests = slow_calls(&mut world, 0, 50, 1_000);
    assert!(requests >= 50, "{requests} requests for 50 calls");
}

#[test]
fn what_lies_idle_is_a_hundredth_of_what_is_left_and_comes_back() {
    let mut limit = limit(LimitKind::Quota, 3_000);
    limit.window = "1d".parse().unwrap();
    let mut world = World::new(&limit);
    for node in 0..3 {
        slow_calls(&mut world, node, 20, 300);
        assert!(world.nodes[node].permits.pool() <= 10);
    }
    world.nodes[1].alive = false;
    let lost = world.nodes[1].permits.pool();
    slow_calls(&mut world, 0, 1, 11_000);
    for node in [0, 2, 0, 2] {
        world.exhaust(node);
    }
    assert_eq!(world.taken.len() as u64, 3_000 - lost);
}

#[test]
fn an_answer_that_is_lost_is_fetched_again_under_the_same_id() {
    let mut world = World::new(&limit(LimitKind::Quota, 120));
    world.nodes[0].permits.pretend_waiting(10);
    assert_eq!(world.ask(0, Mode::Serve), Some(10));
    world.nodes[0].on_its_way = None;
    world.now += 20;
    assert_eq!(world.ask(0, Mode::Serve), Some(10));
    world.nodes[0].deliver(20 * MILLI);
    world.take(0, 100);
    assert_eq!(world.taken.len(), 10);
    world.ask(1, Mode::Drain);
    world.nodes[1].permits.pretend_waiting(1);
    world.ask(1, Mode::Serve);
    assert_eq!(world.nodes[1].on_its_way.map(|answer| answer.used), Some(11));
}

#[test]
fn a_permit_is_not_used_after_the_end_of_its_lease_or_its_period() {
    for (reset, start, end) in [
        (ResetKind::Calendar, 0, 9_000),
        (ResetKind::Calendar, 4_000, 6_000),
        (ResetKind::Rolling, 0, 167),
    ] {
        let mut world = World::new(&Limit {
            reset,
            ..limit(LimitKind::Quota, 200)
        });
        world.now = start;
        world.nodes[0].permits.pretend_waiting(2);
        assert_eq!(world.ask(0, Mode::Serve), Some(2));
        world.nodes[0].deliver(start * MILLI);
        assert!(world.nodes[0].take((start + end) * MILLI - 1));
        assert!(!world.nodes[0].take((start + end) * MILLI));
    }
}

#[test]
fn what_an_ended_lease_left_does_not_pass_to_the_next() {
    let mut world = World::new(&limit(LimitKind::Quota, 2_000));
    for (at, waiting) in [(0, 50), (100, 100)] {
        world.now = at;
        world.nodes[0].permits.pretend_waiting(waiting);
        assert_eq!(world.ask(0, Mode::Serve), Some(50));
        world.nodes[0].deliver(at * MILLI);
    }
    // Slowly, so that the first lease ends with five permits left.
    while world.taken.len() < 45 {
        world.now += 195;
        world.take(0, 1);
        world.ask(0, Mode::Hush);
    }
    world.now = 9_050;
    assert_eq!(world.ask(0, Mode::Serve), Some(0));
    world.nodes[0].deliver(world.now * MILLI);
    let before = world.taken.len();
    world.take(0, 100);
    assert_eq!(world.taken.len() - before, 50);
}
