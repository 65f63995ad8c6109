//! Limits of a plan: what is counted, over which time, and what happens at the end.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::id::LimitId;
use crate::invalid::Invalid;
use crate::text::Slug;
use crate::time::Timestamp;
use crate::words;

words! {
    /// How a limit counts. Kinds are added with the code that enforces them.
    LimitKind {
        /// Smooth: so many a window, with a burst (GCRA).
        Rate = "rate",
        /// A budget that is used up over the window.
        Quota = "quota",
    }
}

words! {
    /// What is counted.
    LimitUnit {
        /// Admitted calls.
        Requests = "requests",
    }
}

words! {
    /// Whose counter it is.
    Partition {
        /// One counter for each subscription.
        Subscription = "subscription",
        /// One counter for each application.
        Application = "application",
        /// One counter for each client address.
        Ip = "ip",
    }
}

words! {
    /// When a quota starts anew.
    ResetKind {
        /// With the clock and the calendar of a zone.
        Calendar = "calendar",
        /// Continuously: the last window counts.
        Rolling = "rolling",
    }
}

words! {
    /// What happens when nobody can say what is left.
    OnStoreFailure {
        /// Admit, and count what was admitted unmetered.
        Open = "open",
        /// Refuse.
        Closed = "closed",
        /// Admit this node's share of what was last known to be left.
        Local = "local",
    }
}

words! {
    /// What happens to a call above the limit.
    OnExceed {
        /// 429.
        Reject = "reject",
    }
}

/// The unit of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowUnit {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`
    Day,
    /// `w`, from Monday
    Week,
    /// `mo`
    Month,
}

impl WindowUnit {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Month => "mo",
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
            Self::Month => 30 * 86_400,
        }
    }
}

/// The time over which a limit counts: `30s`, `1m`, `1h`, `1d`, `1w`, `1mo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    count: u32,
    unit: WindowUnit,
}

impl Window {
    /// A window of so many units.
    ///
    /// # Errors
    /// When it is empty or longer than 366 days.
    pub fn new(count: u32, unit: WindowUnit) -> Result<Self, Invalid> {
        let window = Self { count, unit };
        if count == 0 || window.duration() > Duration::from_secs(366 * 86_400) {
            return Err(Self::invalid());
        }
        Ok(window)
    }

    /// How many units.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The unit.
    #[must_use]
    pub const fn unit(self) -> WindowUnit {
        self.unit
    }

    /// Its length; a month counts as 30 days where no calendar is asked.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(u64::from(self.count) * self.unit.seconds())
    }

    /// The calendar period around `now`: the clock hour, the local day, the week
    /// from Monday, the month. Windows of several units are aligned to the epoch
    /// for seconds, minutes and hours; longer ones are single (see [`Limit::check`]).
    #[must_use]
    pub fn period_at(self, now: Timestamp, zone: &TimeZone) -> Period {
        match self.unit {
            WindowUnit::Second | WindowUnit::Minute | WindowUnit::Hour => self.aligned(now, zone),
            WindowUnit::Day | WindowUnit::Week | WindowUnit::Month => self
                .civil(&now.to_jiff().to_zoned(zone.clone()))
                .unwrap_or_else(|| self.aligned(now, &TimeZone::UTC)),
        }
    }

    fn aligned(self, now: Timestamp, zone: &TimeZone) -> Period {
        let length = i64::try_from(self.duration().as_millis()).unwrap_or(i64::MAX);
        let offset = i64::from(zone.to_offset(now.to_jiff()).seconds()) * 1000;
        let start = now.as_millis() - (now.as_millis() + offset).rem_euclid(length);
        Period {
            start: Timestamp::from_millis(start),
            end: Timestamp::from_millis(start + length),
        }
    }

    fn civil(self, now: &Zoned) -> Option<Period> {
        let midnight = now.start_of_day().ok()?;
        let (start, step) = match self.unit {
            WindowUnit::Week => {
                let since_monday = i64::from(now.weekday().to_monday_zero_offset());
                (midnight.checked_sub(since_monday.days()).ok()?, 1.week())
            }
            WindowUnit::Month => (now.first_of_month().ok()?.start_of_day().ok()?, 1.month()),
            _ => (midnight, 1.day()),
        };
        let end = start.checked_add(step).ok()?;
        Some(Period {
            start: start.timestamp().into(),
            end: end.timestamp().into(),
        })
    }

    fn invalid() -> Invalid {
        Invalid::new(
            "invalid_window",
            "must be a number and a unit of s, m, h, d, w or mo, up to 366d, for example 1h",
        )
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit.suffix())
    }
}

impl FromStr for Window {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let split = text
            .find(|c: char| !c.is_ascii_digit())
            .ok_or_else(Self::invalid)?;
        let (count, unit) = text.split_at(split);
        let unit = [
            WindowUnit::Second,
            WindowUnit::Minute,
            WindowUnit::Hour,
            WindowUnit::Day,
            WindowUnit::Week,
            WindowUnit::Month,
        ]
        .into_iter()
        .find(|known| known.suffix() == unit)
        .ok_or_else(Self::invalid)?;
        Self::new(count.parse().map_err(|_| Self::invalid())?, unit)
    }
}

