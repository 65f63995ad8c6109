use std::net::IpAddr;

use gatewright_model::api::{Target, Timeouts, Unmatched, Upstream};
use gatewright_model::consumer::{ApplicationState, CredentialState, SubscriptionState};
use gatewright_model::plan::{Coverage, Security};
use gatewright_model::secret::{SecretKind, SecretText, generate};
use gatewright_model::snapshot::{
    ApiPart, ApplicationDelta, CredentialDelta, Delta, DeprecationPart, PlanPart, SubscriptionDelta,
    SuccessorPart, VersionPart,
};
use gatewright_model::text::VersionLabel;
use gatewright_model::time::{SystemEntropy, Timestamp};

use super::*;
use crate::compiled::{Patience, compile};
use crate::testing::{
    Parts, api_part, application, credential, hasher, id, plan_part, quota, rate, runtime, subscription,
    tenant_part, version_part,
};

mod console;

/// One API `/shop` with version `v1` and a plan with keys, an application with
/// a subscription to it, and a key. Tests change what they are about.
struct World {
    api: ApiPart,
    version: VersionPart,
    application: ApplicationDelta,
    subscriptions: Vec<SubscriptionDelta>,
    credential: CredentialDelta,
    key: SecretText,
}

struct Answer {
    result: Result<Admitted, Refused>,
    facts: CallFacts,
}

impl Answer {
    fn status(&self) -> u16 {
        self.result
            .as_ref()
            .map_or_else(|refused| refused.rejection.status().as_u16(), |_| 200)
    }

    fn code(&self) -> &'static str {
        self.result
            .as_ref()
            .map_or_else(|refused| refused.rejection.code(), |_| "admitted")
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match &self.result {
            Ok(admitted) => admitted.write_response_headers(&mut headers),
            Err(refused) => refused.write_headers(&mut headers),
        }
        headers
    }
}

impl World {
    fn new() -> Self {
        let key = generate(SecretKind::LiveKey, &SystemEntropy);
        let mut api = api_part(1, 1, "/shop");
        api.plans = vec![plan_part(1, Security::ApiKey, vec![])];
        let mut credential = credential(3, 1, 1);
        credential.hash = hasher().hash(key.expose());
        let mut version = version_part(1, 1, "v1");
        version.upstream = Some(Upstream {
            targets: vec![Target {
                url: "http://127.0.0.1:9/base".parse().unwrap(),
                weight: 1,
            }],
            algorithm: gatewright_model::api::Balancing::RoundRobin,
            timeouts: Timeouts::default(),
        });
        Self {
            api,
            version,
            application: application(1, 1),
            subscriptions: vec![subscription(2, 1, 1, 1)],
            credential,
            key,
        }
    }

    fn keyless(mut self, limits: Vec<gatewright_model::limit::Limit>) -> Self {
        self.api.plans.push(plan_part(9, Security::Keyless, limits));
        self
    }

    fn plan(&mut self) -> &mut PlanPart {
        &mut self.api.plans[0]
    }

    fn running(&self) -> Arc<Runtime> {
        let runtime = runtime();
        let mut parts = Parts::default();
        parts.tenant(&tenant_part(1, "default"));
        parts.api(&self.api);
        parts.version(&self.version);
        runtime.activate(Arc::new(
            compile(&parts.manifest(7), None, &parts.bodies, Patience::Wait).unwrap(),
        ));
        let mut deltas = vec![
            Delta::Application(self.application.clone()),
            Delta::Credential(self.credential.clone()),
        ];
        deltas.extend(self.subscriptions.iter().cloned().map(Delta::Subscription));
        runtime.subjects().apply(&deltas, 3);
        runtime
    }

    /// One call with the key to an operation that is there.
    async fn call(&self) -> Answer {
        call(
            &self.running(),
            "GET",
            "/shop/v1/items/7",
            Some(self.key.expose()),
        )
        .await
    }
}

async fn call(runtime: &Runtime, method: &str, path: &str, key: Option<&str>) -> Answer {
    call_of(runtime, &WorkerState::default(), method, path, key).await
}

