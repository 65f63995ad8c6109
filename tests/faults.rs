//! Things that break while Gatewright runs. The number in a test's name is that
//! of the reliability goal it proves; `docs/reliability.md` has the table.
//!
//! Every test has two sizes: a short one, and a long one under `GATEWRIGHT_SOAK=1`
//! (`tests/run soak`). Start reading in `load.rs`.

mod clock;
mod configuration;
mod crash;
mod disk;
pub(crate) mod load;
mod node_killed;
mod overload;
mod quota;
mod redis_gone;
mod restore;
mod revocation;
mod stores_gone;
mod upgrade;
mod upstream_cuts;
mod upstream_flaps;
mod upstream_slow;
