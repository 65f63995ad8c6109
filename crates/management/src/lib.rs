//! The management API: JSON under `/api/v1`, described by OpenAPI 3.1.
//!
//! A handler extracts, calls `control` and renders. What it takes and gives is
//! read off its signature twice: by axum to run it and by [`operation`] to
//! describe it, so that the description cannot say anything else.
//!
//! This crate must not know the store, the gateway or HTML. Start reading in
//! [`router`], then `routes/apis.rs`; `docs/api-design.md` has the conventions.

mod answer;
mod fields;
mod filters;
mod input;
mod operation;
mod output;
mod refusals;
mod router;
mod routes;
mod schema;

#[cfg(test)]
mod testing;

pub use router::{ManagementSettings, openapi, router, routes_with_access};
