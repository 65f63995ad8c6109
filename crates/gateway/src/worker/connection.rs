//! One connection of a client: which protocol it speaks, how long it may take,
//! and how it ends.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::Worker;
use super::io::ClientIo;
use crate::edge::MAX_HEAD;
use crate::forward::Client;
use crate::proxy;

/// RFC 9113, section 3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What is read before the protocol is known.
const SNIFF: usize = 4 * 1024;
/// Bytes of requests and answers that are buffered for one HTTP/1 connection.
const HTTP1_BUFFER: usize = 64 * 1024;
/// Memory that is kept for heads between calls.
const KEPT_HEAD: usize = 4 * 1024;
const HTTP2_STREAMS: u32 = 100;
const HTTP2_STREAM_WINDOW: u32 = 64 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;
const HTTP2_FRAME: u32 = 16 * 1024;
/// Streams that a client may reset before they were taken up, and that it may make us reset.
const HTTP2_RESETS: usize = 100;
const HTTP2_PING: Duration = Duration::from_secs(20);

/// What is known about a connection while it is open.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// The other end.
    pub(crate) peer: SocketAddr,
    peer_text: HeaderValue,
    protocol: Cell<Protocol>,
    calls: Cell<u32>,
    last_end: Cell<Instant>,
    /// Since when a head is being read; `None` while nothing of one is there, or while it is served.
    head_since: Cell<Option<Instant>>,
    /// The bytes that the head is being read from.
    raw_head: RefCell<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

impl ConnectionState {
    fn new(peer: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self {
            peer,
            // The text of an address is a valid value.
            peer_text: HeaderValue::try_from(peer.ip().to_string()).unwrap_or(HeaderValue::from_static("")),
            protocol: Cell::new(Protocol::Http1),
            calls: Cell::new(0),
            last_end: Cell::new(Instant::now()),
            head_since: Cell::new(None),
            raw_head: RefCell::default(),
        }
    }

    /// A call was taken up: what comes now belongs to its body.
    pub(crate) fn begin_call(&self) {
        self.calls.set(self.calls.get() + 1);
        self.head_since.set(None);
    }

    /// A call was answered: what comes now is the next head.
    pub(crate) fn end_call(&self) {
        self.calls.set(self.calls.get().saturating_sub(1));
        self.last_end.set(Instant::now());
        let mut raw = self.raw_head.borrow_mut();
        raw.clear();
        raw.shrink_to(KEPT_HEAD);
    }

    /// The client at the other end, or the one that it reports when it is trusted.
    pub(crate) fn client(&self, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
        Client::of(self.peer.ip(), &self.peer_text, headers, trusted)
    }

    /// Shows the bytes that the current head was read from; `None` for HTTP/2.
    pub(crate) fn with_raw_head<T>(&self, look: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match self.protocol.get() {
            Protocol::Http1 => look(Some(&self.raw_head.borrow())),
            Protocol::Http2 => look(None),
        }
    }

    /// Since when a head is being read.
    pub(super) fn head_since(&self) -> Option<Instant> {
        self.head_since.get()
    }

    /// These bytes were read.
    pub(super) fn saw(&self, read: &[u8]) {
        if self.protocol.get() == Protocol::Http2 || self.calls.get() > 0 || read.is_empty() {
            return;
        }
        if self.head_since.get().is_none() {
            self.head_since.set(Some(Instant::now()));
        }
        let mut raw = self.raw_head.borrow_mut();
        let room = MAX_HEAD.saturating_sub(raw.len()).min(read.len());
        raw.extend_from_slice(read.get(..room).unwrap_or_default());
    }

