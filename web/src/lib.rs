//! The pages: the developer portal and the admin console, rendered on the
//! server, complete without JavaScript.
//!
//! A page is one file with its handlers, one template, and one line in the list
//! of its area. A handler names who may see it in its first argument, calls the
//! use case that the management API calls, and renders. What every page shares
//! is the [`visit`] (who comes, to which tenant, with which choices) and the
//! [`shell`] around its content.
//!
//! This crate must not know the store or the gateway. Start reading in
//! [`router`], then [`visit`] and [`page`].

mod account;
mod app;
mod assets;
mod chart;
mod console;
mod cookies;
mod csv;
mod explained;
mod failure;
mod fields;
mod filters;
mod form;
mod gallery;
mod icon;
mod listing;
mod looks;
mod markdown;
mod nav;
mod next_step;
mod page;
mod pages;
mod portal;
mod range;
mod router;
mod sample;
mod security;
mod shell;
#[cfg(test)]
mod templates;
mod tenant_path;
#[cfg(test)]
mod testing;
mod traffic;
mod visit;

pub use app::WebSettings;
pub use router::{before_the_store, router, routes_with_access};
pub use sample::{SampleApi, SampleService};