impl serde::Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A half-open stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first instant in it.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// One limit of a plan version.
///
/// Its id survives plan versions: a counter belongs to (limit, partition), so a
/// change of the amount keeps what was used (governance, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limit {
    /// Its id.
    pub id: LimitId,
    /// Its name in `RateLimit` headers; unique in the plan.
    pub name: Slug,
    /// How it counts.
    pub kind: LimitKind,
    /// What it counts.
    pub unit: LimitUnit,
    /// How many in a window, at least 1.
    pub amount: u64,
    /// Over which time.
    pub window: Window,
    /// How many at once, for a rate; `amount` when absent.
    pub burst: Option<u64>,
    /// When a quota starts anew.
    pub reset: ResetKind,
    /// The zone whose calendar counts, an IANA name.
    pub zone: String,
    /// Whose counter it is.
    pub partition: Partition,
    /// What happens above it.
    pub on_exceed: OnExceed,
    /// What happens when its authority is away.
    pub on_store_failure: OnStoreFailure,
}

impl Limit {
    /// The largest amount: leaves room for sums in 64-bit columns.
    pub const MAX_AMOUNT: u64 = 1_000_000_000_000;

    /// The zone, or UTC when the name is not known on this machine.
    #[must_use]
    pub fn time_zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// Checks what single fields cannot say.
    ///
    /// # Errors
    /// Names the rule that is broken.
    pub fn check(&self) -> Result<(), (&'static str, Invalid)> {
        if self.amount == 0 || self.amount > Self::MAX_AMOUNT {
            return Err((
                "/amount",
                Invalid::new("invalid_amount", "must be between 1 and 1,000,000,000,000"),
            ));
        }
        if self
            .burst
            .is_some_and(|burst| burst == 0 || burst > Self::MAX_AMOUNT)
        {
            return Err((
                "/burst",
                Invalid::new("invalid_burst", "must be between 1 and 1,000,000,000,000"),
            ));
        }
        if self.kind == LimitKind::Quota && self.burst.is_some() {
            return Err((
                "/burst",
                Invalid::new("burst_of_quota", "belongs to a rate; a quota has none"),
            ));
        }
        if self.kind == LimitKind::Rate && self.window.duration() > Duration::from_secs(86_400) {
            return Err((
                "/window",
                Invalid::new("rate_window", "of a rate must be at most 1d; use a quota beyond"),
            ));
        }
        if TimeZone::get(&self.zone).is_err() {
            return Err((
                "/zone",
                Invalid::new(
                    "unknown_zone",
                    "must be an IANA zone such as UTC or Europe/Berlin",
                ),
            ));
        }
        let single = matches!(
            self.window.unit,
            WindowUnit::Day | WindowUnit::Week | WindowUnit::Month
        );
        if self.kind == LimitKind::Quota
            && self.reset == ResetKind::Calendar
            && single
            && self.window.count != 1
        {
            let rule =
                "of a calendar quota must be a single day, week or month; use reset: rolling for several";
            return Err(("/window", Invalid::new("calendar_window", rule)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn period(window: &str, now: &str, zone: &str) -> (String, String) {
        let zone = TimeZone::get(zone).unwrap();
        let period = window.parse::<Window>().unwrap().period_at(at(now), &zone);
        (period.start.to_string(), period.end.to_string())
    }

    #[test]
    fn periods_follow_the_calendar_of_their_zone() {
        let expect = |start: &str, end: &str| (format!("{start}:00.000Z"), format!("{end}:00.000Z"));
        assert_eq!(
            period("1h", "2026-11-21T10:59:59Z", "UTC"),
            expect("2026-11-21T10:00", "2026-11-21T11:00")
        );
        assert_eq!(
            period("1d", "2026-11-21T23:30:00Z", "Europe/Berlin"),
            expect("2026-11-21T23:00", "2026-11-22T23:00")
        );
        assert_eq!(
            period("1w", "2026-11-21T10:00:00Z", "UTC"),
            expect("2026-11-16T00:00", "2026-11-23T00:00")
        );
        assert_eq!(
            period("1mo", "2026-02-10T10:00:00Z", "UTC"),
            expect("2026-02-01T00:00", "2026-03-01T00:00")
        );
        assert_eq!(
            period("1h", "2026-11-21T10:10:00Z", "Asia/Kolkata"),
            expect("2026-11-21T09:30", "2026-11-21T10:30")
        );
    }

    #[test]
    fn the_day_of_a_clock_change_has_another_length() {
        let (start, end) = period("1d", "2026-10-25T12:00:00Z", "Europe/Berlin");
        assert_eq!(at(&end).since(at(&start)), Duration::from_secs(25 * 3_600));
    }

    #[test]
    fn windows_are_read_strictly() {
        for text in ["30s", "1m", "1h", "1d", "1w", "1mo", "366d"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "s",
            "0s",
            "1",
            "1y",
            "-1h",
            "1.5h",
            "367d",
            "99999999999s",
            "1 h",
        ] {
            assert_eq!(
                text.parse::<Window>().unwrap_err().code,
                "invalid_window",
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn now_lies_in_its_period(now in 0_i64..4_102_444_800_000, window in 0_usize..6, zone in 0_usize..3) {
            let window: Window = ["30s", "15m", "1h", "1d", "1w", "1mo"][window].parse().unwrap();
            let zone = TimeZone::get(["UTC", "America/St_Johns", "Pacific/Apia"][zone]).unwrap();
            let period = window.period_at(Timestamp::from_millis(now), &zone);
            prop_assert!(period.start.as_millis() <= now && now < period.end.as_millis());
        }
    }
}
