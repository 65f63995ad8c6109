//! The data plane's side of HTTP/1: a codec of our own (ADR 0008), because every
//! rule about a message is decided on the bytes that came, in one place, before
//! anything else sees it (`security.md`, 3.10).
//!
//! [`lines`] finds the end of a head, [`head`] reads it, [`framing`] says where
//! its body ends, [`chunked`] takes the body apart; these four know nothing of
//! sockets and are what is fuzzed. [`wire`] is the socket, [`encode`] and
//! [`send`] are the way out, and this file is a connection from its first
//! request to its last: one request at a time, in order.

pub(crate) mod chunked;
pub(crate) mod encode;
pub(crate) mod framing;
mod head;
pub(crate) mod lines;
pub(crate) mod outbound;
mod send;
pub(crate) mod wire;

pub(crate) use self::lines::{MAX_FIELDS, MAX_HEAD, MAX_TARGET};

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, EXPECT, TE};
use http::request::Parts;
use http::{Method, Request, Response, Version};
use http_body::Body;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use self::encode::{Framing, Persistence};
use self::head::{Head, Spoiled};
use self::lines::{Fault, Scanner};
use self::outbound::{Cut, Outbound, Trailers};
use self::send::Sending;
use self::wire::{Asks, Behind, Wire};
use crate::body::ClientBody;
use crate::http2;
use crate::proxy;
use crate::proxy::answer::AnswerBody;
use crate::rejection::Rejection;
use crate::watchdog::Watchdog;
use crate::worker::Worker;
use crate::worker::connection::ConnectionState;
use crate::worker::drain::Drained;
use crate::worker::memory::{Pressure, READ};

/// Empty lines that are passed over before a request (RFC 9112, section 2.2).
const MAX_EMPTY_LINES: u8 = 8;
/// Memory for heads of answers that is kept between calls.
const KEPT_OUT: usize = 4 * 1024;
/// How long a connection that was queued when a drain began may take to send its request.
const LATE: Duration = Duration::from_millis(250);
/// How long, and for how many bytes, a client is listened to after its last
/// answer: what it still sends would otherwise make the system take the answer away from it.
const LINGER: Duration = Duration::from_millis(500);
const MAX_LINGER: usize = 16 * 1024 * 1024;

impl From<Fault> for Rejection {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(rule) => Self::BadRequest(rule),
            Fault::TargetTooLong => Self::UriTooLong,
            Fault::HeadTooLarge => Self::HeadersTooLarge,
        }
    }
}

/// How the part of HTTP/1 in a connection ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With it.
    Closed,
    /// The client speaks HTTP/2; what was read begins with its preface.
    SpeaksHttp2(TcpStream, BytesMut),
}

/// Serves a connection.
pub(crate) async fn serve(worker: Rc<Worker>, state: Rc<ConnectionState>, stream: TcpStream) -> Ended {
    let connection = Connection {
        worker: &worker,
        state: &state,
        wire: Rc::new(Wire::new(stream, Rc::clone(&worker.memory))),
        watchdog: Watchdog::default(),
        drained: worker.drain.wait(),
        late_since: None,
        out: Vec::new(),
        reading: Reading::default(),
        calls: Calls::None,
    };
    connection.run().await
}

/// A connection that is served.
struct Connection<'a> {
    worker: &'a Rc<Worker>,
    state: &'a Rc<ConnectionState>,
    wire: Rc<Wire>,
    watchdog: Watchdog,
    drained: Drained<'a>,
    late_since: Option<Instant>,
    out: Vec<u8>,
    reading: Reading,
    calls: Calls,
}

/// Whether anything was asked over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calls {
    None,
    Some,
}

/// How far the next head is.
#[derive(Debug, Default)]
struct Reading {
    scanner: Scanner,
    empty_lines: u8,
    /// When its first byte came, once it had to be waited for.
    since: Option<Instant>,
}

/// What a connection has to do next.
enum Next {
    Serve(Head),
    Refuse(Box<Parts>, Rejection),
    SwitchToHttp2,
    End,
}

/// What becomes of a connection after an answer.
enum After {
    NextRequest,
    /// The client is told the end, and what it still sends is passed over.
    Linger,
    /// It is closed: nothing is on its way that we know of.
    Close,
    /// It is closed without a clean end.
    Cut,
}

/// What of a request its answer depends on.
struct Shape {
    method: Method,
    version: Version,
    trailers: Trailers,
    keeps_open: bool,
}

impl Shape {
    fn of(parts: &Parts) -> Self {
        let wants_trailers =
            parts.headers.contains_key(TE) && framing::names(&parts.headers, &TE, b"trailers");
        Self {
            method: parts.method.clone(),
            version: parts.version,
            trailers: if wants_trailers {
                Trailers::Wanted
            } else {
                Trailers::Unwanted
            },
            keeps_open: framing::keeps_open(parts),
        }
    }
}

