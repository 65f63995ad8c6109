//! The management API, as programs see it.

mod approvals;
mod documents;
mod idempotency;
mod imports;
mod isolation;
mod lists;
mod problems;
mod tokens;
mod transitions;
