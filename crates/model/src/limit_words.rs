//! Limits as sentences, for pages and messages.

use crate::limit::{Limit, LimitKind, LimitUnit, ResetKind, Window, WindowUnit};

impl Window {
    /// "a minute", "30 seconds".
    #[must_use]
    pub fn in_words(self) -> String {
        let (one, many) = match self.unit() {
            WindowUnit::Second => ("a second", "seconds"),
            WindowUnit::Minute => ("a minute", "minutes"),
            WindowUnit::Hour => ("an hour", "hours"),
            WindowUnit::Day => ("a day", "days"),
            WindowUnit::Week => ("a week", "weeks"),
            WindowUnit::Month => ("a month", "months"),
        };
        if self.count() == 1 {
            one.to_owned()
        } else {
            format!("{} {many}", self.count())
        }
    }
}

impl Limit {
    /// "60 calls a minute, 10 at once", "10,000 calls a month, starting anew with each calendar month (UTC)".
    #[must_use]
    pub fn in_words(&self) -> String {
        let LimitUnit::Requests = self.unit;
        let calls = if self.amount == 1 { "call" } else { "calls" };
        let amount = grouped(self.amount);
        let per = if self.window.count() == 1 {
            self.window.in_words()
        } else {
            format!("every {}", self.window.in_words())
        };
        let mut text = format!("{amount} {calls} {per}");
        match self.kind {
            LimitKind::Rate => {
                if let Some(burst) = self.burst.filter(|burst| *burst != self.amount) {
                    text.push_str(&format!(", {} at once", grouped(burst)));
                }
            }
            LimitKind::Quota => match self.reset {
                ResetKind::Calendar => text.push_str(&format!(", counted by the calendar ({})", self.zone)),
                ResetKind::Rolling => text.push_str(", counted over a rolling window"),
            },
        }
        text
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_amounts_read_as_people_say_them() {
        let words = |text: &str| text.parse::<Window>().unwrap().in_words();
        assert_eq!(words("1m"), "a minute");
        assert_eq!(words("30s"), "30 seconds");
        assert_eq!(words("1mo"), "a month");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
