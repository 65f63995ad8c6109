//! Starting and ending the data plane of a process: sockets, one thread for
//! each worker, and a drain that loses no request.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatewright_model::id::NodeId;
use gatewright_model::time::Entropy;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

pub use crate::upstream::own::OwnListeners;
pub use crate::upstream::pool::Keep;

use crate::atomics::mpsc;
use crate::listener::{self, Acceptor, Desk};
use crate::metrics::Metrics;
use crate::record::RecordQueue;
use crate::runtime::Runtime;
use crate::upstream::connect;
use crate::worker::{self, Blueprint};

/// Connections that may wait for one worker to take them.
const INBOX: usize = 1_024;
/// How long threads have to end after the last connection is gone.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// How a gateway listens and what it allows.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Which node this is.
    pub node_id: NodeId,
    /// Largest request body in bytes.
    pub max_body: u64,
    /// Client connections of this process.
    pub max_connections: usize,
    /// Client connections from one address.
    pub max_connections_per_address: u32,
    /// Bytes that all client connections together may hold in buffers. Above nine
    /// tenths of it idle connections are closed, above it calls are refused.
    pub max_buffered: usize,
    /// Peers to which the cap for one address does not apply, because others stand behind them.
    pub uncapped: Vec<IpNet>,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Time limits on clients.
    pub times: ClientTimes,
    /// Calls under way at one target, over all workers.
    pub max_in_flight_per_target: u32,
    /// Kept connections to upstreams.
    pub keep: Keep,
    /// Listeners of this process: upstreams may not lead to them. The gateway
    /// adds its own; whoever opens others adds those.
    pub own_listeners: OwnListeners,
    /// Roots beside those that browsers trust, for `https` upstreams.
    pub upstream_roots: Vec<CertificateDer<'static>>,
}

/// Time limits on clients (`security.md`, 3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimes {
    /// From the first to the last byte of a head.
    pub head: Duration,
    /// Without a call, or without reading a byte of an answer.
    pub idle: Duration,
}

impl Settings {
    /// The defaults of the product on these addresses.
    #[must_use]
    pub fn new(listen: Vec<SocketAddr>, node_id: NodeId) -> Self {
        let loopback = [
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ];
        Self {
            listen,
            node_id,
            max_body: 10 * 1024 * 1024,
            max_connections: 50_000,
            max_connections_per_address: 200,
            max_buffered: 512 * 1024 * 1024,
            uncapped: loopback.into_iter().map(IpNet::from).collect(),
            trusted_proxies: Vec::new(),
            times: ClientTimes {
                head: Duration::from_secs(10),
                idle: Duration::from_secs(60),
            },
            max_in_flight_per_target: 4_096,
            keep: Keep::default(),
            own_listeners: OwnListeners::default(),
            upstream_roots: Vec::new(),
        }
    }
}

/// What a gateway works with.
#[derive(Debug)]
pub struct Parts {
    /// What requests are decided by.
    pub runtime: Arc<Runtime>,
    /// One queue for each worker; their number is the number of workers.
    pub records: Vec<RecordQueue>,
    /// Where it counts; made for as many workers.
    pub metrics: Arc<Metrics>,
    /// Randomness for ids and traces.
    pub entropy: Arc<dyn Entropy>,
    /// Where its sockets come from.
    pub doors: Doors,
}

/// Where the listening sockets of a gateway come from, and from when on it serves on them.
#[derive(Debug, Default)]
pub enum Doors {
    /// The addresses of the settings are bound, and served at once.
    #[default]
    Bind,
    /// Another process has bound them and serves on them; this one does from [`Gateway::open`] on.
    HandedOver(Vec<TcpListener>),
}

/// Why a gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody listens there already.
    #[error("{address} is in use")]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// No records queue, hence no worker.
    #[error("a gateway needs at least one worker")]
    NoWorkers,
    /// A certificate of the operator cannot be used.
    #[error("TLS to upstreams cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// A thread or its event loop was refused by the system.
    #[error("a worker cannot be started: {0}")]
    Worker(#[source] std::io::Error),
}

/// Where a gateway is in its life, told to all its threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is ready to serve and takes nothing yet.
    Waiting,
    /// It serves.
    Serving,
    /// It takes nothing new, and cuts off at this time what is still under way.
    Draining {
        /// The end.
        until: Instant,
        /// What becomes of connections without a call.
        idle: IdleConnections,
    },
}

/// What becomes of a kept connection without a call when the gateway drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdleConnections {
    /// It is closed.
    Close,
    /// It may send one more call, which may be on its way, and hears in the answer that it is the last.
    OneMoreCall,
}

/// A running gateway. When it is dropped without a drain, its connections are cut off.
#[derive(Debug)]
pub struct Gateway {
    addresses: Vec<SocketAddr>,
    sockets: Vec<TcpListener>,
    phase: watch::Sender<Phase>,
    acceptor: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    cut_off: Arc<AtomicUsize>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut off because the time was over.
    pub cut_off: usize,
}

