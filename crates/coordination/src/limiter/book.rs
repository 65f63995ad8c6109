//! The account of one node's leases on one counter, without I/O: what to ask
//! for, what an answer means, what comes back.
//!
//! Which lease a permit came from is decided afterwards: the oldest is spent
//! first. Sums are all that matters, and they are exact.

mod demand;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::id::{LeaseId, NodeId};
use gatewright_model::time::Timestamp;

use crate::authority::{LeaseAnswer, LeaseFate, LeaseReport, LeaseRequest, LimitSpec};
use crate::gcra::Nanos;
use crate::limiter::book::demand::{Demand, per};
use crate::limiter::nanos;
use crate::limiter::permits::Permits;
use crate::terms::{Shape, Terms};

const MILLI: Nanos = 1_000_000;
const SECOND: Nanos = 1_000 * MILLI;
/// Unspent permits go back when nobody took one for that long; and a batch
/// should last that long.
const IDLE: Nanos = 250 * MILLI;
/// An unanswered request is repeated under its id for that long. Less than any
/// lease of a quota, so that the authority still knows the id.
const REPEAT: Nanos = 8 * SECOND;
/// How long a refusal for good is kept.
const REFUSED: Nanos = SECOND;
/// For how long waiters hope for what other nodes hold, and the pause after that.
const HOPE: Nanos = 100 * MILLI;
const HOPELESS: Nanos = 250 * MILLI;
/// Between two looks at the authority in that time.
const RETRY: Nanos = 5 * MILLI;
/// Between two recalls of one counter.
const RECALL: Nanos = 50 * MILLI;
/// A node that was asked to give back asks for nothing for so long.
const YIELD: Nanos = 10 * MILLI;
const NEVER: Nanos = Nanos::MAX;
/// How long permits should last that are leased ahead for a counter in slow but
/// steady use. Less than the life of a lease, so that few are returned unspent.
const AHEAD: Nanos = 8 * SECOND;
/// For how long the pace of a counter is remembered: a lease of a quota and a bit.
const REMEMBERED: Nanos = 10 * SECOND;
/// What a counter gets of which no pace is known.
const FIRST: u64 = 4;
/// Who needs more in that time has a demand that batches serve.
const MOST_AHEAD: u64 = 64;
/// A lease of which so many were spent, the last of them so lately, is followed
/// by another one before anybody waits.
const STEADY: u64 = 2;
const LATELY: Nanos = 3 * SECOND;
/// All nodes together keep at most this part of what is left without using it.
const SPARE: u64 = 100;

/// What a look at the account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Lease and give back.
    Serve,
    /// The authority is not to be asked now.
    Hush,
    /// Give back everything and ask for nothing.
    Drain,
}

/// What is to be done after a look at the account.
#[derive(Debug)]
pub(super) enum Step {
    /// Send this, and bring back the answer.
    Send(LeaseRequest),
    /// Look again then.
    Sleep(Nanos),
    /// Nothing is held or owed: the account can be closed.
    Done,
}

/// Whether other nodes shall be asked to give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recall {
    /// They shall.
    Publish,
    /// No need.
    Spare,
}

/// Who asks: what all accounts of a node have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub(super) node: NodeId,
    pub(super) nodes: u32,
    /// A fresh id, in case a lease is asked for.
    pub(super) lease: LeaseId,
}

#[derive(Debug)]
struct Held {
    id: LeaseId,
    granted: u64,
    left: u64,
    until: Nanos,
}

#[derive(Debug)]
struct Pending {
    request: LeaseRequest,
    sent: Nanos,
}

/// The account.
#[derive(Debug)]
pub(super) struct Book {
    held: VecDeque<Held>,
    /// Of closed leases, not sent yet.
    reports: Vec<LeaseReport>,
    /// Some of them say that permits come back.
    returns: bool,
    pending: Option<Box<Pending>>,
    /// When to look again.
    pub(super) due: Nanos,
    version: u32,
    demand: Demand,
    last_use: Nanos,
    /// When permits came last, and how many were spent since.
    granted_at: Option<Nanos>,
    spent_since: u64,
    /// How much the pool held after it was filled last.
    batch: u64,
    remaining: u64,
    /// Nothing is asked for before.
    hold_until: Nanos,
    refused_since: Option<Nanos>,
    recalled_at: Option<Nanos>,
    period: i64,
}

impl Book {
    pub(super) fn new(permits: &Permits, now: Nanos) -> Self {
        let rule = permits.limit.rule.load();
        Self {
            held: VecDeque::new(),
            reports: Vec::new(),
            returns: false,
            pending: None,
            due: NEVER,
            version: rule.version,
            demand: Demand::new(now),
            last_use: now,
            granted_at: None,
            spent_since: 0,
            batch: 0,
            // Until an answer says less.
            remaining: rule.spec.amount,
            hold_until: 0,
            refused_since: None,
            recalled_at: None,
            period: 0,
        }
    }

