//! What the data plane counts. Plain relaxed atomics: workers write, the status
//! listener reads. Each worker has its own [`WorkerMetrics`], so that no two
//! cores write the same cache line for every request.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `by`.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes both ways.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds `by`, which may be negative.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker counts. Aligned to two cache lines against false sharing.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerMetrics {
    /// Answered requests by class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub requests: [Counter; 5],
    /// Requests that the gateway answered itself.
    pub refused: Counter,
    /// Requests whose client left before the answer.
    pub abandoned: Counter,
    /// Requests that are being served.
    pub in_flight: Gauge,
    /// Client connections that are open.
    pub connections: Gauge,
    /// Client connections ever accepted.
    pub accepted: Counter,
    /// Requests that were refused by their head alone.
    pub heads_refused: Counter,
    /// Clients that were too slow with a head, or with taking an answer.
    pub slow_clients: Counter,
    /// HTTP/2 connections that were ended because of a flood of frames.
    pub floods: Counter,
    /// Idle connections that were closed because memory was scarce.
    pub made_room: Counter,
    /// Bytes that client connections hold in buffers.
    pub buffered: Gauge,
    /// Connections that were made to upstreams.
    pub upstream_connects: Counter,
    /// Calls that went over a kept connection.
    pub upstream_reuses: Counter,
    /// Calls to upstreams that failed before an answer.
    pub upstream_failures: Counter,
    /// Bytes of request bodies.
    pub bytes_in: Counter,
    /// Bytes of answer bodies.
    pub bytes_out: Counter,
}

impl WorkerMetrics {
    /// Counts one answered request.
    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.requests.get(class) {
            counter.add(1);
        }
    }
}

/// Everything that the workers of this process count. Lost records are counted
/// by the [`Recorder`](crate::record::Recorder), the configuration that serves is known to the
/// [`Runtime`](crate::runtime::Runtime).
#[derive(Debug, Default)]
pub struct Metrics {
    /// One entry for each worker thread.
    pub workers: Vec<Arc<WorkerMetrics>>,
    /// Connections that were closed at once because a cap was reached.
    pub connections_refused: Counter,
}

impl Metrics {
    /// Metrics for this many workers.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Arc::default()).collect(),
            ..Self::default()
        }
    }

    /// The sum of one counter over all workers.
    pub fn sum(&self, counter: impl Fn(&WorkerMetrics) -> u64) -> u64 {
        self.workers.iter().map(|worker| counter(worker)).sum()
    }

    /// The sum of one gauge over all workers.
    pub fn level(&self, gauge: impl Fn(&WorkerMetrics) -> i64) -> i64 {
        self.workers.iter().map(|worker| gauge(worker)).sum()
    }
}
