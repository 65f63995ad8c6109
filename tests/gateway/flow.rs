//! The main job: from an OpenAPI document to a call, and to the end of its version.

use gatewright_testkit::http::text;
use gatewright_testkit::wait::eventually;
use serde_json::{Value, json};

use crate::documents;
use crate::world::{
    Consumer, Published, SOON, World, all_items, code, days_from_now, decided, limit, settles, settles_at,
};

both_stores!(the_whole_flow);

async fn the_whole_flow(world: World) {
    let published = import_and_publish(&world).await;
    let consumer = request_and_approve(&world, &published).await;
    call(&world, &published, &consumer).await;
    exceed(&world, &consumer).await;
    let (rotated, secret) = rotate(&world, &consumer).await;
    revoke(&world, &rotated, &secret).await;
    deprecate_and_retire(&world, &published, &consumer).await;
    audit_lists_every_step(&world, &published, &consumer, &rotated).await;
}

async fn import_and_publish(world: &World) -> Published {
    let imported = world.import("petstore").await;
    assert_eq!(text(&imported["api"], "slug"), "petstore");
    assert_eq!(text(&imported["version"], "label"), "v1");
    assert_eq!(text(&imported["version"], "state"), "draft");
    assert!(imported["findings"].is_array());
    let api = text(&imported["api"], "id").to_owned();
    assert!(api.starts_with("api_") && api.len() == 30, "{api}");
    world
        .gateway()
        .get("/petstore/v1/pets")
        .await
        .expect_problem(404, "no_route");
    let limits = json!([
        limit("quota", "monthly", 6, "1mo"),
        limit("rate", "per-minute", 1000, "1m")
    ]);
    let plan = world
        .plan(&api, "standard", json!({"approval": "manual", "limits": limits}))
        .await;
    let version = world
        .admin
        .verb("/apis/petstore/versions/v1/publish")
        .await
        .expect(200);
    assert_eq!(text(&version, "state"), "published");
    settles(&world.gateway(), "/petstore/v1/pets", |reply| {
        code(reply) == "key_missing"
    })
    .await;
    Published {
        api,
        slug: "petstore".into(),
        version: text(&version, "id").to_owned(),
        plan,
    }
}

async fn request_and_approve(world: &World, published: &Published) -> Consumer {
    let application = world.application("Shop front", "live").await;
    let (credential, secret) = world.credential(&application).await;
    assert!(secret.starts_with("gw_live_") && secret.len() == 46, "{secret}");
    let gateway = world.gateway().with("x-api-key", &secret);
    settles(&gateway, "/petstore/v1/pets", |reply| {
        code(reply) == "subscription_missing"
    })
    .await
    .expect(403);
    let subscription = world.subscribe(&application, &published.plan).await;
    assert_eq!(text(&subscription, "state"), "pending");
    let id = text(&subscription, "id").to_owned();
    settles(&gateway, "/petstore/v1/pets", |reply| {
        code(reply) == "subscription_pending"
    })
    .await
    .expect(403);
    let approval = world.approval_of(&id).await;
    let body = json!({"comment": "welcome"});
    let approved = world
        .admin
        .post(&format!("/approvals/{approval}/approve"), &body)
        .await
        .expect(200);
    assert_eq!(text(&approved, "state"), "approved");
    let subscription = world.admin.get(&format!("/subscriptions/{id}")).await.expect(200);
    assert_eq!(text(&subscription, "state"), "active");
    Consumer {
        application,
        subscription: id,
        credential,
        secret,
    }
}

