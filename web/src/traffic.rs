//! Usage figures as pages show them: totals, and charts without holes.

use std::collections::BTreeMap;

use gatewright_control::usage::UsageRow;
use gatewright_model::time::Timestamp;

use crate::chart::{Chart, Kind, Tone, Unit};
use crate::range::Range;

/// The figures of one stretch of time.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    /// All calls.
    pub(crate) requests: u64,
    /// Those that were made up for the demo.
    pub(crate) sample: u64,
    /// Those with a status of 400 or above.
    pub(crate) errors: u64,
    /// Bytes of request and answer bodies.
    pub(crate) bytes: u64,
    /// The highest 95th percentile of any bucket, in milliseconds.
    pub(crate) p95_ms: Option<f64>,
    /// Calls in each bucket, for a sparkline: without the one that goes on as long as
    /// it has fewer calls than the one before, which would look like a fall.
    pub(crate) by_bucket: Vec<f64>,
    /// Calls and errors over time.
    pub(crate) calls: Chart,
    /// Latency over time.
    pub(crate) latency: Chart,
}

impl Traffic {
    /// Adds up rows that were asked for with [`Range::query`], ungrouped.
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of calls are far below 2^53, and charts are drawn in pixels"
    )]
    pub(crate) fn of(range: &Range, rows: &[UsageRow]) -> Self {
        let buckets = range.buckets();
        let known: BTreeMap<Timestamp, &UsageRow> = rows.iter().map(|row| (row.bucket, row)).collect();
        let each = |read: &dyn Fn(&UsageRow) -> f64| -> Vec<f64> {
            buckets
                .iter()
                .map(|bucket| known.get(bucket).map_or(0.0, |row| read(row)))
                .collect()
        };
        let good = each(&|row| row.requests.saturating_sub(row.errors) as f64);
        let bad = each(&|row| row.errors as f64);
        // No call took no time: a bucket without calls is a gap in the line, not a zero.
        let latency = |read: &dyn Fn(&UsageRow) -> Option<f64>| -> Vec<f64> {
            buckets
                .iter()
                .map(|bucket| known.get(bucket).and_then(|row| read(row)).unwrap_or(f64::NAN))
                .collect()
        };
        Self {
            requests: rows.iter().map(|row| row.requests).sum(),
            sample: rows.iter().map(|row| row.sample).sum(),
            errors: rows.iter().map(|row| row.errors).sum(),
            bytes: rows.iter().map(|row| row.bytes_in + row.bytes_out).sum(),
            p95_ms: rows.iter().filter_map(|row| row.p95_ms).reduce(f64::max),
            by_bucket: settled(each(&|row| row.requests as f64)),
            calls: Chart::new("Calls", Kind::StackedArea)
                .times(buckets.iter().copied())
                .series("answered", Tone::Accent, good)
                .series("errors", Tone::Danger, bad)
                .partial_last(true),
            latency: Chart::new("Latency", Kind::Line)
                .times(buckets.iter().copied())
                .series("half of the calls", Tone::Accent, latency(&|row| row.p50_ms))
                .series("95 %", Tone::Warn, latency(&|row| row.p95_ms))
                .unit(Unit::Millis)
                .partial_last(true),
        }
    }

    /// Whether anything was called.
    pub(crate) fn is_empty(&self) -> bool {
        self.requests == 0
    }

    /// The share of calls that failed.
    pub(crate) fn error_share(&self) -> f64 {
        share(&self.errors, &self.requests)
    }
}

/// Without the last bucket, while it is not over and below the one before.
fn settled(mut values: Vec<f64>) -> Vec<f64> {
    if matches!(values.as_slice(), [.., before, running] if running < before) {
        values.pop();
    }
    values
}

/// The share that a part is of all; of nothing it is none.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of calls are far below 2^53, and a share is shown with one digit"
)]
pub(crate) fn share(part: &u64, all: &u64) -> f64 {
    if *all == 0 {
        0.0
    } else {
        *part as f64 / *all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Span;

    #[test]
    fn buckets_without_calls_are_zero_and_totals_add_up() {
        let now: Timestamp = "2026-11-21T12:34:56Z".parse().unwrap();
        let range = Range::last(Span::Day, now);
        let row = UsageRow {
            bucket: range.buckets()[3],
            group: None,
            requests: 10,
            sample: 7,
            errors: 4,
            bytes_in: 1,
            bytes_out: 2,
            p50_ms: Some(1.0),
            p95_ms: Some(9.0),
            p99_ms: None,
        };
        let traffic = Traffic::of(&range, &[row]);
        assert_eq!((traffic.requests, traffic.errors, traffic.bytes), (10, 4, 3));
        assert_eq!(traffic.sample, 7);
        assert_eq!(traffic.by_bucket.iter().sum::<f64>(), 10.0);
        assert_eq!(traffic.by_bucket.len(), range.buckets().len());
        assert_eq!(settled(vec![3.0, 8.0, 2.0]), [3.0, 8.0]);
        assert_eq!(settled(vec![3.0, 8.0, 9.0]), [3.0, 8.0, 9.0]);
        assert!((traffic.error_share() - 0.4).abs() < 1e-9);
        assert!(!traffic.is_empty());
        let latency = traffic.latency.figure().to_string();
        assert!(
            latency.contains("9.0 ms") && latency.contains("95 % none"),
            "{latency}"
        );
        assert!(!latency.contains("<td class=\"num\">0 ms"), "{latency}");
    }
}
