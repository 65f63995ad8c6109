//! The pace at which permits of one counter are taken.

use crate::gcra::Nanos;

use super::{IDLE, MILLI, SECOND};

/// How fast permits are taken.
#[derive(Debug)]
pub(super) struct Demand {
    a_second: u64,
    count: u64,
    since: Nanos,
}

impl Demand {
    /// Shorter stretches are put together.
    const STRETCH: Nanos = 20 * MILLI;
    /// Shorter ones say nothing at all.
    const SHORTEST: Nanos = 5 * MILLI;

    pub(super) fn new(now: Nanos) -> Self {
        Self {
            a_second: 0,
            count: 0,
            since: now,
        }
    }

    pub(super) fn add(&mut self, taken: u64, now: Nanos) {
        self.count = self.count.saturating_add(taken);
        let stretch = now.saturating_sub(self.since);
        if stretch >= Self::STRETCH {
            let latest = self.latest(now);
            // After a pause what was before says nothing any more.
            self.a_second = match stretch < IDLE {
                true => u64::midpoint(self.a_second, latest),
                false => latest,
            };
            self.count = 0;
            self.since = now;
        }
    }

    fn latest(&self, now: Nanos) -> u64 {
        let elapsed = now.saturating_sub(self.since).max(Self::SHORTEST);
        per(self.count, SECOND, elapsed)
    }

    /// How many will be taken in that time, if it goes on like this.
    pub(super) fn within(&self, horizon: Nanos, now: Nanos) -> u64 {
        per(self.a_second.max(self.latest(now)), horizon, SECOND)
    }
}

/// That many times a part of the whole.
pub(super) fn per(count: u64, part: Nanos, whole: Nanos) -> u64 {
    let scaled =
        u128::from(count) * u128::from(part.unsigned_abs()) / u128::from(whole.unsigned_abs().max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
