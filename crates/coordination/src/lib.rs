//! How several gateways share one truth: the lease protocol of limits with its
//! authorities, the node's side that keeps a request from waiting for them, and
//! the notices by which nodes tell each other that something changed.
//!
//! This crate does not know the store, the HTTP servers or the rules of the
//! product: the store-backed authority gets its rows through
//! [`stored::CounterStore`]. Start reading in [`authority`] (the protocol as
//! data), then [`ledger`] (its rules, without I/O), then [`limiter`] (the
//! node's side) and [`notice`].

mod atomics;
pub mod authority;
pub mod conformance;
pub mod gcra;
pub mod ledger;
pub mod limiter;
#[cfg(feature = "models")]
pub mod modelling;
pub mod notice;
pub mod redis_authority;
pub mod stored;
pub mod terms;
