//! How the process runs: threads, drain, retention.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static WORKERS: Key = Key {
    name: "workers",
    section: "Running",
    kind: Kind::Integer("threads"),
    fallback: Fallback::Derived("the number of cores"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Threads of the gateway, 1 to 1024.",
};

pub(crate) static DRAIN_SECONDS: Key = Key {
    name: "drain-seconds",
    section: "Running",
    kind: Kind::Integer("seconds"),
    fallback: Fallback::Value("30"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "How long calls under way may take after SIGTERM, 0 to 3600 seconds.",
};

pub(crate) static CALL_RETENTION_DAYS: Key = Key {
    name: "call-retention-days",
    section: "Running",
    kind: Kind::Integer("days"),
    fallback: Fallback::Value("30"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "How long call records are kept, 1 to 3650 days.",
};

pub(crate) static USAGE_RETENTION_DAYS: Key = Key {
    name: "usage-retention-days",
    section: "Running",
    kind: Kind::Integer("days"),
    fallback: Fallback::Value("400"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "How long usage rollups are kept, 1 to 3650 days.",
};

pub(crate) static MUTE_NOTICES: Key = Key {
    name: "mute-notices",
    section: "Running",
    kind: Kind::Switch,
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::EnvironmentOnly,
    doc: "Send and hear no change notices, so that polling alone carries changes; for fault tests.",
};

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// How the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningConfig {
    /// Gateway threads.
    pub workers: NonZeroUsize,
    /// The bound on a graceful end.
    pub drain: Duration,
    /// What is kept how long.
    pub retention: RetentionConfig,
    /// Change notices are neither sent nor heard.
    pub mute_notices: bool,
}

/// What is kept how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Call records.
    pub calls: Duration,
    /// Usage rollups.
    pub usage: Duration,
}

impl RunningConfig {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let workers = if reader.is_given(&WORKERS) {
            let given = reader.read_integer(&WORKERS, 1..=1024);
            given
                .and_then(|workers| usize::try_from(workers).ok())
                .and_then(NonZeroUsize::new)
        } else {
            Some(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
        };
        let drain = reader.read_integer(&DRAIN_SECONDS, 0..=3600);
        let calls = reader.read_integer(&CALL_RETENTION_DAYS, 1..=3650);
        let usage = reader.read_integer(&USAGE_RETENTION_DAYS, 1..=3650);
        let mute_notices = reader.read_switch(&MUTE_NOTICES);
        Some(Self {
            workers: workers?,
            drain: Duration::from_secs(drain?.into()),
            retention: RetentionConfig {
                calls: days(calls?),
                usage: days(usage?),
            },
            mute_notices: mute_notices?,
        })
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * SECONDS_PER_DAY)
}