impl Connection<'_> {
    async fn run(mut self) -> Ended {
        loop {
            let after = match std::future::poll_fn(|cx| self.poll_next(cx)).await {
                Next::Serve(head) => self.serve(head).await,
                Next::Refuse(parts, rejection) => self.refuse(&parts, rejection).await,
                Next::End => After::Cut,
                Next::SwitchToHttp2 => {
                    return match self.wire.into_parts() {
                        Some((stream, read)) => Ended::SpeaksHttp2(stream, read),
                        None => Ended::Closed,
                    };
                }
            };
            match after {
                After::NextRequest => {
                    self.reading = Reading::default();
                    self.calls = Calls::Some;
                    continue;
                }
                After::Linger => {
                    self.wire.abandon_body();
                    self.linger().await;
                }
                After::Close | After::Cut => self.wire.abandon_body(),
            }
            return Ended::Closed;
        }
    }

    /// The next request, read to the end of its head.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            match self.take_head() {
                Ok(None) => {}
                Ok(Some(next)) => return Poll::Ready(next),
                Err(fault) => return Poll::Ready(self.refusal(fault.into())),
            }
            let read = self.wire.buffer.borrow().len();
            if read >= READ && self.worker.memory.pressure() == Pressure::Exhausted {
                return Poll::Ready(self.refusal(Rejection::Overloaded));
            }
            match self.wire.poll_fill(cx, READ) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::End),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return self.poll_patience(cx),
            }
        }
    }

    /// Takes the head off what was read, if all of it is there.
    fn take_head(&mut self) -> Result<Option<Next>, Fault> {
        let mut buffer = self.wire.buffer.borrow_mut();
        while buffer.starts_with(b"\r\n") {
            self.reading.empty_lines += 1;
            if self.reading.empty_lines > MAX_EMPTY_LINES {
                return Err(Fault::Malformed(
                    "there are too many empty lines before the request",
                ));
            }
            buffer.advance(2);
        }
        let Some(first) = buffer.first() else {
            return Ok(None);
        };
        if self.calls == Calls::None && *first == b'P' {
            if buffer.starts_with(http2::PREFACE) {
                return Ok(Some(Next::SwitchToHttp2));
            }
            if http2::PREFACE.starts_with(&buffer) {
                return Ok(None);
            }
        }
        if !first.is_ascii_graphic() && *first != b'\r' {
            return Err(Fault::Malformed("a request must begin with a method"));
        }
        let Some(length) = self.reading.scanner.advance(&buffer)? else {
            return Ok(None);
        };
        let bytes = buffer.split_to(length).freeze();
        Ok(Some(match head::read(&bytes) {
            Ok(head) if self.worker.memory.pressure() == Pressure::Exhausted => {
                Next::Refuse(Box::new(head.parts), Rejection::Overloaded)
            }
            Ok(head) => Next::Serve(head),
            Err(Spoiled { parts, fault }) => Next::Refuse(parts, fault.into()),
        }))
    }

    /// A refusal of what stands in the buffer.
    fn refusal(&self, rejection: Rejection) -> Next {
        let sketch = head::sketch(&self.wire.buffer.borrow());
        Next::Refuse(Box::new(sketch), rejection)
    }

    /// Nothing more is here: how long it is waited for.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let begun = !self.wire.buffer.borrow().is_empty();
        let drained = Pin::new(&mut self.drained).poll(cx).is_ready() && self.worker.drain.ends_idle();
        if self.state.is_asked_to_end(cx.waker()) || (drained && !begun && self.calls == Calls::Some) {
            return Poll::Ready(Next::End);
        }
        let times = self.worker.settings.times;
        let opened = self.state.idle_since().unwrap_or_else(Instant::now);
        let mut deadline = if begun {
            *self.reading.since.get_or_insert_with(Instant::now) + times.head
        } else {
            self.reading.since = None;
            self.wire.rest();
            match self.calls {
                Calls::None => opened + times.head,
                Calls::Some => opened + times.idle,
            }
        };
        if drained && !begun {
            deadline = deadline.min(*self.late_since.get_or_insert_with(Instant::now) + LATE);
        }
        ready!(self.watchdog.poll(cx, deadline));
        if begun {
            self.worker.metrics.slow_clients.add(1);
            return Poll::Ready(self.refusal(Rejection::RequestTimeout));
        }
        Poll::Ready(Next::End)
    }

    async fn serve(&mut self, head: Head) -> After {
        let Head { parts, framing } = head;
        let shape = Shape::of(&parts);
        let asks = if shape.version >= Version::HTTP_11 && parts.headers.contains_key(EXPECT) {
            Asks::Continue
        } else {
            Asks::Nothing
        };
        let body = match self.wire.begin_body(framing, asks) {
            Some(body) => ClientBody::Http1(body),
            None => ClientBody::None,
        };
        let request = Request::from_parts(parts, body);
        let answer = {
            let served = proxy::serve(Rc::clone(self.worker), Rc::clone(self.state), request);
            let mut served = pin!(served);
            std::future::poll_fn(|cx| match served.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                Poll::Pending => self.wire.poll_left(cx).map(|()| None),
            })
            .await
        };
        match answer {
            Some(answer) => self.answer(&shape, answer).await,
            None => After::Cut,
        }
    }

    /// Answers a request of which only the head was read, if that.
    async fn refuse(&mut self, parts: &Parts, rejection: Rejection) -> After {
        self.worker.metrics.heads_refused.add(1);
        let answer = proxy::refuse_head(self.worker, self.state, parts, &rejection);
        let shape = Shape {
            keeps_open: false,
            ..Shape::of(parts)
        };
        match self.answer(&shape, answer).await {
            After::Cut => After::Cut,
            After::NextRequest | After::Linger | After::Close => After::Linger,
        }
    }

    async fn answer(&mut self, shape: &Shape, answer: Response<AnswerBody>) -> After {
        let (parts, body) = answer.into_parts();
        let (interim, behind) = self.wire.begin_answer();
        let framing = Framing::of(
            &shape.method,
            shape.version,
            parts.status,
            body.size_hint().exact(),
        );
        let stays = shape.keeps_open
            && behind == Behind::NextRequest
            && framing != Framing::UntilClose
            && !parts.headers.contains_key(CONNECTION)
            && !self.worker.drain.is_on();
        let persistence = match stays {
            false => Persistence::Close,
            true if shape.version < Version::HTTP_11 => Persistence::KeepAlive,
            true => Persistence::Open,
        };
        let mut out = std::mem::take(&mut self.out);
        out.extend_from_slice(interim);
        encode::head(
            &mut out,
            parts.status,
            &parts.headers,
            framing,
            persistence,
            |out| {
                let now = self.worker.runtime.clock().now();
                self.worker
                    .dates
                    .with(now, |date| encode::field(out, "date", date.as_bytes()));
            },
        );
        let mut sending = Sending {
            wire: &self.wire,
            watchdog: &mut self.watchdog,
            patience: self.worker.settings.times.idle,
            answer: Outbound::new(out, body, framing, shape.trailers),
            stalled: None,
        };
        let sent = std::future::poll_fn(|cx| sending.poll(cx)).await;
        self.out = sending.answer.into_memory();
        self.out.shrink_to(KEPT_OUT);
        match sent {
            Ok(()) if stays => After::NextRequest,
            Ok(()) if behind == Behind::NextRequest && self.wire.buffer.borrow().is_empty() => After::Close,
            Ok(()) => After::Linger,
            Err(cut) => {
                self.cut_off(&cut, framing);
                After::Cut
            }
        }
    }

    fn cut_off(&self, cut: &Cut, framing: Framing) {
        tracing::debug!(client.address = %self.state.peer, error = %cut, "answer cut off");
        if matches!(cut, Cut::Socket(error) if error.kind() == std::io::ErrorKind::TimedOut) {
            self.worker.metrics.slow_clients.add(1);
        }
        // An answer that ends with its connection must not look as if it had ended well.
        if framing == Framing::UntilClose
            && let Err(error) = self.wire.stream.borrow().set_zero_linger()
        {
            tracing::debug!(%error, "connection not reset");
        }
    }

    /// Tells the client that nothing follows, and passes over what it still sends.
    async fn linger(&mut self) {
        let until = Instant::now() + LINGER;
        let mut left = MAX_LINGER;
        let mut told = false;
        std::future::poll_fn(|cx| {
            if !told {
                told = true;
                let mut stream = self.wire.stream.borrow_mut();
                // The system takes the end of a stream at once.
                if !matches!(Pin::new(&mut *stream).poll_shutdown(cx), Poll::Ready(Ok(()))) {
                    return Poll::Ready(());
                }
            }
            loop {
                self.wire.buffer.borrow_mut().clear();
                match self.wire.poll_fill(cx, READ) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                    Poll::Ready(Ok(read)) if read > left => return Poll::Ready(()),
                    Poll::Ready(Ok(read)) => left -= read,
                    Poll::Pending => return self.watchdog.poll(cx, until),
                }
            }
        })
        .await;
    }
}
