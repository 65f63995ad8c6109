//! The configuration as requests are decided by it: immutable, made of parts
//! that are compiled once and shared by every configuration that holds them.

mod api;
mod build;
mod left_out;
mod tenant;
mod version;

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_model::id::VersionId;
use gatewright_model::snapshot::PartHash;
use smallvec::SmallVec;

use crate::maps::FastMap;
use crate::upstream::target::UpstreamSet;

pub use api::{CompiledApi, CompiledLimit, CompiledLimits, CompiledPlan};
pub use build::{CompileError, Patience, compile, missing_parts};
pub(crate) use left_out::LeftOut;
pub use tenant::CompiledTenant;
pub use version::{CompiledOperation, CompiledVersion, OperationMatch};

/// A whole configuration.
#[derive(Debug)]
pub struct CompiledConfig {
    /// The number of its manifest.
    pub seq: i64,
    /// By host name, lower case. A suspended tenant keeps its hosts, so that
    /// they do not fall to the tenant at the root.
    pub(crate) hosts: FastMap<Box<str>, Arc<TenantRoutes>>,
    /// By slug, under `/t/`.
    pub(crate) slugs: FastMap<Box<str>, Arc<TenantRoutes>>,
    /// The tenant at the root.
    pub(crate) root: Option<Arc<TenantRoutes>>,
    /// Versions that could not be used as they were delivered.
    pub(crate) left_out: Vec<Arc<LeftOut>>,
    /// What the next configuration takes over.
    parts: HashMap<PartHash, Part>,
    upstreams: HashMap<VersionId, PreparedUpstream>,
}

/// An upstream, and what it was made of: it holds the counters of its targets,
/// so it stays the same one while nothing about it changed.
#[derive(Debug, Clone)]
struct PreparedUpstream {
    version: Arc<CompiledVersion>,
    tenant: Arc<CompiledTenant>,
    set: Arc<UpstreamSet>,
}

/// A tenant with everything that stands under its address.
#[derive(Debug)]
pub(crate) struct TenantRoutes {
    pub(crate) tenant: Arc<CompiledTenant>,
    /// By context path, with its leading slash.
    pub(crate) contexts: FastMap<AddressText, ApiRoutes>,
    /// The most segments that a context has.
    pub(crate) deepest: usize,
}

/// An API with its versions.
#[derive(Debug)]
pub(crate) struct ApiRoutes {
    pub(crate) api: Arc<CompiledApi>,
    /// Few, mostly one: a list is searched fastest.
    versions: SmallVec<[VersionRoute; 1]>,
}

impl ApiRoutes {
    /// The version with this label. Where two have one address, the later one has it.
    pub(crate) fn version(&self, label: &str) -> Option<&VersionRoute> {
        let has_it = |route: &&VersionRoute| route.label.as_slice() == label.as_bytes();
        self.versions.iter().rev().find(has_it)
    }
}

/// A piece of an address, which most often stands in the record that is found by it.
pub(crate) type AddressText = SmallVec<[u8; 24]>;

/// A version, and how one gets in.
#[derive(Debug)]
pub(crate) struct VersionRoute {
    label: AddressText,
    pub(crate) version: Arc<CompiledVersion>,
    /// Where its calls go, under the address rule of its tenant.
    pub(crate) upstream: Option<Arc<UpstreamSet>>,
    /// The plan that needs no key.
    pub(crate) keyless: Option<Arc<CompiledPlan>>,
    /// Whether keys are looked at.
    pub(crate) keyed: Keyed,
}

/// Whether a version takes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyed {
    /// Nobody gets in without one. So it is as well when no plan opens the version at all.
    Only,
    /// A keyless plan opens it too, so what is no key of ours belongs to the upstream.
    Optional,
    /// Only a keyless plan opens it: keys belong to the upstream.
    No,
}

/// A part in its compiled form.
#[derive(Debug, Clone)]
enum Part {
    Tenant(Arc<CompiledTenant>),
    Api(Arc<CompiledApi>),
    Version(Arc<CompiledVersion>),
    LeftOut(Arc<LeftOut>),
}

impl CompiledConfig {
    /// The newest form of a version that could be used.
    fn last_good(&self, version: VersionId) -> Option<&Arc<CompiledVersion>> {
        self.parts.values().find_map(|part| match part {
            Part::Version(good) if good.id == version => Some(good),
            Part::LeftOut(left_out) if left_out.version == version => left_out.last_good(),
            _ => None,
        })
    }

    /// Every API.
    pub(crate) fn apis(&self) -> impl Iterator<Item = &CompiledApi> {
        self.parts.values().filter_map(|part| match part {
            Part::Api(api) => Some(&**api),
            Part::Tenant(_) | Part::Version(_) | Part::LeftOut(_) => None,
        })
    }
}
