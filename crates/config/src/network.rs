//! Which addresses the server's own fetchers may reach.

use ipnet::IpNet;

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static FETCH_ALLOW: Key = Key {
    name: "fetch-allow",
    section: "Outgoing requests",
    kind: Kind::List("CIDR"),
    fallback: Fallback::Unset,
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Networks that import URLs, references, webhooks and the like may reach besides global addresses; link-local and metadata addresses stay closed.",
};

/// The rules for outgoing requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Networks beyond the global addresses.
    pub fetch_allow: Vec<IpNet>,
}

impl NetworkConfig {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let fetch_allow = reader.read_list(&FETCH_ALLOW, parse)?;
        Some(Self { fetch_allow })
    }
}

pub(crate) fn parse(text: &str) -> Result<IpNet, Fault> {
    let address = || text.parse::<std::net::IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).map_err(|_| {
        Fault::new(
            format!("holds {text:?}, which is no network"),
            "give an address or a CIDR, for example 10.0.0.0/8",
        )
    })
}
