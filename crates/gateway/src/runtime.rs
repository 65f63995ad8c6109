//! What is decided about a request: where it goes, who sent it, and whether it may pass.

use std::sync::Arc;

use gatewright_coordination::limiter::Limiter;
use gatewright_model::api::VersionState;
use gatewright_model::console_token::ConsoleSigner;
use gatewright_model::id::{ApplicationId, SubscriptionId, TenantId};
use gatewright_model::secret::SecretHasher;
use gatewright_model::time::Clock;
use gatewright_model::traffic::{CallSource, CallSubject};
use http::{HeaderMap, HeaderValue, Method};

use crate::atomics::ArcSwapOption;
use crate::authorize::{Entry, Subscribed, Wanted, enter, identify, presented};
use crate::compiled::{CompiledConfig, CompiledLimits, CompiledVersion, OperationMatch};
use crate::limit::{Limits, Partitions, RateHeaders, WorkerPermits};
use crate::rejection::Rejection;
use crate::route::{RouteTarget, route};
use crate::subjects::{FieldName, Subjects};
use crate::upstream::target::UpstreamSet;

/// What proofs of callers are checked by.
#[derive(Debug, Clone)]
pub struct CallerKeys {
    /// Makes the form in which keys are looked up.
    pub credentials: SecretHasher,
    /// Checks the tokens of the try-it console.
    pub console: ConsoleSigner,
}

/// What every worker decides by.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) config: ArcSwapOption<CompiledConfig>,
    pub(crate) subjects: Subjects,
    limits: Limits,
    keys: CallerKeys,
    clock: Arc<dyn Clock>,
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
    /// Where it comes from.
    pub(crate) source: CallSource,
}

