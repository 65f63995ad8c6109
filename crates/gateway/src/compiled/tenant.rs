//! A tenant at the gateway.

use gatewright_model::address::AddressPolicy;
use gatewright_model::id::TenantId;
use gatewright_model::snapshot::TenantPart;
use gatewright_model::tenancy::StandingState;
use ipnet::IpNet;

/// A tenant.
#[derive(Debug)]
pub struct CompiledTenant {
    /// Its id.
    pub id: TenantId,
    /// Which upstream addresses it may reach.
    pub addresses: AddressPolicy,
    pub(crate) slug: Box<str>,
    pub(crate) state: StandingState,
    pub(crate) hosts: Box<[Box<str>]>,
}

impl CompiledTenant {
    /// # Errors
    /// Names the network that cannot be read.
    pub(super) fn of(part: &TenantPart) -> Result<Self, String> {
        let allow: Result<Vec<IpNet>, String> = part
            .upstream_allow
            .iter()
            .map(|text| {
                let single = text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
                text.parse()
                    .or(single)
                    .map_err(|_| format!("upstream_allow: {text} is no network"))
            })
            .collect();
        Ok(Self {
            id: part.id,
            addresses: AddressPolicy {
                private: part.private_upstreams,
                allow: allow?,
            },
            slug: part.slug.as_str().into(),
            state: part.state,
            hosts: part
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase().into())
                .collect(),
        })
    }
}
