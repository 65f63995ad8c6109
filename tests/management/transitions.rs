//! What cannot be done now is refused with what can be done.

use gatewright_testkit::http::text;
use serde_json::{Value, json};

use crate::world::{World, shared};

async fn refused(world: &World, path: &str, body: Value, state: &str, allowed: &[&str]) {
    let problem = world.admin.post(path, &body).await.expect(409);
    assert_eq!(text(&problem, "state"), state, "{path}: {problem}");
    assert!(!text(&problem, "code").is_empty(), "{path}: {problem}");
    let mut told: Vec<&str> = problem["allowed"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    told.sort_unstable();
    let mut allowed = allowed.to_vec();
    allowed.sort_unstable();
    assert_eq!(told, allowed, "{path}: {problem}");
}

#[tokio::test]
async fn versions_refuse_illegal_moves() {
    let world = shared().await;
    let imported = world.import("moves").await;
    world
        .plan(text(&imported["api"], "id"), "standard", json!({}))
        .await;
    let version = "/apis/moves/versions/v1";
    let body = || json!({"sunset_at": crate::world::days_from_now(200), "message": "ends", "reason": "x"});
    let from_draft = ["in_review", "preview", "published"];
    let from_published = ["blocked", "deprecated"];
    let cases: [(&str, &[&str], &[&str], &str); 5] = [
        ("draft", &["deprecate", "retire"], &from_draft, "publish"),
        ("published", &["publish", "archive"], &from_published, "deprecate"),
        ("deprecated", &["block"], &["published", "retired"], "retire"),
        ("retired", &["publish"], &["deprecated", "archived"], "archive"),
        ("archived", &["unretire"], &[], ""),
    ];
    for (state, illegal, allowed, next) in cases {
        for verb in illegal {
            refused(
                world,
                &format!("{version}/{verb}"),
                fitting(verb, &body()),
                state,
                allowed,
            )
            .await;
        }
        if !next.is_empty() {
            let path = format!("{version}/{next}");
            world.admin.post(&path, &fitting(next, &body())).await.expect(200);
        }
    }
}

/// Those members that a verb of a version takes.
fn fitting(verb: &str, all: &Value) -> Value {
    let known: &[&str] = match verb {
        "deprecate" => &["sunset_at", "message"],
        "unretire" => &["sunset_at"],
        "block" => &["reason"],
        _ => &[],
    };
    let members = all.as_object().unwrap().clone();
    Value::Object(
        members
            .into_iter()
            .filter(|(name, _)| known.contains(&name.as_str()))
            .collect(),
    )
}

#[tokio::test]
async fn reviews_and_previews_have_their_moves() {
    let world = shared().await;
    let imported = world.import("reviewed").await;
    world
        .plan(text(&imported["api"], "id"), "standard", json!({}))
        .await;
    let version = "/apis/reviewed/versions/v1";
    for (verb, state) in [
        ("submit", "in_review"),
        ("withdraw", "draft"),
        ("preview", "preview"),
        ("publish", "published"),
    ] {
        let moved = world.admin.verb(&format!("{version}/{verb}")).await.expect(200);
        assert_eq!(text(&moved, "state"), state, "{verb}");
    }
    refused(
        world,
        &format!("{version}/submit"),
        json!({}),
        "published",
        &["blocked", "deprecated"],
    )
    .await;
}

#[tokio::test]
async fn plans_refuse_illegal_moves() {
    let world = shared().await;
    let published = world.publish("plan-moves", json!({})).await;
    let plan = format!("/plans/{}", published.plan);
    refused(
        world,
        &format!("{plan}/publish"),
        json!({}),
        "published",
        &["deprecated"],
    )
    .await;
    let state = async |verb: &str| {
        text(
            &world.admin.verb(&format!("{plan}/{verb}")).await.expect(200),
            "state",
        )
        .to_owned()
    };
    assert_eq!(state("deprecate").await, "deprecated");
    let application = world.application("Too late", "live").await;
    let path = format!("/applications/{application}/subscriptions");
    let late = world.admin.post(&path, &json!({"plan_id": published.plan})).await;
    assert!(
        matches!(late.status, 409 | 422),
        "a deprecated plan takes nobody: {late}"
    );
    assert_eq!(state("undeprecate").await, "published");
    assert_eq!(state("deprecate").await, "deprecated");
    assert_eq!(state("close").await, "closed");
    refused(world, &format!("{plan}/publish"), json!({}), "closed", &[]).await;
}

#[tokio::test]
async fn subscriptions_applications_and_keys_refuse_illegal_moves() {
    let world = shared().await;
    let published = world.publish("sub-moves", json!({})).await;
    let consumer = world.consumer(&published).await;
    let subscription = format!("/subscriptions/{}", consumer.subscription);
    let problem = world
        .admin
        .verb(&format!("{subscription}/resume"))
        .await
        .expect(409);
    assert_eq!(text(&problem, "state"), "active");
    assert!(problem["allowed"].to_string().contains("suspended"), "{problem}");
    let problem = world
        .admin
        .verb(&format!("{subscription}/withdraw"))
        .await
        .expect(409);
    assert_eq!(text(&problem, "state"), "active");

    let credential = format!("/credentials/{}", consumer.credential);
    let problem = world
        .admin
        .verb(&format!("{credential}/enable"))
        .await
        .expect(409);
    assert_eq!(text(&problem, "state"), "active");
    world
        .admin
        .verb(&format!("{credential}/revoke"))
        .await
        .expect(200);
    refused(world, &format!("{credential}/enable"), json!({}), "revoked", &[]).await;
    refused(
        world,
        &format!("{credential}/rotate"),
        json!({"grace_seconds": 60}),
        "revoked",
        &[],
    )
    .await;

    let application = format!("/applications/{}", consumer.application);
    let archived = world
        .admin
        .verb(&format!("{application}/archive"))
        .await
        .expect(200);
    assert_eq!(text(&archived, "state"), "archived");
    let ended = world.admin.get(&subscription).await.expect(200);
    assert_eq!(
        text(&ended, "state"),
        "closed",
        "an archived application has no subscription"
    );
    let problem = world
        .admin
        .verb(&format!("{application}/suspend"))
        .await
        .expect(409);
    assert_eq!(text(&problem, "state"), "archived");
}

#[tokio::test]
async fn a_version_is_published_only_when_somebody_can_call_it() {
    let world = shared().await;
    let imported = world.import("nobody").await;
    let refused = world.admin.verb("/apis/nobody/versions/v1/publish").await;
    assert!(
        matches!(refused.status, 409 | 422),
        "no plan is published: {refused}"
    );
    assert!(
        refused.text().contains("plan"),
        "the refusal says what is missing: {refused}"
    );
    let version = world.admin.get("/apis/nobody/versions/v1").await.expect(200);
    assert_eq!(text(&version, "state"), "draft");
    world
        .plan(text(&imported["api"], "id"), "standard", json!({}))
        .await;
    world
        .admin
        .verb("/apis/nobody/versions/v1/publish")
        .await
        .expect(200);
}
