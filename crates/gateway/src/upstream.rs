//! Reaching upstreams: which target ([`target`]), which address of it
//! ([`resolve`], with the tenant's rule and our own listeners checked on the
//! very address that is then connected to), over which connection ([`connect`],
//! [`line`], [`pool`]), and what is said over it ([`talk`], [`answer`]).
//! Everything here belongs to one worker thread but the counters of targets.

mod answer;
pub(crate) mod connect;
mod io;
pub(crate) mod line;
pub(crate) mod own;
pub(crate) mod pool;
pub(crate) mod resolve;
pub(crate) mod talk;
pub(crate) mod target;

pub(crate) use self::answer::AnswerHead;
