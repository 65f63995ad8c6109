//! What workers and the background task meet at. The models of concurrency
//! (feature `models`) put in its place atomics of loom, which tries every order
//! in which threads may see each other's writes.

#[cfg(feature = "models")]
mod modelled;

#[cfg(feature = "models")]
pub(crate) use loom::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64},
};
#[cfg(feature = "models")]
pub(crate) use modelled::Notify;
#[cfg(not(feature = "models"))]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64},
};
#[cfg(not(feature = "models"))]
pub(crate) use tokio::sync::Notify;
