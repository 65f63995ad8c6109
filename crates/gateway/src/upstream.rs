//! Reaching upstreams: which target ([`target`]), which address of it
//! ([`resolve`], with the tenant's rule and our own listeners checked on the
//! very address that is then connected to), and over which connection
//! ([`connect`], [`pool`]). Everything here belongs to one worker thread but
//! the counters of targets.

pub(crate) mod connect;
pub(crate) mod io;
pub(crate) mod own;
pub(crate) mod pool;
pub(crate) mod resolve;
pub(crate) mod target;