/// A request that may pass.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The version that it reaches.
    pub(crate) version: Arc<CompiledVersion>,
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
    pub(crate) application_id: ApplicationId,
    /// `X-Consumer-Name`: the application's name as a field can carry it.
    pub(crate) name: FieldName,
    /// `X-Subscription-Id`.
    pub(crate) subscription_id: SubscriptionId,
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
    pub fn new(keys: CallerKeys, limiter: Arc<Limiter>, clock: Arc<dyn Clock>) -> Self {
        Self {
            config: ArcSwapOption::empty(),
            subjects: Subjects::default(),
            limits: Limits::new(limiter),
            keys,
            clock,
        }
    }

    /// The clock that decisions are made by.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Applications, subscriptions and credentials.
    #[must_use]
    pub fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// The number of the configuration that serves; `None` before the first.
    #[must_use]
    pub fn snapshot_seq(&self) -> Option<i64> {
        self.config.load().as_ref().map(|config| config.seq)
    }

    /// Puts a configuration into service.
    pub(crate) fn activate(&self, config: Arc<CompiledConfig>) {
        self.limits.activate(&config);
        self.config.store(Some(config));
    }

    /// Decides about a request, in this order: where it goes, whether that has
    /// ended, which operation it is, who sent it, under which plan, whether the
    /// version is blocked, and last the limits, so that nothing is counted that
    /// is refused for another reason. `facts` are filled as far as the decision
    /// came, also when it is refused.
    pub(crate) async fn decide(
        &self,
        worker: &WorkerState,
        view: &RequestView<'_>,
        facts: &mut CallFacts,
    ) -> Result<Admitted, Refused> {
        let config = self.config.load();
        let config = config.as_deref().ok_or(Rejection::NotReady)?;
        facts.snapshot_seq = config.seq;
        let route = route(config, view.host, view.path);
        facts.tenant_id = route.tenant.map(|routes| routes.tenant.id);
        let target = route.target.ok_or(Rejection::NoRoute)?;
        let version = &target.version.version;
        let refused = |rejection| Refused {
            rejection,
            version: Some(Arc::clone(version)),
            rate: RateHeaders::default(),
        };
        let passage = self.pass(&target, view, facts).map_err(refused)?;
        let partitions = Partitions {
            subscription: facts.subject.subscription_id,
            application: facts.subject.application_id,
            client: view.client,
        };
        let rate = match passage.limits {
            Some(limits) => limits.admit(&worker.permits, &partitions).await,
            None => Ok(RateHeaders::default()),
        };
        match rate {
            Ok(rate) => Ok(Admitted {
                version: Arc::clone(version),
                upstream: target.version.upstream.clone(),
                consumer: passage.consumer,
                key_location: passage.key_location,
                rest_at: target.rest_at,
                rate,
            }),
            Err((rejection, rate)) => Err(Refused {
                rate,
                ..refused(rejection)
            }),
        }
    }

    /// Everything that is decided before the limits.
    fn pass<'c>(
        &self,
        target: &RouteTarget<'c>,
        view: &RequestView<'_>,
        facts: &mut CallFacts,
    ) -> Result<Passage<'c>, Rejection> {
        let version = &target.version.version;
        facts.subject.api_id = Some(version.api_id);
        facts.subject.version_id = Some(version.id);
        if version.unavailable {
            return Err(Rejection::VersionUnavailable);
        }
        if version.state == VersionState::Retired {
            return Err(Rejection::VersionRetired(version.lifecycle.successor.clone()));
        }
        let rest = match view.path.get(target.rest_at..) {
            None | Some("") => "/",
            Some(rest) => rest,
        };
        let operation = match version.find(view.method, rest) {
            OperationMatch::Operation(index) => Some(index),
            OperationMatch::Forward => None,
            OperationMatch::NoOperation => return Err(Rejection::NoOperation),
            OperationMatch::OtherMethods(allow) => return Err(Rejection::MethodNotAllowed(allow)),
        };
        let operation_key = operation.and_then(|index| version.operations.get(index));
        facts.subject.operation = operation_key.map(|operation| Arc::clone(&operation.key));
        let passage = self.enter(target, view, facts)?;
        if version.state == VersionState::Blocked {
            return Err(Rejection::VersionBlocked(version.blocked_reason.clone()));
        }
        Ok(passage)
    }

    /// Who sent it, and under which plan it comes in.
    fn enter<'c>(
        &self,
        target: &RouteTarget<'c>,
        view: &RequestView<'_>,
        facts: &mut CallFacts,
    ) -> Result<Passage<'c>, Rejection> {
        let now = self.clock.now();
        let mut presented = presented(view.headers, target.version.keyed);
        let wanted = Wanted {
            tenant: target.version.version.tenant_id,
            api: target.version.version.api_id,
        };
        if presented.is_keyless_try(&self.keys, wanted.api, now) {
            facts.source = CallSource::Console;
            presented = presented.without_key();
        }
        let caller = identify(&self.subjects, &self.keys, presented, wanted, now)?;
        if let Some(caller) = &caller {
            facts.source = caller.source();
            facts.subject.credential_id = caller.credential_id();
            facts.subject.application_id = Some(caller.application_id);
        }
        let key_location = presented.location;
        match enter(&target.api.api, target.version, caller.as_ref(), now)? {
            Entry::Anonymous(plan) => {
                facts.subject.plan_id = Some(plan.id);
                Ok(Passage {
                    limits: plan.current(),
                    consumer: None,
                    key_location,
                })
            }
            Entry::Subscribed(Subscribed {
                plan,
                pinned,
                subscription,
            }) => {
                facts.subject.plan_id = Some(plan.id);
                facts.subject.subscription_id = Some(subscription.id);
                Ok(Passage {
                    limits: plan.limits(pinned),
                    consumer: caller.map(|caller| Consumer {
                        application_id: caller.application_id,
                        name: caller
                            .application
                            .head
                            .map_or_else(FieldName::new, |head| head.name),
                        subscription_id: subscription.id,
                        plan_slug: plan.slug.clone(),
                    }),
                    key_location,
                })
            }
        }
    }
}

/// A request that may pass as far as its limits allow.
struct Passage<'c> {
    limits: Option<&'c CompiledLimits>,
    consumer: Option<Consumer>,
    key_location: KeyLocation,
}

#[cfg(all(test, feature = "models"))]
mod models;
#[cfg(test)]
mod tests;
