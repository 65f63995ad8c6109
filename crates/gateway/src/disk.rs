//! What a node keeps so that it can start alone.
