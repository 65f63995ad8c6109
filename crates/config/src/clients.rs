//! What clients of the gateway may cost, and which of them stand in for others.

use ipnet::IpNet;

use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;
use crate::network;

const SECTION: &str = "Clients of the gateway";

pub(crate) static TRUSTED_PROXIES: Key = Key {
    name: "gateway-trusted-proxies",
    section: SECTION,
    kind: Kind::List("CIDR"),
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Load balancers and proxies in front of the gateway: their X-Forwarded-For and X-Forwarded-Proto are believed, and gateway_max_connections_per_address does not apply to them.",
};

pub(crate) static MAX_BODY: Key = Key {
    name: "gateway-max-body-mib",
    section: SECTION,
    kind: Kind::Integer("MiB"),
    fallback: Fallback::Value("10"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "The largest body of a call, 1 to 65536 MiB; a larger one is refused with 413.",
};

pub(crate) static MAX_CONNECTIONS: Key = Key {
    name: "gateway-max-connections",
    section: SECTION,
    kind: Kind::Integer("connections"),
    fallback: Fallback::Value("50000"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Connections of clients at once, 1 to 1000000; more are closed at once.",
};

pub(crate) static MAX_PER_ADDRESS: Key = Key {
    name: "gateway-max-connections-per-address",
    section: SECTION,
    kind: Kind::Integer("connections"),
    fallback: Fallback::Value("200"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Connections from one address at once, 1 to 1000000; loopback and trusted proxies have no such bound.",
};

pub(crate) static MAX_BUFFERED: Key = Key {
    name: "gateway-max-buffered-mib",
    section: SECTION,
    kind: Kind::Integer("MiB"),
    fallback: Fallback::Value("512"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "What all connections of clients may hold in buffers, 8 to 1048576 MiB; above nine tenths idle ones are closed, above it calls are refused with 503.",
};

const MIB: u64 = 1024 * 1024;

/// What clients of the gateway may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Peers that stand in for others.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest body, in bytes.
    pub max_body: u64,
    /// Connections of the process.
    pub max_connections: u32,
    /// Connections of one address.
    pub max_connections_per_address: u32,
    /// Bytes in buffers of all connections.
    pub max_buffered: u64,
}

impl ClientConfig {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let trusted_proxies = reader.read_list(&TRUSTED_PROXIES, network::parse);
        let max_body = reader.read_integer(&MAX_BODY, 1..=65_536);
        let max_connections = reader.read_integer(&MAX_CONNECTIONS, 1..=1_000_000);
        let max_connections_per_address = reader.read_integer(&MAX_PER_ADDRESS, 1..=1_000_000);
        let max_buffered = reader.read_integer(&MAX_BUFFERED, 8..=1_048_576);
        Some(Self {
            trusted_proxies: trusted_proxies?,
            max_body: u64::from(max_body?) * MIB,
            max_connections: max_connections?,
            max_connections_per_address: max_connections_per_address?,
            max_buffered: u64::from(max_buffered?) * MIB,
        })
    }
}
