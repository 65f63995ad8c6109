//! What has to happen without anybody asking: sunsets and expiries on time,
//! and the end of what is kept only for a while.
//!
//! Any number of workers may run. Every job is safe to do twice: a use case
//! checks again inside of its transaction, and a deletion that finds nothing
//! left does nothing.
//!
//! This crate decides no business rule, those are `control`'s, and knows no
//! HTTP and no pages. Start reading in [`worker`], then [`job`].

mod backoff;
pub mod job;
pub mod mail;
pub mod worker;

pub use job::{Job, JobError, Keep};
pub use mail::{MailError, MailSettings, Mailer};
pub use worker::Worker;
