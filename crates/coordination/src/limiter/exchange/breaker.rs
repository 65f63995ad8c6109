//! When the authority counts as away (security, R3): open at most 250 ms after
//! the first failure, then asked again now and then.

use crate::gcra::Nanos;

const MILLI: Nanos = 1_000_000;
/// Failures may go on for so long. With a call and a pause more it is below 250 ms.
const PATIENCE: Nanos = 150 * MILLI;
/// Between two attempts before that, and after.
const RETRY: Nanos = 10 * MILLI;
const PROBE: Nanos = 250 * MILLI;

/// Remembers since when calls fail.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failing: Option<Failing>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Nanos,
    open: bool,
    ask_at: Nanos,
}

impl Breaker {
    /// Whether a call may be made now.
    pub(super) fn may_ask(&self, now: Nanos) -> bool {
        now >= self.ask_at()
    }

    /// When the next call may be made; zero when nothing fails.
    pub(super) fn ask_at(&self) -> Nanos {
        self.failing.map_or(0, |failing| failing.ask_at)
    }

    pub(super) fn is_open(&self) -> bool {
        self.failing.is_some_and(|failing| failing.open)
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// A call failed; says when the next one may be made.
    pub(super) fn failed(&mut self, now: Nanos) -> Nanos {
        let since = self.failing.map_or(now, |failing| failing.since);
        let open = now - since >= PATIENCE;
        let ask_at = now + if open { PROBE } else { RETRY };
        self.failing = Some(Failing { since, open, ask_at });
        ask_at
    }

    /// A call succeeded; says whether the authority had counted as away.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failing.take().is_some_and(|failing| failing.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_within_a_quarter_of_a_second_and_probes() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        while !breaker.is_open() {
            assert!(breaker.may_ask(now));
            // Every call takes its whole budget.
            now += 20 * MILLI;
            now = breaker.failed(now);
        }
        let opened = now - PROBE;
        assert!(opened - 20 * MILLI <= 250 * MILLI, "{opened}");
        assert!(!breaker.may_ask(now - 1));
        assert!(breaker.may_ask(now));
        assert!(breaker.succeeded());
        assert!(breaker.may_ask(0));
        assert!(!breaker.succeeded());
    }

    #[test]
    fn one_failure_is_not_an_outage() {
        let mut breaker = Breaker::default();
        breaker.failed(5);
        assert!(!breaker.is_open());
        assert!(!breaker.succeeded());
    }
}
