//! From a host and a path to a version.
//!
//! A host of a tenant has that tenant at its root. On any other host the tenant
//! `default` stands at the root and every tenant under `/t/{slug}`. Behind that
//! come the context of an API and the label of a version.

use crate::compiled::{ApiRoutes, CompiledConfig, TenantRoutes, VersionRoute};
use gatewright_model::tenancy::StandingState;

/// Where a path leads.
#[derive(Debug)]
pub(crate) struct Route<'c> {
    /// Whose address it is; known also where nothing stands at the path.
    pub(crate) tenant: Option<&'c TenantRoutes>,
    /// What stands there.
    pub(crate) target: Option<RouteTarget<'c>>,
}

/// The version at an address.
#[derive(Debug)]
pub(crate) struct RouteTarget<'c> {
    pub(crate) api: &'c ApiRoutes,
    pub(crate) version: &'c VersionRoute,
    /// Where in the path the rest begins that is the upstream's.
    pub(crate) rest_at: usize,
}

/// Finds the version. `host` is lower case and without port, `path` is normalised.
pub(crate) fn route<'c>(config: &'c CompiledConfig, host: Option<&str>, path: &str) -> Route<'c> {
    let (tenant, rest_at) = tenant(config, host, path);
    let active = tenant.filter(|routes| routes.tenant.state == StandingState::Active);
    Route {
        tenant,
        target: active.and_then(|routes| version(routes, path, rest_at)),
    }
}

fn tenant<'c>(
    config: &'c CompiledConfig,
    host: Option<&str>,
    path: &str,
) -> (Option<&'c TenantRoutes>, usize) {
    if let Some(own) = host.and_then(|host| config.hosts.get(host)) {
        return (Some(own), 0);
    }
    match path.strip_prefix("/t/") {
        Some(behind) => {
            let slug = behind.split('/').next().unwrap_or("");
            (
                config.slugs.get(slug).map(AsRef::as_ref),
                "/t/".len() + slug.len(),
            )
        }
        None => (config.root.as_deref(), 0),
    }
}

/// The longest context counts whose API has the label that follows it.
fn version<'c>(routes: &'c TenantRoutes, path: &str, start: usize) -> Option<RouteTarget<'c>> {
    let under_tenant = path.get(start..)?;
    let mut ends: [usize; MOST_SEGMENTS] = [0; MOST_SEGMENTS];
    let mut count = 0;
    let slashes = under_tenant.match_indices('/').map(|(at, _)| at).skip(1);
    for (slot, end) in ends.iter_mut().zip(slashes).take(routes.deepest) {
        *slot = end;
        count += 1;
    }
    ends.iter().take(count).rev().find_map(|end| {
        let (context, behind) = under_tenant.split_at_checked(*end)?;
        let api = routes.contexts.get(context.as_bytes())?;
        let behind = behind.strip_prefix('/')?;
        let label = behind.split('/').next().unwrap_or("");
        let version = api.version(label)?;
        let rest_at = start + context.len() + "/".len() + label.len();
        Some(RouteTarget {
            api,
            version,
            rest_at,
        })
    })
}

/// As many as a context path may have (`model::text::ContextPath`).
const MOST_SEGMENTS: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::compiled::{Patience, compile};
    use crate::testing::{Parts, api_part, tenant_part, version_part};

    /// Tenant 1 is `default`; tenant 2 is `acme` at api.acme.example; tenant 3 is suspended.
    fn config() -> CompiledConfig {
        let mut parts = Parts::default();
        parts.tenant(&tenant_part(1, "default"));
        let mut acme = tenant_part(2, "acme");
        acme.hosts = vec!["API.acme.example".to_owned()];
        parts.tenant(&acme);
        let mut gone = tenant_part(3, "gone");
        gone.hosts = vec!["gone.example".to_owned()];
        gone.state = StandingState::Suspended;
        parts.tenant(&gone);
        for (number, tenant, context) in [
            (1, 1, "/shop"),
            (2, 1, "/shop/v1"),
            (3, 2, "/shop"),
            (4, 3, "/shop"),
        ] {
            parts.api(&api_part(number, tenant, context));
            let mut version = version_part(number, number, "v1");
            version.tenant_id = crate::testing::id(tenant);
            parts.version(&version);
        }
        compile(&parts.manifest(1), None, &parts.bodies, Patience::Wait).unwrap()
    }

    fn found(config: &CompiledConfig, host: &str, path: &str) -> Option<(String, String)> {
        let target = route(config, Some(host), path).target?;
        let number = target
            .api
            .api
            .id
            .to_string()
            .trim_start_matches("api_")
            .trim_start_matches('0')
            .to_owned();
        Some((number, path[target.rest_at..].to_owned()))
    }

    #[test]
    fn a_path_leads_to_a_version_and_leaves_its_rest() {
        let config = config();
        for (host, path, number, rest) in [
            ("localhost", "/shop/v1/items/7", "1", "/items/7"),
            ("localhost", "/shop/v1", "1", ""),
            ("localhost", "/shop/v1/", "1", "/"),
            // The longest context has it, where it has the label.
            ("localhost", "/shop/v1/v1/x", "2", "/x"),
            ("localhost", "/t/default/shop/v1/x", "1", "/x"),
            ("localhost", "/t/acme/shop/v1/x", "3", "/x"),
            ("api.acme.example", "/shop/v1/x", "3", "/x"),
        ] {
            assert_eq!(
                found(&config, host, path),
                Some((number.to_owned(), rest.to_owned())),
                "{host}{path}"
            );
        }
    }

    #[test]
    fn elsewhere_is_nothing() {
        let config = config();
        for (host, path) in [
            ("localhost", "/"),
            ("localhost", "/shop"),
            ("localhost", "/shop/v2/x"),
            ("localhost", "/shopping/v1"),
            ("localhost", "/Shop/v1"),
            ("localhost", "/t"),
            ("localhost", "/t/"),
            ("localhost", "/t/acme"),
            ("localhost", "/t/nobody/shop/v1"),
            ("localhost", "/t/gone/shop/v1"),
            // The host of a tenant is that tenant's alone, also when it is suspended.
            ("api.acme.example", "/t/default/shop/v1/x"),
            ("gone.example", "/shop/v1/x"),
        ] {
            assert_eq!(found(&config, host, path), None, "{host}{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_routed_without_panic(path in "/[a-z1/.é]{0,40}|/(shop|v1|t|acme|/){0,12}") {
            let config = config();
            if let Some(target) = route(&config, None, &path).target {
                let rest = &path[target.rest_at..];
                prop_assert!(rest.is_empty() || rest.starts_with('/'));
            }
        }
    }
}
