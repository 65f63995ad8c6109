//! The generic cell rate algorithm on one atomic number (ITU-T I.371, annex A,
//! virtual scheduling): exact burst, no lock, no allocation.
//!
//! The number is the theoretical arrival time (TAT): when the cell would be
//! empty if nobody came again. A call may come as long as the TAT is not more
//! than the cost of a full burst ahead of now. When the pace changes, the TAT is
//! moved so that as many permits as before count as used; only that takes a lock.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::atomics::{AtomicI64, Mutex};

/// Nanoseconds on a monotonic clock.
pub type Nanos = i64;

/// The pace of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    step: Nanos,
    full: Nanos,
}

impl Pace {
    /// So many (at least 1) in a window, and at most `burst` (at least 1) at once.
    /// The time between two is rounded up to a whole nanosecond.
    #[must_use]
    pub fn new(amount: u64, window: Duration, burst: u64) -> Self {
        let step = window.as_nanos().div_ceil(u128::from(amount.max(1))).max(1);
        let full = step.saturating_mul(u128::from(burst.max(1)));
        Self {
            step: clamp(step),
            // A quarter of the range leaves room for sums with any time of a process.
            full: clamp(full).min(i64::MAX / 4),
        }
    }
}

/// A call that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admit {
    /// How many more could pass at this moment.
    pub remaining: u64,
    /// Until the full burst is there again.
    pub reset_after: Duration,
}

/// A call that may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refuse {
    /// Until the same call may pass, when nobody else comes. A call whose cost is
    /// above the burst never may; this is then only the time that it lacks.
    pub retry_after: Duration,
    /// Until the full burst is there again.
    pub reset_after: Duration,
}

/// One cell.
#[derive(Debug, Default)]
pub struct Gcra {
    arrival: AtomicI64,
    /// The pace that `arrival` is written in; zero before the first call.
    step: AtomicI64,
    full: AtomicI64,
    /// Held while `arrival` is moved to another pace.
    change: Mutex<()>,
}

impl Gcra {
    /// Asks for `cost` permits at `now`; takes nothing when it refuses.
    ///
    /// # Errors
    /// When they are not there.
    pub fn admit(&self, pace: Pace, now: Nanos, cost: u64) -> Result<Admit, Refuse> {
        let price = pace.step.saturating_mul(i64::try_from(cost).unwrap_or(i64::MAX));
        if !self.is_at(pace) {
            self.change_pace(pace, now);
        }
        let mut seen = self.arrival.load(Ordering::Relaxed);
        loop {
            let arrival = seen.max(now).saturating_add(price);
            let ahead = arrival.saturating_sub(now);
            if ahead > pace.full {
                return Err(Refuse {
                    retry_after: duration(ahead - pace.full),
                    reset_after: duration(seen.saturating_sub(now)),
                });
            }
            // The number alone is the state: nothing else has to become visible with it.
            match self
                .arrival
                .compare_exchange_weak(seen, arrival, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => {
                    return Ok(Admit {
                        remaining: ((pace.full - ahead) / pace.step).unsigned_abs(),
                        reset_after: duration(ahead),
                    });
                }
                Err(newer) => seen = newer,
            }
        }
    }

    /// Gives back what was admitted a moment ago and not used.
    pub fn refund(&self, cost: u64) {
        // In the pace of now: what was admitted at another one has moved with it.
        let step = self.step.load(Ordering::Acquire);
        let price = step.saturating_mul(i64::try_from(cost).unwrap_or(i64::MAX));
        self.arrival.fetch_sub(price, Ordering::Relaxed);
    }

    fn is_at(&self, pace: Pace) -> bool {
        // Whoever sees the new pace also sees the arrival that was moved to it.
        self.step.load(Ordering::Acquire) == pace.step && self.full.load(Ordering::Acquire) == pace.full
    }

    /// Moves the arrival to another pace: what was used stays used, but a new
    /// burst that is smaller is not exceeded, or it would be paid for twice.
    fn change_pace(&self, pace: Pace, now: Nanos) {
        let _alone = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_at(pace) {
            return;
        }
        let old = self.step.load(Ordering::Relaxed);
        let mut seen = self.arrival.load(Ordering::Relaxed);
        while old != 0 && seen > now {
            let ahead = i128::from(seen - now) * i128::from(pace.step) / i128::from(old);
            let ahead = i64::try_from(ahead).unwrap_or(i64::MAX).min(pace.full);
            let moved = now.saturating_add(ahead);
            match self
                .arrival
                .compare_exchange_weak(seen, moved, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(newer) => seen = newer,
            }
        }
        self.full.store(pace.full, Ordering::Release);
        self.step.store(pace.step, Ordering::Release);
    }

    /// Whether the full burst is there: the cell is as good as new.
    #[must_use]
    pub fn is_idle(&self, now: Nanos) -> bool {
        self.arrival.load(Ordering::Relaxed) <= now
    }
}

