//! The online shop behind the demo: four small upstream services with real,
//! bounded in-memory behaviour, their OpenAPI documents, and the description of
//! what the demo seeds.
//!
//! This crate knows nothing of Gatewright: the services are what any team might
//! run behind a gateway. Start reading in [`upstreams`], then a service such as
//! [`orders`], then [`seed`].

pub mod catalog;
pub mod inventory;
pub mod orders;
pub mod payments;
pub mod sample;
pub mod seed;
pub mod upstreams;

mod exchange;
