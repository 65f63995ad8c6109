//! A message on its way out, to a client or to an upstream: its head and the
//! first piece of its body leave together, whatever follows as it comes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use tokio::io::AsyncWrite;

use super::encode::{self, Framing};

/// Pieces up to this size are copied behind what is written anyway; larger ones are written from where they are.
const COPY: usize = 2 * 1024;
/// What is gathered before it is written.
const GATHER: usize = 16 * 1024;

/// Where a message goes.
pub(crate) trait Outlet {
    /// Hands bytes over; says how many were taken.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Ends when the system has all that was taken.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// Writes to a socket by the cheapest call that does it.
pub(crate) fn poll_write_slices<S: AsyncWrite + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    match slices {
        [only] => Pin::new(stream).poll_write(cx, only),
        several => Pin::new(stream).poll_write_vectored(cx, several),
    }
}

/// Why a message did not go out whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    /// The other side left, or takes nothing.
    #[error("the other side does not take the message: {0}")]
    Socket(#[source] io::Error),
    /// The body broke off.
    #[error("the body broke off")]
    Body,
}

/// Whether the reader asked for trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// `TE: trailers`, or an upstream, which says what it does with them.
    Wanted,
    /// They would be lost on it.
    Unwanted,
}

/// What a message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// Whoever gives the body.
    Body,
    /// Whoever reads it.
    Reader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The body may have more.
    Body,
    /// All of it is gathered.
    Ended,
    /// It broke off; what came before still goes out.
    Broken,
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Outbound<B> {
    out: Vec<u8>,
    written: usize,
    data: Bytes,
    tail: &'static [u8],
    body: B,
    framing: Framing,
    trailers: Trailers,
    left: u64,
    state: State,
    waits_for: WaitsFor,
    taken: u64,
}

impl<B: Body<Data = Bytes> + Unpin> Outbound<B> {
    /// A message of which the head is written into `out`.
    pub(crate) fn new(out: Vec<u8>, body: B, framing: Framing, trailers: Trailers) -> Self {
        let bodiless = framing == Framing::Bodiless || body.is_end_stream();
        let mut message = Self {
            out,
            written: 0,
            data: Bytes::new(),
            tail: b"",
            body,
            framing,
            trailers,
            left: match framing {
                Framing::Length(length) => length,
                _ => 0,
            },
            state: State::Body,
            waits_for: WaitsFor::Body,
            taken: 0,
        };
        if bodiless {
            message.end(None);
        }
        message
    }

    /// Ends when all of it was handed to the system.
    ///
    /// # Errors
    /// When it will never go out whole; the connection cannot be used again.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, outlet: &mut impl Outlet) -> Poll<Result<(), Cut>> {
        loop {
            let gathered = self.gather(cx);
            match self.flush(cx, outlet) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Cut::Socket(error))),
                Poll::Pending => {
                    self.waits_for = WaitsFor::Reader;
                    return Poll::Pending;
                }
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Broken => return Poll::Ready(Err(Cut::Body)),
                State::Body => {}
            }
            if gathered.is_pending() {
                self.waits_for = WaitsFor::Body;
                return Poll::Pending;
            }
        }
    }

    /// What it waits for since the last poll was pending.
    pub(crate) const fn waits_for(&self) -> WaitsFor {
        self.waits_for
    }

    /// How many bytes the reader has taken.
    pub(crate) const fn taken(&self) -> u64 {
        self.taken
    }

    /// The body, which may have more to do than to be read.
    pub(crate) const fn body_mut(&mut self) -> &mut B {
        &mut self.body
    }

    /// The memory of the head, empty.
    pub(crate) fn into_memory(mut self) -> Vec<u8> {
        self.out.clear();
        self.out
    }

    /// Takes what the body has, as long as it is little. Pending when it has nothing for now.
    fn gather(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.state == State::Body && self.data.is_empty() && self.out.len() - self.written < GATHER {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => self.end(None),
                Some(Err(_)) => self.state = State::Broken,
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.add(data);
                        if self.state == State::Body && self.body.is_end_stream() {
                            self.end(None);
                        }
                    }
                    Err(frame) => self.end(frame.into_trailers().ok()),
                },
            }
        }
        Poll::Ready(())
    }

    fn add(&mut self, data: Bytes) {
        // A chunk of no bytes would end the body.
        if data.is_empty() {
            return;
        }
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        match self.framing {
            Framing::Chunked => {
                encode::hexadecimal(&mut self.out, length);
                self.out.extend_from_slice(b"\r\n");
                self.tail = b"\r\n";
            }
            Framing::Length(_) => match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => {
                    self.state = State::Broken;
                    return;
                }
            },
            Framing::UntilClose | Framing::Bodiless => {}
        }
        if data.len() <= COPY {
            self.out.extend_from_slice(&data);
            self.out.extend_from_slice(std::mem::take(&mut self.tail));
        } else {
            self.data = data;
        }
    }

    fn end(&mut self, trailers: Option<HeaderMap>) {
        self.state = State::Ended;
        match self.framing {
            Framing::Chunked if !self.data.is_empty() => self.tail = b"\r\n0\r\n\r\n",
            Framing::Chunked => {
                self.out.extend_from_slice(b"0\r\n");
                let wanted = trailers.filter(|_| self.trailers == Trailers::Wanted);
                for (name, value) in wanted.iter().flatten() {
                    encode::field(&mut self.out, name.as_str(), value.as_bytes());
                }
                self.out.extend_from_slice(b"\r\n");
            }
            Framing::Length(_) if self.left > 0 => self.state = State::Broken,
            Framing::Length(_) | Framing::Bodiless | Framing::UntilClose => {}
        }
    }

    /// Writes what is gathered.
    fn flush(&mut self, cx: &mut Context<'_>, outlet: &mut impl Outlet) -> Poll<io::Result<()>> {
        loop {
            let out = self.out.get(self.written..).unwrap_or_default();
            if out.is_empty() && self.data.is_empty() && self.tail.is_empty() {
                self.out.clear();
                self.written = 0;
                return outlet.poll_flush(cx);
            }
            let sent = if self.data.is_empty() && self.tail.is_empty() {
                outlet.poll_write(cx, &[IoSlice::new(out)])
            } else {
                let slices = [out, self.data.as_ref(), self.tail].map(IoSlice::new);
                outlet.poll_write(cx, &slices)
            };
            let sent = ready!(sent)?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(sent);
        }
    }

    fn advance(&mut self, sent: usize) {
        self.taken = self.taken.saturating_add(u64::try_from(sent).unwrap_or(u64::MAX));
        let from_out = sent.min(self.out.len() - self.written);
        self.written += from_out;
        let from_data = (sent - from_out).min(self.data.len());
        self.data.advance(from_data);
        let from_tail = sent - from_out - from_data;
        self.tail = self.tail.get(from_tail..).unwrap_or_default();
    }
}
