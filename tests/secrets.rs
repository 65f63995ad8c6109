//! Secrets stay where they belong: a recognisable one in every place that takes
//! one, a whole run, and then a search of everything that Gatewright says,
//! shows, exports and keeps (`docs/reliability.md`, "Secrets").
//!
//! Start reading in `run.rs`.

mod canaries;
mod crawl;
mod dump;
mod run;
