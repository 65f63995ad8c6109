//! Start-up and observation for black-box tests: throw-away Postgres and Redis,
//! the real `gatewright` binary, an upstream that records what reaches it, and a
//! small HTTP client.
//!
//! This crate knows Gatewright only as an outsider does: by its command line,
//! its ready line and its addresses. It uses no other crate of the workspace.
//! Start reading in [`server`], then [`http`] and [`echo`].
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "used by tests and benchmarks alone: a start-up that fails ends the run, with its text"
)]

pub mod echo;
pub mod faulty;
pub mod http;
pub mod permissions;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod server;
pub mod smtp;
pub mod wait;
