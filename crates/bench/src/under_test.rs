//! The gateway as a process of its own: the same parts that the product puts
//! together, over a configuration that is made of numbers, with permits kept in
//! memory and records that are counted and dropped.

mod counters;
mod source;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::limiter::{Cluster, Limiter, LimiterSettings, Sources};
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_coordination::stored::StoredAuthority;
use gatewright_gateway::metrics::Metrics;
use gatewright_gateway::record::{BatchIds, Recorder};
use gatewright_gateway::runtime::{CallerKeys, Runtime};
use gatewright_gateway::server::{Doors, Gateway, Parts, Settings};
use gatewright_gateway::source::{Away, NodeReport, NodeStatus, RecordBatch, RecordSink};
use gatewright_gateway::sync::{Booted, ConfigSync, Ends};
use gatewright_model::console_token::ConsoleSigner;
use gatewright_model::id::NodeId;
use gatewright_model::time::{Clock, Entropy, SystemClock, SystemEntropy};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::workload::{Named, Scenario, Workload};
use counters::{CounterMap, Written};
use source::NumberedSource;

/// What stands before the address in the first line.
pub(crate) const READY: &str = "ready ";
/// How long calls under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// How the gateway under test runs.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What it has to do
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// Where every API leads
    #[arg(long)]
    upstream: Url,
    /// Worker threads
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Number of APIs
    #[arg(long)]
    apis: u32,
    /// Number of keys
    #[arg(long)]
    keys: u32,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Counts the records that it gets.
#[derive(Debug, Default)]
struct CountingSink(AtomicU64);

impl RecordSink for CountingSink {
    fn write<'a>(&'a self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<(), Away>> {
        let calls = u64::try_from(batch.calls.len()).unwrap_or(u64::MAX);
        self.0.fetch_add(calls, Ordering::Relaxed);
        async { Ok(()) }.boxed()
    }
}

/// Nobody asks how this node is.
#[derive(Debug)]
struct Unheard;

impl NodeReport for Unheard {
    fn report<'a>(&'a self, _status: &'a NodeStatus) -> BoxFuture<'a, Result<(), Away>> {
        async { Ok(()) }.boxed()
    }
}

/// Serves until its standard input closes.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    // As the product does.
    rustix::thread::disable_transparent_huge_pages(true)?;
    let control = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("control")
        .build()?;
    control.block_on(Box::pin(serve(options)))
}

async fn serve(options: &Options) -> anyhow::Result<()> {
    let home = tempfile::tempdir().context("no directory for the configuration")?;
    let node = Workload::id(Named::Tenant, 1);
    let parts = Assembled::new(node, options.workers);
    let mut sync = parts.sync(node, options, home.path()).await?;
    match sync.start().await {
        Booted::FromSource => {}
        Booted::FromDisk | Booted::Empty => bail!("the configuration of the benchmark is refused"),
    }
    let gateway = Gateway::start(
        Settings::new(vec![options.listen], node),
        parts.of_gateway(options.workers),
    )?;
    let stop = CancellationToken::new();
    let current = tokio::spawn(sync.run(stop.clone()));
    for address in gateway.addresses() {
        println!("{READY}{address}");
    }
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    gateway.drain(DRAIN).await;
    stop.cancel();
    current.await?;
    parts.end().await;
    Ok(())
}

/// What the composition root of the product makes as well.
struct Assembled {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    limiter: Arc<Limiter>,
    runtime: Arc<Runtime>,
    recorder: Recorder,
    recorded: Arc<CountingSink>,
    counters: Arc<Written>,
    metrics: Arc<Metrics>,
}

impl Assembled {
    fn new(node: NodeId, workers: usize) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let counters = Arc::new(Written::default());
        let rows = CounterMap::new(Arc::clone(&clock), Arc::clone(&counters));
        let limiter = Arc::new(Limiter::start(
            LimiterSettings::new(node, Cluster::Embedded),
            Arc::new(StoredAuthority::new(rows)),
            Notices::in_process(Loudness::Heard),
            Sources {
                clock: Arc::clone(&clock),
                entropy: Arc::clone(&entropy),
            },
            &Handle::current(),
        ));
        let recorded = Arc::new(CountingSink::default());
        let ids = BatchIds {
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        };
        Self {
            runtime: Arc::new(Runtime::new(
                CallerKeys {
                    credentials: Workload::hasher(),
                    console: ConsoleSigner::new(&[6; 32]),
                },
                Arc::clone(&limiter),
                Arc::clone(&clock),
            )),
            recorder: Recorder::start(Arc::clone(&recorded) as _, ids, &Handle::current()),
            metrics: Arc::new(Metrics::new(workers)),
            clock,
            entropy,
            limiter,
            recorded,
            counters,
        }
    }

    async fn sync(&self, node: NodeId, options: &Options, home: &Path) -> anyhow::Result<ConfigSync> {
        let workload = Workload {
            scenario: options.scenario,
            apis: options.apis,
            keys: options.keys,
        };
        let ends = Ends {
            source: Arc::new(NumberedSource::new(
                workload,
                &options.upstream,
                self.clock.now(),
            )?),
            report: Arc::new(Unheard),
        };
        let home = Some(home.to_owned());
        Ok(ConfigSync::open(node, Arc::clone(&self.runtime), ends, home).await?)
    }

    fn of_gateway(&self, workers: usize) -> Parts {
        Parts {
            runtime: Arc::clone(&self.runtime),
            records: (0..workers).map(|_| self.recorder.queue()).collect(),
            metrics: Arc::clone(&self.metrics),
            entropy: Arc::clone(&self.entropy),
            doors: Doors::Bind,
        }
    }

    /// Writes what is left and says what became of the records and the limits.
    async fn end(&self) {
        self.recorder.drain().await;
        self.limiter.drain().await;
        let (transactions, rows) = (&self.counters.transactions, &self.counters.rows);
        println!(
            "{} calls recorded, {} records lost, {} calls unmetered, {} rows of counters written in {} transactions",
            self.recorded.0.load(Ordering::Relaxed),
            self.recorder.lost(),
            self.limiter.stats().unmetered,
            rows.load(Ordering::Relaxed),
            transactions.load(Ordering::Relaxed),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_gateway_takes_the_configuration_of_every_scenario() {
        for scenario in [Scenario::Gateway, Scenario::RateOnly, Scenario::HandOver] {
            let options = Options {
                scenario,
                upstream: "http://127.0.0.1:1".parse().unwrap(),
                workers: 1,
                apis: 3,
                keys: 30,
                listen: "127.0.0.1:0".parse().unwrap(),
            };
            let home = tempfile::tempdir().unwrap();
            let node = Workload::id(Named::Tenant, 1);
            let parts = Assembled::new(node, options.workers);
            let mut sync = parts.sync(node, &options, home.path()).await.unwrap();
            assert_eq!(sync.start().await, Booted::FromSource);
            assert_eq!(parts.runtime.subjects().applied(), 91);
        }
    }
}
