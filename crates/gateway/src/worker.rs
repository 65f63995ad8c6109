//! One worker: a thread with a runtime of its own that serves the connections
//! it is handed, and owns everything they need.

pub(crate) mod connection;
pub(crate) mod dates;
pub(crate) mod drain;
pub(crate) mod intake;
pub(crate) mod memory;
pub(crate) mod roster;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatewright_model::time::Entropy;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::dates::Dates;
use self::drain::DrainSignal;
use self::intake::{Intake, Taken};
use self::memory::{Memory, Pressure};
use self::roster::Roster;
use crate::atomics::mpsc;
use crate::listener::Admission;
use crate::metrics::WorkerMetrics;
use crate::record::RecordQueue;
use crate::runtime::{Runtime, WorkerState};
use crate::server::{IdleConnections, Phase, Settings};
use crate::upstream::connect::Connector;
use crate::upstream::pool::Pool;

/// Pause between two looks at kept connections.
const SWEEP: Duration = Duration::from_secs(5);
/// Idle connections that are closed for each new one while memory is scarce.
const MAKE_ROOM: usize = 16;
/// Threads of one worker that may block, which only names to look up do.
const BLOCKING_THREADS: usize = 4;

/// What all calls of one worker share. It stays on its thread.
#[derive(Debug)]
pub(crate) struct Worker {
    /// What is decided by.
    pub(crate) runtime: Arc<Runtime>,
    /// What the decision keeps for this worker.
    pub(crate) state: WorkerState,
    /// As the gateway was started with.
    pub(crate) settings: Arc<Settings>,
    /// Makes connections.
    pub(crate) connector: Connector,
    /// Keeps connections.
    pub(crate) pool: Pool,
    /// Counts.
    pub(crate) metrics: Arc<WorkerMetrics>,
    /// Takes records.
    pub(crate) records: RecordQueue,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// What its connections hold.
    pub(crate) memory: Rc<Memory>,
    /// Its connections.
    pub(crate) roster: Roster,
    /// Writes dates.
    pub(crate) dates: Dates,
    /// Tells its connections to end.
    pub(crate) drain: DrainSignal,
}

/// What a worker is made of; it travels to the thread.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) metrics: Arc<WorkerMetrics>,
    pub(crate) records: RecordQueue,
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Bytes that its connections may hold.
    pub(crate) memory: usize,
    /// Counts the connections that had to be cut off at the end of a drain.
    pub(crate) cut_off: Arc<AtomicUsize>,
}

/// A connection on its way from the acceptor to a worker.
#[derive(Debug)]
pub(crate) struct Handed {
    /// Not yet known to any runtime; does not block.
    pub(crate) stream: std::net::TcpStream,
    /// The other end.
    pub(crate) peer: SocketAddr,
    /// Its places under the caps, held until it is closed.
    pub(crate) admission: Admission,
}

impl Blueprint {
    fn build(self) -> Rc<Worker> {
        Rc::new(Worker {
            state: WorkerState::default(),
            connector: Connector::new(self.settings.own_listeners.clone(), self.tls),
            pool: Pool::new(self.settings.keep),
            memory: Rc::new(Memory::new(self.memory, Arc::clone(&self.metrics))),
            roster: Roster::default(),
            dates: Dates::default(),
            drain: DrainSignal::default(),
            runtime: self.runtime,
            settings: self.settings,
            metrics: self.metrics,
            records: self.records,
            entropy: self.entropy,
        })
    }
}

/// Runs a worker on this thread until it is drained.
///
/// # Errors
/// When the system gives no event loop; told through `started` as well.
pub(crate) fn run(
    blueprint: Blueprint,
    inbox: mpsc::Receiver<Handed>,
    phase: watch::Receiver<Phase>,
    started: &std::sync::mpsc::SyncSender<std::io::Result<()>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            report(started, Err(error));
            return;
        }
    };
    report(started, Ok(()));
    let cut_off = Arc::clone(&blueprint.cut_off);
    runtime.block_on(work(blueprint.build(), inbox, phase, &cut_off));
    // A look-up that hangs must not keep the process.
    runtime.shutdown_background();
}

/// Tells whoever starts a thread how that went.
pub(crate) fn report(
    started: &std::sync::mpsc::SyncSender<std::io::Result<()>>,
    outcome: std::io::Result<()>,
) {
    if started.send(outcome).is_err() {
        tracing::debug!("nobody waits for the worker any more");
    }
}

async fn work(
    worker: Rc<Worker>,
    inbox: mpsc::Receiver<Handed>,
    phase: watch::Receiver<Phase>,
    cut_off: &AtomicUsize,
) {
    let mut intake = Intake::new(inbox, phase);
    let mut connections = JoinSet::new();
    let mut sweep = tokio::time::interval(SWEEP);
    let (deadline, idle) = loop {
        tokio::select! {
            taken = intake.next() => match taken {
                Taken::Connection(handed) => {
                    connections.spawn_local(accept(Rc::clone(&worker), handed));
                }
                Taken::Drain { until, idle } => break (until, idle),
            },
            Some(ended) = connections.join_next() => log_panic(ended),
            _ = sweep.tick() => worker.pool.sweep(),
        }
    };
    worker.drain.turn_on(idle);
    let finish = async {
        while let Some(handed) = intake.rest().await {
            connections.spawn_local(accept(Rc::clone(&worker), handed));
        }
        while let Some(ended) = connections.join_next().await {
            log_panic(ended);
        }
    };
    let in_time = tokio::time::timeout_at(deadline.into(), finish).await;
    if in_time.is_err() {
        let cut = match idle {
            IdleConnections::Close => connections.len(),
            // The others had nothing to say.
            IdleConnections::OneMoreCall => worker.roster.busy(),
        };
        cut_off.fetch_add(cut, Ordering::Relaxed);
    }
    connections.shutdown().await;
    worker.pool.clear();
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection was lost to a defect");
    }
}

/// A connection that counts as open until it is dropped, also when it is cut off.
struct Open {
    worker: Rc<Worker>,
    admission: Option<Admission>,
}

impl Drop for Open {
    fn drop(&mut self) {
        // Whoever sees the connection gone may count on its place.
        self.admission = None;
        self.worker.metrics.connections.add(-1);
    }
}

async fn accept(worker: Rc<Worker>, handed: Handed) {
    worker.metrics.accepted.add(1);
    worker.metrics.connections.add(1);
    let _open = Open {
        worker: Rc::clone(&worker),
        admission: Some(handed.admission),
    };
    if worker.memory.pressure() != Pressure::None {
        let ended = worker.roster.end_idle(MAKE_ROOM);
        worker
            .metrics
            .made_room
            .add(u64::try_from(ended).unwrap_or(u64::MAX));
    }
    match TcpStream::from_std(handed.stream) {
        Ok(stream) => connection::serve(worker, stream, handed.peer).await,
        Err(error) => tracing::warn!(%error, "connection not taken over"),
    }
}