    /// Brings the account up to date and says what to do.
    pub(super) fn look(&mut self, permits: &Permits, asker: Asker, now: Nanos, mode: Mode) -> Step {
        let rule = permits.limit.rule.load();
        let shape = Shape::of(&rule.spec);
        let held = !self.held.is_empty();
        self.settle(permits, shape, now);
        self.end_leases(permits, shape, now);
        let lately = now.saturating_sub(permits.touched_at()) < LATELY;
        let steady = held && self.held.is_empty() && self.spent_since >= STEADY && lately;
        self.forget_refusal(now);
        let idle = now >= self.idle_at(permits, asker.nodes) && mode == Mode::Serve;
        if self.version != rule.version || idle || mode == Mode::Drain {
            self.version = rule.version;
            self.close(permits, shape);
        }
        if mode == Mode::Hush {
            return self.rest(permits, shape, asker.nodes, now);
        }
        if let Some(pending) = &self.pending {
            if now.saturating_sub(pending.sent) < repeat(shape) {
                return Step::Send(pending.request.clone());
            }
            self.abandon();
        }
        let want = match mode {
            Mode::Serve if now >= self.hold_until => {
                let want = self.want(permits, &rule.spec, shape, asker.nodes, now);
                if steady {
                    want.max(self.ahead(&rule.spec, shape, asker.nodes, now))
                } else {
                    want
                }
            }
            _ => 0,
        };
        let known = permits.known();
        let owes = self.returns
            || (asker.nodes > 1 && !self.reports.is_empty())
            || (known.overdraft > 0 && shape != Shape::Rate);
        if want == 0 && !owes {
            return self.rest(permits, shape, asker.nodes, now);
        }
        let request = LeaseRequest {
            lease: asker.lease,
            node: asker.node,
            key: permits.key(),
            spec: Arc::clone(&rule.spec),
            want,
            nodes: asker.nodes,
            reports: self.take_reports(shape),
            known,
        };
        self.pending = Some(Box::new(Pending {
            request: request.clone(),
            sent: now,
        }));
        Step::Send(request)
    }

    /// What is to be said of leases that were closed, and of those that go on.
    fn take_reports(&mut self, shape: Shape) -> Vec<LeaseReport> {
        let mut reports = std::mem::take(&mut self.reports);
        self.returns = false;
        if shape != Shape::Rate {
            let used = self.held.iter().filter(|held| held.left < held.granted);
            reports.extend(used.map(Held::report));
        }
        reports
    }

    /// Enters the answer to what was sent. An answer to something else says nothing.
    pub(super) fn answered(
        &mut self,
        permits: &Permits,
        answer: &LeaseAnswer,
        embedded: bool,
        now: Nanos,
    ) -> Recall {
        let expected = |pending: &mut Box<Pending>| pending.request.lease == answer.lease;
        let Some(pending) = self.pending.take_if(expected) else {
            return Recall::Spare;
        };
        let Pending { request, sent } = *pending;
        let shape = Shape::of(&request.spec);
        permits.overdraft_reported(request.known.overdraft);
        permits.learn(answer, shape, sent, request.spec.window.duration());
        self.remaining = answer.remaining;
        if self.period != answer.period {
            self.settle(permits, shape, now);
            permits.close_pool();
            self.held.clear();
            self.period = answer.period;
        }
        // What was granted or refused under an older rule says nothing about the new one.
        let current = Arc::ptr_eq(&request.spec, &permits.limit.rule.load().spec);
        let recall = if answer.granted > 0 {
            let until = usable_until(answer, shape, sent);
            let usable = current && until > now;
            self.granted(permits, answer, shape, usable.then_some(until), now);
            Recall::Spare
        } else if request.want > 0 && current {
            permits.refused(now);
            self.refused(permits, answer, shape, embedded, now)
        } else {
            Recall::Spare
        };
        permits.wake();
        recall
    }

    /// Another node is about to refuse: nothing is kept, and nothing asked for a moment.
    pub(super) fn recalled(&mut self, permits: &Permits, now: Nanos) {
        let shape = Shape::of(&permits.limit.rule.load().spec);
        if shape == Shape::Rate {
            return;
        }
        self.settle(permits, shape, now);
        self.close(permits, shape);
        self.hold_until = now + YIELD;
    }

