//! The acceptor, a worker and the end of a gateway in every order: each
//! connection is served or refused, never both, and counted as long as it is open.

#![expect(clippy::unwrap_used, reason = "models are tests, whose failure is a panic")]

use std::sync::OnceLock;
use std::time::Instant;

use gatewright_coordination::modelling::{complete, joined, spawn, with_timers};

use super::*;
use crate::server::IdleConnections;
use crate::worker::intake::{Intake, Taken};

const CONNECTIONS: usize = 3;
/// Fewer than there are connections: some may find the inbox full.
const INBOX: usize = 2;

/// A socket to hand out; nobody reads from it.
fn socket() -> std::net::TcpStream {
    static SOCKET: OnceLock<std::net::TcpStream> = OnceLock::new();
    let socket = SOCKET.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    });
    socket.try_clone().unwrap()
}

/// The parts of a gateway that serves so many connections at once.
struct Parts {
    acceptor: Acceptor,
    inbox: mpsc::Receiver<Handed>,
    phase: watch::Sender<Phase>,
    metrics: Arc<Metrics>,
    /// Of the worker, and of all.
    open: [Arc<AtomicUsize>; 2],
}

impl Parts {
    fn new(cap: usize, first: Phase) -> Self {
        let mut settings = Settings::new(Vec::new(), crate::testing::id(1));
        settings.max_connections = cap;
        settings.uncapped.clear();
        settings.max_connections_per_address = u32::try_from(CONNECTIONS).unwrap();
        let metrics = Arc::new(Metrics::new(1));
        let (sender, inbox) = mpsc::channel(INBOX);
        let desk = Desk {
            inbox: sender,
            open: Arc::default(),
        };
        let open = Arc::clone(&desk.open);
        let acceptor = Acceptor::new(Arc::new(settings), Arc::clone(&metrics), vec![desk]);
        Self {
            open: [open, Arc::clone(&acceptor.all)],
            acceptor,
            inbox,
            phase: watch::Sender::new(first),
            metrics,
        }
    }
}

/// Takes connections as a worker does, and ends each at once; gives how many.
fn work(mut intake: Intake, open: &AtomicUsize, cap: usize) -> u64 {
    let mut served = 0;
    let mut serve = |handed: Handed| {
        // The newest value, whatever a load might see.
        let counted = open.fetch_add(0, Ordering::Relaxed);
        assert!(
            (1..=cap).contains(&counted),
            "{counted} count while one is served"
        );
        served += 1;
        drop(handed);
    };
    while let Taken::Connection(handed) = complete(intake.next()) {
        serve(handed);
    }
    while let Some(handed) = complete(intake.rest()) {
        serve(handed);
    }
    served
}

/// Connections arrive while a gateway opens and drains.
fn hand_over(cap: usize) {
    let parts = Parts::new(cap, Phase::Waiting);
    let (mut acceptor, [of_worker, of_all]) = (parts.acceptor, parts.open);
    let peer: SocketAddr = "192.0.2.1:7".parse().unwrap();
    let accepting = spawn(move || {
        for _ in 0..CONNECTIONS {
            acceptor.hand_out(peer, || Ok(socket()));
        }
        // The acceptor ends, and closes the inbox with it.
        acceptor.peers.remove(&peer.ip())
    });
    let worker = {
        let intake = Intake::new(parts.inbox, parts.phase.subscribe());
        let open = Arc::clone(&of_worker);
        spawn(move || work(intake, &open, cap))
    };
    parts.phase.send_replace(Phase::Serving);
    // Others go on before and after.
    of_all.load(Ordering::Relaxed);
    parts.phase.send_replace(Phase::Draining {
        until: Instant::now(),
        idle: IdleConnections::Close,
    });
    let of_peer = joined(accepting);
    let served = joined(worker);
    assert_eq!(
        served + parts.metrics.connections_refused.get(),
        CONNECTIONS as u64
    );
    let of_peer = of_peer.map_or(0, |open| open.load(Ordering::Relaxed));
    let left = [of_worker, of_all].map(|open| open.load(Ordering::Relaxed));
    assert_eq!((left, of_peer), ([0, 0], 0));
}

#[test]
fn no_connection_is_lost_or_counted_twice_through_a_drain() {
    with_timers(|| hand_over(CONNECTIONS));
}

#[test]
fn a_cap_holds_while_connections_come_and_go() {
    with_timers(|| hand_over(1));
}
