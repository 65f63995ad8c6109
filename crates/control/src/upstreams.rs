//! Where the calls of a version go.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use gatewright_model::address::{AddressClass, AddressPolicy};
use gatewright_model::api::{ApiVersion, Upstream, VersionState};
use gatewright_model::id::ApiId;
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::permission::Permission;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::tenancy::{DEFAULT_TENANT, Tenant};
use gatewright_store::Tx;
use serde_json::json;
use url::{Host, Url};

use crate::apis::{owned, visible};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::versions::{Versions, find, is_insider};
use crate::{snapshot, tenants};

const MAX_TARGETS: usize = 100;
const MAX_WEIGHT: u32 = 1_000;
const MAX_TIMEOUT_MS: u32 = 600_000;

impl Versions<'_> {
    /// The upstream of a version.
    ///
    /// # Errors
    /// [`Error::NotFound`] `upstream` when none is set.
    pub async fn upstream(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<Upstream> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        if !is_insider(caller, &api) {
            // Where an API is served from is its team's own matter.
            return Err(Error::missing("upstream"));
        }
        let version = find(&mut tx, &api, version).await?;
        tx.upstreams()
            .find(version.id)
            .await?
            .ok_or(Error::missing("upstream"))
    }

    /// Sets the upstream of a version, which is a change of the version: it comes
    /// back with its next row version. A routed version uses it at once.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the pointer of each bad target.
    pub async fn set_upstream(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        upstream: Upstream,
        if_match: IfMatch,
    ) -> Result<(Upstream, ApiVersion)> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = owned(&mut tx, caller, api, Permission::ApisWrite).await?;
        let version = find(&mut tx, &api, version).await?;
        if_match.check(version.row_version)?;
        if matches!(version.state, VersionState::Retired | VersionState::Archived) {
            return Err(Error::guard_in(
                "version_frozen",
                format!("a version that is {} has no upstream", version.state),
                version.state.as_str(),
                version.state.reachable(),
            ));
        }
        store(self.0, &mut tx, caller, &version, &upstream).await?;
        let version = tx
            .versions()
            .update(&ApiVersion {
                updated_at: now,
                ..version
            })
            .await?;
        snapshot::refresh_version(self.0, &mut tx, caller, &api, &version).await?;
        self.0.commit(tx, now).await?;
        Ok((upstream, version))
    }
}

pub(crate) async fn store(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    version: &ApiVersion,
    upstream: &Upstream,
) -> Result<()> {
    let tenant = tenants::own(tx, caller).await?;
    check(upstream, &address_policy(&tenant), &control.parts.own_listeners)?;
    tx.upstreams().put(version.id, upstream).await?;
    let targets: Vec<_> = upstream
        .targets
        .iter()
        .map(|target| target.url.as_str())
        .collect();
    let details = json!({ "targets": targets, "algorithm": upstream.algorithm });
    tx.audit(entry(
        caller,
        control.now(),
        "version.set_upstream",
        "version",
        version.id,
        details,
    ));
    Ok(())
}

/// Which upstream addresses a tenant may use: private ones in the default
/// tenant, elsewhere what a platform admin allows.
pub(crate) fn address_policy(tenant: &Tenant) -> AddressPolicy {
    AddressPolicy {
        private: tenant.slug.as_str() == DEFAULT_TENANT,
        allow: tenant
            .settings
            .upstream_allow
            .iter()
            .filter_map(|net| net.parse().ok())
            .collect(),
    }
}

fn check(upstream: &Upstream, policy: &AddressPolicy, own: &[SocketAddr]) -> Result<()> {
    let mut errors = FieldErrors::default();
    if upstream.targets.is_empty() || upstream.targets.len() > MAX_TARGETS {
        errors.add(
            "/targets",
            Invalid::new("target_count", "must hold 1 to 100 targets"),
        );
    }
    for (index, target) in upstream.targets.iter().enumerate() {
        errors.take(
            &format!("/targets/{index}/url"),
            check_target(&target.url).and_then(|()| permitted(&target.url, policy, own)),
        );
        if target.weight > MAX_WEIGHT {
            errors.add(
                &format!("/targets/{index}/weight"),
                Invalid::new("invalid_weight", "must be between 0 and 1,000"),
            );
        }
    }
    if !upstream.targets.is_empty() && upstream.targets.iter().all(|target| target.weight == 0) {
        errors.add(
            "/targets",
            Invalid::new("no_weight", "must hold at least one target with a weight above 0"),
        );
    }
    let timeouts = upstream.timeouts;
    let named = [
        ("connect_ms", timeouts.connect_ms),
        ("response_ms", timeouts.response_ms),
        ("idle_ms", timeouts.idle_ms),
    ];
    for (name, millis) in named {
        if millis == 0 || millis > MAX_TIMEOUT_MS {
            let rule = Invalid::new("invalid_timeout", "must be between 1 and 600,000 milliseconds");
            errors.add(&format!("/timeouts/{name}"), rule);
        }
    }
    errors.finish(Some(())).map_err(Error::Invalid)
}

