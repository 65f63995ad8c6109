//! The catalogue alone, for an installation without the demo whose first API
//! shall have something behind it.

use std::io;
use std::net::SocketAddr;
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
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Sample {
    /// Starts it on loopback, on this port if it is free; 0 is any.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = listen(port).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::new(Catalog), stop.clone()));
        Ok(Self { address, stop, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets calls under way end, and waits for that, at most 5 s.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended =
            tokio::time::timeout(DRAIN, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("calls to the sample service were cut off");
        }
    }
}
