//! A configuration that is made of numbers, delivered as the product delivers it.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_gateway::source::{Away, ConfigSource, DeltaPage};
use gatewright_model::api::{Balancing, Target, Timeouts, Unmatched, Upstream, VersionState};
use gatewright_model::consumer::{ApplicationState, CredentialState, Environment, SubscriptionState};
use gatewright_model::limit::{
    Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind, Window, WindowUnit,
};
use gatewright_model::plan::{Coverage, PlanState, Security};
use gatewright_model::secret::SecretHasher;
use gatewright_model::snapshot::{
    ApiPart, ApplicationDelta, CredentialDelta, Delta, Manifest, OperationPart, PartHash, PartKind, PartRef,
    PlanLimits, PlanPart, SubscriptionDelta, TenantPart, VersionPart,
};
use gatewright_model::tenancy::{DEFAULT_TENANT, StandingState};
use gatewright_model::text::{ContextPath, Name, Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use url::Url;

use crate::workload::{BURST, LABEL, Named, QUOTA, RATE, Scenario, TEMPLATES, Workload};

/// Every consumer is three changes: its application, its subscription, its credential.
const CHANGES: u32 = 3;

/// Where the gateway under test gets its configuration. It never changes.
#[derive(Debug)]
pub(super) struct NumberedSource {
    workload: Workload,
    manifest: Manifest,
    bodies: HashMap<PartHash, Bytes>,
    hasher: SecretHasher,
    made: Timestamp,
    head: i64,
}

impl NumberedSource {
    /// A source for this workload, whose APIs all lead to `upstream`.
    pub(super) fn new(workload: Workload, upstream: &Url, made: Timestamp) -> anyhow::Result<Self> {
        let head = i64::from(workload.keys) * i64::from(CHANGES) + 1;
        let mut source = Self {
            workload,
            manifest: Manifest {
                seq: head,
                created_at: made,
                parts: Vec::new(),
            },
            bodies: HashMap::new(),
            hasher: Workload::hasher(),
            made,
            head,
        };
        source.add(PartKind::Tenant, Named::Tenant, 0, &tenant()?)?;
        for number in 0..workload.apis {
            source.add(
                PartKind::Api,
                Named::Api,
                number,
                &api(workload.scenario, number)?,
            )?;
            source.add(PartKind::Version, Named::Api, number, &version(number, upstream)?)?;
        }
        Ok(source)
    }

    fn add(
        &mut self,
        kind: PartKind,
        named: Named,
        number: u32,
        part: &impl serde::Serialize,
    ) -> anyhow::Result<()> {
        let body = Bytes::from(serde_json::to_vec(part)?);
        let hash = PartHash::of(&body);
        let key = Workload::uuid(named, number);
        self.manifest.parts.push(PartRef { kind, key, hash });
        self.bodies.insert(hash, body);
        Ok(())
    }

    /// The change with this number, which counts from 1.
    fn change(&self, seq: i64) -> Result<Delta, Away> {
        let index = u32::try_from(seq - 1).map_err(Away::because)?;
        let consumer = index / CHANGES;
        Ok(match index % CHANGES {
            0 => Delta::Application(application(seq, consumer)?),
            1 => Delta::Subscription(self.subscription(seq, consumer)),
            _ => Delta::Credential(self.credential(seq, consumer)),
        })
    }

    fn subscription(&self, seq: i64, consumer: u32) -> SubscriptionDelta {
        let api = self.workload.api_of(consumer);
        SubscriptionDelta {
            seq,
            id: Workload::id(Named::Consumer, consumer),
            tenant_id: Workload::id(Named::Tenant, 0),
            application_id: Workload::id(Named::Consumer, consumer),
            api_id: Workload::id(Named::Api, api),
            plan_id: Workload::id(Named::Plan, api),
            plan_version_id: Workload::id(Named::Plan, api),
            state: SubscriptionState::Active,
            paused: false,
            created_at: self.made,
            ends_at: None,
        }
    }

    fn credential(&self, seq: i64, consumer: u32) -> CredentialDelta {
        CredentialDelta {
            seq,
            id: Workload::id(Named::Consumer, consumer),
            tenant_id: Workload::id(Named::Tenant, 0),
            application_id: Workload::id(Named::Consumer, consumer),
            hash: self.hasher.hash(Workload::key(consumer).expose()),
            state: CredentialState::Active,
            not_before: None,
            expires_at: None,
            grace_until: None,
        }
    }
}

impl ConfigSource for NumberedSource {
    fn head(&self) -> BoxFuture<'_, Result<i64, Away>> {
        async { Ok(self.head) }.boxed()
    }

    fn manifest(&self, after: i64) -> BoxFuture<'_, Result<Option<Manifest>, Away>> {
        let newer = (after < self.head).then(|| self.manifest.clone());
        async { Ok(newer) }.boxed()
    }

    fn parts<'a>(&'a self, hashes: &'a [PartHash]) -> BoxFuture<'a, Result<Vec<(PartHash, Bytes)>, Away>> {
        let body = |hash: &PartHash| Some((*hash, self.bodies.get(hash)?.clone()));
        async move { Ok(hashes.iter().filter_map(body).collect()) }.boxed()
    }

    fn deltas(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<DeltaPage, Away>> {
        async move {
            // The last number is the manifest's.
            let last = self.head - 1;
            let deltas: Result<Vec<_>, Away> = (after + 1..=last)
                .take(limit)
                .map(|seq| self.change(seq))
                .collect();
            let deltas = deltas?;
            let reached = deltas.last().map_or(last, Delta::seq);
            Ok(DeltaPage {
                deltas,
                through: if reached == last { self.head } else { reached },
                more: reached < last,
            })
        }
        .boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }
}

