//! What comes to a worker from outside: connections, and the end.

use std::time::Instant;

use tokio::sync::watch;

use super::Handed;
use crate::atomics::mpsc;
use crate::server::{IdleConnections, Phase};

/// Where connections come from.
#[derive(Debug)]
pub(crate) struct Intake {
    inbox: mpsc::Receiver<Handed>,
    phase: watch::Receiver<Phase>,
    /// Nobody hands over any more.
    closed: bool,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Taken {
    /// A connection.
    Connection(Handed),
    /// The gateway drains.
    Drain {
        /// The time by which it must be over.
        until: Instant,
        /// What becomes of connections without a call.
        idle: IdleConnections,
    },
}

impl Intake {
    pub(crate) const fn new(inbox: mpsc::Receiver<Handed>, phase: watch::Receiver<Phase>) -> Self {
        Self {
            inbox,
            phase,
            closed: false,
        }
    }

    /// The next connection, until the gateway drains. Nothing is lost when it is
    /// dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Taken {
        loop {
            let Self { inbox, phase, closed } = self;
            tokio::select! {
                biased;
                (until, idle) = draining(phase) => return Taken::Drain { until, idle },
                handed = inbox.recv(), if !*closed => match handed {
                    Some(handed) => return Taken::Connection(handed),
                    None => *closed = true,
                },
            }
        }
    }

    /// What was handed over before the acceptor ended: it still gives out what
    /// the system had accepted, then closes the inbox.
    pub(crate) async fn rest(&mut self) -> Option<Handed> {
        self.inbox.recv().await
    }
}

/// Ends when the gateway drains, with the time by which it must be over and what becomes of idle connections.
async fn draining(phase: &mut watch::Receiver<Phase>) -> (Instant, IdleConnections) {
    loop {
        if let Phase::Draining { until, idle } = *phase.borrow_and_update() {
            return (until, idle);
        }
        if phase.changed().await.is_err() {
            return (Instant::now(), IdleConnections::Close);
        }
    }
}
