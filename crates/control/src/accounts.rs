//! Accounts.

pub(crate) mod throttle;
