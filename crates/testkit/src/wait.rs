//! Waiting for a condition, never for a time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` until it gives a value.
///
/// # Panics
/// When `within` has passed without one; `what` says what was awaited.
pub async fn eventually<T, F, R>(within: Duration, what: &str, mut probe: F) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same for conditions that need no runtime.
///
/// # Panics
/// When `within` has passed without a value.
pub fn eventually_blocking<T>(within: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Notices how long this machine lets nobody go on. A bound on what somebody
/// does in a time is then a bound on the time that they had.
#[derive(Debug)]
pub struct Standstill {
    lost: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Standstill {
    /// Late by less is what any thread is on a machine that has much to do.
    const NOTICED: Duration = Duration::from_millis(100);

    /// Watches from now on.
    #[must_use]
    pub fn watch() -> Self {
        let (lost, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (sum, stopped) = (Arc::clone(&lost), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let since = Instant::now();
                std::thread::sleep(PAUSE);
                let late = since.elapsed().saturating_sub(PAUSE);
                if late > Self::NOTICED {
                    let late = late.as_millis().try_into().unwrap_or(u64::MAX);
                    sum.fetch_add(late, Ordering::Relaxed);
                }
            }
        });
        Self { lost, stop }
    }

    /// How long in all.
    #[must_use]
    pub fn lost(&self) -> Duration {
        Duration::from_millis(self.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