async fn call_of(
    runtime: &Runtime,
    worker: &WorkerState,
    method: &str,
    path: &str,
    key: Option<&str>,
) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        headers.insert("x-api-key", key.parse().unwrap());
    }
    let method: Method = method.parse().unwrap();
    let view = RequestView {
        method: &method,
        host: Some("localhost"),
        path,
        headers: &headers,
        client: IpAddr::from([192, 0, 2, 1]),
    };
    let mut facts = CallFacts::default();
    let result = runtime.decide(worker, &view, &mut facts).await;
    Answer { result, facts }
}

#[tokio::test]
async fn names_of_consumers_are_ascii_on_the_wire() {
    let mut world = World::new();
    world.application.name = gatewright_model::text::Name::parse("Käse 100%").unwrap();
    let admitted = world.call().await.result.unwrap();
    let consumer = admitted.consumer.as_ref().unwrap();
    assert_eq!(consumer.name.as_slice(), b"K%C3%A4se 100%25");
}

#[tokio::test]
async fn a_subscriber_passes_and_is_named_to_the_upstream() {
    let answer = World::new().call().await;
    let admitted = answer.result.unwrap();
    let consumer = admitted.consumer.as_ref().unwrap();
    assert_eq!(consumer.application_id, id(1));
    assert_eq!(consumer.name.as_slice(), b"app 1");
    assert_eq!(consumer.subscription_id, id(1));
    assert_eq!(consumer.plan_slug, "plan-1");
    assert_eq!(admitted.key_location, KeyLocation::ApiKey);
    assert_eq!(admitted.upstream_path("/shop/v1/items/7"), "/items/7");
    assert!(admitted.upstream.is_some());
    let subject = answer.facts.subject;
    assert_eq!(
        (answer.facts.tenant_id, answer.facts.snapshot_seq),
        (Some(id(1)), 7)
    );
    assert_eq!(subject.operation.as_deref(), Some("GET /items/{id}"));
    assert_eq!(
        (subject.plan_id, subject.subscription_id),
        (Some(id(1)), Some(id(1)))
    );
    assert_eq!(
        (subject.application_id, subject.credential_id),
        (Some(id(1)), Some(id(1)))
    );
}

#[tokio::test]
async fn without_a_configuration_nothing_passes() {
    let answer = call(&runtime(), "GET", "/shop/v1", None).await;
    assert_eq!((answer.status(), answer.code()), (503, "not_ready"));
}

#[tokio::test]
async fn what_does_not_exist_is_said_without_a_key() {
    let runtime = World::new().running();
    for (method, path, status, code) in [
        ("GET", "/nowhere/v1/x", 404, "no_route"),
        ("GET", "/shop/v2/x", 404, "no_route"),
        ("GET", "/shop/v1/else", 404, "no_operation"),
        ("DELETE", "/shop/v1/items/7", 405, "method_not_allowed"),
        ("GET", "/shop/v1/items/7", 401, "key_missing"),
        // An address without a rest is the root of the document.
        ("GET", "/shop/v1", 401, "key_missing"),
    ] {
        let answer = call(&runtime, method, path, None).await;
        assert_eq!(
            (answer.status(), answer.code()),
            (status, code),
            "{method} {path}"
        );
    }
    let other = call(&runtime, "DELETE", "/shop/v1/items/7", None).await;
    assert_eq!(other.headers()["allow"], "GET, HEAD");
    assert_eq!(other.facts.subject.version_id, Some(id(1)));
}

