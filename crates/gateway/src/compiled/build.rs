//! From a manifest and its parts to a configuration.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use gatewright_model::id::{ApiId, TenantId, VersionId};
use gatewright_model::plan::Security;
use gatewright_model::snapshot::{Manifest, PartHash, PartKind, PartRef};
use gatewright_model::tenancy::DEFAULT_TENANT;

use super::{
    ApiRoutes, CompiledApi, CompiledConfig, CompiledPlan, CompiledTenant, CompiledVersion, Keyed, Part,
    PreparedUpstream, TenantRoutes, VersionRoute,
};
use crate::upstream::target::UpstreamSet;

/// Why a configuration is refused. The one before it goes on serving.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// A part of the manifest was not delivered.
    #[error("the part {0} is missing")]
    Missing(PartHash),
    /// A part is not what its hash says.
    #[error("the part {0} is damaged")]
    Damaged(PartHash),
    /// A part cannot be read or used.
    #[error("the {kind} {key}: {reason}")]
    Unusable {
        /// What it describes.
        kind: PartKind,
        /// The id of it.
        key: uuid::Uuid,
        /// What is wrong.
        reason: String,
    },
    /// A part names another that the manifest does not have.
    #[error("the {kind} {key} belongs to nothing")]
    Dangling {
        /// What it describes.
        kind: PartKind,
        /// The id of it.
        key: uuid::Uuid,
    },
}

/// The parts of a manifest that are not compiled yet.
#[must_use]
pub fn missing_parts(manifest: &Manifest, known: Option<&CompiledConfig>) -> Vec<PartHash> {
    let is_known = |hash: &PartHash| known.is_some_and(|config| config.parts.contains_key(hash));
    let mut missing: Vec<_> = manifest
        .parts
        .iter()
        .map(|part| part.hash)
        .filter(|hash| !is_known(hash))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// Compiles a manifest. Parts that `known` has are taken over, the others are read from `bodies`.
///
/// # Errors
/// When a part is missing, damaged or cannot be used.
pub fn compile(
    manifest: &Manifest,
    known: Option<&CompiledConfig>,
    bodies: &HashMap<PartHash, Bytes>,
) -> Result<CompiledConfig, CompileError> {
    let mut parts = HashMap::with_capacity(manifest.parts.len());
    for reference in &manifest.parts {
        let part = match known.and_then(|config| config.parts.get(&reference.hash)) {
            Some(part) => part.clone(),
            None => read(reference, bodies)?,
        };
        parts.insert(reference.hash, part);
    }
    assemble(manifest, parts, known)
}

fn read(reference: &PartRef, bodies: &HashMap<PartHash, Bytes>) -> Result<Part, CompileError> {
    let body = bodies
        .get(&reference.hash)
        .ok_or(CompileError::Missing(reference.hash))?;
    if PartHash::of(body) != reference.hash {
        return Err(CompileError::Damaged(reference.hash));
    }
    let part = match reference.kind {
        PartKind::Tenant => json(body)
            .and_then(|part| CompiledTenant::of(&part))
            .map(|tenant| Part::Tenant(Arc::new(tenant))),
        PartKind::Api => json(body)
            .and_then(|part| CompiledApi::of(&part))
            .map(|api| Part::Api(Arc::new(api))),
        PartKind::Version => json(body)
            .and_then(|part| CompiledVersion::of(&part))
            .map(|version| Part::Version(Arc::new(version))),
    };
    part.map_err(|reason| CompileError::Unusable {
        kind: reference.kind,
        key: reference.key,
        reason,
    })
}

fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn assemble(
    manifest: &Manifest,
    parts: HashMap<PartHash, Part>,
    known: Option<&CompiledConfig>,
) -> Result<CompiledConfig, CompileError> {
    let mut assembly = Assembly {
        known,
        ..Assembly::default()
    };
    let mut tenants = HashMap::new();
    for reference in &manifest.parts {
        match parts.get(&reference.hash) {
            Some(Part::Tenant(tenant)) => {
                tenants.insert(tenant.id, Arc::clone(tenant));
            }
            Some(Part::Api(api)) => assembly.add_api(api),
            Some(Part::Version(version)) => assembly.add_version(version),
            None => return Err(CompileError::Missing(reference.hash)),
        }
    }
    for reference in &manifest.parts {
        let at_home = match parts.get(&reference.hash) {
            Some(Part::Api(api)) => tenants.contains_key(&api.tenant_id),
            Some(Part::Version(version)) => assembly.api_ids.get(&version.api_id) == Some(&version.tenant_id),
            _ => true,
        };
        if !at_home {
            return Err(CompileError::Dangling {
                kind: reference.kind,
                key: reference.key,
            });
        }
    }
    let routes: Vec<_> = tenants
        .into_values()
        .map(|tenant| Arc::new(assembly.tenant(tenant)))
        .collect();
    Ok(config(manifest.seq, routes, parts, assembly.upstreams))
}

/// What a configuration is put together from.
#[derive(Default)]
struct Assembly<'a> {
    known: Option<&'a CompiledConfig>,
    api_ids: HashMap<ApiId, TenantId>,
    apis: HashMap<TenantId, Vec<Arc<CompiledApi>>>,
    versions: HashMap<ApiId, Vec<Arc<CompiledVersion>>>,
    upstreams: HashMap<VersionId, PreparedUpstream>,
}

