//! The signals that an operator or a service manager sends.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// Listens for signals from the moment it is made.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    replace: Signal,
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To end.
    End,
    /// To let a new process take over.
    Replace,
}

impl Signals {
    /// Starts to listen; until then a signal ends the process as it always does.
    ///
    /// # Errors
    /// When the system gives no handler.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let on = |kind| {
            signal(kind).map_err(|error| Failure::finding(format!("signals cannot be listened for: {error}")))
        };
        Ok(Self {
            terminate: on(SignalKind::terminate())?,
            interrupt: on(SignalKind::interrupt())?,
            hangup: on(SignalKind::hangup())?,
            replace: on(SignalKind::user_defined2())?,
        })
    }

    /// What the process is asked for next.
    pub(crate) async fn next(&mut self) -> Asked {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Asked::End,
                _ = self.interrupt.recv() => return Asked::End,
                _ = self.replace.recv() => return Asked::Replace,
                _ = self.hangup.recv() => {
                    tracing::info!("nothing to reload: no certificate is configured, and settings are read at the start");
                }
            }
        }
    }
}
