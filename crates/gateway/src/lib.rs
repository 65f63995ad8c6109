//! The data plane: it listens, routes, decides who may pass, reaches upstreams
//! and records what happened.
//!
//! It lives without the database. Configuration comes through
//! [`source::ConfigSource`] and from disk, records leave through
//! [`source::RecordSink`]; this crate knows no store, no use case, no importer
//! and no page. Nothing is shared on the path of a request but an immutable
//! configuration that is swapped whole, immutable shards of credentials, and
//! atomics.
//!
//! Start reading in [`runtime`] (what is decided about a request, and in which
//! order), then [`compiled`] (what it is decided by) and [`sync`] (how that
//! gets here); the way of a request over the wire starts in [`server`] and
//! [`http1`].

mod atomics;
pub mod compiled;
pub mod disk;
pub mod metrics;
pub mod record;
pub mod rejection;
pub mod runtime;
pub mod server;
pub mod source;
pub mod subjects;
pub mod sync;

mod authorize;
mod body;
mod edge;
mod forward;
mod headers;
mod http1;
mod http2;
mod lifecycle;
mod limit;
mod listener;
mod maps;
mod proxy;
mod route;
#[cfg(test)]
mod testing;
mod trace;
mod upstream;
mod watchdog;
mod worker;
