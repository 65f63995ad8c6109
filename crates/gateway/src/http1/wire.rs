//! The socket of an HTTP/1 connection and what was read from it. The task of the
//! connection reads heads; whoever sends a body to an upstream reads that body,
//! in the same task. Never both at once, so neither takes the other's bytes away.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use super::chunked::{Chunked, Decoder, Piece};
use super::framing::Framing;
use crate::body::UploadFault;
use crate::worker::memory::{Charge, HTTP1_CONNECTION, Memory, READ};

/// Least room for which it is worth asking the system.
const MIN_ROOM: usize = READ / 2;
/// What of a body is read at once.
const BODY_READ: usize = 32 * 1024;
/// Bytes of an unwanted body that are passed over when they are here already (`security.md`, T12).
const MAX_SKIP: usize = 64 * 1024;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The socket, what was read, and the body that is being read.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(super) stream: RefCell<TcpStream>,
    pub(super) buffer: RefCell<BytesMut>,
    body: RefCell<Reading>,
    /// What of `100 Continue` is still to be sent.
    interim: Cell<&'static [u8]>,
    answering: Cell<bool>,
    /// The task of the connection, while somebody else reads the body.
    waits: RefCell<Option<Waker>>,
    /// Whoever reads the body, while it waits for more.
    reader: RefCell<Option<Waker>>,
    memory: Rc<Memory>,
    held: Charge,
}

/// How far the body of a request is.
#[derive(Debug)]
enum Reading {
    /// Nothing is left of it: what follows is the next request.
    Over,
    /// It is being read.
    Open {
        decoder: Decoder,
        asks: Asks,
        held: Held,
    },
    /// It broke a rule or broke off: nothing can follow.
    Broken,
}

/// Whether the client waits to be asked for its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// It sends unasked.
    Nothing,
    /// It sent `Expect: 100-continue`.
    Continue,
}

