//! Our own listeners: no upstream may lead back to them (`product.md`, section 2).

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// The addresses on which this process listens. Whoever opens a listener adds
/// it; gateways ask before each connection to an upstream.
#[derive(Debug, Clone, Default)]
pub struct OwnListeners(Arc<ArcSwap<Vec<SocketAddr>>>);

impl OwnListeners {
    /// Adds the bound address of a listener.
    pub fn add(&self, address: SocketAddr) {
        self.0.rcu(|known| {
            let mut known = Vec::clone(known);
            known.push(address);
            known
        });
    }

    /// Whether a connection to this address would end at one of our listeners.
    #[must_use]
    pub fn holds(&self, address: SocketAddr) -> bool {
        let target = address.ip().to_canonical();
        self.0
            .load()
            .iter()
            .filter(|own| own.port() == address.port())
            .any(|own| {
                let listens = own.ip().to_canonical();
                listens == target || (listens.is_unspecified() && is_local(target))
            })
    }
}

/// Whether an address belongs to this machine: only such a one can be bound.
fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_found_under_each_of_its_addresses() {
        let own = OwnListeners::default();
        own.add("127.0.0.1:8001".parse().unwrap());
        own.add("0.0.0.0:8000".parse().unwrap());
        let holds = |text: &str| own.holds(text.parse().unwrap());
        assert!(holds("127.0.0.1:8001"));
        assert!(holds("[::ffff:127.0.0.1]:8001"));
        assert!(!holds("127.0.0.2:8001"));
        assert!(holds("127.0.0.2:8000"));
        assert!(!holds("127.0.0.1:9000"));
        assert!(!holds("192.0.2.1:8000"));
    }
}
