//! The rules of the lease protocol without I/O: what a counter answers to a
//! request. The store-backed authority runs this code inside a transaction; the
//! script of the Redis authority says the same in Lua, and one suite checks both.

use std::time::Duration;

use gatewright_model::id::{LeaseId, NodeId};
use gatewright_model::time::Timestamp;

use crate::authority::{LeaseAnswer, LeaseFate, LeaseRequest, LimitSpec};
use crate::terms::{Shape, Terms};

/// A batch is at most this part of what remains, divided by the nodes.
const SHARE: u64 = 4;

/// The state of one counter, as an authority keeps it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counter {
    shape: Shape,
    window: i64,
    start: i64,
    end: i64,
    /// Calendar: granted in the period and not returned.
    used: u64,
    /// Rolling: the same by bucket, oldest first.
    buckets: Vec<(i64, u64)>,
    /// Rate: the theoretical arrival time, in microseconds since the epoch.
    arrival: i64,
    /// Rate: the amount that `arrival` was reckoned with, and the burst; zero when not known.
    #[serde(default)]
    amount: u64,
    #[serde(default)]
    burst: u64,
    /// Leases that live.
    leases: Vec<Lease>,
}

/// A lease as the authority remembers it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Lease {
    id: LeaseId,
    node: NodeId,
    granted: u64,
    spent: u64,
    ends: i64,
    bucket: i64,
}

/// Whether a request changed the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has to be kept.
    Changed,
    /// It reads as before; nothing has to be written.
    Same,
}

impl Counter {
    /// Answers one request at the authority's `now`. An absent counter begins here.
    pub fn lease(
        counter: &mut Option<Self>,
        now: Timestamp,
        request: &LeaseRequest,
    ) -> (LeaseAnswer, Effect) {
        let mut terms = Terms::at(&request.spec, now);
        let lost = counter.is_none();
        let this = counter.get_or_insert_with(|| Self::new(&terms));
        this.enter(&mut terms, now);
        let mut changed = this.change_pace(&request.spec, now);
        let granted = if let Some(known) = this.leases.iter().find(|lease| lease.id == request.lease) {
            known.granted
        } else {
            // The authority lost this counter in the middle of its period (security, R4).
            if lost && terms.shape == Shape::Calendar && request.known.period == Some(terms.start) {
                this.used = request.known.used;
            }
            changed |= this.hear_reports(request);
            let overdraft = this.take_overdraft(&terms, now, request);
            let granted = this.grant(&terms, now, request);
            if granted > 0 || overdraft {
                changed = true;
                this.leases.push(Lease {
                    id: request.lease,
                    node: request.node,
                    granted,
                    spent: 0,
                    ends: now.as_millis().saturating_add(terms.lease),
                    bucket: bucket_of(&terms, now),
                });
            }
            granted
        };
        let effect = if changed { Effect::Changed } else { Effect::Same };
        (this.answer(&terms, now, request, granted), effect)
    }

