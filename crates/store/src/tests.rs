//! The store as a whole, on both databases.

mod accounts;
mod archives;
mod changes;
mod consumers;
mod plans;
mod proof;
mod providers;
mod schemas;
mod traffic;
mod usage_sums;
mod walls;
