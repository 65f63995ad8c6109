//! Time as the whole product sees it: UTC milliseconds. Both databases hold
//! the number, the wire holds RFC 3339.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::invalid::Invalid;

/// Nanoseconds: what times are read with.
const MOST_FRACTION_DIGITS: usize = 9;

/// A point in time, in milliseconds since the Unix epoch.
///
/// It is truncated to milliseconds from the start, so that a value that went
/// through a database equals the one that was written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This time plus a duration; saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// This time minus a duration; saturates at the beginning of time.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant in jiff's terms. Values outside of jiff's range are clamped.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// The date format of HTTP headers (RFC 9110, section 5.6.7).
    #[must_use]
    pub fn to_http_date(self) -> String {
        self.to_jiff().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(value: jiff::Timestamp) -> Self {
        Self(value.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse::<jiff::Timestamp>()
            .map(Self::from)
            .map_err(|_| why_no_time(text))
    }
}

/// Tells what RFC 3339 allows and we do not from what is no time at all.
fn why_no_time(text: &str) -> Invalid {
    let is_time = |text: &str| text.parse::<jiff::Timestamp>().is_ok();
    // 2000 has every day that any year has.
    let other_year = text.get(4..).map(|rest| ["2000", rest].concat());
    if other_year.is_some_and(|text| is_time(&text)) {
        let rule = "must lie before 9999-12-30T22:00:00Z";
        return Invalid::new("time_out_of_range", rule);
    }
    let digits = text.split_once('.').map_or("", |(_, fraction)| {
        let end = fraction.find(|c: char| !c.is_ascii_digit());
        fraction.get(..end.unwrap_or(fraction.len())).unwrap_or_default()
    });
    if digits.len() > MOST_FRACTION_DIGITS && is_time(&text.replacen(digits, "0", 1)) {
        let rule = "must have at most nine digits after the point; milliseconds are kept";
        return Invalid::new("time_too_fine", rule);
    }
    Invalid::new(
        "invalid_time",
        "must be a time as in RFC 3339, for example 2027-01-31T00:00:00Z",
    )
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0)
        }
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// Where the current time comes from. Tests bring their own.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from(jiff::Timestamp::now())
    }
}

/// Where random bytes come from. Tests bring their own.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills the slice with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness by way of a thread-local generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system's randomness"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        rand::Rng::fill_bytes(&mut rand::rng(), bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_milliseconds_and_reads_offsets() {
        let time: Timestamp = "2026-11-21T10:00:00.1234+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T08:00:00.123Z");
        assert_eq!(time.to_http_date(), "Sat, 21 Nov 2026 08:00:00 GMT");
        assert_eq!(
            serde_json::to_string(&time).unwrap(),
            "\"2026-11-21T08:00:00.123Z\""
        );
    }

    #[test]
    fn arithmetic_never_wraps() {
        let end = Timestamp::from_millis(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::default().since(end), Duration::ZERO);
    }
}