    /// Enters what workers took since the last look.
    fn settle(&mut self, permits: &Permits, shape: Shape, now: Nanos) {
        let total: u64 = self.held.iter().map(|held| held.left).sum();
        let spent = total.saturating_sub(permits.pool());
        if spent > 0 {
            self.last_use = now;
        }
        self.demand.add(spent, now);
        self.spend(spent);
        while self.held.front().is_some_and(|held| held.left == 0) {
            self.drop_front(shape);
        }
        if let Some(until) = self.held.iter().map(|held| held.until).min() {
            permits.prolong(until);
        }
    }

    fn spend(&mut self, mut spent: u64) {
        self.spent_since = self.spent_since.saturating_add(spent);
        for held in &mut self.held {
            let part = held.left.min(spent);
            held.left -= part;
            spent -= part;
        }
    }

    fn drop_front(&mut self, shape: Shape) {
        if let Some(held) = self.held.pop_front()
            && shape != Shape::Rate
        {
            self.returns |= held.left > 0;
            self.reports.push(LeaseReport {
                fate: LeaseFate::Closed,
                ..held.report()
            });
        }
    }

    /// Takes what ended leases left out of the pool, in time to give it back.
    fn end_leases(&mut self, permits: &Permits, shape: Shape, now: Nanos) {
        if !self.held.iter().any(|held| held.until <= now) {
            return;
        }
        for held in &mut self.held {
            if held.until <= now {
                held.left = permits.withdraw(held.left);
            }
        }
        let (ended, live): (VecDeque<Held>, VecDeque<Held>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| held.until <= now);
        self.held = ended;
        while !self.held.is_empty() {
            self.drop_front(shape);
        }
        self.held = live;
        match self.held.iter().map(|held| held.until).min() {
            Some(until) => permits.prolong(until),
            None => {
                permits.close_pool();
            }
        }
    }

    fn close(&mut self, permits: &Permits, shape: Shape) {
        let total: u64 = self.held.iter().map(|held| held.left).sum();
        let unspent = permits.close_pool();
        self.spend(total.saturating_sub(unspent));
        while !self.held.is_empty() {
            self.drop_front(shape);
        }
    }

    /// The answer never came: what was in the request has to be said again. If
    /// the lease was granted all the same, it is written off.
    fn abandon(&mut self) {
        if let Some(pending) = self.pending.take() {
            let reports = pending.request.reports;
            let closed = reports
                .into_iter()
                .filter(|report| report.fate == LeaseFate::Closed);
            self.reports.extend(closed);
            self.returns = !self.reports.is_empty();
        }
    }

    /// What was learnt about a refusal spares the next ones their hope, for a while.
    fn forget_refusal(&mut self, now: Nanos) {
        if now >= self.hold_until + SECOND {
            self.refused_since = None;
        }
    }

    /// How many permits a counter may keep that nobody uses at the moment: so few
    /// that the quota is usable to 99 % although nobody asks for them back.
    fn spare(&self, nodes: u32) -> u64 {
        self.remaining / SPARE / u64::from(nodes.max(1))
    }

    /// When what is held counts as idle; a spare part does not before its lease ends.
    fn idle_at(&self, permits: &Permits, nodes: u32) -> Nanos {
        if permits.pool() <= self.spare(nodes) {
            return NEVER;
        }
        self.last_use + IDLE
    }

    fn rest(&self, permits: &Permits, shape: Shape, nodes: u32, now: Nanos) -> Step {
        if permits.waiting() > 0 {
            return Step::Sleep(self.hold_until.max(now + RETRY));
        }
        if !self.held.is_empty() {
            let ends = self.held.iter().map(|held| held.until).min().unwrap_or(NEVER);
            return Step::Sleep(ends.min(self.idle_at(permits, nodes)).max(now + MILLI));
        }
        let owes =
            self.pending.is_some() || self.returns || (shape != Shape::Rate && permits.known().overdraft > 0);
        if owes || self.refused_since.is_some() {
            return Step::Sleep(now + IDLE);
        }
        // How fast permits go is remembered for as long as it counts.
        match self.granted_at.map(|at| at + REMEMBERED) {
            Some(forgotten) if shape != Shape::Rate && now < forgotten => Step::Sleep(forgotten),
            _ => Step::Done,
        }
    }

    /// How many a counter in slow use gets at once: what it will spend while the
    /// lease lives, and no more than may lie idle.
    fn ahead(&self, spec: &LimitSpec, shape: Shape, nodes: u32, now: Nanos) -> u64 {
        if shape == Shape::Rate {
            return 0;
        }
        let since = self.granted_at.map(|at| now.saturating_sub(at));
        let expected = match since.filter(|since| *since < REMEMBERED) {
            Some(since) => per(self.spent_since, AHEAD.min(life(spec, shape)), since.max(IDLE)),
            None => FIRST,
        };
        expected.min(self.spare(nodes)).min(MOST_AHEAD)
    }

