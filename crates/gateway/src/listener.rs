//! The acceptor: one listening socket for each address, whose connections go to
//! the worker with the fewest open ones.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::atomics::{AtomicU32, AtomicUsize, mpsc};
use crate::metrics::Metrics;
use crate::server::{Phase, Settings};
use crate::worker::Handed;

/// Connections that the system may have accepted before we take them.
const BACKLOG: i32 = 4_096;
/// Pause when the system has no descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(50);
/// Known peers, above which those without connections are forgotten.
const MAX_PEERS: usize = 16_384;

/// Opens a listening socket. It is the only one on its address: a port in use is an error.
///
/// # Errors
/// Whatever the system says.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Only lets a port be taken over from closed connections of the process before.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A worker as the acceptor sees it.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    /// Takes connections.
    pub(crate) inbox: mpsc::Sender<Handed>,
    /// How many it has open.
    pub(crate) open: Arc<AtomicUsize>,
}

/// A connection's places under the caps; they are free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    worker: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
    peer: Option<Arc<AtomicU32>>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.worker.fetch_sub(1, Ordering::Relaxed);
        self.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(peer) = &self.peer {
            peer.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Hands connections out.
#[derive(Debug)]
pub(crate) struct Acceptor {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    desks: Vec<Desk>,
    all: Arc<AtomicUsize>,
    peers: HashMap<IpAddr, Arc<AtomicU32>>,
}

impl Acceptor {
    /// An acceptor for these workers.
    pub(crate) fn new(settings: Arc<Settings>, metrics: Arc<Metrics>, desks: Vec<Desk>) -> Self {
        Self {
            settings,
            metrics,
            desks,
            all: Arc::default(),
            peers: HashMap::new(),
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.hand_out(peer, || leave_reactor(stream));
    }

    /// Gives a connection to a worker, or refuses it: it is counted as long as
    /// somebody has it, and once.
    fn hand_out(&mut self, peer: SocketAddr, stream: impl FnOnce() -> io::Result<std::net::TcpStream>) {
        let Some(desk) = self
            .desks
            .iter()
            .min_by_key(|desk| desk.open.load(Ordering::Relaxed))
            .cloned()
        else {
            return;
        };
        let Some(admission) = self.admission(&desk, peer.ip().to_canonical()) else {
            self.metrics.connections_refused.add(1);
            return;
        };
        let stream = match stream() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "connection lost before it was served");
                return;
            }
        };
        let handed = Handed {
            stream,
            peer,
            admission,
        };
        if desk.inbox.try_send(handed).is_err() {
            self.metrics.connections_refused.add(1);
        }
    }

    fn admission(&mut self, desk: &Desk, peer: IpAddr) -> Option<Admission> {
        if self.all.load(Ordering::Relaxed) >= self.settings.max_connections {
            return None;
        }
        let capped = !self.settings.uncapped.iter().any(|net| net.contains(&peer));
        let peer = if capped {
            Some(self.count_peer(peer)?)
        } else {
            None
        };
        self.all.fetch_add(1, Ordering::Relaxed);
        desk.open.fetch_add(1, Ordering::Relaxed);
        Some(Admission {
            worker: Arc::clone(&desk.open),
            all: Arc::clone(&self.all),
            peer,
        })
    }

    fn count_peer(&mut self, peer: IpAddr) -> Option<Arc<AtomicU32>> {
        if self.peers.len() >= MAX_PEERS {
            self.peers.retain(|_, open| open.load(Ordering::Relaxed) > 0);
        }
        let open = self.peers.entry(peer).or_default();
        if open.load(Ordering::Relaxed) >= self.settings.max_connections_per_address {
            return None;
        }
        open.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(open))
    }
}

#[cfg(all(test, feature = "models"))]
mod models;

/// Takes a socket out of the acceptor's event loop; it stays non-blocking.
fn leave_reactor(stream: TcpStream) -> io::Result<std::net::TcpStream> {
    stream.set_nodelay(true)?;
    stream.into_std()
}

/// Accepts on all sockets until the gateway drains. What the system has
/// accepted by then is still handed out; only then the sockets are closed.
/// Runs on a thread of its own.
pub(crate) async fn accept(acceptor: Acceptor, listeners: Vec<TcpListener>, phase: watch::Receiver<Phase>) {
    let acceptor = Rc::new(RefCell::new(acceptor));
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn_local(accept_on(listener, Rc::clone(&acceptor), phase.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Ok(Err(error)) = ended {
            tracing::error!(%error, "listener lost");
        }
    }
}

async fn accept_on(
    listener: TcpListener,
    acceptor: Rc<RefCell<Acceptor>>,
    mut phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    // An error means that the gateway is gone, here and below.
    if *phase.borrow() == Phase::Waiting {
        let waited = phase.wait_for(|phase| *phase != Phase::Waiting).await;
        if !waited.is_ok_and(|phase| *phase == Phase::Serving) {
            // Whoever bound the socket still serves on it.
            return Ok(());
        }
    }
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| matches!(phase, Phase::Draining { .. })) => break,
        };
        match accepted {
            Ok((stream, peer)) => acceptor.borrow_mut().admit(stream, peer),
            // The client left between the hand-shake and our turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        acceptor.borrow_mut().admit(stream, peer);
    }
    Ok(())
}
