//! One connection of a client, whichever protocol it speaks: what is known
//! about it, and which protocol that is.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use tokio::net::TcpStream;

use super::Worker;
use crate::forward::Client;
use crate::http1::{self, Ended};
use crate::http2;

/// What is known about a connection while it is open.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// The other end.
    pub(crate) peer: SocketAddr,
    peer_text: HeaderValue,
    calls: Cell<u32>,
    last_end: Cell<Instant>,
    asked_to_end: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl ConnectionState {
    fn new(peer: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self {
            peer,
            // The text of an address is a valid value.
            peer_text: HeaderValue::try_from(peer.ip().to_string()).unwrap_or(HeaderValue::from_static("")),
            calls: Cell::new(0),
            last_end: Cell::new(Instant::now()),
            asked_to_end: Cell::new(false),
            task: RefCell::new(None),
        }
    }

    /// A call was taken up.
    pub(crate) fn begin_call(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    /// A call was answered.
    pub(crate) fn end_call(&self) {
        self.calls.set(self.calls.get().saturating_sub(1));
        self.last_end.set(Instant::now());
    }

    /// The client at the other end, or the one that it reports when it is trusted.
    pub(crate) fn client(&self, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
        Client::of(self.peer.ip(), &self.peer_text, headers, trusted)
    }

    /// When the last call ended, or the connection began; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.calls.get() == 0).then(|| self.last_end.get())
    }

    /// How long there has been no call.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        self.idle_since().map(|since| since.elapsed())
    }

    /// Asks the connection to end as soon as it has no call.
    pub(super) fn ask_to_end(&self) {
        self.asked_to_end.set(true);
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }

    /// Whether it was asked to. If not, `waker` is woken when it is.
    pub(crate) fn is_asked_to_end(&self, waker: &Waker) -> bool {
        if self.asked_to_end.get() {
            return true;
        }
        let mut task = self.task.borrow_mut();
        if !task.as_ref().is_some_and(|task| task.will_wake(waker)) {
            *task = Some(waker.clone());
        }
        false
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, stream: TcpStream, peer: SocketAddr) {
    let state = Rc::new(ConnectionState::new(peer));
    let _enlisted = worker.roster.enlist(Rc::clone(&state));
    match http1::serve(Rc::clone(&worker), Rc::clone(&state), stream).await {
        Ended::Closed => {}
        Ended::SpeaksHttp2(stream, read) => {
            http2::serve(Rc::clone(&worker), Rc::clone(&state), stream, read).await;
        }
    }
}
