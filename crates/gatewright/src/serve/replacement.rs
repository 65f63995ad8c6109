//! The running server's part in being replaced: it starts the new process when
//! a signal asks for it, and gives what that one comes for.

use super::handover::{Desk, Outcome, Socket, successor};
use super::{Content, Ending, Server};
use crate::failure::Failure;

/// Starts the process that takes over. The desk hears of the rest.
pub(super) fn begin(content: Content) {
    if content == Content::Demo {
        tracing::warn!("a demo is not taken over from: its services end with it");
        return;
    }
    if std::process::id() == 1 {
        tracing::warn!("process 1 of a container is not taken over from: the container ends with it");
        return;
    }
    match successor::start() {
        Ok(pid) => tracing::info!(
            { "process.id" } = pid,
            "asked to be replaced: a new process starts"
        ),
        Err(error) => tracing::error!(%error, "no new process could be started: this one goes on"),
    }
}

impl Server {
    /// Ends when another process has taken over. One that comes to do so and
    /// does not get ready leaves everything as it was.
    pub(super) async fn hand_over(&self) -> Ending {
        let data_dir = &self.base.config.store.data_dir;
        if self.shop.is_some() {
            return std::future::pending().await;
        }
        let desk = match Desk::open(data_dir) {
            Ok(desk) => desk,
            Err(error) => {
                tracing::warn!(%error, "no process can take over from this one: an upgrade is a restart");
                return std::future::pending().await;
            }
        };
        loop {
            let mut claimant = desk.claimant().await;
            let sockets = match self.offer().await {
                Ok(sockets) => sockets,
                Err(failure) => {
                    claimant.refuse(failure.to_string()).await;
                    continue;
                }
            };
            if let Some(gateway) = &self.gateway {
                gateway.step_back().await;
            }
            match desk.give(&mut claimant, &self.lock, &sockets).await {
                Outcome::TakenOver => {
                    tracing::info!("another process has taken over: draining");
                    return Ending::TakenOver;
                }
                Outcome::GivenUp => {
                    if let Some(gateway) = &self.gateway {
                        gateway.step_forward().await;
                    }
                }
            }
        }
    }

    /// Descriptors of every socket of this process.
    async fn offer(&self) -> Result<Vec<Socket>, Failure> {
        let mut sockets = Vec::new();
        for own in &self.sockets {
            sockets.push(own.copy()?);
        }
        if let Some(gateway) = &self.gateway {
            sockets.extend(gateway.copies()?);
        }
        if let Some(listener) = self.sample.socket().await {
            sockets.push(Socket::of_sample(listener));
        }
        Ok(sockets)
    }
}
