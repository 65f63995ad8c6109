//! What the process counts, as samples. The counters live where they are
//! counted; this reads them when somebody asks.

use std::fmt;

use gatewright_gateway::metrics::WorkerMetrics;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::status::{GatewayView, StoreWatch};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A name, a sentence, and where the number is counted.
type Counted = (&'static str, &'static str, fn(&WorkerMetrics) -> u64);

const WORKER_COUNTERS: [Counted; 12] = [
    (
        "requests_refused",
        "Requests that the gateway answered itself",
        |worker| worker.refused.get(),
    ),
    (
        "requests_abandoned",
        "Requests whose client left before the answer",
        |worker| worker.abandoned.get(),
    ),
    (
        "connections_accepted",
        "Client connections ever accepted",
        |worker| worker.accepted.get(),
    ),
    (
        "requests_heads_refused",
        "Requests refused by their head alone",
        |worker| worker.heads_refused.get(),
    ),
    (
        "clients_slow",
        "Clients too slow with a head, or with taking an answer",
        |worker| worker.slow_clients.get(),
    ),
    (
        "connections_flooded",
        "HTTP/2 connections ended because of a flood of frames",
        |worker| worker.floods.get(),
    ),
    (
        "connections_made_room",
        "Idle connections closed because memory was scarce",
        |worker| worker.made_room.get(),
    ),
    ("upstream_connects", "Connections made to upstreams", |worker| {
        worker.upstream_connects.get()
    }),
    (
        "upstream_reuses",
        "Calls over a kept connection to an upstream",
        |worker| worker.upstream_reuses.get(),
    ),
    (
        "upstream_failures",
        "Calls to upstreams that failed before an answer",
        |worker| worker.upstream_failures.get(),
    ),
    ("request_bytes", "Bytes of request bodies", |worker| {
        worker.bytes_in.get()
    }),
    ("response_bytes", "Bytes of answer bodies", |worker| {
        worker.bytes_out.get()
    }),
];

/// The samples of this process.
#[derive(Debug)]
pub(crate) struct Figures {
    gateway: Option<GatewayView>,
    store: StoreWatch,
}

impl Figures {
    /// Samples of these parts.
    pub(crate) fn new(gateway: Option<GatewayView>, store: StoreWatch) -> Self {
        Self { gateway, store }
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let out = &mut encoder;
        gauge(
            out,
            "store_up",
            "Whether the store answered the last time",
            i64::from(self.store.is_up()),
        )?;
        gauge(
            out,
            "change_head",
            "The newest change that was seen in the store",
            self.store.head(),
        )?;
        let Some(gateway) = &self.gateway else {
            return Ok(());
        };
        traffic(out, gateway)?;
        configuration(out, gateway, self.store.head())?;
        limits(out, gateway)
    }
}

fn traffic(out: &mut DescriptorEncoder<'_>, gateway: &GatewayView) -> Result<(), fmt::Error> {
    let metrics = &gateway.metrics;
    let mut requests = out.encode_descriptor(
        "requests",
        "Answered requests by class of status",
        None,
        MetricType::Counter,
    )?;
    for (index, class) in CLASSES.into_iter().enumerate() {
        let count = metrics.sum(|worker| {
            worker
                .requests
                .get(index)
                .map_or(0, gatewright_gateway::metrics::Counter::get)
        });
        let labels = [("class", class)];
        ConstCounter::new(count).encode(requests.encode_family(&labels)?)?;
    }
    for (name, help, read) in WORKER_COUNTERS {
        counter(out, name, help, metrics.sum(read))?;
    }
    gauge(
        out,
        "requests_in_flight",
        "Requests being served",
        metrics.level(|worker| worker.in_flight.get()),
    )?;
    gauge(
        out,
        "connections",
        "Open client connections",
        metrics.level(|worker| worker.connections.get()),
    )?;
    gauge(
        out,
        "connection_bytes",
        "Bytes that client connections hold in buffers",
        metrics.level(|worker| worker.buffered.get()),
    )?;
    let refused = metrics.connections_refused.get();
    counter(
        out,
        "connections_refused",
        "Connections closed at once because a cap was reached",
        refused,
    )?;
    counter(
        out,
        "call_records_lost",
        "Calls that were not recorded",
        gateway.recorder.lost(),
    )
}

fn configuration(
    out: &mut DescriptorEncoder<'_>,
    gateway: &GatewayView,
    head: i64,
) -> Result<(), fmt::Error> {
    let snapshot = gateway.runtime.snapshot_seq().unwrap_or(0);
    let delta = gateway.runtime.subjects().applied();
    gauge(out, "snapshot_seq", "The configuration that serves", snapshot)?;
    gauge(
        out,
        "delta_seq",
        "The change up to which applications, subscriptions and keys are known",
        delta,
    )?;
    gauge(
        out,
        "changes_behind",
        "Changes in the store that this gateway does not know",
        (head - delta).max(0),
    )
}

fn limits(out: &mut DescriptorEncoder<'_>, gateway: &GatewayView) -> Result<(), fmt::Error> {
    let stats = gateway.limiter.stats();
    counter(
        out,
        "limit_unmetered",
        "Calls admitted while the limit authority was away",
        stats.unmetered,
    )?;
    let away = i64::from(stats.authority_away);
    gauge(
        out,
        "limit_authority_away",
        "Whether the limit authority does not answer",
        away,
    )?;
    let keys = i64::try_from(stats.keys).unwrap_or(i64::MAX);
    gauge(
        out,
        "limit_counters",
        "Counters of limits that are remembered here",
        keys,
    )
}

fn counter(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> Result<(), fmt::Error> {
    let counter = ConstCounter::new(value);
    counter.encode(out.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> Result<(), fmt::Error> {
    let gauge = ConstGauge::new(value);
    gauge.encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
