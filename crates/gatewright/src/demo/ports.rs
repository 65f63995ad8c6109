//! Where the services listened the last time.

use std::net::SocketAddr;
use std::path::Path;

use gatewright_demo::upstreams::{Addresses, WantedPorts};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const FILE: &str = "demo-ports.json";

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Ports {
    orders: u16,
    catalog: u16,
    inventory: u16,
    payments: u16,
}

/// The ports of the last time; any ports when there was none, or its record is damaged.
pub(super) fn remembered(data_dir: &Path) -> WantedPorts {
    let text = std::fs::read_to_string(data_dir.join(FILE)).unwrap_or_else(|_| "{}".to_owned());
    let ports: Ports = serde_json::from_str(&text).unwrap_or_else(|error| {
        tracing::warn!(%error, "the record of the demo's ports is damaged: taking free ones");
        Ports::default()
    });
    WantedPorts {
        orders: ports.orders,
        catalog: ports.catalog,
        inventory: ports.inventory,
        payments: ports.payments,
    }
}

/// Remembers them for the next time.
///
/// # Errors
/// When the data directory cannot be written.
pub(super) fn remember(data_dir: &Path, addresses: Addresses) -> Result<(), Failure> {
    let ports = Ports {
        orders: addresses.orders.port(),
        catalog: addresses.catalog.port(),
        inventory: addresses.inventory.port(),
        payments: addresses.payments.port(),
    };
    let path = data_dir.join(FILE);
    let text = serde_json::json!(ports).to_string();
    std::fs::write(&path, text).map_err(|error| {
        Failure::usage(format!(
            "the file {path:?} cannot be written: {error}; fix: let this user write the data directory"
        ))
    })
}

/// A service as an upstream address.
pub(super) fn url(address: SocketAddr, base_path: &str) -> Result<url::Url, Failure> {
    let text = format!("http://{address}{base_path}");
    url::Url::parse(&text).map_err(|error| Failure::finding(format!("{text} is no address: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_remembered_and_damage_is_survived() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(remembered(home.path()), WantedPorts::default());
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses = Addresses {
            orders: at(1),
            catalog: at(2),
            inventory: at(3),
            payments: at(4),
        };
        remember(home.path(), addresses).unwrap();
        assert_eq!(remembered(home.path()).catalog, 2);
        std::fs::write(home.path().join(FILE), "{").unwrap();
        assert_eq!(remembered(home.path()), WantedPorts::default());
    }
}
