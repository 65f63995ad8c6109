//! How outsiders reach the roles: what the operator says, else what is bound,
//! else the default port of a role that another process runs.

use std::net::SocketAddr;

use gatewright_config::{PublicUrl, PublicUrls};

use crate::failure::Failure;

/// The public addresses of the installation.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    /// Of the gateway.
    pub(crate) gateway: PublicUrl,
    /// Of the management API.
    pub(crate) management: PublicUrl,
    /// Of the portal.
    pub(crate) portal: PublicUrl,
}

impl Addresses {
    /// Takes what was given and completes it by the listening addresses, which
    /// are the real ones for roles of this process.
    ///
    /// # Errors
    /// When an address cannot be written as a URL.
    pub(crate) fn new(
        urls: &PublicUrls,
        gateway: SocketAddr,
        management: SocketAddr,
        portal: SocketAddr,
    ) -> Result<Self, Failure> {
        Ok(Self {
            gateway: or_bound(urls.gateway.as_ref(), gateway)?,
            management: or_bound(urls.management.as_ref(), management)?,
            portal: or_bound(urls.portal.as_ref(), portal)?,
        })
    }
}

/// The address that was given, or the one of the listener.
pub(crate) fn or_bound(given: Option<&PublicUrl>, bound: SocketAddr) -> Result<PublicUrl, Failure> {
    given
        .cloned()
        .or_else(|| PublicUrl::of_bound(bound))
        .ok_or_else(|| {
            Failure::usage(format!(
                "{bound} cannot be written as a URL; fix: set the public address"
            ))
        })
}