/// What every target must be, whatever the tenant.
pub(crate) fn check_target(url: &Url) -> std::result::Result<(), Invalid> {
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain {
        Ok(())
    } else {
        let rule = "must be an absolute http or https address without user name, query and fragment";
        Err(Invalid::new("invalid_target", rule))
    }
}

/// Addresses written as numbers are judged here; names are judged at the
/// gateway, on the address that they resolve to at the time of the call.
fn permitted(url: &Url, policy: &AddressPolicy, own: &[SocketAddr]) -> std::result::Result<(), Invalid> {
    let address: IpAddr = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        // `::ffff:127.0.0.1` is the same place as `127.0.0.1`.
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical(),
        Some(Host::Domain("localhost")) => Ipv4Addr::LOCALHOST.into(),
        _ => return Ok(()),
    };
    let same_place = |listener: &SocketAddr| {
        let own = listener.ip().to_canonical();
        let both_local = address.is_loopback() && (own.is_loopback() || own.is_unspecified());
        url.port_or_known_default() == Some(listener.port()) && (own == address || both_local)
    };
    if own.iter().any(same_place) {
        let rule = "must not be an address of Gatewright itself: calls would go round in a circle";
        return Err(Invalid::new("own_address", rule));
    }
    if policy.permits(address) {
        return Ok(());
    }
    Err(match AddressClass::of(address) {
        AddressClass::Forbidden => Invalid::new(
            "address_forbidden",
            "must not be a link-local, metadata or reserved address",
        ),
        AddressClass::Private | AddressClass::Global => Invalid::new(
            "address_private",
            "must be a public address: a platform admin can allow private networks in the tenant's upstream_allow",
        ),
    })
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::{Balancing, Target, Timeouts};

    use super::*;

    fn upstream(url: &str, weight: u32) -> Upstream {
        Upstream {
            targets: vec![Target {
                url: url.parse().unwrap(),
                weight,
            }],
            algorithm: Balancing::RoundRobin,
            timeouts: Timeouts::default(),
        }
    }

    fn code(upstream: &Upstream, private: bool) -> String {
        let own = ["127.0.0.1:8000".parse().unwrap(), "[::]:8001".parse().unwrap()];
        let policy = AddressPolicy {
            private,
            allow: vec![],
        };
        match check(upstream, &policy, &own) {
            Ok(()) => "ok".to_owned(),
            Err(Error::Invalid(errors)) => errors.as_slice()[0].code.to_string(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn targets_are_judged_by_form_and_place() {
        assert_eq!(code(&upstream("http://10.0.0.1:8080/base", 1), true), "ok");
        assert_eq!(
            code(&upstream("http://10.0.0.1:8080/base", 1), false),
            "address_private"
        );
        assert_eq!(
            code(&upstream("http://169.254.169.254/", 1), true),
            "address_forbidden"
        );
        for own in [
            "http://127.0.0.1:8000/",
            "http://localhost:8000/x",
            "http://[::1]:8001/",
            "http://127.0.0.9:8001/",
            "http://[::ffff:127.0.0.1]:8000/",
        ] {
            assert_eq!(code(&upstream(own, 1), true), "own_address", "{own}");
        }
        assert_eq!(code(&upstream("ftp://example.com/", 1), true), "invalid_target");
        assert_eq!(
            code(&upstream("http://u:p@example.com/", 1), true),
            "invalid_target"
        );
        assert_eq!(
            code(&upstream("http://example.com/?a=b", 1), true),
            "invalid_target"
        );
        assert_eq!(code(&upstream("http://example.com/", 0), true), "no_weight");
        assert_eq!(
            code(&upstream("http://example.com/", 1_001), true),
            "invalid_weight"
        );
    }
}
