//! The gateway lives without its stores.

use std::time::Duration;

use gatewright_testkit::http::{Client, text};
use gatewright_testkit::server::Setup;
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::json;

use crate::stores;
use crate::world::{Consumer, World, limit, settles_at};

/// How long everything may take to find its stores again.
const BACK: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_gateway_goes_on_without_postgres_and_redis_and_heals_by_itself() {
    let (Some(mut postgres), Some(mut redis)) = (stores::own_postgres(), stores::own_redis()) else {
        return;
    };
    let setup = Setup::cluster(&postgres.database(), &redis.url());
    let world = World::from_server(setup.start());
    let node_setup = setup.another_node("gateway");
    let node = node_setup.start();
    let mut quota = limit("quota", "monthly", 100_000, "1mo");
    quota["on_store_failure"] = json!("open");
    let published = world.publish("lasting", json!({"limits": [quota]})).await;
    let consumer = world.consumer(&published).await;
    let (revoked_id, revoked) = world.credential(&consumer.application).await;
    let gateways = [world.server.gateway(), node.gateway()];
    for gateway in &gateways {
        settles_at(
            &gateway.with("x-api-key", &consumer.secret),
            "/lasting/v1/pets",
            200,
        )
        .await;
        settles_at(&gateway.with("x-api-key", &revoked), "/lasting/v1/pets", 200).await;
    }
    world
        .admin
        .verb(&format!("/credentials/{revoked_id}/revoke"))
        .await
        .expect(200);
    for gateway in &gateways {
        settles_at(&gateway.with("x-api-key", &revoked), "/lasting/v1/pets", 401).await;
    }

    postgres.stop();
    redis.stop();
    for gateway in &gateways {
        serves(gateway, &consumer, &revoked, 20).await;
    }
    node.kill();
    let node = node_setup.start();
    serves(&node.gateway(), &consumer, &revoked, 20).await;
    let away = world.admin.attempt(Method::GET, "/apis", "").await;
    assert_eq!(
        away.map_or(503, |reply| reply.status),
        503,
        "the management API says that its store is away"
    );

    postgres.start_again();
    redis.start_again();
    heals(&world, &node.gateway(), &consumer).await;
}

async fn serves(gateway: &Client, consumer: &Consumer, revoked: &str, calls: usize) {
    for _ in 0..calls {
        gateway
            .with("x-api-key", &consumer.secret)
            .get("/lasting/v1/pets")
            .await
            .expect(200);
        let refused = gateway.with("x-api-key", revoked).get("/lasting/v1/pets").await;
        refused.expect_problem(401, "key_invalid");
    }
}

async fn heals(world: &World, gateway: &Client, consumer: &Consumer) {
    eventually(BACK, "the management API answers again", || async {
        let reply = world.admin.attempt(Method::GET, "/apis", "").await.ok()?;
        (reply.status == 200).then_some(())
    })
    .await;
    let (id, secret) = world.credential(&consumer.application).await;
    let fresh = gateway.with("x-api-key", &secret);
    eventually(BACK, "a new key reaches the restarted node", || async {
        (fresh.get("/lasting/v1/pets").await.status == 200).then_some(())
    })
    .await;
    let revoked = world
        .admin
        .verb(&format!("/credentials/{id}/revoke"))
        .await
        .expect(200);
    assert_eq!(text(&revoked, "state"), "revoked");
    eventually(BACK, "and so does its end", || async {
        (fresh.get("/lasting/v1/pets").await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_role_starts_from_disk_while_the_stores_are_away() {
    let (Some(mut postgres), Some(mut redis)) = (stores::own_postgres(), stores::own_redis()) else {
        return;
    };
    let setup = Setup::cluster(&postgres.database(), &redis.url());
    let world = World::from_server(setup.start());
    let published = world.publish("bootable", json!({})).await;
    let consumer = world.consumer(&published).await;
    let World {
        server, echo: _echo, ..
    } = world;
    server.stop();
    postgres.stop();
    redis.stop();
    let server = setup.start();
    let gateway = server.gateway().with("x-api-key", &consumer.secret);
    gateway.get("/bootable/v1/pets").await.expect(200);
    let management = server.management().get("/apis").await;
    assert_eq!(management.status, 503, "{management}");
    postgres.start_again();
    redis.start_again();
    eventually(BACK, "the management API is back", || async {
        let reply = server.management().attempt(Method::GET, "/apis", "").await.ok()?;
        (reply.status == 401).then_some(())
    })
    .await;
    gateway.get("/bootable/v1/pets").await.expect(200);
}
