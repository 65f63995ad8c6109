//! Calls, the background task and the authority in every order that the memory
//! model allows: the permits, the account and the ledger are the real ones, and
//! loom takes the place of the atomics between them (feature `models`).

use loom::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::tests::{Bench, START, id, limit};
use super::*;
use crate::authority::KnownUse;
use crate::ledger::Counter;
use crate::limiter::Wake;
use crate::limiter::permits::{Decision, Taken};
use crate::modelling::{complete, explore, joined, spawn, with_timers};
use gatewright_model::limit::LimitKind;

const NOW: Nanos = SECOND;
/// In the next period of the quota, which lasts ten seconds.
const NEXT: Nanos = 11 * SECOND;

/// The authority, which answers at once.
#[derive(Default)]
struct Authority {
    counter: Option<Counter>,
    leases: u64,
}

impl Authority {
    /// Answers what the task of a node asks after a look; says whether it asked.
    fn answers(&mut self, bench: &mut Bench, now: Nanos, mode: Mode) -> bool {
        self.leases += 1;
        let Some(request) = bench.look(now, self.leases, mode) else {
            return false;
        };
        let (answer, _) = Counter::lease(&mut self.counter, at(now), &request);
        bench.book.answered(&bench.permits, &answer, false, now);
        true
    }

    /// Gives a node as many permits as if so many calls waited.
    fn stock(&mut self, bench: &mut Bench, now: Nanos, permits: u32) {
        bench.permits.pretend_waiting(permits);
        assert!(self.answers(bench, now, Mode::Serve));
        bench.permits.pretend_waiting(0);
    }

    /// Takes back what a node has.
    fn empty(&mut self, bench: &mut Bench, now: Nanos) {
        while self.answers(bench, now, Mode::Drain) {}
    }

    /// What it counts as used in the period at this time.
    fn used(&mut self, bench: &Bench, now: Nanos) -> u64 {
        let request = LeaseRequest {
            lease: id(u64::MAX),
            node: id(u64::MAX),
            key: bench.permits.key(),
            spec: Arc::clone(&bench.permits.limit.rule.load().spec),
            want: 0,
            nodes: 3,
            reports: Vec::new(),
            known: KnownUse::default(),
        };
        Counter::lease(&mut self.counter, at(now), &request).0.used
    }
}

fn at(now: Nanos) -> Timestamp {
    Timestamp::from_millis(START + now / MILLI)
}

/// A node that leases only what it is asked for: of so few, none lie idle.
fn node(amount: u64) -> (Bench, Authority) {
    (
        Bench::new(1, &limit(LimitKind::Quota, amount)),
        Authority::default(),
    )
}

fn taken(bench: &Bench, now: Nanos) -> Option<Taken> {
    match bench.permits.take(bench.instant(now)) {
        Some(Decision::Taken(taken)) => Some(taken),
        _ => None,
    }
}

/// A call on a thread of its own; says whether it passed.
fn call(bench: &Bench, now: Nanos) -> JoinHandle<u64> {
    let (permits, now) = (Arc::clone(&bench.permits), bench.instant(now));
    spawn(move || u64::from(matches!(permits.take(now), Some(Decision::Taken(_)))))
}

/// Gives a permit back, on a thread of its own.
fn refund(bench: &Bench, permit: Taken) -> JoinHandle<()> {
    let permits = Arc::clone(&bench.permits);
    spawn(move || permits.refund(&permit))
}

#[test]
fn what_passed_is_what_the_authority_counts() {
    explore(|| {
        let (mut bench, mut authority) = node(100);
        authority.stock(&mut bench, NOW, 2);
        assert_eq!(bench.permits.pool(), 2);
        let calls = [call(&bench, NOW), call(&bench, NOW)];
        // Another node is short; then calls wait here again.
        bench.book.recalled(&bench.permits, NOW);
        assert!(authority.answers(&mut bench, NOW, Mode::Serve));
        authority.stock(&mut bench, NOW + 2 * YIELD, 1);
        let passed: u64 = calls.into_iter().map(joined).sum();
        authority.empty(&mut bench, NOW + 2 * YIELD);
        assert_eq!(authority.used(&bench, NOW), passed);
    });
}

