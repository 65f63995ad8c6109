//! Calls with a token of the try-it console.

use gatewright_model::console_token::{ConsoleGrant, ConsoleSigner, LIFETIME};
use gatewright_model::traffic::CallSource;

use super::*;
use crate::testing::console_signer;

/// A token for subscription 1 of application 1 to API 1, still good for a while.
fn grant() -> ConsoleGrant {
    ConsoleGrant {
        subscription_id: id(1),
        application_id: id(1),
        api_id: id(1),
        user_id: id(1),
        expires_at: gatewright_model::time::SystemClock.now().plus(LIFETIME),
    }
}

async fn tried(runtime: &Runtime, grant: &ConsoleGrant) -> Answer {
    let token = console_signer().sign(grant, &SystemEntropy);
    call(runtime, "GET", "/shop/v1/items/7", Some(token.expose())).await
}

#[tokio::test]
async fn a_console_token_opens_its_subscription_and_says_where_the_call_came_from() {
    let answer = tried(&World::new().running(), &grant()).await;
    assert_eq!(answer.code(), "admitted");
    assert_eq!(answer.facts.source, CallSource::Console);
    let subject = &answer.facts.subject;
    assert_eq!(
        (subject.subscription_id, subject.plan_id, subject.credential_id),
        (Some(id(1)), Some(id(1)), None)
    );
    let admitted = answer.result.unwrap();
    assert_eq!(admitted.key_location, KeyLocation::ApiKey);
    let consumer = admitted.consumer.as_ref().unwrap();
    assert_eq!(consumer.subscription_id, id(1));
    assert_eq!(World::new().call().await.facts.source, CallSource::Client);
}

#[tokio::test]
async fn a_token_that_is_forged_expired_or_for_another_api_is_like_any_bad_key() {
    let runtime = World::new().running();
    let expired = ConsoleGrant {
        expires_at: Timestamp::from_millis(1),
        ..grant()
    };
    let elsewhere = ConsoleGrant {
        api_id: id(2),
        ..grant()
    };
    let unknown = ConsoleGrant {
        application_id: id(77),
        ..grant()
    };
    for (why, grant) in [
        ("expired", expired),
        ("other API", elsewhere),
        ("unknown", unknown),
    ] {
        let answer = tried(&runtime, &grant).await;
        assert_eq!((answer.status(), answer.code()), (401, "key_invalid"), "{why}");
        assert_eq!(answer.facts.source, CallSource::Client, "{why}");
    }
    let forged = ConsoleSigner::new(&[5; 32]).sign(&grant(), &SystemEntropy);
    let answer = call(&runtime, "GET", "/shop/v1/items/7", Some(forged.expose())).await;
    assert_eq!((answer.status(), answer.code()), (401, "key_invalid"));
}

#[tokio::test]
async fn what_stops_the_subscription_stops_the_token() {
    let mut suspended = World::new();
    suspended.subscriptions[0].state = SubscriptionState::Suspended;
    let mut paused = World::new();
    paused.subscriptions[0].paused = true;
    let mut off = World::new();
    off.application.state = ApplicationState::Suspended;
    let mut archived = World::new();
    archived.application.state = ApplicationState::Archived;
    for (world, status) in [(suspended, 403), (paused, 403), (off, 403), (archived, 401)] {
        let (by_key, by_token) = (world.call().await, tried(&world.running(), &grant()).await);
        assert_eq!(by_token.status(), status);
        assert_eq!(by_token.code(), by_key.code());
    }
}

#[tokio::test]
async fn only_the_subscription_that_was_chosen_counts() {
    let mut world = World::new();
    world.api.plans.push(plan_part(2, Security::ApiKey, vec![]));
    let mut newer = subscription(4, 2, 1, 2);
    newer.created_at = Timestamp::from_millis(2_000);
    world.subscriptions.push(newer);
    let runtime = world.running();
    // A key means the newest subscription, a token the one that it names.
    assert_eq!(world.call().await.facts.subject.subscription_id, Some(id(2)));
    let answer = tried(&runtime, &grant()).await;
    assert_eq!(answer.facts.subject.subscription_id, Some(id(1)));
    let foreign = ConsoleGrant {
        subscription_id: id(99),
        ..grant()
    };
    assert_eq!(tried(&runtime, &foreign).await.code(), "subscription_missing");
}

#[tokio::test]
async fn tries_and_calls_use_up_the_same_quota() {
    let mut world = World::new();
    world.plan().limits[0].limits = vec![quota(1, 3, "1d")];
    let runtime = world.running();
    let by_key = || call(&runtime, "GET", "/shop/v1/items/7", Some(world.key.expose()));
    assert_eq!(tried(&runtime, &grant()).await.code(), "admitted");
    assert_eq!(by_key().await.code(), "admitted");
    assert_eq!(tried(&runtime, &grant()).await.code(), "admitted");
    assert_eq!(by_key().await.code(), "quota_exceeded");
    let refused = tried(&runtime, &grant()).await;
    assert_eq!(refused.code(), "quota_exceeded");
    assert_eq!(refused.facts.source, CallSource::Console);
}

#[tokio::test]
async fn a_token_never_goes_on_to_the_upstream() {
    let token = console_signer().sign(&grant(), &SystemEntropy);
    let mut client = HeaderMap::new();
    client.insert("x-api-key", "theirs".parse().unwrap());
    let bearer = ["Bearer ", token.expose()].concat();
    client.insert("authorization", bearer.parse().unwrap());
    // Under a keyless plan keys are the upstream's, but ours are not.
    let leave = crate::headers::Leave::default();
    crate::headers::of_request(&client, leave, &mut |name, _| assert_ne!(name, "authorization"));
    let found = presented(&client, crate::compiled::Keyed::No);
    assert_eq!(found.location, KeyLocation::Authorization);
}

#[tokio::test]
async fn a_try_without_a_key_says_where_it_came_from_and_opens_nothing() {
    let now = gatewright_model::time::SystemClock.now();
    let marked = |signer: ConsoleSigner, api: u128, expires_at| {
        signer.sign_keyless(id(api), expires_at, &SystemEntropy)
    };
    let good = marked(console_signer(), 1, now.plus(LIFETIME));
    let call_with = |runtime: std::sync::Arc<Runtime>, token: gatewright_model::secret::SecretText| async move {
        call(&runtime, "GET", "/shop/v1/items/7", Some(token.expose())).await
    };
    // Where only a keyless plan opens the version, and where keys open it too.
    let mut alone = World::new().keyless(vec![]);
    alone.api.plans.remove(0);
    alone.subscriptions.clear();
    for world in [&alone, &World::new().keyless(vec![])] {
        let answer = call_with(world.running(), good.clone()).await;
        assert_eq!(
            (answer.code(), answer.facts.source),
            ("admitted", CallSource::Console)
        );
        assert_eq!(answer.facts.subject.plan_id, Some(id(9)));
        let admitted = answer.result.unwrap();
        assert!(admitted.consumer.is_none());
        // It stays behind.
        assert_eq!(admitted.key_location, KeyLocation::ApiKey);
    }
    for (why, token) in [
        (
            "forged",
            marked(ConsoleSigner::new(&[5; 32]), 1, now.plus(LIFETIME)),
        ),
        ("other API", marked(console_signer(), 2, now.plus(LIFETIME))),
        ("too old", marked(console_signer(), 1, now)),
    ] {
        let answer = call_with(alone.running(), token).await;
        assert_eq!(answer.facts.source, CallSource::Client, "{why}");
    }
    let closed = call_with(World::new().running(), good).await;
    assert_eq!((closed.status(), closed.code()), (401, "key_missing"));
}
