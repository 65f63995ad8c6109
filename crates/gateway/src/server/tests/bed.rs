//! A running gateway with one open API at `/shop/v1`, in front of given upstreams.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use gatewright_coordination::authority::CounterKey;
use gatewright_coordination::limiter::{Cluster, Limiter, LimiterSettings, Sources};
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_coordination::stored::{CounterStore, CounterUpdate, StoredAuthority};
use gatewright_model::api::{self, Balancing, Timeouts, Unmatched};
use gatewright_model::consumer::CredentialState;
use gatewright_model::plan::Security;
use gatewright_model::secret::{self, SecretHasher, SecretKind};
use gatewright_model::snapshot::Delta;
use gatewright_model::time::{SystemClock, SystemEntropy};
use gatewright_model::traffic::CallRecord;
use tokio::sync::mpsc;

use super::super::{Doors, Drained, Gateway, Parts, Settings, StartError};
use super::wire::PATIENCE;
use crate::compiled;
use crate::metrics::Metrics;
use crate::record::{BatchIds, Recorder};
use crate::runtime::{CallerKeys, Runtime};
use crate::source::{Away, RecordBatch, RecordSink};
use crate::testing::{
    Parts as Manifests, api_part, application, console_signer, credential, id, plan_part, subscription,
    tenant_part, version_part,
};

/// Nothing here has limits.
#[derive(Debug)]
struct NoCounters;

impl CounterStore for NoCounters {
    fn update(
        &self,
        _keys: Vec<CounterKey>,
        _apply: CounterUpdate,
    ) -> BoxFuture<'_, Result<(), Box<dyn std::error::Error + Send + Sync>>> {
        Box::pin(async { Err("no counters here".into()) })
    }
}

/// Passes records on to the test.
struct Handover(mpsc::UnboundedSender<CallRecord>);

impl RecordSink for Handover {
    fn write<'a>(&'a self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<(), Away>> {
        for call in &batch.calls {
            // A test that has seen enough does not listen any more.
            drop(self.0.send(call.clone()));
        }
        Box::pin(async { Ok(()) })
    }
}

/// How the gateway of a test differs from the usual one.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) settings: Settings,
    pub(super) workers: usize,
    pub(super) targets: Vec<(String, u32)>,
    pub(super) timeouts: Timeouts,
    pub(super) private: bool,
    pub(super) security: Security,
    pub(super) doors: Doors,
}

impl Setup {
    pub(super) fn before(upstreams: &[SocketAddr]) -> Self {
        Self {
            settings: Settings::new(vec!["127.0.0.1:0".parse().unwrap()], id(9)),
            workers: 1,
            targets: upstreams
                .iter()
                .map(|address| (format!("http://{address}"), 1))
                .collect(),
            timeouts: Timeouts::default(),
            private: true,
            security: Security::Keyless,
            doors: Doors::Bind,
        }
    }

    pub(super) fn timeouts(mut self, connect_ms: u32, response_ms: u32, idle_ms: u32) -> Self {
        self.timeouts = Timeouts {
            connect_ms,
            response_ms,
            idle_ms,
        };
        self
    }

    fn runtime(&self) -> (Runtime, String) {
        let hasher = SecretHasher::new(&[7; 32]);
        let sources = Sources {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let limiter = Limiter::start(
            LimiterSettings::new(id(9), Cluster::Embedded),
            Arc::new(StoredAuthority::new(NoCounters)),
            Notices::in_process(Loudness::Muted),
            sources,
            &tokio::runtime::Handle::current(),
        );
        let keys = CallerKeys {
            credentials: hasher.clone(),
            console: console_signer(),
        };
        let runtime = Runtime::new(keys, Arc::new(limiter), Arc::new(SystemClock));
        let mut manifests = Manifests::default();
        let mut tenant = tenant_part(1, "default");
        tenant.private_upstreams = self.private;
        manifests.tenant(&tenant);
        let mut api = api_part(1, 1, "/shop");
        api.plans = vec![plan_part(5, self.security, vec![])];
        manifests.api(&api);
        let mut version = version_part(1, 1, "v1");
        version.unmatched = Unmatched::Forward;
        version.upstream = Some(api::Upstream {
            targets: self
                .targets
                .iter()
                .map(|(url, weight)| api::Target {
                    url: url.parse().unwrap(),
                    weight: *weight,
                })
                .collect(),
            algorithm: Balancing::RoundRobin,
            timeouts: self.timeouts,
        });
        manifests.version(&version);
        let config = compiled::compile(
            &manifests.manifest(3),
            None,
            &manifests.bodies,
            compiled::Patience::Wait,
        )
        .unwrap();
        runtime.activate(Arc::new(config));
        let key = secret::generate(SecretKind::LiveKey, &SystemEntropy);
        let mut known = credential(1, 70, 71);
        known.hash = hasher.hash(key.expose());
        known.state = CredentialState::Active;
        let deltas = [
            Delta::Application(application(1, 71)),
            Delta::Subscription(subscription(1, 72, 71, 5)),
            Delta::Credential(known),
        ];
        runtime.subjects().apply(&deltas, 1);
        (runtime, key.expose().to_owned())
    }

    pub(super) fn try_start(self) -> Result<Bed, StartError> {
        let (runtime, key) = self.runtime();
        let (sender, records) = mpsc::unbounded_channel();
        let ids = BatchIds {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let recorder = Recorder::start(
            Arc::new(Handover(sender)),
            ids,
            &tokio::runtime::Handle::current(),
        );
        let metrics = Arc::new(Metrics::new(self.workers));
        let runtime = Arc::new(runtime);
        let parts = Parts {
            runtime: Arc::clone(&runtime),
            records: (0..self.workers).map(|_| recorder.queue()).collect(),
            metrics: Arc::clone(&metrics),
            entropy: Arc::new(SystemEntropy),
            doors: self.doors,
        };
        let gateway = Gateway::start(self.settings, parts)?;
        Ok(Bed {
            address: gateway.addresses()[0],
            gateway,
            _runtime: runtime,
            records,
            recorder,
            metrics,
            key,
        })
    }

    pub(super) fn start(self) -> Bed {
        self.try_start().unwrap()
    }
}

/// The running gateway.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) address: SocketAddr,
    pub(super) gateway: Gateway,
    /// Held to the end, as whoever starts a gateway does: taking its thousands of shards down is slow.
    _runtime: Arc<Runtime>,
    pub(super) records: mpsc::UnboundedReceiver<CallRecord>,
    pub(super) recorder: Recorder,
    pub(super) metrics: Arc<Metrics>,
    pub(super) key: String,
}

impl Bed {
    /// The next record.
    pub(super) async fn record(&mut self) -> CallRecord {
        tokio::time::timeout(PATIENCE, self.records.recv())
            .await
            .expect("a record in time")
            .expect("the worker lives")
    }

    pub(super) async fn drain(self) -> Drained {
        self.gateway.drain(PATIENCE).await
    }
}
