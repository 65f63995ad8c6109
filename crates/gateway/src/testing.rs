//! Parts for the tests of this crate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_coordination::authority::CounterKey;
use gatewright_coordination::limiter::{Cluster, Limiter, LimiterSettings, Sources};
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_coordination::stored::{CounterStore, CounterUpdate, StoredAuthority};
use gatewright_model::api::{Unmatched, VersionState};
use gatewright_model::console_token::ConsoleSigner;
use gatewright_model::consumer::{ApplicationState, CredentialState, Environment, SubscriptionState};
use gatewright_model::id::{EntityId, TenantId};
use gatewright_model::limit::{Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind};
use gatewright_model::plan::{Coverage, PlanState, Security};
use gatewright_model::secret::{SecretHash, SecretHasher};
use gatewright_model::snapshot::{
    ApiPart, ApplicationDelta, CredentialDelta, Manifest, OperationPart, PartHash, PartKind, PartRef,
    PlanLimits, PlanPart, SubscriptionDelta, TenantPart, VersionPart,
};
use gatewright_model::tenancy::StandingState;
use gatewright_model::text::{ContextPath, Name, Slug, VersionLabel};
use gatewright_model::time::{Clock, SystemClock, SystemEntropy, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::runtime::{CallerKeys, Runtime};

/// The id with this number.
pub(crate) fn id<I: EntityId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

pub(crate) fn tenant_part(number: u128, name: &str) -> TenantPart {
    TenantPart {
        id: id::<TenantId>(number),
        slug: slug(name),
        state: StandingState::Active,
        hosts: vec![],
        private_upstreams: true,
        upstream_allow: vec![],
    }
}

pub(crate) fn api_part(number: u128, tenant: u128, context: &str) -> ApiPart {
    ApiPart {
        id: id(number),
        tenant_id: id(tenant),
        slug: slug(&format!("api-{number}")),
        context_path: ContextPath::parse(context).unwrap(),
        plans: vec![],
    }
}

/// A published plan; its only version of limits has the number of the plan plus 100.
pub(crate) fn plan_part(number: u128, security: Security, limits: Vec<Limit>) -> PlanPart {
    PlanPart {
        id: id(number),
        slug: slug(&format!("plan-{number}")),
        state: PlanState::Published,
        security,
        versions: Coverage::ALL,
        limits: vec![PlanLimits {
            id: id(number + 100),
            limits,
        }],
    }
}

pub(crate) fn version_part(number: u128, api: u128, label: &str) -> VersionPart {
    VersionPart {
        id: id(number),
        api_id: id(api),
        tenant_id: id(1),
        label: VersionLabel::parse(label).unwrap(),
        state: VersionState::Published,
        blocked_reason: None,
        deprecation: None,
        unmatched: Unmatched::Refuse,
        operations: vec![operation("GET", "/items/{id}"), operation("GET", "/")],
        upstream: None,
    }
}

pub(crate) fn operation(method: &str, template: &str) -> OperationPart {
    OperationPart {
        key: format!("{method} {template}"),
        method: method.to_owned(),
        template: template.to_owned(),
        deprecated: false,
    }
}

pub(crate) fn quota(number: u128, amount: u64, window: &str) -> Limit {
    Limit {
        id: id(number),
        name: slug(&format!("limit-{number}")),
        kind: LimitKind::Quota,
        unit: LimitUnit::Requests,
        amount,
        window: window.parse().unwrap(),
        burst: None,
        reset: ResetKind::Calendar,
        zone: "UTC".to_owned(),
        partition: Partition::Subscription,
        on_exceed: OnExceed::Reject,
        on_store_failure: OnStoreFailure::Local,
    }
}

pub(crate) fn rate(number: u128, amount: u64, window: &str) -> Limit {
    Limit {
        kind: LimitKind::Rate,
        ..quota(number, amount, window)
    }
}

/// A manifest being put together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<PartRef>,
    pub(crate) bodies: HashMap<PartHash, bytes::Bytes>,
}

