//! The axum parts that the management API and the pages share: who calls and
//! what that one may do, problems (RFC 9457), paths, queries, bodies, entity
//! tags, repeated requests, and the loop that serves a router.
//!
//! A handler names the permission it needs in the type of its first argument
//! ([`authorized::Authorized`]); [`routes::Routes`] takes no other handlers.
//!
//! This crate must not know the store, the gateway, or what a single route is
//! about. Start reading in [`routes`] and [`problem`].

pub mod authorized;
pub mod body;
pub mod entity_tag;
pub mod idempotency;
pub mod path;
pub mod peer;
pub mod permit;
pub mod problem;
pub mod query;
pub mod request_id;
pub mod routes;
pub mod rules;
pub mod serve;
