//! What the process tells about itself: log lines on stderr, metrics for
//! Prometheus, and panics as log lines. Also the field names that all crates
//! share, so that one query finds one thing everywhere.
//!
//! This crate knows no business crate. Start reading in [`field`], then
//! [`log`], then [`metrics`].

mod capped;
mod event;
pub mod field;
mod layer;
pub mod log;
pub mod metrics;
pub mod panics;