/// Whether anybody still wants a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, memory: Rc<Memory>) -> Self {
        Self {
            stream: RefCell::new(stream),
            buffer: RefCell::default(),
            body: RefCell::new(Reading::Over),
            interim: Cell::new(&[]),
            answering: Cell::new(false),
            waits: RefCell::new(None),
            reader: RefCell::new(None),
            held: memory.charge(HTTP1_CONNECTION),
            memory,
        }
    }

    /// The socket and what was read from it; `None` while a body is being read.
    pub(super) fn into_parts(self: Rc<Self>) -> Option<(TcpStream, BytesMut)> {
        let wire = Rc::into_inner(self)?;
        Some((wire.stream.into_inner(), wire.buffer.into_inner()))
    }

    /// Reads more, `room` bytes at a time. `Ok(0)` is the end.
    pub(super) fn poll_fill(&self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        let mut buffer = self.buffer.borrow_mut();
        if buffer.capacity() == 0 {
            // Who has nothing to say gets no memory.
            ready!(stream.poll_read_ready(cx))?;
            *buffer = self.memory.take_buffer();
        }
        if buffer.capacity() - buffer.len() < MIN_ROOM.min(room) {
            buffer.reserve(room);
        }
        let read = poll_read_buf(Pin::new(&mut *stream), cx, &mut *buffer);
        self.held
            .set(HTTP1_CONNECTION + buffer.capacity().saturating_sub(READ));
        read
    }

    /// Nothing is expected for now: the memory goes to whoever needs it.
    pub(super) fn rest(&self) {
        let mut buffer = self.buffer.borrow_mut();
        if buffer.is_empty() && buffer.capacity() > 0 {
            self.memory.give_back(std::mem::take(&mut *buffer));
            self.held.set(HTTP1_CONNECTION);
        }
    }

    /// Ends when the client has left while it is being served. What it sends
    /// ahead waits in the buffer, and then in the system: that bounds it.
    pub(super) fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(
            *self.body.borrow(),
            Reading::Open { held: Held::Yes, .. } | Reading::Broken
        ) {
            // Whoever reads the body sees it.
            *self.waits.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !self.buffer.borrow().is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_fill(cx, READ)) {
            Ok(0) | Err(_) => Poll::Ready(()),
            Ok(_) => Poll::Pending,
        }
    }

    /// A request was read whose body is framed so.
    pub(super) fn begin_body(self: &Rc<Self>, framing: Framing, asks: Asks) -> Option<IncomingBody> {
        self.answering.set(false);
        let decoder = match framing {
            Framing::Empty => {
                *self.body.borrow_mut() = Reading::Over;
                return None;
            }
            Framing::Length(length) => Decoder::Length(length),
            Framing::Chunked => Decoder::Chunked(Chunked::default()),
        };
        *self.body.borrow_mut() = Reading::Open {
            decoder,
            asks,
            held: Held::Yes,
        };
        Some(IncomingBody(Rc::clone(self)))
    }

    /// The answer begins: the client is not asked for anything any more. What
    /// of an interim answer has to be finished first, and whether the next
    /// request can be found behind this one.
    pub(super) fn begin_answer(&self) -> (&'static [u8], Behind) {
        self.answering.set(true);
        let interim = self.interim.take();
        let rest = if interim.len() == CONTINUE.len() {
            &[]
        } else {
            interim
        };
        (rest, self.skip_body())
    }

    /// Passes over what is here of a body that nobody wants.
    fn skip_body(&self) -> Behind {
        let mut body = self.body.borrow_mut();
        if let Reading::Open {
            decoder,
            asks: Asks::Nothing,
            held: Held::No,
        } = &mut *body
        {
            let mut buffer = self.buffer.borrow_mut();
            let enough = buffer.len().saturating_sub(MAX_SKIP);
            while buffer.len() > enough && matches!(decoder.next(&mut buffer), Ok(Some(Piece::Data(_)))) {}
            let ended = matches!(
                decoder.next(&mut buffer),
                Ok(Some(Piece::End | Piece::Trailers(_)))
            );
            if ended {
                *body = Reading::Over;
            }
        }
        match *body {
            Reading::Over => Behind::NextRequest,
            Reading::Open { .. } | Reading::Broken => Behind::Unknown,
        }
    }

    /// The connection ends: whoever still reads the body is told, and lets go of the socket.
    pub(super) fn abandon_body(&self) {
        let mut body = self.body.borrow_mut();
        if matches!(*body, Reading::Open { .. }) {
            *body = Reading::Broken;
        }
        if let Some(reader) = self.reader.borrow_mut().take() {
            reader.wake();
        }
    }

    fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        let mut body = self.body.borrow_mut();
        let Reading::Open { decoder, asks, .. } = &mut *body else {
            return Poll::Ready(match *body {
                Reading::Over => None,
                _ => Some(Err(UploadFault::Left)),
            });
        };
        if let Err(error) = ready!(self.poll_ask(cx, asks)) {
            tracing::debug!(%error, "the client cannot be asked for its body");
            *body = Reading::Broken;
            return Poll::Ready(Some(Err(UploadFault::Left)));
        }
        let fault = loop {
            let next = decoder.next(&mut self.buffer.borrow_mut());
            match next {
                Ok(Some(Piece::Data(data))) => {
                    if decoder.is_done() {
                        self.end_body(&mut body);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Some(Piece::Trailers(trailers))) => {
                    self.end_body(&mut body);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Some(Piece::End)) => {
                    self.end_body(&mut body);
                    return Poll::Ready(None);
                }
                Ok(None) => {}
                Err(rule) => {
                    tracing::debug!(rule, "request body is malformed");
                    break UploadFault::Malformed;
                }
            }
            let left = decoder.left().and_then(|left| usize::try_from(left).ok());
            let room = left.unwrap_or(BODY_READ).clamp(READ, BODY_READ);
            match self.poll_fill(cx, room) {
                Poll::Ready(Ok(0) | Err(_)) => break UploadFault::Left,
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => {
                    *self.reader.borrow_mut() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        *body = Reading::Broken;
        self.wake();
        Poll::Ready(Some(Err(fault)))
    }

    fn end_body(&self, body: &mut Reading) {
        *body = Reading::Over;
        self.wake();
    }

    /// The task of the connection may look at the socket again.
    fn wake(&self) {
        if let Some(waker) = self.waits.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Sends `100 Continue` to a client that waits for it (RFC 9110, section 10.1.1).
    fn poll_ask(&self, cx: &mut Context<'_>, asks: &mut Asks) -> Poll<io::Result<()>> {
        if *asks == Asks::Continue {
            if self.answering.get() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            *asks = Asks::Nothing;
            self.interim.set(CONTINUE);
        }
        while !self.interim.get().is_empty() {
            let mut stream = self.stream.borrow_mut();
            let sent = ready!(Pin::new(&mut *stream).poll_write(cx, self.interim.get()))?;
            self.interim
                .set(self.interim.get().get(sent..).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

/// What stands behind a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// The next one, or nothing yet.
    NextRequest,
    /// Nobody knows: its body was not read to the end.
    Unknown,
}

/// The body of a request on its way in.
#[derive(Debug)]
pub(crate) struct IncomingBody(Rc<Wire>);

impl IncomingBody {
    /// The next piece of the body.
    pub(crate) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        self.0.poll_body(cx)
    }

    /// Whether all of it came.
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.0.body.borrow(), Reading::Over)
    }

    /// How much is left, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match &*self.0.body.borrow() {
            Reading::Open { decoder, .. } => decoder.left(),
            Reading::Over => Some(0),
            Reading::Broken => None,
        }
    }
}

impl Drop for IncomingBody {
    fn drop(&mut self) {
        if let Reading::Open { held, .. } = &mut *self.0.body.borrow_mut() {
            *held = Held::No;
        }
        self.0.wake();
    }
}
