//! The running server's part in being replaced: it starts the new process when
//! a signal asks for it, and gives what that one comes for.

use super::handover::{Claimant, Desk, Outcome, Socket, successor};
use super::{Content, Ending, Server};
use crate::failure::Failure;

/// Starts the process that takes over. The desk hears of the rest.
pub(super) fn begin(content: Content) {
    let started = match obstacle(content) {
        Some(reason) => Err(reason.to_owned()),
        None => successor::start().map_err(|error| error.to_string()),
    };
    match started {
        Ok(pid) => tracing::info!({ "process.id" } = pid, "asked to be replaced"),
        Err(reason) => tracing::error!(reason, "no new process is started to take over"),
    }
}

/// Why this process cannot be replaced.
fn obstacle(content: Content) -> Option<&'static str> {
    if content == Content::Demo {
        Some("the services of a demo end with it")
    } else if std::process::id() == 1 {
        Some("a container ends with its process 1")
    } else {
        None
    }
}

impl Server {
    /// Ends when another process has taken over. One that comes to do so and
    /// does not get ready leaves everything as it was.
    pub(super) async fn hand_over(&self) -> Ending {
        let Some(desk) = self.desk() else {
            return std::future::pending().await;
        };
        loop {
            let claimant = desk.claimant().await;
            if let Some(ending) = self.serve_claimant(&desk, claimant).await {
                return ending;
            }
        }
    }

    /// Where another process asks; a demo has none.
    fn desk(&self) -> Option<Desk> {
        if self.shop.is_some() {
            return None;
        }
        Desk::open(&self.base.config.store.data_dir)
            .inspect_err(|error| {
                tracing::warn!(%error, "no process can take over from this one: an upgrade is a restart");
            })
            .ok()
    }

    async fn serve_claimant(&self, desk: &Desk, mut claimant: Claimant) -> Option<Ending> {
        let sockets = match self.offer().await {
            Ok(sockets) => sockets,
            Err(failure) => {
                claimant.refuse(failure.to_string()).await;
                return None;
            }
        };
        if let Some(gateway) = &self.gateway {
            gateway.step_back().await;
        }
        match desk.give(&mut claimant, &self.lock, &sockets).await {
            Outcome::TakenOver => {
                tracing::info!("another process has taken over: draining");
                Some(Ending::TakenOver)
            }
            Outcome::GivenUp => {
                if let Some(gateway) = &self.gateway {
                    gateway.step_forward().await;
                }
                None
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
