//! Reads OpenAPI descriptions: Swagger 2.0, OpenAPI 3.0, 3.1 and 3.2, as JSON
//! or YAML. It bundles what they refer to, brings them into one shape, indexes
//! their operations, and says what is wrong with them as findings with a JSON
//! pointer and, where known, a line.
//!
//! It works on the plain JSON tree with its own resolver, because typed models
//! refuse documents that are only slightly wrong, and real documents are. The
//! raw bytes stay the truth; the tree is derived from them.
//!
//! It must not know the store, HTTP servers or clients, the clock or any
//! runtime: what lies outside of a document is read through [`bundle::Fetch`],
//! which the caller guards.
//!
//! Start reading at [`import::import`], which is the whole way in one function;
//! then [`document`], [`bundle`], [`normalise`] and [`index`] in that order.

#[cfg(test)]
mod block_on;
pub mod bounds;
pub mod bundle;
mod canonical;
mod clone_budget;
pub mod diff;
pub mod docs;
pub mod document;
pub mod finding;
pub mod import;
pub mod index;
mod lines;
pub mod method;
pub mod normalise;
pub mod pointer;
mod references;
mod shape;
pub mod slug;
mod tree;
pub mod version;
