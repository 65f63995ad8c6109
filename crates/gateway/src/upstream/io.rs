//! The socket to an upstream, plain or TLS, with a bound on what may come
//! before the head of an answer (`security.md`, T31).

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Bytes that may come before an answer begins: its head and interim answers.
const MAX_HEAD: usize = 128 * 1024;
/// Interim answers (1xx) that may come before an answer.
const MAX_INTERIM: u32 = 8;

/// What came since a request was sent, until the head of its answer is there.
#[derive(Debug, Default)]
pub(crate) struct HeadWatch {
    waiting: Cell<bool>,
    bytes: Cell<usize>,
    interim: Cell<u32>,
}

impl HeadWatch {
    /// A request is about to be sent.
    pub(crate) fn arm(&self) {
        self.waiting.set(true);
        self.bytes.set(0);
        self.interim.set(0);
    }

    /// The head of its answer is there.
    pub(crate) fn disarm(&self) {
        self.waiting.set(false);
    }

    /// Called before more is read: the parser asks for more only while the head is not whole.
    fn check(&self) -> io::Result<()> {
        let exceeded =
            self.waiting.get() && (self.bytes.get() > MAX_HEAD || self.interim.get() > MAX_INTERIM);
        if exceeded {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "too much before the head of the answer",
            ));
        }
        Ok(())
    }

    fn saw(&self, read: &[u8]) {
        if !self.waiting.get() {
            return;
        }
        self.bytes.set(self.bytes.get().saturating_add(read.len()));
        if is_interim(read) {
            let heads = read.windows(10).filter(|window| is_interim(window)).count();
            let heads = u32::try_from(heads).unwrap_or(u32::MAX);
            self.interim.set(self.interim.get().saturating_add(heads));
        }
    }
}

fn is_interim(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/1.1 1") || bytes.starts_with(b"HTTP/1.0 1")
}

/// A socket to an upstream.
#[derive(Debug)]
pub(crate) struct UpstreamIo {
    stream: Stream,
    watch: Rc<HeadWatch>,
}

/// What carries the bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    /// `http`
    Plain(TcpStream),
    /// `https`
    Tls(Box<TlsStream<TcpStream>>),
}

impl UpstreamIo {
    /// Watches a socket.
    pub(crate) fn new(stream: Stream, watch: Rc<HeadWatch>) -> Self {
        Self { stream, watch }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.watch.check()?;
        let before = buf.filled().len();
        ready!(match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        })?;
        this.watch.saw(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_counted_and_bodies_are_not() {
        let watch = HeadWatch::default();
        watch.arm();
        for _ in 0..4 {
            watch.saw(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n");
        }
        assert!(watch.check().is_ok());
        watch.saw(b"HTTP/1.1 100 Continue\r\n\r\n");
        assert!(watch.check().is_err());
        watch.disarm();
        assert!(watch.check().is_ok());
        watch.arm();
        watch.saw(&vec![b'x'; MAX_HEAD]);
        assert!(watch.check().is_ok());
        watch.saw(b"x");
        assert!(watch.check().is_err());
    }
}
