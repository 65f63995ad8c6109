//! One of everything, for tests.

use gatewright_model::api::{
    Api, ApiKind, ApiVersion, Balancing, DocumentFormat, Operation, Revision, Target, Timeouts, Unmatched,
    Upstream, VersionState, Visibility,
};
use gatewright_model::audit::Actor;
use gatewright_model::consumer::{
    Application, ApplicationState, Credential, CredentialKind, CredentialState, Environment, Subscription,
    SubscriptionState,
};
use gatewright_model::id::{EntityId, TenantId, uuid_v7};
use gatewright_model::limit::{Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind};
use gatewright_model::plan::{ApprovalMode, Coverage, Plan, PlanState, PlanVersion, Security};
use gatewright_model::secret::{SecretHash, SecretHint};
use gatewright_model::tenancy::{StandingState, Team, TeamKind, Tenant, TenantSettings, User, UserState};
use gatewright_model::time::{Entropy, SystemEntropy};
use serde_json::json;

use super::NOW;
use crate::change::AuditEntry;
use crate::conn::Scope;
use crate::store::Store;

pub(crate) fn id<I: EntityId>() -> I {
    let mut random = [0; 10];
    SystemEntropy.fill(&mut random);
    I::from_uuid(uuid_v7(NOW, random))
}

pub(crate) fn hash() -> SecretHash {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    SecretHash(bytes)
}