#[tokio::test]
async fn every_key_that_does_not_work_gets_the_same_answer() {
    let world = World::new();
    let mut refused = Vec::new();
    for state in [
        CredentialState::Disabled,
        CredentialState::Expired,
        CredentialState::Revoked,
    ] {
        let mut world = World::new();
        world.credential.state = state;
        refused.push(world.call().await);
    }
    let mut expired = World::new();
    expired.credential.expires_at = Some(Timestamp::from_millis(1));
    refused.push(expired.call().await);
    let mut foreign = World::new();
    foreign.credential.tenant_id = id(2);
    refused.push(foreign.call().await);
    let mut archived = World::new();
    archived.application.state = ApplicationState::Archived;
    refused.push(archived.call().await);
    let running = world.running();
    let unknown = generate(SecretKind::LiveKey, &SystemEntropy);
    let token = generate(SecretKind::ManagementToken, &SystemEntropy);
    let mut broken = world.key.expose().to_owned();
    let last = if broken.pop() == Some('0') { '1' } else { '0' };
    broken.push(last);
    for key in [unknown.expose(), token.expose(), &broken, "x", ""] {
        refused.push(call(&running, "GET", "/shop/v1/items/7", Some(key)).await);
    }
    for answer in refused {
        let rejection = answer.result.unwrap_err().rejection;
        assert_eq!(rejection, Rejection::KeyInvalid);
        assert_eq!(rejection.status(), 401);
    }
}

