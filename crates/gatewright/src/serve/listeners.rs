//! The sockets of the process, all bound before anything is opened: a port in
//! use ends the start at once. Those that the process before has left are taken
//! as they are.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use gatewright_config::{Config, Role};

use crate::failure::Failure;
use crate::serve::handover::{Inherited, Purpose, Socket};

/// A bound socket and where it is.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Does not block.
    pub(crate) listener: TcpListener,
    /// With the real port.
    pub(crate) address: SocketAddr,
    purpose: Purpose,
    configured: SocketAddr,
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
    pub(crate) fn bind(config: &Config, inherited: &mut Inherited) -> Result<Self, Failure> {
        let listen = &config.listen;
        let mut bind = |purpose, address, flag| -> Result<Bound, Failure> {
            match inherited.socket(purpose, address) {
                Some(socket) => {
                    bound(socket, purpose, address).map_err(|error| refused(address, flag, &error))
                }
                None => bind(purpose, address, flag),
            }
        };
        let management = config.roles.has(Role::Management);
        let portal = config.roles.has(Role::Portal);
        Ok(Self {
            management: management
                .then(|| bind(Purpose::Management, listen.management, "--management-listen"))
                .transpose()?,
            portal: portal
                .then(|| bind(Purpose::Portal, listen.portal, "--portal-listen"))
                .transpose()?,
            status: bind(Purpose::Status, listen.status, "--status-listen")?,
        })
    }

    /// More descriptors of the sockets, for another process.
    ///
    /// # Errors
    /// When there are no more descriptors to be had.
    pub(crate) fn copies(&self) -> Result<Vec<Socket>, Failure> {
        let of_roles = [self.management.as_ref(), self.portal.as_ref(), Some(&self.status)];
        let copies = of_roles.into_iter().flatten().map(|bound| {
            Ok(Socket {
                purpose: bound.purpose,
                configured: bound.configured,
                listener: bound.listener.try_clone()?,
            })
        });
        copies
            .collect::<std::io::Result<_>>()
            .map_err(|error| no_copies(&error))
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

fn bind(purpose: Purpose, address: SocketAddr, flag: &str) -> Result<Bound, Failure> {
    let socket = TcpListener::bind(address).and_then(|listener| bound(listener, purpose, address));
    socket.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => in_use(address, flag),
        _ => refused(address, flag, &error),
    })
}

fn bound(listener: TcpListener, purpose: Purpose, configured: SocketAddr) -> std::io::Result<Bound> {
    listener.set_nonblocking(true)?;
    Ok(Bound {
        address: listener.local_addr()?,
        listener,
        purpose,
        configured,
    })
}

/// What is said when a socket cannot be shared with another process.
pub(crate) fn no_copies(error: &std::io::Error) -> Failure {
    Failure::finding(format!(
        "the system gives no more descriptors: {error}; fix: raise the limit of open files"
    ))
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
        let bind = |address, flag| bind(Purpose::Status, address, flag);
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
