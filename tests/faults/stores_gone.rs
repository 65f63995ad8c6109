//! The gateway lives without its stores.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gatewright_testkit::http::{Client, text};
use gatewright_testkit::process::free_port;
use gatewright_testkit::proxy::Proxy;
use gatewright_testkit::proxy::fault::Faults;
use gatewright_testkit::server::{Server, Setup};
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::json;

use super::load::{Load, Outcome, PATIENCE, all_answered, degraded, metric, metric_is, p99, size};
use crate::stores;
use crate::world::{Consumer, World, limit, settles_at};

/// How long everything may take to find its stores again.
const BACK: Duration = PATIENCE;
/// R2: from the start to serving.
const START: Duration = Duration::from_secs(2);

#[tokio::test]
async fn r01_without_postgres_no_call_fails() {
    let (Some(database), Some(redis)) = (stores::database(), stores::own_redis()) else {
        return;
    };
    let (proxy, url) = Proxy::before(&database.url);
    let setup = Setup::cluster(&url, &redis.url());
    let world = World::from_server(setup.start());
    let node = setup.another_node("gateway").start();
    let published = world.publish("lasting", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateways = [&world.server, &node].map(|server| server.gateway().with("x-api-key", &consumer.secret));
    for gateway in &gateways {
        settles_at(gateway, "/lasting/v1/pets", 200).await;
    }

    let load = Load::start(&gateways, "/lasting/v1/pets", 2);
    load.goes_on(size(200, 5_000)).await;
    let healthy_until = Instant::now();
    breaks(&proxy, [&world.server, &node], &load).await;
    let calls = load.end();
    all_answered(&calls, 200);
    let (before, without): (Vec<&Outcome>, Vec<&Outcome>) =
        calls.iter().partition(|call| call.ended < healthy_until);
    println!(
        "FIGURE: R1 {} calls without Postgres (stopped, frozen, lossy), 0 failed; p99 {:?} before, {:?} without",
        without.len(),
        p99(before),
        p99(without)
    );
    let (_, fresh) = world.credential(&consumer.application).await;
    eventually(BACK, "a new key reaches the other node", || async {
        let reply = node
            .gateway()
            .with("x-api-key", &fresh)
            .get("/lasting/v1/pets")
            .await;
        (reply.status == 200).then_some(())
    })
    .await;
}

/// Takes Postgres away in three ways, and gives it back each time.
async fn breaks(proxy: &Proxy, servers: [&Server; 2], load: &Load) {
    // Stopped, frozen, and nine packets of ten lost: each piece waits for its repetitions.
    let lossy = Faults::late(Duration::from_millis(400), Duration::from_secs(3));
    for (name, fault) in [
        ("stopped", Faults::refusing()),
        ("frozen", Faults::frozen()),
        ("lossy", lossy),
    ] {
        proxy.set(fault);
        if name == "stopped" {
            proxy.cut();
        }
        for server in servers {
            metric_is(server, "store_up", 0.0).await;
            // Of the lossy ones a lucky answer may come through in between.
            let told = degraded(server).await;
            let away = told.contains(&"store_away".to_owned());
            assert!(name == "lossy" || away, "{name}: {told:?}");
        }
        load.goes_on(size(100, 20_000)).await;
        proxy.heal();
        proxy.cut();
        for server in servers {
            metric_is(server, "store_up", 1.0).await;
        }
        eventually(PATIENCE, "everything works as it should", || async {
            degraded(servers[1]).await.is_empty().then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn r01_the_gateway_goes_on_without_postgres_and_redis_and_heals_by_itself() {
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
async fn r02_every_role_starts_from_disk_while_the_stores_are_away() {
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
    let server = starts_in_time(&setup, "/bootable/v1/pets", &consumer.secret).await;
    let gateway = server.gateway().with("x-api-key", &consumer.secret);
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

/// Starts and calls until there is an answer: a gateway serves before it says
/// that everything is ready. Other work on the machine only adds to the time,
/// so the best of a few starts shows what it takes.
async fn starts_in_time(setup: &Setup, path: &str, key: &str) -> Server {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let listen = format!("127.0.0.1:{}", free_port());
        let gateway = Client::new(&format!("http://{listen}")).with("x-api-key", key);
        let since = Instant::now();
        let starting = setup.clone().arg("--gateway-listen").arg(&listen).spawn();
        eventually(PATIENCE, "the gateway answers", || async {
            let reply = gateway.attempt(Method::GET, path, "").await.ok()?;
            (reply.status == 200).then_some(())
        })
        .await;
        best = best.min(since.elapsed());
        let Ok(server) = starting.settle() else {
            panic!("the server is ready without its stores")
        };
        if best <= START {
            println!("FIGURE: R2 serving from disk {best:?} after the start, the stores away");
            return server;
        }
        server.kill();
    }
    panic!("serving after {best:?}")
}

#[tokio::test]
async fn r02_a_damaged_configuration_gives_way_to_the_one_before() {
    let Some(mut postgres) = stores::own_postgres() else {
        return;
    };
    let setup = Setup::cluster(&postgres.database(), "").without_env("GATEWRIGHT_REDIS_URL");
    let world = World::from_server(setup.start());
    let first = world.publish("first", json!({})).await;
    let consumer = world.consumer(&first).await;
    let second = world.publish("second", json!({})).await;
    world.subscribe(&consumer.application, &second.plan).await;
    let gateway = world.server.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, "/second/v1/pets", 200).await;
    let World {
        server, echo: _echo, ..
    } = world;
    server.stop();
    postgres.stop();

    let newest = newest_snapshot(&setup);
    let whole = std::fs::read(&newest).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    for (damage, bytes) in [
        ("a flipped bit", &flipped[..]),
        ("half of it", &whole[..middle]),
        ("nothing in it", b""),
    ] {
        std::fs::write(&newest, bytes).unwrap();
        let server = setup.start();
        let gateway = server.gateway().with("x-api-key", &consumer.secret);
        gateway.get("/first/v1/pets").await.expect(200);
        gateway
            .get("/second/v1/pets")
            .await
            .expect_problem(404, "no_route");
        eventually(PATIENCE, &format!("{damage} is an alert"), || async {
            let log = server.log();
            (log.contains("cannot be used") && log.contains("not whole")).then_some(())
        })
        .await;
        server.kill();
    }
    std::fs::write(&newest, &whole).unwrap();
    let server = setup.start();
    let gateway = server.gateway().with("x-api-key", &consumer.secret);
    gateway.get("/second/v1/pets").await.expect(200);
    assert!(metric(&server, "snapshot_seq").await > 0.0);
}

fn newest_snapshot(setup: &Setup) -> PathBuf {
    let folder = setup.data_dir().join("gateway/snapshots");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let newest = files.filter(|path| path.extension().is_some_and(|ending| ending == "snapshot"));
    newest.max().expect("a configuration is on disk")
}
