//! How values are written on pages. Templates use them as `{{ at|when }}`.

#![expect(
    unreachable_pub,
    reason = "the attribute of askama makes public items inside of functions"
)]

use std::fmt::Display;

use askama::filters::Safe;
use askama::{Result, Values};
use gatewright_model::time::Timestamp;
use jiff::tz::TimeZone;

/// A time behind however many references a template has put before it.
pub(crate) trait Moment {
    /// The time.
    fn moment(&self) -> Timestamp;
}

impl Moment for Timestamp {
    fn moment(&self) -> Timestamp {
        *self
    }
}

impl<T: Moment + ?Sized> Moment for &T {
    fn moment(&self) -> Timestamp {
        (**self).moment()
    }
}

/// A point in time, for people and for machines.
#[askama::filter_fn]
pub(crate) fn when(at: impl Moment, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(element(at.moment(), "%-d %b %Y, %H:%M UTC")))
}

/// A time of today, to the second.
#[askama::filter_fn]
pub(crate) fn clock(at: impl Moment, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(element(at.moment(), "%H:%M:%S UTC")))
}

/// A point in time to the second, where the order of events matters.
#[askama::filter_fn]
pub(crate) fn second(at: impl Moment, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(element(at.moment(), "%-d %b %Y, %H:%M:%S UTC")))
}

/// A day.
#[askama::filter_fn]
pub(crate) fn date(at: impl Moment, _: &dyn Values) -> Result<Safe<String>> {
    Ok(Safe(element(at.moment(), "%-d %b %Y")))
}

fn element(at: Timestamp, format: &str) -> String {
    let zoned = at.to_jiff().to_zoned(TimeZone::UTC);
    let exact = zoned.strftime("%Y-%m-%d %H:%M:%S UTC");
    let shown = zoned.strftime(format);
    format!("<time datetime=\"{at}\" title=\"{exact}\">{shown}</time>")
}

/// A whole number with separators: 12,345.
#[askama::filter_fn]
pub(crate) fn count(number: impl Display, _: &dyn Values) -> Result<String> {
    Ok(grouped(&number.to_string()))
}

/// So many calls: 1 call, 12,345 calls.
#[askama::filter_fn]
pub(crate) fn calls(number: impl Display, _: &dyn Values) -> Result<String> {
    let digits = number.to_string();
    let noun = if digits == "1" { "call" } else { "calls" };
    Ok([&grouped(&digits), " ", noun].concat())
}

/// Bytes with a unit: 1.2 MB.
#[askama::filter_fn]
pub(crate) fn bytes(number: impl Display, _: &dyn Values) -> Result<String> {
    Ok(with_unit(number.to_string().parse().unwrap_or(0.0)))
}

/// Milliseconds: 0.4 ms, 12 ms, 1.3 s.
#[askama::filter_fn]
pub(crate) fn ms(number: impl Display, _: &dyn Values) -> Result<String> {
    Ok(duration(number.to_string().parse().unwrap_or(0.0)))
}

/// A share between 0 and 1 as per cent.
#[askama::filter_fn]
pub(crate) fn percent(share: impl Display, _: &dyn Values) -> Result<String> {
    let share: f64 = share.to_string().parse().unwrap_or(0.0);
    let hundredths = share * 100.0;
    Ok(if hundredths > 0.0 && hundredths < 10.0 {
        format!("{hundredths:.1} %")
    } else {
        format!("{hundredths:.0} %")
    })
}

/// A word of the wire as people read it: `in_review` is "in review".
#[askama::filter_fn]
pub(crate) fn word(word: impl Display, _: &dyn Values) -> Result<String> {
    Ok(word.to_string().replace('_', " "))
}

pub(crate) fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn with_unit(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes;
    let mut unit = "B";
    for name in units {
        unit = name;
        if value < 1000.0 {
            break;
        }
        if name != "TB" {
            value /= 1000.0;
        }
    }
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}

pub(crate) fn duration(milliseconds: f64) -> String {
    if milliseconds >= 1000.0 {
        format!("{:.1} s", milliseconds / 1000.0)
    } else if milliseconds >= 10.0 || milliseconds == 0.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{milliseconds:.1} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(grouped("0"), "0");
        assert_eq!(grouped("1234567"), "1,234,567");
        assert_eq!(grouped("-12345"), "-12,345");
        assert_eq!(with_unit(512.0), "512 B");
        assert_eq!(with_unit(1_250_000.0), "1.2 MB");
        assert_eq!(duration(0.42), "0.4 ms");
        assert_eq!(duration(1250.0), "1.2 s");
    }

    #[test]
    fn a_time_is_exact_for_machines() {
        let at: Timestamp = "2026-11-21T12:00:05Z".parse().unwrap();
        let text = element(at, "%-d %b %Y, %H:%M UTC");
        assert_eq!(
            text,
            "<time datetime=\"2026-11-21T12:00:05.000Z\" title=\"2026-11-21 12:00:05 UTC\">21 Nov 2026, 12:00 UTC</time>"
        );
    }
}
