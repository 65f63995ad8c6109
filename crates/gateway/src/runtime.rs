//! What is decided about a request: where it goes, who sent it, and whether it may pass.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use gatewright_model::id::TenantId;
use gatewright_model::secret::SecretHasher;
use gatewright_model::time::Clock;
use gatewright_model::traffic::CallSubject;
use http::{HeaderMap, HeaderValue, Method};

use crate::compiled::{CompiledConfig, CompiledVersion};
use crate::limit::{RateHeaders, WorkerPermits};
use crate::rejection::Rejection;
use crate::subjects::Subjects;
use crate::upstream::target::UpstreamSet;

/// What every worker decides by.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) config: ArcSwapOption<CompiledConfig>,
    pub(crate) subjects: Subjects,
    pub(crate) hasher: SecretHasher,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What one worker keeps for itself. It stays on the thread of its worker.
#[derive(Debug, Default)]
pub(crate) struct WorkerState {
    pub(crate) permits: WorkerPermits,
}

/// A request as far as it is decided upon. Path and host are those that are
/// checked and normalised by the edge, and the path that is forwarded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestView<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// Lower case, without port.
    pub(crate) host: Option<&'a str>,
    /// Normalised, percent-encoded, with its leading slash.
    pub(crate) path: &'a str,
    /// The fields as the client sent them.
    pub(crate) headers: &'a HeaderMap,
    /// The client's address.
    pub(crate) client: std::net::IpAddr,
}

/// What is known about a call, for its record: filled as far as the decision came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CallFacts {
    /// Under whose address it came.
    pub(crate) tenant_id: Option<TenantId>,
    /// The configuration that it was decided by.
    pub(crate) snapshot_seq: i64,
    /// Whose it is and what it reaches.
    pub(crate) subject: CallSubject,
}

/// A request that may pass.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The version that it reaches.
    pub(crate) version: Arc<CompiledVersion>,
    /// The index of the operation; `None` where the version forwards what it does not describe.
    pub(crate) operation: Option<usize>,
    /// Where it goes; `None` when nobody configured an upstream.
    pub(crate) upstream: Option<Arc<UpstreamSet>>,
    /// Who sent it; `None` under a keyless plan.
    pub(crate) consumer: Option<Consumer>,
    /// What must not reach the upstream.
    pub(crate) key_location: KeyLocation,
    rest_at: usize,
    rate: RateHeaders,
}

impl Admitted {
    /// What stands behind the version's label in the path that was decided
    /// upon; begins with a slash, or is empty when nothing stands there.
    pub(crate) fn upstream_path<'p>(&self, path: &'p str) -> &'p str {
        path.get(self.rest_at..).unwrap_or("")
    }

    /// Sets what the answer says about limits and about the life of the version.
    pub(crate) fn write_response_headers(&self, headers: &mut HeaderMap) {
        self.version.lifecycle.write(headers);
        self.rate.write(headers);
    }
}

/// Where the key stood, or what else looked like one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum KeyLocation {
    /// Nowhere: both fields are the upstream's.
    #[default]
    Nowhere,
    /// In `X-API-Key`.
    ApiKey,
    /// In `Authorization`.
    Authorization,
    /// In both.
    Both,
}

impl KeyLocation {
    /// Whether `X-API-Key` must be removed.
    pub(crate) const fn in_api_key(self) -> bool {
        matches!(self, Self::ApiKey | Self::Both)
    }

    /// Whether `Authorization` must be removed.
    pub(crate) const fn in_authorization(self) -> bool {
        matches!(self, Self::Authorization | Self::Both)
    }
}

/// Who sent a request, as the upstream is told.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    /// `X-Consumer-Id`: the application.
    pub(crate) application_id: HeaderValue,
    /// `X-Consumer-Name`.
    pub(crate) application_name: HeaderValue,
    /// `X-Subscription-Id`.
    pub(crate) subscription_id: HeaderValue,
    /// `X-Plan`.
    pub(crate) plan_slug: HeaderValue,
}

/// A request that does not pass.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Why.
    pub(crate) rejection: Rejection,
    version: Option<Arc<CompiledVersion>>,
    rate: RateHeaders,
}

impl Refused {
    /// Sets every field of the answer but its length: those of the rejection,
    /// of the limits, and of the version's life.
    pub(crate) fn write_headers(&self, headers: &mut HeaderMap) {
        if let Some(version) = &self.version {
            version.lifecycle.write(headers);
        }
        self.rate.write(headers);
        self.rejection.write_headers(headers);
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            version: None,
            rate: RateHeaders::default(),
        }
    }
}

impl Runtime {
    /// A runtime without a configuration: everything is refused until one is there.
    #[must_use]
    pub fn new(hasher: SecretHasher, clock: Arc<dyn Clock>) -> Self {
        Self {
            config: ArcSwapOption::empty(),
            subjects: Subjects::default(),
            hasher,
            clock,
        }
    }

    /// The clock that decisions are made by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The number of the configuration that serves; `None` before the first.
    #[must_use]
    pub fn snapshot_seq(&self) -> Option<i64> {
        self.config.load().as_ref().map(|config| config.seq)
    }

    /// Decides about a request. `facts` are filled as far as the decision came, also when it is refused.
    pub(crate) async fn decide(
        &self,
        _worker: &WorkerState,
        _view: &RequestView<'_>,
        _facts: &mut CallFacts,
    ) -> Result<Admitted, Refused> {
        Err(Rejection::NotReady.into())
    }
}
