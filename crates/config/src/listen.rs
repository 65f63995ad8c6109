//! The addresses that the process listens on (`product.md` 3: 8000 to 8003).

use std::net::SocketAddr;

use crate::error::Fault;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;
use crate::roles::{Role, Roles};

// Every default is loopback: a first try on a laptop opens nothing to its network.
pub(crate) static GATEWAY_LISTEN: Key = Key {
    name: "gateway-listen",
    section: "Roles and listeners",
    kind: Kind::Address,
    fallback: Fallback::Value("127.0.0.1:8000"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Where the gateway listens (HTTP/1.1 and h2c); 0.0.0.0 opens it to the network, port 0 takes a free port.",
};

pub(crate) static MANAGEMENT_LISTEN: Key = Key {
    name: "management-listen",
    section: "Roles and listeners",
    kind: Kind::Address,
    fallback: Fallback::Value("127.0.0.1:8001"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Where the management API listens.",
};

pub(crate) static PORTAL_LISTEN: Key = Key {
    name: "portal-listen",
    section: "Roles and listeners",
    kind: Kind::Address,
    fallback: Fallback::Value("127.0.0.1:8002"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Where the portal and the console listen.",
};

pub(crate) static STATUS_LISTEN: Key = Key {
    name: "status-listen",
    section: "Roles and listeners",
    kind: Kind::Address,
    fallback: Fallback::Value("127.0.0.1:8003"),
    scope: Scope::Serve,
    reach: Reach::Everywhere,
    doc: "Where /healthz, /readyz and /metrics of this process listen; it asks for no credential.",
};

/// The addresses to bind. Those of roles that this process does not run are not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenConfig {
    /// The gateway.
    pub gateway: SocketAddr,
    /// The management API.
    pub management: SocketAddr,
    /// The portal and the console.
    pub portal: SocketAddr,
    /// Health and metrics; bound whatever the roles are.
    pub status: SocketAddr,
}

impl ListenConfig {
    pub(crate) fn read(reader: &mut Reader<'_>, roles: Option<Roles>) -> Option<Self> {
        let gateway = reader.read(&GATEWAY_LISTEN, parse);
        let management = reader.read(&MANAGEMENT_LISTEN, parse);
        let portal = reader.read(&PORTAL_LISTEN, parse);
        let status = reader.read(&STATUS_LISTEN, parse);
        let listen = Self {
            gateway: gateway?,
            management: management?,
            portal: portal?,
            status: status?,
        };
        listen.refuse_overlaps(roles?, reader);
        Some(listen)
    }

    fn refuse_overlaps(&self, roles: Roles, reader: &mut Reader<'_>) {
        let all = [
            (roles.has(Role::Gateway), &GATEWAY_LISTEN, self.gateway),
            (roles.has(Role::Management), &MANAGEMENT_LISTEN, self.management),
            (roles.has(Role::Portal), &PORTAL_LISTEN, self.portal),
            (true, &STATUS_LISTEN, self.status),
        ];
        let mut bound: Vec<(&'static Key, SocketAddr)> = Vec::new();
        for (_, key, address) in all.into_iter().filter(|(active, ..)| *active) {
            if let Some((other, _)) = bound.iter().find(|(_, taken)| overlap(*taken, address)) {
                reader.refuse(
                    key,
                    Fault::new(
                        format!("{address} is the address of {} too", other.name),
                        "give each listener its own port",
                    ),
                );
            }
            bound.push((key, address));
        }
    }
}

fn overlap(left: SocketAddr, right: SocketAddr) -> bool {
    // A wildcard takes its port on every address; `::` takes IPv4 along.
    left.port() != 0
        && left.port() == right.port()
        && (left.ip() == right.ip() || left.ip().is_unspecified() || right.ip().is_unspecified())
}

fn parse(text: &str) -> Result<SocketAddr, Fault> {
    let numeric = text
        .strip_prefix("localhost:")
        .map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| {
        let port = text.trim_start_matches(['*', ':']).parse::<u16>();
        let example = port.map_or_else(
            |_| "IP:port, for example 127.0.0.1:8000 or [::1]:8000".to_owned(),
            |port| format!("127.0.0.1:{port}, or 0.0.0.0:{port} for every network"),
        );
        Fault::new(
            format!("{text:?} is no address to listen on"),
            format!("give {example}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_suggests_for_bare_ports() {
        assert_eq!(parse("[::1]:0").unwrap(), "[::1]:0".parse().unwrap());
        assert_eq!(parse("localhost:81").unwrap(), "127.0.0.1:81".parse().unwrap());
        assert!(parse(":9000").unwrap_err().fix.contains("127.0.0.1:9000"));
        assert!(parse("9000").unwrap_err().fix.contains("0.0.0.0:9000"));
        assert!(
            parse("example.com:80")
                .unwrap_err()
                .fix
                .contains("127.0.0.1:8000")
        );
        assert!(parse("127.0.0.1:65536").is_err());
    }

    #[test]
    fn a_wildcard_overlaps_and_port_zero_never_does() {
        let address = |text: &str| text.parse().unwrap();
        assert!(overlap(address("0.0.0.0:80"), address("127.0.0.1:80")));
        assert!(!overlap(address("127.0.0.1:80"), address("127.0.0.2:80")));
        assert!(!overlap(address("0.0.0.0:0"), address("0.0.0.0:0")));
    }
}
