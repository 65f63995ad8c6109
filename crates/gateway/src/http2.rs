//! HTTP/2 from clients, without TLS by prior knowledge. Framing and streams are
//! hyper's; what hyper leaves open of `security.md`, 3.10, is set or added here.

mod flood;
mod io;

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use self::flood::FrameWatch;
use self::io::ClientIo;
use crate::body::ClientBody;
use crate::edge::MAX_HEAD;
use crate::proxy;
use crate::worker::Worker;
use crate::worker::connection::ConnectionState;
use crate::worker::memory::HTTP2_CONNECTION;

/// RFC 9113, section 3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const STREAMS: u32 = 100;
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const FRAME: u32 = 16 * 1024;
/// Bytes of answers that are buffered for one stream.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client may reset before they were taken up, and that it may make us reset.
const RESETS: usize = 100;
const PING: Duration = Duration::from_secs(20);
/// How long a connection that floods us lives on, so that it hears why it ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a connection to its end. `read` begins with the preface.
pub(crate) async fn serve(worker: Rc<Worker>, state: Rc<ConnectionState>, stream: TcpStream, read: BytesMut) {
    let _held = worker.memory.charge(HTTP2_CONNECTION);
    let watch = Rc::new(FrameWatch::new());
    let idle = worker.settings.times.idle;
    let io = ClientIo::new(stream, read.freeze(), Rc::clone(&watch), idle);
    let service = {
        let (worker, state) = (Rc::clone(&worker), Rc::clone(&state));
        service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let request = request.map(ClientBody::Http2);
            let answer = proxy::serve(Rc::clone(&worker), Rc::clone(&state), request);
            async move { Ok::<_, Infallible>(answer.await) }
        })
    };
    let connection = builder().serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let mut drained = worker.drain.wait();
    let mut ending = Ending {
        state: &state,
        watch: &watch,
        idle,
        timer: Box::pin(tokio::time::sleep(idle)),
        phase: Phase::Open,
    };
    let ended = std::future::poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(ended));
            }
            let draining = Pin::new(&mut drained).poll(cx).is_ready();
            match ending.poll(cx, draining) {
                Poll::Ready(Verdict::SayGoodbye) => connection.as_mut().graceful_shutdown(),
                Poll::Ready(Verdict::CutOff) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    if watch.is_flooded() {
        worker.metrics.floods.add(1);
        tracing::info!(client.address = %state.peer, "connection ended: too many frames that ask for nothing");
    } else if let Some(Err(error)) = ended {
        tracing::debug!(client.address = %state.peer, %error, "client connection ended");
    }
}

/// When a connection has to end, and how.
struct Ending<'a> {
    state: &'a ConnectionState,
    watch: &'a FrameWatch,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The client was told; calls under way go on.
    Ending,
    /// It flooded us and was told; the timer runs for the rest.
    Flooded,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    SayGoodbye,
    CutOff,
}

impl Ending<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, draining: bool) -> Poll<Verdict> {
        if self.watch.is_flooded() && self.phase != Phase::Flooded {
            let told = self.phase == Phase::Ending;
            self.phase = Phase::Flooded;
            self.timer.as_mut().reset(tokio::time::Instant::now() + FAREWELL);
            if !told {
                return Poll::Ready(Verdict::SayGoodbye);
            }
        }
        if self.phase == Phase::Open && (draining || self.state.is_asked_to_end(cx.waker())) {
            self.phase = Phase::Ending;
            return Poll::Ready(Verdict::SayGoodbye);
        }
        while self.phase != Phase::Ending {
            std::task::ready!(self.timer.as_mut().poll(cx));
            if self.phase == Phase::Flooded {
                return Poll::Ready(Verdict::CutOff);
            }
            if self.state.idle_for().is_some_and(|idle| idle >= self.idle) {
                self.phase = Phase::Ending;
                return Poll::Ready(Verdict::SayGoodbye);
            }
            let next = tokio::time::Instant::from_std(Instant::now() + self.idle / 2);
            self.timer.as_mut().reset(next);
        }
        Poll::Pending
    }
}

fn builder() -> http2::Builder<LocalTasks> {
    let mut builder = http2::Builder::new(LocalTasks);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
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
