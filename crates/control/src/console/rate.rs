//! How many calls one person may try in a minute, counted where every process
//! sees it. What a call costs is counted by its plan at the gateway.

use std::net::IpAddr;
use std::time::Duration;

use gatewright_model::id::UserId;

use crate::accounts::throttle::{Window, network};
use crate::control::Control;
use crate::error::Result;

/// Calls in a window.
const TRIES: Window = Window {
    most: 30,
    length: Duration::from_secs(60),
    what: "calls a minute can be tried from here",
};

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Somebody who is signed in.
    User(UserId),
    /// A visitor, by the network.
    Address(IpAddr),
}

impl Control {
    /// Counts a try.
    ///
    /// # Errors
    /// [`crate::Error::TooOften`] with the time when to try again.
    pub(super) async fn admit_try(&self, who: Who) -> Result<()> {
        let key = match who {
            Who::User(user) => self.attempt_key(&["try", &user.to_string()]),
            Who::Address(address) => self.attempt_key(&["try from", &network(address)]),
        };
        self.admit_in(key, &TRIES).await
    }
}
