//! An answer on its way out: its head and the first piece of its body leave
//! together, whatever follows as it comes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::Body;
use tokio::io::AsyncWrite;

use super::encode::{self, Framing};
use super::watchdog::Watchdog;
use super::wire::Wire;
use crate::proxy::answer::AnswerBody;

/// Pieces up to this size are copied behind what is written anyway; larger ones are written from where they are.
const COPY: usize = 2 * 1024;
/// What is gathered before it is written.
const GATHER: usize = 16 * 1024;

/// Why an answer did not go out whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    /// The client left, or reads nothing.
    #[error("the client does not take its answer: {0}")]
    Client(#[source] io::Error),
    /// The body broke off.
    #[error("the answer broke off")]
    Body,
}

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Sending<'a> {
    wire: &'a Wire,
    watchdog: &'a mut Watchdog,
    /// How long the client may take nothing.
    patience: std::time::Duration,
    out: &'a mut Vec<u8>,
    written: usize,
    data: Bytes,
    tail: &'static [u8],
    body: AnswerBody,
    framing: Framing,
    trailers: Trailers,
    left: u64,
    state: State,
    stalled_since: Option<Instant>,
}

/// Whether the client asked for trailers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trailers {
    /// `TE: trailers`
    Wanted,
    /// They would be lost on it.
    Unwanted,
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

/// What a [`Sending`] works with.
#[derive(Debug)]
pub(super) struct Means<'a> {
    /// Where it goes.
    pub(super) wire: &'a Wire,
    /// The connection's timer.
    pub(super) watchdog: &'a mut Watchdog,
    /// How long the client may take nothing.
    pub(super) patience: std::time::Duration,
    /// Holds the head already.
    pub(super) out: &'a mut Vec<u8>,
}

impl<'a> Sending<'a> {
    /// An answer of which the head is written into `means.out`.
    pub(super) fn new(means: Means<'a>, body: AnswerBody, framing: Framing, trailers: Trailers) -> Self {
        let Means {
            wire,
            watchdog,
            patience,
            out,
        } = means;
        let state = match framing {
            Framing::Bodiless => State::Ended,
            _ if body.is_end_stream() => State::Ended,
            _ => State::Body,
        };
        let mut sending = Self {
            wire,
            watchdog,
            patience,
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
            stalled_since: None,
        };
        if state == State::Ended {
            sending.end(None);
        }
        sending
    }

    /// Ends when all of it was handed to the system.
    ///
    /// # Errors
    /// When it will never go out whole; the connection cannot be used again.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        loop {
            let gathered = self.gather(cx);
            match self.flush(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Cut::Client(error))),
                Poll::Pending => return self.poll_stalled(cx),
            }
            match self.state {
                State::Ended => return Poll::Ready(Ok(())),
                State::Broken => return Poll::Ready(Err(Cut::Body)),
                State::Body => {}
            }
            if gathered.is_pending() {
                // The body will wake us. A client that leaves meanwhile shows only when it is read from.
                ready!(self.wire.poll_left(cx));
                return Poll::Ready(Err(Cut::Client(io::ErrorKind::ConnectionAborted.into())));
            }
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Cut>> {
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        ready!(self.watchdog.poll(cx, since + self.patience));
        Poll::Ready(Err(Cut::Client(io::ErrorKind::TimedOut.into())))
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
                encode::hexadecimal(self.out, length);
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
                    encode::field(self.out, name.as_str(), value.as_bytes());
                }
                self.out.extend_from_slice(b"\r\n");
            }
            Framing::Length(_) if self.left > 0 => self.state = State::Broken,
            Framing::Length(_) | Framing::Bodiless | Framing::UntilClose => {}
        }
    }

    /// Writes what is gathered.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let out = self.out.get(self.written..).unwrap_or_default();
            if out.is_empty() && self.data.is_empty() && self.tail.is_empty() {
                self.out.clear();
                self.written = 0;
                return Poll::Ready(Ok(()));
            }
            let mut stream = self.wire.stream.borrow_mut();
            let stream = Pin::new(&mut *stream);
            let sent = if self.data.is_empty() && self.tail.is_empty() {
                stream.poll_write(cx, out)
            } else {
                let slices = [out, self.data.as_ref(), self.tail].map(IoSlice::new);
                stream.poll_write_vectored(cx, &slices)
            };
            let sent = ready!(sent)?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.stalled_since = None;
            self.advance(sent);
        }
    }

    fn advance(&mut self, sent: usize) {
        let from_out = sent.min(self.out.len() - self.written);
        self.written += from_out;
        let from_data = (sent - from_out).min(self.data.len());
        self.data.advance(from_data);
        let from_tail = sent - from_out - from_data;
        self.tail = self.tail.get(from_tail..).unwrap_or_default();
    }
}
