//! Things that break while Gatewright runs.

mod crash;
mod stores_gone;
