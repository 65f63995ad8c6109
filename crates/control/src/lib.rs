//! The use cases of Gatewright, and the only home of its business rules. The
//! management API, the pages, the command line and the worker translate; they
//! decide nothing.
//!
//! A use case is a method on a small borrowed group (`control.plans()`), takes a
//! [`Caller`], checks what that one may do, and is one transaction: rows, audit
//! events, outbox, and what gateways get, or nothing at all.
//!
//! This crate must not know HTTP servers, templates or the gateway. Start
//! reading in [`caller`] and [`error`], then [`lifecycle`], which shows every
//! pattern at once.

mod account_secret;
pub mod accounts;
pub mod apis;
pub mod applications;
pub mod approvals;
pub mod audit;
mod audit_entry;
pub mod bootstrap;
pub mod caller;
pub mod calls;
pub mod catalog;
pub mod console;
pub mod consumer;
pub mod control;
pub mod credentials;
pub mod docs;
mod document_fetch;
pub mod error;
pub mod fetch;
pub mod first_run;
pub mod idempotency;
pub mod if_match;
pub mod impact;
pub mod import;
pub mod import_preview;
pub mod lifecycle;
pub mod limits;
pub mod mail;
pub mod names;
pub mod nodes;
mod outbox_entry;
pub mod passwords;
pub mod plans;
pub mod quota;
pub mod reader;
pub mod reveal;
pub mod samples;
pub mod schedules;
pub mod sessions;
mod snapshot;
pub mod subscriptions;
pub mod system;
pub mod teams;
pub mod tenants;
pub mod tokens;
pub mod upstreams;
pub mod usage;
pub mod users;
pub mod versions;
pub mod views;
#[cfg(test)]
mod walk;

pub use caller::Caller;
pub use control::Control;
pub use error::{Error, Result};
pub use if_match::IfMatch;
pub use reader::Reader;
