//! The gateway's and the limiter's traits over the store and the notices.
//! Each takes a [`crate::store_slot::StoreSlot`]: while there is no store they
//! say so, and the gateway goes on with what it has.

pub(crate) mod config_source;
mod counter_rows;
pub(crate) mod counters;
mod last_used;
pub(crate) mod node_id;
pub(crate) mod node_rows;
pub(crate) mod record_sink;
