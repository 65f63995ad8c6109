//! The socket of an HTTP/2 connection: clients that read nothing are cut off
//! here, and floods of frames are seen before the parser works on them.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::flood::FrameWatch;

/// A client's socket.
#[derive(Debug)]
pub(super) struct ClientIo {
    stream: TcpStream,
    /// What was read while the protocol was found out.
    sniffed: Bytes,
    watch: Rc<FrameWatch>,
    write_limit: Duration,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl ClientIo {
    /// `write_limit` is the longest time in which the client reads nothing.
    pub(super) fn new(
        stream: TcpStream,
        sniffed: Bytes,
        watch: Rc<FrameWatch>,
        write_limit: Duration,
    ) -> Self {
        Self {
            stream,
            sniffed,
            watch,
            write_limit,
            write_timer: None,
        }
    }

    fn poll_written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            self.write_timer = None;
            if let Ok(bytes) = &written {
                self.watch.wrote(*bytes);
            }
            return Poll::Ready(written);
        }
        let limit = self.write_limit;
        let timer = self
            .write_timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client reads nothing",
        )))
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.is_flooded() {
            // Nothing more is taken; whoever drives the connection ends it.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        if this.sniffed.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let length = this.sniffed.len().min(buf.remaining());
            buf.put_slice(this.sniffed.get(..length).unwrap_or_default());
            this.sniffed.advance(length);
        }
        this.watch.read(buf.filled().get(before..).unwrap_or_default());
        if this.watch.is_flooded() {
            buf.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.poll_written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