#[tokio::test]
async fn a_rotating_key_works_until_its_grace_ends() {
    let mut world = World::new();
    world.credential.state = CredentialState::Rotating;
    world.credential.grace_until = Some("2999-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.call().await.code(), "admitted");
    world.credential.grace_until = Some("2001-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(world.call().await.code(), "key_invalid");
}

#[tokio::test]
async fn a_subscription_that_does_not_work_says_why() {
    let past: Timestamp = Timestamp::from_millis(2_000);
    for (state, paused, ends_at, code) in [
        (SubscriptionState::Pending, false, None, "subscription_pending"),
        (
            SubscriptionState::Suspended,
            false,
            None,
            "subscription_suspended",
        ),
        (SubscriptionState::Expired, false, None, "subscription_expired"),
        (
            SubscriptionState::Active,
            false,
            Some(past),
            "subscription_expired",
        ),
        (SubscriptionState::Active, true, None, "subscription_paused"),
        (SubscriptionState::Closing, false, None, "admitted"),
        (
            SubscriptionState::Closing,
            false,
            Some(past),
            "subscription_missing",
        ),
        (SubscriptionState::Closed, false, None, "subscription_missing"),
        (SubscriptionState::Rejected, false, None, "subscription_missing"),
        (SubscriptionState::Withdrawn, false, None, "subscription_missing"),
    ] {
        let mut world = World::new();
        let held = &mut world.subscriptions[0];
        (held.state, held.paused, held.ends_at) = (state, paused, ends_at);
        let answer = world.call().await;
        assert_eq!(answer.code(), code, "{state} {paused}");
        assert!([200, 403].contains(&answer.status()));
    }
    let mut world = World::new();
    world.application.state = ApplicationState::Suspended;
    let suspended = world.call().await;
    assert_eq!(
        (suspended.status(), suspended.code()),
        (403, "subscription_suspended")
    );
    assert_eq!(
        suspended.result.unwrap_err().rejection,
        Rejection::ApplicationSuspended
    );
    world.subscriptions.clear();
    assert_eq!(world.call().await.code(), "subscription_missing");
}

#[tokio::test]
async fn of_several_subscriptions_the_newest_that_works_counts() {
    let mut world = World::new();
    world.api.plans.push(plan_part(2, Security::ApiKey, vec![]));
    let mut newer = subscription(4, 2, 1, 2);
    newer.created_at = Timestamp::from_millis(2_000);
    world.subscriptions.push(newer);
    assert_eq!(world.call().await.facts.subject.plan_id, Some(id(2)));
    world.subscriptions[1].state = SubscriptionState::Suspended;
    assert_eq!(world.call().await.facts.subject.plan_id, Some(id(1)));
    world.subscriptions[0].state = SubscriptionState::Expired;
    assert_eq!(world.call().await.code(), "subscription_suspended");
}

#[tokio::test]
async fn a_plan_opens_what_it_covers() {
    let mut world = World::new();
    world.plan().versions = Coverage::Only(vec![id(77)]);
    assert_eq!(world.call().await.code(), "subscription_missing");
    world.plan().versions = Coverage::Only(vec![id(77), id(1)]);
    assert_eq!(world.call().await.code(), "admitted");
}

fn deprecation(at: i64) -> DeprecationPart {
    DeprecationPart {
        deprecated_at: Timestamp::from_millis(at),
        sunset_at: "2999-01-01T00:00:00Z".parse().unwrap(),
        info_url: None,
        successor: Some(SuccessorPart {
            label: VersionLabel::parse("v2").unwrap(),
            url: "http://gw.example/shop/v2".to_owned(),
        }),
    }
}

#[tokio::test]
async fn a_deprecated_version_serves_older_subscriptions_and_says_so() {
    let mut world = World::new();
    world.version.state = VersionState::Deprecated;
    // The subscription is of second 1.
    world.version.deprecation = Some(deprecation(5_000));
    let answer = world.call().await;
    assert_eq!(answer.code(), "admitted");
    assert_eq!(answer.headers()["deprecation"], "@5");
    assert_eq!(
        answer.headers()["link"],
        "<http://gw.example/shop/v2>; rel=\"successor-version\""
    );
    world.version.deprecation = Some(deprecation(500));
    let refused = world.call().await;
    assert_eq!(refused.code(), "subscription_missing");
    assert_eq!(refused.headers()["deprecation"], "@0");
}

#[tokio::test]
async fn a_retired_version_names_its_successor_to_everybody() {
    let mut world = World::new();
    world.version.state = VersionState::Retired;
    world.version.operations.clear();
    world.version.deprecation = Some(deprecation(1));
    let answer = call(&world.running(), "GET", "/shop/v1/items/7", None).await;
    assert_eq!((answer.status(), answer.code()), (410, "version_retired"));
    assert_eq!(answer.headers().get_all("link").iter().count(), 1);
    let body = answer.result.unwrap_err().rejection.body(id(1));
    assert!(String::from_utf8_lossy(&body).contains("\"successor\":\"http://gw.example/shop/v2\""));
}

#[tokio::test]
async fn a_blocked_version_says_why_to_those_who_may_come_in_and_counts_nothing() {
    let mut world = World::new();
    world.plan().limits[0].limits = vec![quota(1, 1, "1d")];
    world.version.state = VersionState::Blocked;
    world.version.blocked_reason = Some("broken by accident".to_owned());
    for _ in 0..3 {
        let answer = world.call().await;
        assert_eq!((answer.status(), answer.code()), (503, "version_blocked"));
    }
    assert_eq!(
        call(&world.running(), "GET", "/shop/v1", None).await.code(),
        "key_missing"
    );
}

#[tokio::test]
async fn a_keyless_plan_lets_everybody_in_and_leaves_foreign_keys_alone() {
    let mut world = World::new().keyless(vec![]);
    world.api.plans.remove(0);
    world.subscriptions.clear();
    let running = world.running();
    for key in [None, Some("theirs")] {
        let answer = call(&running, "GET", "/shop/v1/items/7", key).await;
        assert_eq!(answer.facts.subject.plan_id, Some(id(9)));
        let admitted = answer.result.unwrap();
        assert!(admitted.consumer.is_none());
        assert_eq!(admitted.key_location, KeyLocation::Nowhere);
    }
}

#[tokio::test]
async fn beside_a_keyless_plan_a_key_still_means_its_owner() {
    let mut world = World::new().keyless(vec![]);
    assert_eq!(world.call().await.facts.subject.plan_id, Some(id(1)));
    world.subscriptions.clear();
    let anonymous = world.call().await;
    assert_eq!(anonymous.facts.subject.plan_id, Some(id(9)));
    assert!(anonymous.result.unwrap().consumer.is_none());
    world.credential.state = CredentialState::Revoked;
    assert_eq!(world.call().await.code(), "key_invalid");
}

#[tokio::test]
async fn undescribed_calls_are_passed_on_where_the_version_says_so() {
    let mut world = World::new();
    world.version.unmatched = Unmatched::Forward;
    let running = world.running();
    let answer = call(&running, "PURGE", "/shop/v1/else", Some(world.key.expose())).await;
    assert_eq!(answer.facts.subject.operation, None);
    assert_eq!(answer.code(), "admitted");
    assert_eq!(
        call(&running, "PURGE", "/shop/v1/else", None).await.code(),
        "key_missing"
    );
}

#[tokio::test]
async fn a_rate_refuses_above_its_burst_and_says_when_to_come_back() {
    let mut world = World::new();
    world.plan().limits[0].limits = vec![rate(1, 3, "1h")];
    let (running, worker) = (world.running(), WorkerState::default());
    for left in ["2", "1", "0"] {
        let answer = call_of(&running, &worker, "GET", "/shop/v1", Some(world.key.expose())).await;
        assert_eq!(answer.code(), "admitted");
        let headers = answer.headers();
        assert_eq!(headers["ratelimit-policy"], "\"limit-1\";q=3;w=3600");
        assert!(
            headers["ratelimit"]
                .to_str()
                .unwrap()
                .starts_with(&format!("\"limit-1\";r={left};t="))
        );
    }
    let refused = call_of(&running, &worker, "GET", "/shop/v1", Some(world.key.expose())).await;
    assert_eq!((refused.status(), refused.code()), (429, "rate_limited"));
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1_190..=1_206).contains(&wait), "{wait}");
    let state = refused.headers()["ratelimit"].to_str().unwrap().to_owned();
    let reset: u64 = state.strip_prefix("\"limit-1\";r=0;t=").unwrap().parse().unwrap();
    assert!(
        (1_190..=1_200).contains(&reset) && reset <= wait,
        "{state} {wait}"
    );
}

