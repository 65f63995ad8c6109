//! All SQL of Gatewright, for two databases, written once: rows to model types
//! and back, transactions, migrations, backup.
//!
//! This crate knows no HTTP, no pages and no gateway, and it decides nothing:
//! business rules live above it. That there are two databases is known here alone.
//!
//! ```ignore
//! let mut tx = store.begin(Scope::Tenant(tenant_id)).await?;
//! let api = tx.apis().find_by_slug(&slug).await?;        // Option<Api>
//! tx.apis().insert(&new).await?;                         // Err(Conflict(Rule::ApiSlug))
//! let api = tx.apis().update(&api).await?;               // Err(Stale) when row_version moved on
//! tx.audit(entry);                                       // collected …
//! let seq = tx.commit(now).await?;                       // … numbered and written here
//! ```
//!
//! Start reading in [`tx`] (transactions and what repositories stand on), then
//! [`change`] (numbers, audit, messages), `conn.rs` (the two databases), then
//! any aggregate, for example [`api`].

pub mod account;
pub mod api;
pub mod application;
pub mod approval;
pub mod archive;
mod arrays;
mod audience;
pub mod audit;
pub mod call;
pub mod catalog;
pub mod change;
mod column;
mod conn;
pub mod credential;
pub mod delta;
mod dialect;
pub mod document_part;
pub mod error;
pub mod health;
pub mod idempotency;
pub mod lease;
pub mod meta;
pub mod migrations;
pub mod names;
pub mod node;
pub mod outbox;
pub mod plan;
mod private_file;
pub mod revision;
mod row;
mod schema;
mod seen;
pub mod session;
pub mod snapshot;
pub mod store;
pub mod subscription;
pub mod tenancy;
pub mod token;
pub mod traffic;
pub mod tx;
pub mod upstream;
pub mod usage;
mod usage_split;
mod usage_sum;
pub mod user;
pub mod version;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use account::Attempt;
pub use api::{ApiFilter, ApiOrder};
pub use application::ApplicationFilter;
pub use approval::ApprovalFilter;
pub use archive::{ArchiveFacts, BackupOptions};
pub use audit::{AuditFilter, ChainVerdict};
pub use call::{CallFilter, StoredCall, TrafficView};
pub use catalog::{CatalogMark, ShownOperation, ShownPlan, ShownVersion};
pub use change::{AuditEntry, OutboxEntry};
pub use conn::{Dialect, Scope};
pub use delta::{DeltaPage, DeltaRange};
pub use document_part::{DocumentPart, DocumentParts};
pub use error::{Rule, StoreError};
pub use health::Health;
pub use idempotency::{IdempotencyKey, StoredAnswer};
pub use meta::MetaKey;
pub use migrations::MigrationError;
pub use names::{Named, Names, Wanted};
pub use node::{GatewayNode, NodeState};
pub use outbox::{OutboxMessage, Topics};
pub use snapshot::SnapshotSummary;
pub use store::{Database, Store, StoreSettings};
pub use subscription::SubscriptionFilter;
pub use tx::Tx;
pub use usage::{GroupKey, UsageFilter, UsageGroup, UsageGroups, UsageSum};
pub use version::VersionSummary;
