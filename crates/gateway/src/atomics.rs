//! What threads meet at: atomics, locks, channels, and pointers to what is
//! replaced as a whole. The models of concurrency (feature `models`) put in their place those
//! of loom, which tries every order in which threads may see each other's writes.

#[cfg(feature = "models")]
mod modelled;

#[cfg(not(feature = "models"))]
pub(crate) use arc_swap::{ArcSwap, ArcSwapOption};
#[cfg(feature = "models")]
pub(crate) use loom::sync::{
    Mutex,
    atomic::{AtomicI64, AtomicU32, AtomicUsize},
};
#[cfg(feature = "models")]
pub(crate) use modelled::{ArcSwap, ArcSwapOption, mpsc};
#[cfg(not(feature = "models"))]
pub(crate) use std::sync::{
    Mutex,
    atomic::{AtomicI64, AtomicU32, AtomicUsize},
};
#[cfg(not(feature = "models"))]
pub(crate) use tokio::sync::mpsc;