    /// When nobody will ask for this state again: two windows, and all leases over.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        let leases = self.leases.iter().map(|lease| lease.ends).max().unwrap_or(0);
        let two_windows = self.window.saturating_mul(2);
        Timestamp::from_millis(
            now.as_millis()
                .max(self.end)
                .saturating_add(two_windows)
                .max(leases),
        )
    }

    fn new(terms: &Terms) -> Self {
        Self {
            shape: terms.shape,
            window: terms.window,
            start: terms.start,
            end: terms.end,
            used: 0,
            buckets: Vec::new(),
            arrival: 0,
            amount: 0,
            burst: 0,
            leases: Vec::new(),
        }
    }

    /// Moves the arrival of a rate to another amount: what was used stays used,
    /// up to the new burst. Says whether that moved anything.
    fn change_pace(&mut self, spec: &LimitSpec, now: Timestamp) -> bool {
        if self.shape != Shape::Rate || (self.amount, self.burst) == (spec.amount, spec.burst) {
            return false;
        }
        let now = micros(now);
        let ahead = self.arrival.saturating_sub(now);
        let known = self.amount != 0;
        if known && ahead > 0 {
            let moved = i128::from(ahead) * i128::from(self.amount) / i128::from(spec.amount.max(1));
            let moved = i64::try_from(moved).unwrap_or(i64::MAX);
            self.arrival = now.saturating_add(moved.min(cost(spec, spec.burst)));
        }
        (self.amount, self.burst) = (spec.amount, spec.burst);
        known && ahead > 0
    }

    /// Steps into the period of the terms, and forgets what is over.
    fn enter(&mut self, terms: &mut Terms, now: Timestamp) {
        let same_rule = self.shape == terms.shape && self.window == terms.window;
        if same_rule && self.start != 0 && self.start == terms.end {
            // The clock went back over the boundary: the newer period goes on,
            // else its permits could be had twice.
            terms.start = self.start;
            terms.end = self.end;
        }
        if !same_rule || self.start != terms.start || self.end != terms.end {
            *self = Self::new(terms);
        }
        let millis = now.as_millis();
        self.leases.retain(|lease| lease.ends > millis);
        let counts = |index: i64| (index + 1).saturating_mul(terms.bucket) > millis - terms.window;
        self.buckets.retain(|(index, used)| *used > 0 && counts(*index));
    }

    fn hear_reports(&mut self, request: &LeaseRequest) -> bool {
        let mut changed = false;
        for report in &request.reports {
            let known = |lease: &Lease| lease.id == report.lease && lease.node == request.node;
            let Some(position) = self.leases.iter().position(known) else {
                continue;
            };
            match report.fate {
                LeaseFate::Held => {
                    if let Some(lease) = self.leases.get_mut(position) {
                        let spent = report.spent.clamp(lease.spent, lease.granted);
                        changed |= spent != lease.spent;
                        lease.spent = spent;
                    }
                }
                LeaseFate::Closed => {
                    let lease = self.leases.swap_remove(position);
                    let spent = report.spent.max(lease.spent);
                    self.put_back(lease.bucket, lease.granted.saturating_sub(spent));
                    changed = true;
                }
            }
        }
        changed
    }

    fn put_back(&mut self, bucket: i64, unspent: u64) {
        match self.shape {
            Shape::Calendar => self.used = self.used.saturating_sub(unspent),
            Shape::Rolling => {
                if let Some((_, used)) = self.buckets.iter_mut().find(|(index, _)| *index == bucket) {
                    *used = used.saturating_sub(unspent);
                }
            }
            // Taken back later, a permit could follow a full burst: it dies instead.
            Shape::Rate => {}
        }
    }

    fn take_overdraft(&mut self, terms: &Terms, now: Timestamp, request: &LeaseRequest) -> bool {
        let known = request.known;
        let of_this_period = known.period.is_none_or(|period| period == terms.start);
        if known.overdraft == 0 || !of_this_period || terms.shape == Shape::Rate {
            return false;
        }
        self.count(bucket_of(terms, now), known.overdraft);
        true
    }

    fn grant(&mut self, terms: &Terms, now: Timestamp, request: &LeaseRequest) -> u64 {
        let remaining = self.remaining(&request.spec, now);
        let share = (remaining / SHARE / u64::from(request.nodes.max(1))).max(1);
        let granted = request.want.min(share).min(remaining);
        if granted > 0 && terms.shape == Shape::Rate {
            let from = self.arrival.max(micros(now));
            self.arrival = from.saturating_add(cost(&request.spec, granted));
        } else if granted > 0 {
            self.count(bucket_of(terms, now), granted);
        }
        granted
    }

    fn count(&mut self, bucket: i64, permits: u64) {
        if self.shape != Shape::Rolling {
            self.used = self.used.saturating_add(permits);
            return;
        }
        match self.buckets.iter_mut().find(|(index, _)| *index == bucket) {
            Some((_, used)) => *used = used.saturating_add(permits),
            None => self.buckets.push((bucket, permits)),
        }
    }

    fn taken(&self) -> u64 {
        self.buckets
            .iter()
            .fold(self.used, |sum, (_, used)| sum.saturating_add(*used))
    }

    fn remaining(&self, spec: &LimitSpec, now: Timestamp) -> u64 {
        if self.shape != Shape::Rate {
            return spec.amount.saturating_sub(self.taken());
        }
        let ahead = self.arrival.saturating_sub(micros(now)).max(0);
        let room = cost(spec, spec.burst).saturating_sub(ahead).max(0);
        let permits = u128::from(room.unsigned_abs()) * u128::from(spec.amount) / window_micros(spec);
        u64::try_from(permits).unwrap_or(u64::MAX).min(spec.burst)
    }

    fn answer(&self, terms: &Terms, now: Timestamp, request: &LeaseRequest, granted: u64) -> LeaseAnswer {
        let remaining = self.remaining(&request.spec, now);
        let reset_after = self.reset_after(terms, now);
        let elsewhere = |lease: &&Lease| lease.node != request.node;
        let outstanding = self.leases.iter().filter(elsewhere);
        LeaseAnswer {
            lease: request.lease,
            granted,
            remaining,
            used: self.taken(),
            outstanding_elsewhere: outstanding.fold(0, |sum, lease| sum + (lease.granted - lease.spent)),
            period: terms.start,
            reset_after,
            retry_after: match (remaining, terms.shape) {
                (1.., _) => Duration::ZERO,
                (0, Shape::Rate) => {
                    let free = self.arrival.saturating_add(cost(&request.spec, 1))
                        - cost(&request.spec, request.spec.burst);
                    Duration::from_micros((free - micros(now)).max(0).unsigned_abs())
                }
                (0, _) => reset_after,
            },
            usable_for: Duration::from_millis(terms.usable.unsigned_abs()),
            lease_for: Duration::from_millis(terms.lease.unsigned_abs()),
        }
    }

    fn reset_after(&self, terms: &Terms, now: Timestamp) -> Duration {
        let millis = match terms.shape {
            Shape::Calendar => terms.end - now.as_millis(),
            Shape::Rolling => match self.buckets.iter().map(|(index, _)| *index).min() {
                Some(oldest) => (oldest + 1) * terms.bucket + terms.window - now.as_millis(),
                None => terms.window,
            },
            Shape::Rate => {
                let ahead = self.arrival.saturating_sub(micros(now)).max(0);
                return Duration::from_micros(ahead.unsigned_abs());
            }
        };
        Duration::from_millis(millis.max(0).unsigned_abs())
    }
}

/// The bucket in which permits granted now may be spent last; zero without buckets.
fn bucket_of(terms: &Terms, now: Timestamp) -> i64 {
    match terms.bucket {
        0 => 0,
        bucket => (now.as_millis() + terms.usable).div_euclid(bucket),
    }
}

fn micros(now: Timestamp) -> i64 {
    now.as_millis().saturating_mul(1_000)
}

fn window_micros(spec: &LimitSpec) -> u128 {
    spec.window.duration().as_micros().max(1)
}

/// What so many permits of a rate cost, in microseconds, rounded up.
fn cost(spec: &LimitSpec, permits: u64) -> i64 {
    let micros = (u128::from(permits) * window_micros(spec)).div_ceil(u128::from(spec.amount.max(1)));
    i64::try_from(micros).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
