//! How long a job waits after it failed, and how far apart workers stay.

use std::time::Duration;

use gatewright_model::time::Entropy;

/// The longest wait after failures.
const LONGEST: Duration = Duration::from_secs(300);

/// The wait before the next run of a job that has failed so many times in a
/// row: its own interval, doubled for each failure, at most five minutes
/// unless the interval itself is longer.
pub(crate) fn wait(every: Duration, failures: u32) -> Duration {
    let doubled = every.saturating_mul(2_u32.saturating_pow(failures.min(16)));
    doubled.min(LONGEST.max(every))
}

/// Takes up to an eighth off, so that workers that started together drift apart.
pub(crate) fn jittered(wait: Duration, entropy: &dyn Entropy) -> Duration {
    let mut random = [0];
    entropy.fill(&mut random);
    wait.saturating_sub(wait / 8 * u32::from(random[0]) / 255)
}

#[cfg(test)]
mod tests {
    use gatewright_model::time::SystemEntropy;

    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let second = Duration::from_secs(1);
        assert_eq!(wait(second, 0), second);
        assert_eq!(wait(second, 3), Duration::from_secs(8));
        assert_eq!(wait(second, u32::MAX), LONGEST);
        let hour = Duration::from_secs(3_600);
        assert_eq!(wait(hour, 5), hour);
    }

    #[test]
    fn jitter_only_shortens_and_only_a_little() {
        let minute = Duration::from_secs(60);
        for _ in 0..1_000 {
            let jittered = jittered(minute, &SystemEntropy);
            assert!(jittered <= minute && jittered >= minute * 7 / 8, "{jittered:?}");
        }
    }
}
