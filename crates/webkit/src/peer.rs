//! Who is at the other end of the connection that a request came by.

use std::net::SocketAddr;

/// The other end of the connection. It stands in the extensions of every
/// request that [`crate::serve::serve`] hands to its router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);