pub(crate) fn tenant(slug: &str) -> Tenant {
    Tenant {
        id: id(),
        slug: slug.parse().unwrap(),
        name: "Acme".parse().unwrap(),
        state: StandingState::Active,
        settings: TenantSettings {
            min_deprecation_days: 30,
            hosts: vec!["api.acme.example".to_owned()],
            ..TenantSettings::default()
        },
        created_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn entry(tenant_id: TenantId, action: &str) -> AuditEntry {
    AuditEntry {
        tenant_id,
        at: NOW,
        actor: Actor::system(),
        action: action.to_owned(),
        subject_kind: "thing".to_owned(),
        subject_id: "thing_1".to_owned(),
        details: json!({"b": 1, "a": {"d": [1, 2], "c": null}}),
    }
}

/// A tenant with one of everything, stored.
pub(crate) struct World {
    pub(crate) tenant: Tenant,
    pub(crate) team: Team,
    pub(crate) user: User,
    pub(crate) api: Api,
    pub(crate) version: ApiVersion,
    pub(crate) plan: Plan,
    pub(crate) application: Application,
    pub(crate) subscription: Subscription,
    pub(crate) credential: Credential,
}

impl World {
    pub(crate) fn scope(&self) -> Scope {
        Scope::Tenant(self.tenant.id)
    }

    pub(crate) async fn make(store: &Store, slug: &str) -> Self {
        let world = Self::build(slug);
        let mut tx = store.begin(Scope::System).await.unwrap();
        tx.tenants().insert(&world.tenant).await.unwrap();
        tx.teams().insert(&world.team).await.unwrap();
        tx.users().insert(&world.user, Some("$argon2id$x")).await.unwrap();
        tx.commit(NOW).await.unwrap();
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.apis().insert(&world.api).await.unwrap();
        tx.versions().insert(&world.version).await.unwrap();
        tx.plans().insert(&world.plan).await.unwrap();
        tx.applications().insert(&world.application).await.unwrap();
        tx.subscriptions().insert(&world.subscription).await.unwrap();
        tx.credentials().insert(&world.credential).await.unwrap();
        tx.audit(entry(world.tenant.id, "world.make"));
        tx.commit(NOW).await.unwrap();
        world
    }

    fn build(slug: &str) -> Self {
        let tenant = tenant(slug);
        let team = team(&tenant);
        let user = user(&tenant);
        let api = api(&tenant, &team);
        let version = version(&api);
        let plan = plan(&api);
        let application = application(&team);
        let subscription = subscription(&application, &plan);
        let credential = credential(&application);
        Self {
            tenant,
            team,
            user,
            api,
            version,
            plan,
            application,
            subscription,
            credential,
        }
    }
}

fn team(tenant: &Tenant) -> Team {
    Team {
        id: id(),
        tenant_id: tenant.id,
        slug: "core".parse().unwrap(),
        name: "Core".parse().unwrap(),
        kind: TeamKind::Both,
        contact: Some("core@example.com".parse().unwrap()),
        state: StandingState::Active,
        created_at: NOW,
        row_version: 1,
    }
}

fn user(tenant: &Tenant) -> User {
    User {
        id: id(),
        tenant_id: tenant.id,
        email: "ana@example.com".parse().unwrap(),
        name: "Ana".parse().unwrap(),
        state: UserState::Active,
        platform_admin: false,
        auth_epoch: 0,
        created_at: NOW,
        row_version: 1,
    }
}

fn api(tenant: &Tenant, team: &Team) -> Api {
    Api {
        id: id(),
        tenant_id: tenant.id,
        team_id: team.id,
        slug: "orders".parse().unwrap(),
        name: "Orders 100%".parse().unwrap(),
        description: "Line\nbreaks, 'quotes' and ünïcode".to_owned(),
        kind: ApiKind::Rest,
        visibility: Visibility::Public,
        context_path: "/orders".parse().unwrap(),
        featured: true,
        created_at: NOW,
        updated_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn version(api: &Api) -> ApiVersion {
    ApiVersion {
        id: id(),
        tenant_id: api.tenant_id,
        api_id: api.id,
        label: "v1".parse().unwrap(),
        state: VersionState::Draft,
        blocked_reason: None,
        deprecation: None,
        published_at: None,
        retired_at: None,
        revision_id: None,
        unmatched: Unmatched::Refuse,
        created_at: NOW,
        updated_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn limit(name: &str) -> Limit {
    Limit {
        id: id(),
        name: name.parse().unwrap(),
        kind: LimitKind::Quota,
        unit: LimitUnit::Requests,
        amount: 500,
        window: "1mo".parse().unwrap(),
        burst: None,
        reset: ResetKind::Calendar,
        zone: "Europe/Berlin".to_owned(),
        partition: Partition::Subscription,
        on_exceed: OnExceed::Reject,
        on_store_failure: OnStoreFailure::Local,
    }
}

pub(crate) fn plan(api: &Api) -> Plan {
    Plan {
        id: id(),
        tenant_id: api.tenant_id,
        api_id: api.id,
        slug: "free".parse().unwrap(),
        name: "Free".parse().unwrap(),
        description: String::new(),
        state: PlanState::Published,
        security: Security::ApiKey,
        approval: ApprovalMode::Auto,
        versions: Coverage::ALL,
        current: PlanVersion {
            id: id(),
            number: 1,
            limits: vec![limit("monthly"), limit("other")],
            created_at: NOW,
        },
        created_at: NOW,
        updated_at: NOW,
        row_version: 1,
    }
}

fn application(team: &Team) -> Application {
    Application {
        id: id(),
        tenant_id: team.tenant_id,
        team_id: team.id,
        slug: "shop".parse().unwrap(),
        name: "Shop".parse().unwrap(),
        environment: Environment::Live,
        state: ApplicationState::Active,
        archived_at: None,
        created_at: NOW,
        updated_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn subscription(application: &Application, plan: &Plan) -> Subscription {
    Subscription {
        id: id(),
        tenant_id: plan.tenant_id,
        application_id: application.id,
        api_id: plan.api_id,
        plan_id: plan.id,
        plan_version_id: plan.current.id,
        state: SubscriptionState::Active,
        paused: false,
        request_note: None,
        reason: None,
        ends_at: None,
        closing_at: None,
        created_by: None,
        created_at: NOW,
        updated_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn credential(application: &Application) -> Credential {
    Credential {
        id: id(),
        tenant_id: application.tenant_id,
        application_id: application.id,
        kind: CredentialKind::ApiKey,
        name: None,
        hint: SecretHint {
            prefix: "gw_live_abcd".to_owned(),
            last4: "wxyz".to_owned(),
        },
        hash: hash(),
        state: CredentialState::Active,
        not_before: None,
        expires_at: None,
        grace_until: None,
        replaced_by: None,
        last_used_at: None,
        revoked_reason: None,
        created_by: None,
        created_at: NOW,
        updated_at: NOW,
        row_version: 1,
    }
}

pub(crate) fn operation(number: usize) -> Operation {
    Operation {
        key: format!("op{number}"),
        slug: format!("op-{number}"),
        method: "GET".to_owned(),
        template: format!("/things/{number}"),
        summary: "a\0b".to_owned(),
        deprecated: number.is_multiple_of(2),
        tags: vec!["things".to_owned()],
        pointer: format!("/paths/{number}"),
        fingerprint: "f".repeat(64),
        routable: true,
    }
}

pub(crate) fn revision(version: &ApiVersion, raw: &[u8], operations: usize) -> Revision {
    use sha2::{Digest, Sha256};
    Revision {
        id: id(),
        tenant_id: version.tenant_id,
        version_id: version.id,
        number: 1,
        format: DocumentFormat::OpenApi31,
        document_hash: hex::encode(Sha256::digest(raw)),
        document_bytes: raw.len() as u64,
        title: "Orders".to_owned(),
        operation_count: u32::try_from(operations).unwrap(),
        created_by: None,
        created_at: NOW,
    }
}

pub(crate) fn upstream() -> Upstream {
    let target = |port: u16, weight| Target {
        url: format!("http://127.0.0.1:{port}/base").parse().unwrap(),
        weight,
    };
    Upstream {
        targets: vec![target(9001, 10), target(9002, 0)],
        algorithm: Balancing::LeastConnections,
        timeouts: Timeouts::default(),
    }
}
