//! From a manifest and its parts to a configuration.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use gatewright_model::id::{ApiId, EntityId, TenantId, VersionId};
use gatewright_model::plan::Security;
use gatewright_model::snapshot::{Manifest, PartHash, PartKind, PartRef};
use gatewright_model::tenancy::DEFAULT_TENANT;

use super::{
    AddressText, ApiRoutes, CompiledApi, CompiledConfig, CompiledPlan, CompiledTenant, CompiledVersion,
    Keyed, LeftOut, Part, PreparedUpstream, TenantRoutes, VersionRoute,
};
use crate::maps::FastMap;
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

/// What becomes of a version whose bytes were not delivered, or were damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The configuration waits for them.
    Wait,
    /// The version is left out.
    LeaveOut,
}

/// The parts of a manifest that are not compiled yet.
#[must_use]
pub fn missing_parts(manifest: &Manifest, known: Option<&CompiledConfig>) -> Vec<PartHash> {
    let is_known = |hash: &PartHash| taken_over(known, hash).is_some();
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

fn taken_over<'c>(known: Option<&'c CompiledConfig>, hash: &PartHash) -> Option<&'c Part> {
    known?.parts.get(hash).filter(|part| match part {
        Part::LeftOut(left_out) => left_out.delivered,
        Part::Tenant(_) | Part::Api(_) | Part::Version(_) => true,
    })
}

/// Compiles a manifest. Parts that `known` has are taken over, the others are
/// read from `bodies`. A version that cannot be used is left out; its last good
/// form in `known` stands in for it.
///
/// # Errors
/// When a tenant or an API cannot be used, or a part is missing or damaged.
pub fn compile(
    manifest: &Manifest,
    known: Option<&CompiledConfig>,
    bodies: &HashMap<PartHash, Bytes>,
    patience: Patience,
) -> Result<CompiledConfig, CompileError> {
    let mut parts = HashMap::with_capacity(manifest.parts.len());
    for reference in &manifest.parts {
        let part = match taken_over(known, &reference.hash) {
            Some(part) => part.clone(),
            None => match read(reference, bodies) {
                Err(error) if may_leave_out(reference, &error, patience) => {
                    let body = bodies.get(&reference.hash);
                    let body = body.filter(|_| matches!(error, CompileError::Unusable { .. }));
                    let last_good =
                        known.and_then(|config| config.last_good(VersionId::from_uuid(reference.key)));
                    Part::LeftOut(Arc::new(LeftOut::new(
                        reference,
                        error.to_string(),
                        body,
                        last_good,
                    )))
                }
                part => part?,
            },
        };
        parts.insert(reference.hash, part);
    }
    assemble(manifest, parts, known)
}

fn may_leave_out(reference: &PartRef, error: &CompileError, patience: Patience) -> bool {
    reference.kind == PartKind::Version
        && (matches!(error, CompileError::Unusable { .. }) || patience == Patience::LeaveOut)
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
    for part in parts.values() {
        match part {
            Part::Tenant(tenant) => {
                tenants.insert(tenant.id, Arc::clone(tenant));
            }
            Part::Api(api) => assembly.add_api(api),
            Part::Version(_) | Part::LeftOut(_) => {}
        }
    }
    let mut versions = Vec::new();
    for reference in &manifest.parts {
        match parts.get(&reference.hash) {
            Some(Part::Api(api)) if !tenants.contains_key(&api.tenant_id) => {
                return Err(CompileError::Dangling {
                    kind: reference.kind,
                    key: reference.key,
                });
            }
            Some(Part::Version(version)) if assembly.knows_api_of(version) => versions.push(version),
            Some(Part::Version(_)) => assembly.left_out.push(Arc::new(LeftOut::homeless(reference))),
            Some(Part::LeftOut(left_out)) => assembly.leave_out(left_out),
            _ => {}
        }
    }
    // Behind those that stand in: where two have one address, the newest form has it.
    for version in versions {
        assembly.add_version(version);
    }
    let routes: Vec<_> = tenants
        .into_values()
        .map(|tenant| Arc::new(assembly.tenant(tenant)))
        .collect();
    let (left_out, upstreams) = (assembly.left_out, assembly.upstreams);
    Ok(config(
        manifest.seq,
        routes,
        CompiledParts {
            parts,
            left_out,
            upstreams,
        },
    ))
}

/// What a configuration keeps beside its routes.
struct CompiledParts {
    parts: HashMap<PartHash, Part>,
    left_out: Vec<Arc<LeftOut>>,
    upstreams: HashMap<VersionId, PreparedUpstream>,
}

/// What a configuration is put together from.
#[derive(Default)]
struct Assembly<'a> {
    known: Option<&'a CompiledConfig>,
    api_ids: HashMap<ApiId, TenantId>,
    apis: HashMap<TenantId, Vec<Arc<CompiledApi>>>,
    versions: HashMap<ApiId, Vec<Arc<CompiledVersion>>>,
    upstreams: HashMap<VersionId, PreparedUpstream>,
    left_out: Vec<Arc<LeftOut>>,
}

impl Assembly<'_> {
    fn knows_api_of(&self, version: &CompiledVersion) -> bool {
        self.api_ids.get(&version.api_id) == Some(&version.tenant_id)
    }

    fn leave_out(&mut self, left_out: &Arc<LeftOut>) {
        self.left_out.push(Arc::clone(left_out));
        if let Some(stand_in) = left_out.stand_in().filter(|stand_in| self.knows_api_of(stand_in)) {
            self.add_version(stand_in);
        }
    }

    fn add_api(&mut self, api: &Arc<CompiledApi>) {
        self.api_ids.insert(api.id, api.tenant_id);
        self.apis.entry(api.tenant_id).or_default().push(Arc::clone(api));
    }

    fn add_version(&mut self, version: &Arc<CompiledVersion>) {
        let of_api = self.versions.entry(version.api_id).or_default();
        of_api.push(Arc::clone(version));
    }

    fn tenant(&mut self, tenant: Arc<CompiledTenant>) -> TenantRoutes {
        let mut contexts = FastMap::default();
        for api in self.apis.remove(&tenant.id).unwrap_or_default() {
            let versions = self.versions.remove(&api.id).unwrap_or_default();
            let routes = versions
                .into_iter()
                .map(|version| self.version(&tenant, &api, version));
            let versions = routes.collect();
            contexts.insert(api.context.bytes().collect(), ApiRoutes { api, versions });
        }
        TenantRoutes {
            tenant,
            deepest: contexts
                .keys()
                .map(|context: &AddressText| context.iter().filter(|byte| **byte == b'/').count())
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
            label: version.label.bytes().collect(),
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

fn config(seq: i64, tenants: Vec<Arc<TenantRoutes>>, compiled: CompiledParts) -> CompiledConfig {
    let mut config = CompiledConfig {
        seq,
        hosts: FastMap::default(),
        slugs: FastMap::default(),
        root: None,
        left_out: compiled.left_out,
        parts: compiled.parts,
        upstreams: compiled.upstreams,
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
