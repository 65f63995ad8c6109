//! The words of the product: ids, entities, states and their moves, the
//! parsing of everything that people and programs type, and the configuration
//! snapshot that travels to gateways.
//!
//! This crate knows no I/O: no async, no SQL, no HTTP server. Start reading in
//! [`state`] (how words and machines are declared), then [`api`], [`plan`] and
//! [`consumer`], then [`snapshot`].

pub mod account;
pub mod address;
pub mod api;
pub mod approval;
pub mod audit;
pub mod console_token;
pub mod consumer;
pub mod histogram;
pub mod id;
pub mod invalid;
pub mod keys;
pub mod limit;
mod limit_words;
pub mod page;
pub mod permission;
pub mod plan;
pub mod reference;
pub mod secret;
pub mod snapshot;
pub mod state;
pub mod template;
pub mod tenancy;
pub mod text;
pub mod time;
pub mod traffic;