fn tenant() -> anyhow::Result<TenantPart> {
    Ok(TenantPart {
        id: Workload::id(Named::Tenant, 0),
        slug: Slug::parse(DEFAULT_TENANT)?,
        state: StandingState::Active,
        hosts: Vec::new(),
        private_upstreams: true,
        upstream_allow: Vec::new(),
    })
}

fn api(scenario: Scenario, number: u32) -> anyhow::Result<ApiPart> {
    let context = Workload::context(number);
    Ok(ApiPart {
        id: Workload::id(Named::Api, number),
        tenant_id: Workload::id(Named::Tenant, 0),
        slug: Slug::parse(context.trim_start_matches('/'))?,
        context_path: ContextPath::parse(&context)?,
        plans: vec![PlanPart {
            id: Workload::id(Named::Plan, number),
            slug: Slug::parse("standard")?,
            state: PlanState::Published,
            security: if scenario.is_keyed() {
                Security::ApiKey
            } else {
                Security::Keyless
            },
            versions: Coverage::ALL,
            limits: vec![PlanLimits {
                id: Workload::id(Named::Plan, number),
                limits: limits(scenario, number)?,
            }],
        }],
    })
}

fn limits(scenario: Scenario, number: u32) -> anyhow::Result<Vec<Limit>> {
    let rate = Limit {
        id: Workload::id(Named::Rate, number),
        name: Slug::parse("rate")?,
        kind: LimitKind::Rate,
        unit: LimitUnit::Requests,
        amount: RATE,
        window: Window::new(1, WindowUnit::Second)?,
        burst: Some(BURST),
        reset: ResetKind::Rolling,
        zone: "UTC".to_owned(),
        partition: Partition::Subscription,
        on_exceed: OnExceed::Reject,
        on_store_failure: OnStoreFailure::Local,
    };
    let quota = Limit {
        id: Workload::id(Named::Quota, number),
        name: Slug::parse("quota")?,
        kind: LimitKind::Quota,
        amount: QUOTA,
        window: Window::new(1, WindowUnit::Day)?,
        burst: None,
        reset: ResetKind::Calendar,
        ..rate.clone()
    };
    Ok(match scenario {
        Scenario::Gateway => vec![rate, quota],
        Scenario::RateOnly => vec![rate],
        Scenario::HandOver => Vec::new(),
    })
}

fn version(number: u32, upstream: &Url) -> anyhow::Result<VersionPart> {
    let operation = |template: &str| OperationPart {
        key: format!("GET {template}"),
        method: "GET".to_owned(),
        template: template.to_owned(),
        deprecated: false,
    };
    Ok(VersionPart {
        id: Workload::id(Named::Api, number),
        api_id: Workload::id(Named::Api, number),
        tenant_id: Workload::id(Named::Tenant, 0),
        label: VersionLabel::parse(LABEL)?,
        state: VersionState::Published,
        blocked_reason: None,
        deprecation: None,
        unmatched: Unmatched::Refuse,
        operations: TEMPLATES.into_iter().map(operation).collect(),
        upstream: Some(Upstream {
            targets: vec![Target {
                url: upstream.clone(),
                weight: 1,
            }],
            algorithm: Balancing::RoundRobin,
            timeouts: Timeouts::default(),
        }),
    })
}

fn application(seq: i64, consumer: u32) -> Result<ApplicationDelta, Away> {
    Ok(ApplicationDelta {
        seq,
        id: Workload::id(Named::Consumer, consumer),
        tenant_id: Workload::id(Named::Tenant, 0),
        name: Name::parse(&format!("app {consumer}")).map_err(Away::because)?,
        environment: Environment::Live,
        state: ApplicationState::Active,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_deliver_every_change_once_and_end_at_the_head() {
        let workload = Workload {
            scenario: Scenario::Gateway,
            apis: 2,
            keys: 7,
        };
        let upstream = "http://127.0.0.1:1".parse().unwrap();
        let source = NumberedSource::new(workload, &upstream, Timestamp::from_millis(1)).unwrap();
        let (mut position, mut seen) = (0, Vec::new());
        loop {
            let page = source.deltas(position, 4).await.unwrap();
            seen.extend(page.deltas.iter().map(Delta::seq));
            position = page.through;
            if !page.more {
                break;
            }
        }
        assert_eq!(seen, (1..=21).collect::<Vec<_>>());
        assert_eq!(position, source.head().await.unwrap());
    }

    #[tokio::test]
    async fn every_part_of_the_manifest_is_delivered() {
        let workload = Workload {
            scenario: Scenario::RateOnly,
            apis: 3,
            keys: 3,
        };
        let upstream = "http://127.0.0.1:1".parse().unwrap();
        let source = NumberedSource::new(workload, &upstream, Timestamp::from_millis(1)).unwrap();
        let manifest = source.manifest(0).await.unwrap().unwrap();
        let hashes: Vec<PartHash> = manifest.parts.iter().map(|part| part.hash).collect();
        let bodies = source.parts(&hashes).await.unwrap();
        assert_eq!((hashes.len(), bodies.len()), (7, 7));
        assert!(bodies.iter().all(|(hash, body)| PartHash::of(body) == *hash));
        assert_eq!(source.manifest(manifest.seq).await.unwrap(), None);
    }
}