impl Parts {
    fn add(&mut self, kind: PartKind, key: Uuid, part: &impl serde::Serialize) {
        let body = bytes::Bytes::from(serde_json::to_vec(part).unwrap());
        let hash = PartHash::of(&body);
        self.bodies.insert(hash, body);
        self.parts.retain(|known| (known.kind, known.key) != (kind, key));
        self.parts.push(PartRef { kind, key, hash });
    }

    pub(crate) fn tenant(&mut self, part: &TenantPart) {
        self.add(PartKind::Tenant, part.id.uuid(), part);
    }

    pub(crate) fn api(&mut self, part: &ApiPart) {
        self.add(PartKind::Api, part.id.uuid(), part);
    }

    pub(crate) fn version(&mut self, part: &VersionPart) {
        self.add(PartKind::Version, part.id.uuid(), part);
    }

    pub(crate) fn manifest(&self, seq: i64) -> Manifest {
        Manifest {
            seq,
            created_at: Timestamp::from_millis(1),
            parts: self.parts.clone(),
        }
    }
}

/// A credential whose hash and id are made of its number.
pub(crate) fn credential(seq: i64, number: u128, application: u128) -> CredentialDelta {
    CredentialDelta {
        seq,
        id: id(number),
        tenant_id: id(1),
        application_id: id(application),
        hash: SecretHash(Sha256::digest(number.to_le_bytes()).into()),
        state: CredentialState::Active,
        not_before: None,
        expires_at: None,
        grace_until: None,
    }
}

pub(crate) fn application(seq: i64, number: u128) -> ApplicationDelta {
    ApplicationDelta {
        seq,
        id: id(number),
        tenant_id: id(1),
        name: Name::parse(&format!("app {number}")).unwrap(),
        environment: Environment::Live,
        state: ApplicationState::Active,
    }
}

/// An active subscription of an application to a plan of API 1.
pub(crate) fn subscription(seq: i64, number: u128, application: u128, plan: u128) -> SubscriptionDelta {
    SubscriptionDelta {
        seq,
        id: id(number),
        tenant_id: id(1),
        application_id: id(application),
        api_id: id(1),
        plan_id: id(plan),
        plan_version_id: id(plan + 100),
        state: SubscriptionState::Active,
        paused: false,
        created_at: Timestamp::from_millis(1_000),
        ends_at: None,
    }
}

/// Waits until something holds, for ten seconds at most.
pub(crate) async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to hold");
}

/// Counters in memory, under the rules of the real authorities.
#[derive(Debug, Default)]
struct Counters(Mutex<HashMap<CounterKey, Vec<u8>>>);

impl CounterStore for Counters {
    fn update(
        &self,
        keys: Vec<CounterKey>,
        mut apply: CounterUpdate,
    ) -> BoxFuture<'_, Result<(), Box<dyn std::error::Error + Send + Sync>>> {
        let mut rows = self.0.lock().unwrap();
        let states = keys.iter().map(|key| rows.get(key).cloned()).collect();
        for (key, new) in keys.into_iter().zip(apply(SystemClock.now(), states)) {
            if let Some(new) = new {
                rows.insert(key, new.state);
            }
        }
        async { Ok(()) }.boxed()
    }
}

/// The sub-key of [`runtime`].
pub(crate) fn hasher() -> SecretHasher {
    SecretHasher::new(&[7; 32])
}

/// Makes the console tokens that [`runtime`] accepts.
pub(crate) fn console_signer() -> ConsoleSigner {
    ConsoleSigner::new(&[6; 32])
}

/// A runtime without a configuration, whose limits are kept in memory. Needs a tokio runtime.
pub(crate) fn runtime() -> Arc<Runtime> {
    // A machine that has much else to do is no outage.
    let settings = LimiterSettings {
        wait: Duration::from_secs(20),
        call_budget: Duration::from_secs(10),
        ..LimiterSettings::new(id(1), Cluster::Embedded)
    };
    let limiter = Limiter::start(
        settings,
        Arc::new(StoredAuthority::new(Counters::default())),
        Notices::in_process(Loudness::Heard),
        Sources {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        },
        &tokio::runtime::Handle::current(),
    );
    let keys = CallerKeys {
        credentials: hasher(),
        console: console_signer(),
    };
    Arc::new(Runtime::new(keys, Arc::new(limiter), Arc::new(SystemClock)))
}