impl Gateway {
    /// Binds all addresses, then starts the threads. It serves when this
    /// returns, or when it is opened, if the sockets were handed over.
    ///
    /// # Errors
    /// Nothing is left running then.
    pub fn start(settings: Settings, parts: Parts) -> Result<Self, StartError> {
        if parts.records.is_empty() {
            return Err(StartError::NoWorkers);
        }
        let tls = connect::tls_config(&settings.upstream_roots)?;
        let (listeners, first) = match parts.doors {
            Doors::Bind => {
                let bound = settings.listen.iter().map(|address| bind(*address));
                (bound.collect::<Result<Vec<_>, _>>()?, Phase::Serving)
            }
            Doors::HandedOver(sockets) => (sockets, Phase::Waiting),
        };
        let sockets = copies(&listeners).map_err(StartError::Worker)?;
        let addresses = listeners
            .iter()
            .map(|listener| listener.local_addr().map_err(StartError::Worker))
            .collect::<Result<Vec<_>, _>>()?;
        for address in &addresses {
            settings.own_listeners.add(*address);
        }
        let settings = Arc::new(settings);
        let (phase, observed) = watch::channel(first);
        let cut_off = Arc::new(AtomicUsize::new(0));
        let mut desks = Vec::new();
        let mut workers = Vec::new();
        let memory = settings.max_buffered / parts.records.len();
        for (index, records) in parts.records.into_iter().enumerate() {
            let blueprint = Blueprint {
                runtime: Arc::clone(&parts.runtime),
                settings: Arc::clone(&settings),
                tls: Arc::clone(&tls),
                metrics: parts.metrics.workers.get(index).cloned().unwrap_or_default(),
                records,
                entropy: Arc::clone(&parts.entropy),
                memory,
                cut_off: Arc::clone(&cut_off),
            };
            let (desk, worker) = start_worker(index, blueprint, observed.clone())?;
            desks.push(desk);
            workers.push(worker);
        }
        let acceptor = Acceptor::new(settings, parts.metrics, desks);
        let acceptor = start_acceptor(acceptor, listeners, observed)?;
        Ok(Self {
            addresses,
            sockets,
            phase,
            acceptor,
            workers,
            cut_off,
        })
    }

    /// The bound addresses, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves on sockets that were handed over.
    pub fn open(&self) {
        self.phase.send_if_modified(|phase| {
            let waits = *phase == Phase::Waiting;
            if waits {
                *phase = Phase::Serving;
            }
            waits
        });
    }

    /// More descriptors of the sockets, for another process.
    ///
    /// # Errors
    /// When there are no more descriptors to be had.
    pub fn sockets(&self) -> std::io::Result<Vec<TcpListener>> {
        copies(&self.sockets)
    }

    /// Takes no new connections, ends idle ones, lets calls under way finish
    /// for at most `limit`, and then cuts off what is left.
    pub async fn drain(self, limit: Duration) -> Drained {
        self.end(limit, IdleConnections::Close).await
    }

    /// The same where another process serves on the sockets: an idle connection
    /// may send one more call, since that may be on its way.
    pub async fn retire(self, limit: Duration) -> Drained {
        self.end(limit, IdleConnections::OneMoreCall).await
    }

    async fn end(self, limit: Duration, idle: IdleConnections) -> Drained {
        let until = Instant::now() + limit;
        // The last descriptor has to be the acceptor's, which empties the queue of the system.
        drop(self.sockets);
        self.phase.send_replace(Phase::Draining { until, idle });
        let threads = std::iter::once(self.acceptor).chain(self.workers);
        let threads: Vec<_> = threads.collect();
        // Threads end by themselves; joining them only tells whether one had a defect.
        let joined = tokio::task::spawn_blocking(move || {
            threads
                .into_iter()
                .filter_map(|thread| thread.join().err())
                .count()
        });
        let joined = tokio::time::timeout(limit + LAST_STEPS, joined).await;
        let cut_off = self.cut_off.load(Ordering::Relaxed);
        if matches!(joined, Ok(Ok(0))) {
            tracing::info!(connections.cut_off = cut_off, "gateway drained");
        } else {
            tracing::error!(
                connections.cut_off = cut_off,
                in_time = joined.is_ok(),
                "gateway threads failed"
            );
        }
        Drained { cut_off }
    }
}

fn copies(listeners: &[TcpListener]) -> std::io::Result<Vec<TcpListener>> {
    listeners.iter().map(TcpListener::try_clone).collect()
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    listener::bind(address).map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => StartError::AddressInUse { address },
        _ => StartError::Bind { address, source },
    })
}

fn start_worker(
    index: usize,
    blueprint: Blueprint,
    phase: watch::Receiver<Phase>,
) -> Result<(Desk, JoinHandle<()>), StartError> {
    let (inbox, outbox) = mpsc::channel(INBOX);
    let (started, outcome) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(format!("gateway-{index}"))
        .spawn(move || worker::run(blueprint, outbox, phase, &started))
        .map_err(StartError::Worker)?;
    outcome
        .recv()
        .unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
        .map_err(StartError::Worker)?;
    let desk = Desk {
        inbox,
        open: Arc::default(),
    };
    Ok((desk, thread))
}

fn start_acceptor(
    acceptor: Acceptor,
    listeners: Vec<TcpListener>,
    phase: watch::Receiver<Phase>,
) -> Result<JoinHandle<()>, StartError> {
    let (started, outcome) = std::sync::mpsc::sync_channel::<std::io::Result<()>>(1);
    let thread = std::thread::Builder::new()
        .name("gateway-accept".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(tokio::runtime::LocalOptions::default());
            match runtime {
                Ok(runtime) => {
                    worker::report(&started, Ok(()));
                    runtime.block_on(listener::accept(acceptor, listeners, phase));
                }
                Err(error) => worker::report(&started, Err(error)),
            }
        })
        .map_err(StartError::Worker)?;
    outcome
        .recv()
        .unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
        .map_err(StartError::Worker)?;
    Ok(thread)
}

#[cfg(test)]
mod tests;
