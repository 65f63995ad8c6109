//! Tables on the path of a call. Their hash is several times as fast as that of
//! the standard library and seeded afresh in each process; what a client can put
//! into one of them is bounded.

use std::collections::HashMap;

/// A table that is asked for each call.
pub(crate) type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
