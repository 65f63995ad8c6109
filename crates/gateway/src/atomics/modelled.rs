//! What loom does not have itself.

pub(crate) mod mpsc;
mod swap;

pub(crate) use swap::{ArcSwap, ArcSwapOption};
