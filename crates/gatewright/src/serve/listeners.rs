//! The sockets of the process, all bound before anything is opened: a port in
//! use ends the start at once.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use gatewright_config::{Config, Role};

use crate::failure::Failure;

/// A bound socket and where it is.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Does not block.
    pub(crate) listener: TcpListener,
    /// With the real port.
    pub(crate) address: SocketAddr,
}

/// The sockets beside the gateway's, which binds its own.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// Of the management API, where this process runs it.
    pub(crate) management: Option<Bound>,
    /// Of the portal, where this process runs it.
    pub(crate) portal: Option<Bound>,
    /// Of health and metrics.
    pub(crate) status: Bound,
}

impl Listeners {
    /// Binds what the roles need.
    ///
    /// # Errors
    /// 73 naming address and flag when one is in use.
    pub(crate) fn bind(config: &Config) -> Result<Self, Failure> {
        let listen = &config.listen;
        let of_role = |role, address, flag| -> Result<Option<Bound>, Failure> {
            config.roles.has(role).then(|| bind(address, flag)).transpose()
        };
        Ok(Self {
            management: of_role(Role::Management, listen.management, "--management-listen")?,
            portal: of_role(Role::Portal, listen.portal, "--portal-listen")?,
            status: bind(listen.status, "--status-listen")?,
        })
    }

    /// Where they are: upstreams may not lead there.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let of_roles = [self.management.as_ref(), self.portal.as_ref(), Some(&self.status)];
        of_roles
            .into_iter()
            .flatten()
            .map(|bound| bound.address)
            .collect()
    }
}

fn bind(address: SocketAddr, flag: &str) -> Result<Bound, Failure> {
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Bound { listener, address })
    });
    bound.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => in_use(address, flag),
        _ => refused(address, flag, &error),
    })
}

/// What is said of an address that somebody else listens on.
pub(crate) fn in_use(address: SocketAddr, flag: &str) -> Failure {
    Failure::taken(format!(
        "the address {address} ({flag}) is in use; fix: stop whoever listens there (`ss -ltnp` names it), or give another address with {flag}"
    ))
}

/// What is said of an address that cannot be listened on.
pub(crate) fn refused(address: SocketAddr, flag: &str, error: &std::io::Error) -> Failure {
    Failure::usage(format!(
        "the address {address} ({flag}) cannot be listened on: {error}; fix: give an address of this machine and a port that this user may open"
    ))
}

#[cfg(test)]
mod tests {
    use gatewright_config::Exit;

    use super::*;

    #[test]
    fn a_port_in_use_is_told_apart() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--status-listen").unwrap();
        assert_ne!(first.address.port(), 0);
        let failure = bind(first.address, "--status-listen").unwrap_err();
        assert_eq!(failure.exit, Exit::Taken);
        let text = failure.to_string();
        assert!(
            text.contains(&first.address.to_string()) && text.contains("--status-listen"),
            "{text}"
        );
        // 192.0.2.0/24 is reserved for documentation: it is no address of this machine.
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 0));
        assert_eq!(bind(elsewhere, "--status-listen").unwrap_err().exit, Exit::Usage);
    }
}
