//! The `Date` of answers, written once a second.

use std::cell::RefCell;

use gatewright_model::time::Timestamp;

/// The text of the second that was asked for last.
#[derive(Debug, Default)]
pub(crate) struct Dates(RefCell<Option<(i64, String)>>);

impl Dates {
    /// Shows the text of a time (RFC 9110, section 5.6.7).
    pub(crate) fn with<T>(&self, now: Timestamp, look: impl FnOnce(&str) -> T) -> T {
        let second = now.as_seconds();
        let mut known = self.0.borrow_mut();
        let (_, text) = match known.take() {
            Some(same) if same.0 == second => known.insert(same),
            _ => known.insert((second, now.to_http_date())),
        };
        look(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_text() {
        let dates = Dates::default();
        let at = |millis: i64| dates.with(Timestamp::from_millis(millis), str::to_owned);
        assert_eq!(at(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_777_999), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_778_000), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