#[test]
fn no_permit_is_used_after_the_end_of_its_period() {
    explore(|| {
        let (mut bench, mut authority) = node(100);
        authority.stock(&mut bench, NOW, 1);
        let late = call(&bench, NEXT);
        authority.stock(&mut bench, NEXT, 1);
        let passed = joined(late);
        authority.empty(&mut bench, NEXT);
        assert_eq!(authority.used(&bench, NEXT), passed);
    });
}

#[test]
fn a_permit_that_comes_back_late_is_none_of_the_next_period() {
    explore(|| {
        let (mut bench, mut authority) = node(100);
        authority.stock(&mut bench, NOW, 1);
        let permit = taken(&bench, NOW).unwrap();
        let refund = refund(&bench, permit);
        authority.stock(&mut bench, NEXT, 1);
        joined(refund);
        let passed = std::iter::from_fn(|| taken(&bench, NEXT)).count();
        authority.empty(&mut bench, NEXT);
        assert_eq!(authority.used(&bench, NEXT), passed as u64);
    });
}

#[test]
fn a_permit_that_comes_back_is_used_once() {
    explore(|| {
        let (mut bench, mut authority) = node(100);
        authority.stock(&mut bench, NOW, 1);
        let permit = taken(&bench, NOW).unwrap();
        let refund = refund(&bench, permit);
        let calls = [call(&bench, NOW), call(&bench, NOW)];
        let passed: u64 = calls.into_iter().map(joined).sum();
        joined(refund);
        let passed = passed + u64::from(taken(&bench, NOW).is_some());
        assert_eq!(passed, 1);
        authority.empty(&mut bench, NOW);
        assert_eq!(authority.used(&bench, NOW), 1);
    });
}

#[test]
fn a_pool_that_runs_low_is_looked_at() {
    explore(|| {
        let (mut bench, _) = node(100);
        bench.permits.fill(2, NEXT, 2);
        // With the first one gone, the pool is low: the task is woken.
        taken(&bench, NOW).unwrap();
        let last = call(&bench, NOW);
        assert!(bench.woken.try_recv().is_ok());
        bench.permits.dequeued();
        let seen = bench.permits.pool();
        assert_eq!(joined(last), 1);
        assert!(
            seen == 0 || bench.woken.try_recv().is_ok(),
            "nobody knows that the pool is empty"
        );
    });
}

/// A call that waits, on a thread of its own; it tells that it is over.
fn waiting_call(bench: &Bench, over: &UnboundedSender<()>) -> JoinHandle<Decision> {
    let (permits, over) = (Arc::clone(&bench.permits), over.clone());
    spawn(move || {
        let decision = complete(permits.wait());
        assert!(over.send(()).is_ok(), "the model waits for its calls");
        decision
    })
}

/// Two calls wait, and the task does on each wake-up what `task` does; gives how many passed.
fn wait_for(bench: &mut Bench, mut task: impl FnMut(&mut Bench)) -> usize {
    // From now on no call is so late that it says when it was here.
    bench.permits.take(bench.instant(100 * SECOND));
    let (over, mut ended) = unbounded_channel();
    let calls = [waiting_call(bench, &over), waiting_call(bench, &over)];
    for _ in &calls {
        loop {
            let woken = complete(async {
                tokio::select! {
                    biased;
                    wake = bench.woken.recv() => wake,
                    _ = ended.recv() => None,
                }
            });
            match woken {
                Some(Wake::Refill(permits)) => {
                    permits.dequeued();
                    task(bench);
                }
                Some(Wake::Changed(_)) => {}
                None => break,
            }
        }
    }
    let passed = |call: &Decision| matches!(call, Decision::Taken(_));
    calls.into_iter().map(joined).filter(passed).count()
}

/// Two calls wait for a quota of so many, of which so many pass.
fn who_waits_gets_an_answer(amount: u64, pass: usize) {
    with_timers(move || {
        let (mut bench, mut authority) = node(amount);
        let passed = wait_for(&mut bench, |bench| {
            authority.answers(bench, NOW, Mode::Serve);
        });
        assert_eq!(passed, pass);
        authority.empty(&mut bench, NOW);
        assert_eq!(authority.used(&bench, NOW), pass as u64);
    });
}

#[test]
fn who_waits_gets_a_permit() {
    who_waits_gets_an_answer(100, 2);
}

#[test]
fn who_waits_in_vain_is_told() {
    who_waits_gets_an_answer(1, 1);
}