fn clamp(nanos: u128) -> Nanos {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

fn duration(nanos: Nanos) -> Duration {
    Duration::from_nanos(nanos.max(0).unsigned_abs())
}

#[cfg(all(test, feature = "models"))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::modelling::{explore, joined, spawn};

    #[test]
    fn a_burst_is_exact_in_every_order() {
        explore(|| {
            let pace = Pace::new(1, Duration::from_secs(86_400), 1);
            let cell = Arc::new(Gcra::default());
            let calls = [1, 2].map(|now| {
                let cell = Arc::clone(&cell);
                spawn(move || usize::from(cell.admit(pace, now, 1).is_ok()))
            });
            let mut admitted = usize::from(cell.admit(pace, 1, 1).is_ok());
            admitted += calls.into_iter().map(joined).sum::<usize>();
            assert_eq!(admitted, 1);
            cell.refund(1);
            assert!(cell.admit(pace, 2, 1).is_ok(), "what was given back is lost");
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_is_exact_and_comes_back_step_by_step() {
        let pace = Pace::new(10, Duration::from_secs(1), 5);
        let cell = Gcra::default();
        for left in (0..5).rev() {
            assert_eq!(cell.admit(pace, 7, 1).unwrap().remaining, left);
        }
        let refused = cell.admit(pace, 7, 1).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_millis(100));
        assert_eq!(refused.reset_after, Duration::from_millis(500));
        assert!(cell.admit(pace, 7 + 99_999_999, 1).is_err());
        assert_eq!(cell.admit(pace, 7 + 100_000_000, 1).unwrap().remaining, 0);
        cell.refund(1);
        assert_eq!(cell.admit(pace, 7 + 100_000_000, 1).unwrap().remaining, 0);
    }

    #[test]
    fn more_than_a_burst_never_passes() {
        let pace = Pace::new(10, Duration::from_secs(1), 5);
        assert!(Gcra::default().admit(pace, 0, 6).is_err());
        assert!(Gcra::default().admit(pace, 0, u64::MAX).is_err());
        assert_eq!(Gcra::default().admit(pace, 0, 5).unwrap().remaining, 0);
    }

    #[test]
    fn another_pace_keeps_what_was_used() {
        let minute = Duration::from_secs(60);
        let cell = Gcra::default();
        for _ in 0..4 {
            cell.admit(Pace::new(10, minute, 10), 0, 1).unwrap();
        }
        assert_eq!(
            cell.admit(Pace::new(100, minute, 100), 0, 1).unwrap().remaining,
            95
        );
        assert_eq!(cell.admit(Pace::new(10, minute, 10), 0, 1).unwrap().remaining, 4);
        cell.refund(1);
        // Less than what was used: nothing is left, and the next permit comes after one step.
        let refused = cell.admit(Pace::new(3, minute, 3), 0, 1).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(20));
        assert_eq!(refused.reset_after, minute);
        // Time that passed before the change is not taken back.
        let idle = minute.as_nanos().try_into().unwrap();
        assert_eq!(
            cell.admit(Pace::new(10, minute, 10), idle, 1).unwrap().remaining,
            9
        );
    }

    #[test]
    fn threads_never_share_a_permit() {
        let pace = Pace::new(1, Duration::from_secs(86_400), 1_000);
        let cell = Arc::new(Gcra::default());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let cell = Arc::clone(&cell);
                std::thread::spawn(move || (0..1_000).filter(|_| cell.admit(pace, 1, 1).is_ok()).count())
            })
            .collect();
        let admitted: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(admitted, 1_000);
    }

    /// A token bucket in exact fractions: tokens times `window` nanoseconds.
    struct Bucket {
        amount: u128,
        window: u128,
        burst: u128,
        tokens: u128,
        last: Nanos,
    }

    impl Bucket {
        fn admit(&mut self, now: Nanos, cost: u64) -> bool {
            let passed = u128::from((now - self.last).unsigned_abs());
            self.tokens = (self.tokens + passed * self.amount).min(self.burst * self.window);
            self.last = now;
            let price = u128::from(cost) * self.window;
            let admitted = self.tokens >= price;
            if admitted {
                self.tokens -= price;
            }
            admitted
        }
    }

    proptest! {
        /// Windows that the amount divides make the step exact: then the two agree on every call.
        #[test]
        fn agrees_with_the_exact_bucket(
            amount in 1_u64..50,
            step in 1_u64..2_000_000_000,
            burst in 1_u64..50,
            calls in prop::collection::vec((0_i64..3_000_000_000, 1_u64..4), 1..200),
        ) {
            let window = Duration::from_nanos(step * amount);
            let pace = Pace::new(amount, window, burst);
            let cell = Gcra::default();
            let mut bucket = Bucket {
                amount: amount.into(), window: window.as_nanos(), burst: burst.into(),
                tokens: u128::from(burst) * window.as_nanos(), last: 0,
            };
            let mut now = 0;
            for (gap, cost) in calls {
                now += gap;
                prop_assert_eq!(cell.admit(pace, now, cost).is_ok(), bucket.admit(now, cost));
            }
        }

        #[test]
        fn any_window_holds_limit_and_burst_at_most(
            amount in 1_u64..100,
            window in 1_000_i64..10_000_000_000,
            burst in 1_u64..100,
            gaps in prop::collection::vec(0_i64..200_000_000, 1..400),
        ) {
            let pace = Pace::new(amount, Duration::from_nanos(window.unsigned_abs()), burst);
            let cell = Gcra::default();
            let mut now = 0;
            let mut admitted = Vec::new();
            for gap in gaps {
                now += gap;
                if cell.admit(pace, now, 1).is_ok() {
                    admitted.push(now);
                }
            }
            for (first, start) in admitted.iter().enumerate() {
                let held = admitted.iter().skip(first).take_while(|at| **at < start + window).count();
                prop_assert!(held as u64 <= amount + burst);
            }
        }

        #[test]
        fn the_named_wait_is_enough_and_not_too_long(burst in 1_u64..20, cost in 1_u64..20) {
            prop_assume!(cost <= burst);
            let pace = Pace::new(7, Duration::from_secs(1), burst);
            let cell = Gcra::default();
            while cell.admit(pace, 0, 1).is_ok() {}
            let wait = cell.admit(pace, 0, cost).unwrap_err().retry_after.as_nanos();
            let wait = i64::try_from(wait).unwrap();
            prop_assert!(cell.admit(pace, wait - 1, cost).is_err());
            prop_assert!(cell.admit(pace, wait, cost).is_ok());
        }
    }
}