#[tokio::test]
async fn a_quota_is_used_up_exactly_over_all_workers() {
    let mut world = World::new();
    world.plan().limits[0].limits = vec![quota(1, 5, "1mo")];
    let running = world.running();
    let workers = [WorkerState::default(), WorkerState::default()];
    let mut codes = Vec::new();
    for number in 0..8 {
        let worker = &workers[number % 2];
        codes.push(
            call_of(&running, worker, "GET", "/shop/v1", Some(world.key.expose()))
                .await
                .code(),
        );
    }
    assert_eq!(codes.iter().filter(|code| **code == "admitted").count(), 5);
    assert_eq!(codes[5..], ["quota_exceeded"; 3]);
}

#[tokio::test]
async fn a_call_that_one_limit_refuses_is_not_counted_by_another() {
    let mut world = World::new();
    world.plan().limits[0].limits = vec![quota(1, 4, "1mo"), rate(2, 2, "1h")];
    let (running, worker) = (world.running(), WorkerState::default());
    for _ in 0..6 {
        call_of(&running, &worker, "GET", "/shop/v1", Some(world.key.expose())).await;
    }
    // Two were admitted; the four that the rate refused left the quota alone.
    let last = call_of(&running, &worker, "GET", "/shop/v1", Some(world.key.expose())).await;
    assert_eq!(last.code(), "rate_limited");
    let state = last.headers()["ratelimit"].to_str().unwrap().to_owned();
    assert!(state.starts_with("\"limit-1\";r=1;"), "{state}");
}

#[tokio::test]
async fn new_terms_hold_soon_and_keep_what_was_used() {
    let mut world = World::new();
    world.plan().limits[0].limits = vec![quota(1, 100, "1mo")];
    let (running, worker) = (world.running(), WorkerState::default());
    for _ in 0..5 {
        assert_eq!(
            call_of(&running, &worker, "GET", "/shop/v1", Some(world.key.expose()))
                .await
                .code(),
            "admitted"
        );
    }
    world.plan().limits[0].limits = vec![quota(1, 3, "1mo")];
    let mut parts = Parts::default();
    parts.tenant(&tenant_part(1, "default"));
    parts.api(&world.api);
    parts.version(&world.version);
    let config = compile(
        &parts.manifest(8),
        running.config.load_full().as_deref(),
        &parts.bodies,
        Patience::Wait,
    )
    .unwrap();
    running.activate(Arc::new(config));
    // What this node holds on lease under the old terms is taken from it with the
    // next exchange; the 95 that those terms still allowed are not waited for.
    for _ in 0..50 {
        let answer = call_of(&running, &worker, "GET", "/shop/v1", Some(world.key.expose())).await;
        if answer.code() == "quota_exceeded" {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the old terms still hold");
}
