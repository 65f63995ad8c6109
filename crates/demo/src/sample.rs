//! The catalogue alone, for an installation without the demo whose first API
//! shall have something behind it.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, DOCUMENT_V2};
use crate::upstreams::{DRAIN, listen, serve};

/// As people read it.
pub const NAME: &str = "Sample catalog";
/// Its slug.
pub const SLUG: &str = "sample-catalog";
/// Its description.
pub const DOCUMENT: &str = DOCUMENT_V2;
/// The path on the service.
pub const BASE_PATH: &str = "/v2";

/// The running service.
#[derive(Debug)]
pub struct Sample {
    address: SocketAddr,
    socket: TcpListener,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Sample {
    /// Starts it on loopback, on this port if it is free; 0 is any.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(port: u16) -> io::Result<Self> {
        Self::serve(listen(port).await?)
    }

    /// Starts it on a socket that another process has bound.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn start_on(socket: TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::serve(tokio::net::TcpListener::from_std(socket)?)
    }

    fn serve(listener: tokio::net::TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let socket = TcpListener::from(listener.as_fd().try_clone_to_owned()?);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(Catalog), stop.clone()));
        Ok(Self {
            address,
            socket,
            stop,
            tasks,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another descriptor of its socket, for another process.
    ///
    /// # Errors
    /// When there are no more descriptors to be had.
    pub fn socket(&self) -> io::Result<TcpListener> {
        self.socket.try_clone()
    }

    /// Lets calls under way end, and waits for that, at most 5 s.
    pub async fn stop(mut self) {
        drop(self.socket);
        self.stop.cancel();
        let ended =
            tokio::time::timeout(DRAIN, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("calls to the sample service were cut off");
        }
    }
}
