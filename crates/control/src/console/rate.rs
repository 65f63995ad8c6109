//! How many calls one person may try in a minute. The count stands in this
//! process: what a call costs is counted by its plan at the gateway.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gatewright_model::id::UserId;
use gatewright_model::time::Timestamp;

use crate::error::{Error, Result};

/// Calls in a window.
const TRIES: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// Windows that are kept at once; beyond, old ones go first.
const KEPT: usize = 10_000;

/// Who tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// Somebody who is signed in.
    User(UserId),
    /// A visitor, by the network.
    Address(IpAddr),
}

impl Who {
    /// Somebody with an IPv6 address has the whole /64 around it.
    pub(super) fn of_address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Timestamp,
    tries: u32,
}

/// The windows of everybody who tried something lately.
#[derive(Debug, Default)]
pub(crate) struct TryRate(Mutex<HashMap<Who, Window>>);

impl TryRate {
    /// Counts a try.
    ///
    /// # Errors
    /// [`Error::Guard`] `too_many_attempts` with the time when to try again.
    pub(super) fn admit(&self, who: Who, now: Timestamp) -> Result<()> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= KEPT && !windows.contains_key(&who) {
            windows.retain(|_, window| now.since(window.since) < WINDOW);
            if windows.len() >= KEPT {
                windows.clear();
            }
        }
        let fresh = Window { since: now, tries: 0 };
        let window = windows.entry(who).or_insert(fresh);
        if now.since(window.since) >= WINDOW {
            *window = fresh;
        }
        if window.tries >= TRIES {
            let left = WINDOW.saturating_sub(now.since(window.since)).as_secs() + 1;
            return Err(Error::guard(
                "too_many_attempts",
                format!("{TRIES} calls a minute can be tried from here: try again in {left} seconds"),
            ));
        }
        window.tries += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::id::EntityId;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn user(number: u128) -> Who {
        Who::User(UserId::from_uuid(Uuid::from_u128(number)))
    }

    #[test]
    fn thirty_calls_a_minute_each() {
        let rate = TryRate::default();
        for _ in 0..TRIES {
            rate.admit(user(1), NOW).unwrap();
        }
        let late = NOW.plus(Duration::from_secs(50));
        let refused = rate.admit(user(1), late).unwrap_err().to_string();
        assert!(refused.contains("in 11 seconds"), "{refused}");
        rate.admit(user(2), late).unwrap();
        rate.admit(user(1), NOW.plus(WINDOW)).unwrap();
    }

    #[test]
    fn a_crowd_does_not_grow_the_memory() {
        let rate = TryRate::default();
        for number in 0..3 * KEPT as u128 {
            rate.admit(user(number), NOW).unwrap();
        }
        assert!(rate.0.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn a_network_is_one_visitor() {
        let who = |text: &str| Who::of_address(text.parse().unwrap());
        assert_eq!(who("2001:db8::1"), who("2001:db8::2"));
        assert_ne!(who("2001:db8::1"), who("2001:db8:0:1::1"));
        assert_eq!(who("::ffff:192.0.2.7"), who("192.0.2.7"));
    }
}