impl Assembly<'_> {
    fn add_api(&mut self, api: &Arc<CompiledApi>) {
        self.api_ids.insert(api.id, api.tenant_id);
        self.apis.entry(api.tenant_id).or_default().push(Arc::clone(api));
    }

    fn add_version(&mut self, version: &Arc<CompiledVersion>) {
        let of_api = self.versions.entry(version.api_id).or_default();
        of_api.push(Arc::clone(version));
    }

    fn tenant(&mut self, tenant: Arc<CompiledTenant>) -> TenantRoutes {
        let mut contexts = HashMap::new();
        for api in self.apis.remove(&tenant.id).unwrap_or_default() {
            let versions = self.versions.remove(&api.id).unwrap_or_default();
            let routes = versions.into_iter().map(|version| {
                let label = version.label.clone();
                (label, self.version(&tenant, &api, version))
            });
            let versions = routes.collect();
            contexts.insert(api.context.clone(), ApiRoutes { api, versions });
        }
        TenantRoutes {
            tenant,
            deepest: contexts
                .keys()
                .map(|context| context.matches('/').count())
                .max()
                .unwrap_or(0),
            contexts,
        }
    }

    fn version(
        &mut self,
        tenant: &Arc<CompiledTenant>,
        api: &CompiledApi,
        version: Arc<CompiledVersion>,
    ) -> VersionRoute {
        let covering = |security: Security| {
            let covers = |plan: &&Arc<_>| plan_covers(plan, security, version.id);
            api.plans.iter().find(covers)
        };
        let keyless = covering(Security::Keyless).cloned();
        let keyed = match (&keyless, covering(Security::ApiKey)) {
            (None, _) => Keyed::Only,
            (Some(_), Some(_)) => Keyed::Optional,
            (Some(_), None) => Keyed::No,
        };
        VersionRoute {
            upstream: self.upstream(tenant, &version),
            version,
            keyless,
            keyed,
        }
    }

    fn upstream(
        &mut self,
        tenant: &Arc<CompiledTenant>,
        version: &Arc<CompiledVersion>,
    ) -> Option<Arc<UpstreamSet>> {
        let configured = version.upstream.as_ref()?;
        let before = self.known.and_then(|config| config.upstreams.get(&version.id));
        let unchanged = before.filter(|prepared| {
            prepared.version.upstream.as_ref() == Some(configured)
                && prepared.tenant.addresses == tenant.addresses
        });
        let set = unchanged.map_or_else(
            || Arc::new(UpstreamSet::compile(configured, &tenant.addresses)),
            |prepared| Arc::clone(&prepared.set),
        );
        self.upstreams.insert(
            version.id,
            PreparedUpstream {
                version: Arc::clone(version),
                tenant: Arc::clone(tenant),
                set: Arc::clone(&set),
            },
        );
        Some(set)
    }
}

fn plan_covers(plan: &CompiledPlan, security: Security, version: VersionId) -> bool {
    plan.security == security && plan.coverage.includes(version)
}

fn config(
    seq: i64,
    tenants: Vec<Arc<TenantRoutes>>,
    parts: HashMap<PartHash, Part>,
    upstreams: HashMap<VersionId, PreparedUpstream>,
) -> CompiledConfig {
    let mut config = CompiledConfig {
        seq,
        hosts: HashMap::new(),
        slugs: HashMap::new(),
        root: None,
        parts,
        upstreams,
    };
    for routes in tenants {
        for host in &routes.tenant.hosts {
            config.hosts.insert(host.clone(), Arc::clone(&routes));
        }
        if &*routes.tenant.slug == DEFAULT_TENANT {
            config.root = Some(Arc::clone(&routes));
        }
        config.slugs.insert(routes.tenant.slug.clone(), routes);
    }
    config
}