    fn idle_for(&self) -> Option<Duration> {
        (self.calls.get() == 0).then(|| self.last_end.get().elapsed())
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: Rc<Worker>, mut stream: TcpStream, peer: SocketAddr) {
    let times = worker.settings.times;
    let state = Rc::new(ConnectionState::new(peer));
    let sniffed = tokio::select! {
        sniffed = tokio::time::timeout(times.head, sniff(&mut stream)) => sniffed,
        () = worker.drain.wait() => return,
    };
    let Ok(Ok(Some((protocol, sniffed)))) = sniffed else {
        return;
    };
    state.protocol.set(protocol);
    let io = ClientIo::new(stream, sniffed, Rc::clone(&state), times.head, times.idle);
    let io = TokioIo::new(io);
    let service = {
        let (worker, state) = (Rc::clone(&worker), Rc::clone(&state));
        service_fn(move |request| {
            let answer = proxy::serve(Rc::clone(&worker), Rc::clone(&state), request);
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let ended = match protocol {
        Protocol::Http1 => {
            let connection = http1_builder(&worker).serve_connection(io, service);
            drive(std::pin::pin!(connection), &worker, None).await
        }
        Protocol::Http2 => {
            let connection = http2_builder().serve_connection(io, service);
            drive(std::pin::pin!(connection), &worker, Some(&state)).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(client.address = %state.peer, %error, "client connection ended");
    }
}

/// Reads until the protocol is known; `None` when the client left before.
async fn sniff(stream: &mut TcpStream) -> std::io::Result<Option<(Protocol, Bytes)>> {
    let mut read = BytesMut::with_capacity(SNIFF);
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
        if read.starts_with(HTTP2_PREFACE) {
            return Ok(Some((Protocol::Http2, read.freeze())));
        }
        if !HTTP2_PREFACE.starts_with(&read) {
            return Ok(Some((Protocol::Http1, read.freeze())));
        }
    }
}

fn http1_builder(worker: &Worker) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // It runs from the end of the call before: this is how long an idle connection is
        // kept. How long a head may take is watched by the socket.
        .header_read_timeout(worker.settings.times.idle)
        .max_header_size(MAX_HEAD)
        .max_buf_size(HTTP1_BUFFER)
        .keep_alive(!worker.drain.is_on());
    builder
}

fn http2_builder() -> http2::Builder<LocalTasks> {
    let mut builder = http2::Builder::new(LocalTasks);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_frame_size(HTTP2_FRAME)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_send_buf_size(HTTP1_BUFFER)
        .max_pending_accept_reset_streams(HTTP2_RESETS)
        .max_local_error_reset_streams(HTTP2_RESETS)
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING);
    builder
}

/// Runs the streams of HTTP/2 connections on the thread of their worker; they
/// end with their connection.
#[derive(Debug, Clone, Copy)]
struct LocalTasks;

impl<F> hyper::rt::Executor<F> for LocalTasks
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// A connection that can be asked to end after what it is doing.
trait Ending: Future<Output = hyper::Result<()>> {
    fn end(self: Pin<&mut Self>);
}

impl<S, B> Ending for http1::Connection<TokioIo<ClientIo>, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S, B, E> Ending for http2::Connection<TokioIo<ClientIo>, S, E>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn end(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection to its end, and asks it to end when the worker drains.
/// `idle` is given where the protocol knows no end of idleness by itself.
async fn drive<C: Ending>(
    mut connection: Pin<&mut C>,
    worker: &Worker,
    idle: Option<&ConnectionState>,
) -> hyper::Result<()> {
    if worker.drain.is_on() {
        if idle.is_some() {
            connection.as_mut().end();
        }
        return connection.await;
    }
    let limit = worker.settings.times.idle;
    let mut check = std::pin::pin!(idle.map(|_| tokio::time::sleep(limit)));
    let mut drained = std::pin::pin!(worker.drain.wait());
    loop {
        let timer = async {
            match check.as_mut().as_pin_mut() {
                Some(timer) => timer.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = drained.as_mut() => {
                connection.as_mut().end();
                return connection.await;
            }
            () = timer => {}
        }
        if idle
            .and_then(ConnectionState::idle_for)
            .is_some_and(|idle| idle >= limit)
        {
            connection.as_mut().end();
            return connection.await;
        }
        check.set(Some(tokio::time::sleep(limit / 2)));
    }
}