async fn call(world: &World, published: &Published, consumer: &Consumer) {
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let reply = settles_at(&gateway, "/petstore/v1/pets?limit=3", 200).await;
    let seen = reply.json();
    assert_eq!(text(&seen, "target"), "/pets?limit=3");
    assert_eq!(text(&seen["headers"], "x-consumer-id"), consumer.application);
    assert_eq!(text(&seen["headers"], "x-subscription-id"), consumer.subscription);
    assert_eq!(
        text(&seen["headers"], "x-request-id"),
        reply.must_have("x-request-id")
    );
    assert!(seen["headers"].get("x-api-key").is_none(), "{seen}");
    assert!(!published.version.is_empty());
    let policy = reply.must_have("ratelimit-policy");
    assert!(policy.contains(r#""monthly";q=6"#), "{policy}");
    assert!(
        reply.must_have("ratelimit").contains(r#""monthly";r=5"#),
        "{reply}"
    );
    let bearer = world.gateway().bearer(&consumer.secret);
    decided(&bearer, "/petstore/v1/pets/7").await.expect(200);
    let created = eventually(SOON, "the limits decide", || async {
        let rex = json!({"id": 1, "name": "Rex"});
        let reply = gateway.post("/petstore/v1/pets", &rex).await;
        (code(&reply) != "limit_unavailable").then_some(reply)
    })
    .await
    .expect(200);
    assert_eq!(text(&created, "body"), r#"{"id":1,"name":"Rex"}"#);
}

async fn exceed(world: &World, consumer: &Consumer) {
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    for _ in 0..3 {
        decided(&gateway, "/petstore/v1/pets").await.expect(200);
    }
    let refused = decided(&gateway, "/petstore/v1/pets").await;
    let problem = refused.expect_problem(429, "quota_exceeded");
    assert!(
        !problem["limit"].is_null() && !problem["reset"].is_null(),
        "{problem}"
    );
    assert!(refused.must_have("retry-after").parse::<u64>().unwrap() > 0);
    assert!(
        refused.must_have("ratelimit").contains(r#""monthly";r=0"#),
        "{refused}"
    );
    assert_eq!(text(&problem, "instance"), refused.must_have("x-request-id"));
    assert_eq!(
        world.echo.received().len(),
        6,
        "a refused call does not reach the upstream"
    );
}

async fn rotate(world: &World, consumer: &Consumer) -> (String, String) {
    let path = format!("/credentials/{}/rotate", consumer.credential);
    let rotated = world
        .admin
        .post(&path, &json!({"grace_seconds": 3600}))
        .await
        .expect(200);
    let (id, secret) = (
        text(&rotated, "id").to_owned(),
        text(&rotated, "secret").to_owned(),
    );
    assert_ne!(secret, consumer.secret);
    assert!(!text(&rotated, "grace_until").is_empty(), "{rotated}");
    let old = world
        .admin
        .get(&format!("/credentials/{}", consumer.credential))
        .await
        .expect(200);
    assert_eq!(text(&old, "state"), "rotating");
    assert!(
        !old.to_string().contains(&consumer.secret),
        "a secret is shown once"
    );
    for key in [&secret, &consumer.secret] {
        let gateway = world.gateway().with("x-api-key", key);
        // Both keys draw on the quota of their subscription, which is used up.
        settles(&gateway, "/petstore/v1/pets", |reply| {
            code(reply) == "quota_exceeded"
        })
        .await
        .expect(429);
    }
    (id, secret)
}

async fn revoke(world: &World, credential: &str, secret: &str) {
    let revoked = world
        .admin
        .verb(&format!("/credentials/{credential}/revoke"))
        .await
        .expect(200);
    assert_eq!(text(&revoked, "state"), "revoked");
    let gateway = world.gateway().with("x-api-key", secret);
    let refused = settles(&gateway, "/petstore/v1/pets", |reply| {
        code(reply) == "key_invalid"
    })
    .await;
    refused.expect_problem(401, "key_invalid");
    assert!(!refused.must_have("www-authenticate").is_empty());
}

async fn deprecate_and_retire(world: &World, published: &Published, consumer: &Consumer) {
    let body = json!({"label": "v2", "document": documents::pets()});
    world
        .admin
        .post(&format!("/apis/{}/versions", published.api), &body)
        .await
        .expect(201);
    let upstream = json!({"targets": [{"url": world.echo.url()}]});
    world
        .admin
        .put("/apis/petstore/versions/v2/upstream", &upstream)
        .await
        .expect(200);
    world
        .admin
        .verb("/apis/petstore/versions/v2/publish")
        .await
        .expect(200);
    let body = json!({"sunset_at": days_from_now(200), "successor": "v2", "message": "Move to v2."});
    let version = world
        .admin
        .post("/apis/petstore/versions/v1/deprecate", &body)
        .await
        .expect(200);
    assert_eq!(text(&version, "state"), "deprecated");
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let reply = settles(&gateway, "/petstore/v1/pets", |reply| {
        reply.header("deprecation").is_some()
    })
    .await;
    assert!(reply.must_have("deprecation").starts_with('@'), "{reply}");
    assert!(reply.must_have("sunset").ends_with("GMT"), "{reply}");
    let link = reply.must_have("link");
    assert!(
        link.contains("successor-version") && link.contains("/petstore/v2"),
        "{link}"
    );
    let version = world
        .admin
        .verb("/apis/petstore/versions/v1/retire")
        .await
        .expect(200);
    assert_eq!(text(&version, "state"), "retired");
    let gone = settles_at(&gateway, "/petstore/v1/pets", 410).await;
    let problem = gone.expect_problem(410, "version_retired");
    assert!(problem["successor"].to_string().contains("v2"), "{problem}");
}

async fn audit_lists_every_step(world: &World, published: &Published, consumer: &Consumer, rotated: &str) {
    let events = all_items(&world.admin, "/audit-events?limit=50").await;
    let about = |subject: &str| -> Vec<String> {
        let mine = events.iter().filter(|event| event.to_string().contains(subject));
        mine.map(|event| text(event, "action").to_owned()).collect()
    };
    let expect = |subject: &str, verbs: &[&str]| {
        let actions = about(subject);
        for verb in verbs {
            assert!(
                actions.iter().any(|action| action == verb),
                "no {verb} of {subject} in {actions:?}"
            );
        }
    };
    expect(&published.api, &["api.create"]);
    expect(&published.plan, &["plan.create", "plan.publish"]);
    expect(
        &published.version,
        &[
            "version.create",
            "version.import",
            "version.publish",
            "version.deprecate",
            "version.retire",
        ],
    );
    expect(&consumer.application, &["application.create"]);
    expect(
        &consumer.subscription,
        &["subscription.request", "subscription.activate"],
    );
    expect(&consumer.credential, &["credential.issue", "credential.rotate"]);
    expect(rotated, &["credential.revoke"]);
    let approvals = events
        .iter()
        .filter(|event| text(event, "action") == "approval.approve")
        .count();
    assert_eq!(approvals, 1, "one decision was taken");
    let secrets = events
        .iter()
        .filter(|event| event.to_string().contains(&consumer.secret))
        .count();
    assert_eq!(secrets, 0, "an audit event never carries a secret");
    assert!(events.iter().all(|event| matches!(
        event.get("at").or(event.get("created_at")),
        Some(Value::String(_))
    )));
}
