//! The registry of metrics and its text form.

use prometheus_client::encoding::text;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// What every metric of ours begins with.
const PREFIX: &str = "gatewright";

/// Histogram bounds for durations of calls, in seconds.
pub const DURATION_BUCKETS_SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// The content type of [`exposition`]: OpenMetrics 1.0, which Prometheus reads.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A registry with `gatewright_build_info` in it. Name metrics after what they
/// count, with the unit last; labels are bounded words, never ids of callers,
/// paths or anything else that a caller chooses.
#[must_use]
pub fn registry(version: &'static str) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    let build = Info::new(vec![("version", version)]);
    registry.register("build", "The running build", build);
    registry
}

/// The text that `/metrics` answers with.
///
/// # Errors
/// When a collector of ours cannot write its samples.
pub fn exposition(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    text::encode(&mut page, registry)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn the_page_holds_the_build_and_what_was_registered() {
        let mut registry = registry("1.2.3");
        let calls: Counter = Counter::default();
        registry.register("calls", "Calls", calls.clone());
        calls.inc_by(3);
        let page = exposition(&registry).unwrap();
        assert!(
            page.contains("gatewright_build_info{version=\"1.2.3\"} 1"),
            "{page}"
        );
        assert!(page.contains("gatewright_calls_total 3"), "{page}");
        assert!(page.ends_with("# EOF\n"));
    }
}
