//! One timer for all that a connection waits for. It is set anew only when it
//! would fire too late, so that a busy connection does not touch it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

/// The timer.
#[derive(Debug, Default)]
pub(crate) struct Watchdog(Option<Pin<Box<Sleep>>>);

impl Watchdog {
    /// Ends at `deadline`, which may be another one each time.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, deadline: std::time::Instant) -> Poll<()> {
        let deadline = Instant::from_std(deadline);
        let timer = self
            .0
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            // It was set for something that came in time.
            timer.as_mut().reset(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_fires_at_the_deadline_of_the_moment() {
        let began = std::time::Instant::now();
        let at = |millis: u64| began + Duration::from_millis(millis);
        let mut watchdog = Watchdog::default();
        let polled = futures_util::poll!(std::future::poll_fn(|cx| watchdog.poll(cx, at(60_000))));
        assert!(polled.is_pending());
        for deadline in [30, 90] {
            std::future::poll_fn(|cx| watchdog.poll(cx, at(deadline))).await;
            assert!(std::time::Instant::now() >= at(deadline));
        }
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
