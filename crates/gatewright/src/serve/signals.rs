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
    /// To end: SIGTERM, SIGINT.
    End,
    /// To let a new process take over: SIGUSR2.
    Replace,
    /// To read its configuration again: SIGHUP.
    Reload,
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

    /// The next thing that is asked.
    pub(crate) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.replace.recv() => Asked::Replace,
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