    /// How many to ask for: what waits and what is leased ahead, or the demand of
    /// a while when half of the last batch is gone, within a batch's share of what
    /// is left.
    fn want(&self, permits: &Permits, spec: &LimitSpec, shape: Shape, nodes: u32, now: Nanos) -> u64 {
        let waiting = permits.waiting();
        let pool = permits.pool();
        let demand = self.demand.within(horizon(spec, shape), now);
        if waiting > 0 {
            let ahead = self.ahead(spec, shape, nodes, now);
            return demand.max(waiting).max(ahead).saturating_sub(pool);
        }
        if demand < 2 || pool > self.batch / 2 || self.remaining == 0 || self.held.is_empty() {
            return 0;
        }
        let share = (self.remaining / 4 / u64::from(nodes)).max(1);
        demand.min(share).saturating_sub(pool)
    }

    /// `until` is absent when the permits came too late to be of use.
    fn granted(
        &mut self,
        permits: &Permits,
        answer: &LeaseAnswer,
        shape: Shape,
        until: Option<Nanos>,
        now: Nanos,
    ) {
        self.refused_since = None;
        self.settle(permits, shape, now);
        (self.granted_at, self.spent_since) = (Some(now), 0);
        let held = Held {
            id: answer.lease,
            granted: answer.granted,
            left: answer.granted,
            until: until.unwrap_or(now),
        };
        if until.is_none() {
            self.held.push_front(held);
            self.drop_front(shape);
            return;
        }
        if self.held.is_empty() {
            permits.close_pool();
        }
        self.last_use = now;
        self.held.push_back(held);
        self.batch = permits.pool().saturating_add(answer.granted);
        let until = self.held.iter().map(|held| held.until).min().unwrap_or(now);
        let spec = &permits.limit.rule.load().spec;
        let demand = self.demand.within(horizon(spec, shape), now);
        let low = if demand >= 2 && answer.remaining > 0 {
            self.batch / 2 + 1
        } else {
            // With the last one the next batch is asked for, when there was a batch.
            u64::from(answer.granted >= STEADY)
        };
        permits.fill(answer.granted, until, low);
    }

    fn refused(
        &mut self,
        permits: &Permits,
        answer: &LeaseAnswer,
        shape: Shape,
        embedded: bool,
        now: Nanos,
    ) -> Recall {
        let version = self.version;
        if shape == Shape::Rate || embedded || answer.outstanding_elsewhere == 0 {
            let pause = nanos(answer.retry_after).clamp(MILLI, REFUSED);
            permits.exhaust(now + pause, version);
            return Recall::Spare;
        }
        let since = *self.refused_since.get_or_insert(now);
        if now - since < HOPE && permits.waiting() > 0 {
            self.hold_until = now + RETRY;
        } else {
            self.hold_until = now + HOPELESS;
            permits.exhaust(self.hold_until, version);
        }
        if self.recalled_at.is_some_and(|at| now - at < RECALL) {
            return Recall::Spare;
        }
        self.recalled_at = Some(now);
        Recall::Publish
    }
}

impl Held {
    fn report(&self) -> LeaseReport {
        LeaseReport {
            lease: self.id,
            spent: self.granted - self.left,
            fate: LeaseFate::Held,
        }
    }
}

/// Until when permits may be spent that were asked for at `sent`.
fn usable_until(answer: &LeaseAnswer, shape: Shape, sent: Nanos) -> Nanos {
    let usable = match shape {
        Shape::Calendar => answer.usable_for.min(answer.reset_after),
        Shape::Rolling | Shape::Rate => answer.usable_for,
    };
    sent.saturating_add(nanos(usable))
}

/// For how long a batch should last.
fn horizon(spec: &LimitSpec, shape: Shape) -> Nanos {
    IDLE.min(life(spec, shape))
}

/// For how long permits can be spent at most.
fn life(spec: &LimitSpec, shape: Shape) -> Nanos {
    match shape {
        Shape::Calendar => NEVER,
        // How long its permits live does not depend on the time.
        Shape::Rolling | Shape::Rate => {
            let usable = Terms::at(spec, Timestamp::default()).usable;
            nanos(Duration::from_millis(usable.max(0).unsigned_abs()))
        }
    }
}

fn repeat(shape: Shape) -> Nanos {
    match shape {
        Shape::Rate => IDLE,
        Shape::Calendar | Shape::Rolling => REPEAT,
    }
}

#[cfg(all(test, feature = "models"))]
mod models;
#[cfg(test)]
pub(super) mod tests;
