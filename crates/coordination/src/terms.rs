//! Which period a counter is in, and for how long a lease on it may be spent.
//! Pure arithmetic on the authority's time, the same for every authority.

use std::time::Duration;

use gatewright_model::limit::{LimitKind, ResetKind};
use gatewright_model::time::Timestamp;

use crate::authority::LimitSpec;

/// How long the holder may spend the permits of a calendar quota.
const QUOTA_USABLE: Duration = Duration::from_secs(9);
/// The holder stops this long before the authority writes a lease off, so that
/// neither clocks that run unequally nor a slow answer make it late.
const GUARD: Duration = Duration::from_secs(1);
/// The longest life of a rate's permits; they die with it.
const RATE_USABLE: Duration = Duration::from_millis(250);
/// A rolling window is counted in this many buckets.
const BUCKETS: u64 = 60;
/// Below this a lease would end on its way.
const ROLLING_USABLE_MIN: u64 = 20;

/// How a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Shape {
    /// A quota that starts anew with the calendar.
    Calendar,
    /// A quota over the last window.
    Rolling,
    /// A rate.
    Rate,
}

impl Shape {
    /// How the limit counts.
    #[must_use]
    pub fn of(spec: &LimitSpec) -> Self {
        match (spec.kind, spec.reset) {
            (LimitKind::Rate, _) => Self::Rate,
            (LimitKind::Quota, ResetKind::Calendar) => Self::Calendar,
            (LimitKind::Quota, ResetKind::Rolling) => Self::Rolling,
        }
    }
}

/// The terms under which permits are granted at one moment. Times are
/// milliseconds since the epoch, lengths are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How the counter counts.
    pub shape: Shape,
    /// The nominal length of the window.
    pub window: i64,
    /// First millisecond of the calendar period; zero for other shapes.
    pub start: i64,
    /// First millisecond after it; zero for other shapes.
    pub end: i64,
    /// The length of a bucket of a rolling window; zero for other shapes.
    pub bucket: i64,
    /// How long the permits may be spent.
    pub usable: i64,
    /// When the lease is written off.
    pub lease: i64,
}

impl Terms {
    /// The terms at the authority's `now`.
    ///
    /// - Calendar: the period that holds `now`. The holder also stops at its end.
    /// - Rolling: permits are counted in the bucket in which they may be spent
    ///   last, so that no use leaves the window before its time; short lives keep
    ///   what this costs at about a bucket.
    /// - Rate: a permit can be spent that much later than it was granted, which
    ///   lets a window hold the rate's share of that time too many. A hundredth of
    ///   window plus burst keeps that at 1 % of limit plus burst (security, R19).
    #[must_use]
    pub fn at(spec: &LimitSpec, now: Timestamp) -> Self {
        let window = spec.window.duration();
        let plain = Self {
            shape: Shape::of(spec),
            window: millis(window),
            start: 0,
            end: 0,
            bucket: 0,
            usable: 0,
            lease: 0,
        };
        match plain.shape {
            Shape::Calendar => {
                let period = spec.window.period_at(now, &spec.zone);
                Self {
                    start: period.start.as_millis(),
                    end: period.end.as_millis(),
                    usable: millis(QUOTA_USABLE),
                    lease: millis(QUOTA_USABLE + GUARD),
                    ..plain
                }
            }
            Shape::Rolling => {
                let bucket = plain.window.unsigned_abs().div_ceil(BUCKETS).max(1);
                let usable = bucket.clamp(
                    ROLLING_USABLE_MIN,
                    QUOTA_USABLE.as_millis().try_into().unwrap_or(u64::MAX),
                );
                let usable = Duration::from_millis(usable);
                Self {
                    bucket: bucket.cast_signed(),
                    usable: millis(usable),
                    lease: millis(usable + GUARD),
                    ..plain
                }
            }
            Shape::Rate => {
                let full = window.as_nanos() * u128::from(spec.burst) / u128::from(spec.amount.max(1));
                let slack = (window.as_nanos() + full) / 100 / 1_000_000;
                let usable = u64::try_from(slack).unwrap_or(u64::MAX).max(1);
                let usable = millis(Duration::from_millis(usable).min(RATE_USABLE));
                Self {
                    usable,
                    lease: usable,
                    ..plain
                }
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    pub(crate) fn quota(amount: u64, window: &str, reset: ResetKind) -> LimitSpec {
        LimitSpec {
            kind: LimitKind::Quota,
            amount,
            window: window.parse().unwrap(),
            burst: amount,
            reset,
            zone: TimeZone::UTC,
        }
    }

    pub(crate) fn rate(amount: u64, window: &str, burst: u64) -> LimitSpec {
        LimitSpec {
            kind: LimitKind::Rate,
            burst,
            ..quota(amount, window, ResetKind::Calendar)
        }
    }

    #[test]
    fn permits_of_a_rate_live_for_one_percent_at_most() {
        let usable = |spec| Terms::at(&spec, Timestamp::from_millis(0)).usable;
        assert_eq!(usable(rate(100, "1s", 100)), 20);
        assert_eq!(usable(rate(100, "1s", 1)), 10);
        assert_eq!(usable(rate(10, "1m", 10)), 250);
        assert_eq!(usable(rate(1, "1d", 1)), 250);
    }

    #[test]
    fn quotas_keep_a_second_between_the_last_use_and_the_write_off() {
        for reset in [ResetKind::Calendar, ResetKind::Rolling] {
            for window in ["1s", "1m", "1h", "1d"] {
                let terms = Terms::at(
                    &quota(10, window, reset),
                    Timestamp::from_millis(1_764_000_000_000),
                );
                assert_eq!(terms.lease - terms.usable, 1_000, "{window}");
                assert!(terms.usable >= 20);
            }
        }
    }
}
