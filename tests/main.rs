//! Black-box tests: they start the real binary and speak HTTP to it, knowing
//! only what the public contract says.
//!
//! `cargo build -p gatewright` first, then `cargo test -p gatewright-tests`;
//! `tests/run http` does both and brings Postgres and Redis. Start reading in
//! `world.rs` (what a test is given), then `gateway/flow.rs` (the main job).
#![cfg(test)]

/// Runs a scenario on the embedded default, and on Postgres and Redis with a
/// gateway in a second process.
macro_rules! both_stores {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[tokio::test]
            async fn embedded() {
                super::$scenario(crate::world::World::embedded()).await;
            }

            #[tokio::test]
            async fn cluster() {
                if let Some(world) = crate::world::World::cluster() {
                    super::$scenario(world).await;
                }
            }
        }
    )+};
}

mod documents;
mod faults;
mod gateway;
mod lifecycle;
mod management;
mod portal;
mod secrets;
mod stores;
mod world;
