//! The catalogue: what readers of the portal find, and what they see of it.

pub(crate) mod sight;
