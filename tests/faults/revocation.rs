//! A revocation reaches every node, whatever carries it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gatewright_testkit::http::Client;
use gatewright_testkit::proxy::Proxy;
use gatewright_testkit::proxy::fault::Faults;
use gatewright_testkit::server::{Server, Setup};
use gatewright_testkit::wait::Standstill;

use super::load::{nearly_all, size};
use crate::stores;
use crate::world::{SOON, World, settles_at};

/// R7: nearly always, and always.
const NEARLY: Duration = Duration::from_secs(1);
const ALWAYS: Duration = Duration::from_secs(5);

#[tokio::test]
async fn r07_a_revocation_is_seen_on_every_node_within_a_second() {
    let Some(world) = World::cluster() else { return };
    let setup = world.server.setup();
    let others: Vec<Server> = (2..size(2, 4))
        .map(|_| setup.another_node("gateway").start())
        .collect();
    let took = revoke(&world, &others, size(10, 1_000)).await;
    told("with notices", &took);
    assert!(nearly_all(&took) < NEARLY, "{took:?}");
    assert!(took[took.len() - 1] < ALWAYS, "{took:?}");
}

#[tokio::test]
async fn r07_a_revocation_is_seen_within_five_seconds_when_notices_are_lost() {
    let Some(world) = World::cluster_with(|setup| setup.env("GATEWRIGHT_MUTE_NOTICES", "1")) else {
        return;
    };
    let took = revoke(&world, &[], size(3, 100)).await;
    told("by polling alone", &took);
    assert!(took[took.len() - 1] < ALWAYS, "{took:?}");
}

#[tokio::test]
async fn r07_a_node_that_is_cut_from_redis_sees_it_within_five_seconds() {
    let (Some(database), Some(redis)) = (stores::database(), stores::own_redis()) else {
        return;
    };
    let setup = Setup::cluster(&database.url, &redis.url());
    let mut world = World::from_server(setup.start());
    let (proxy, url) = Proxy::before(&redis.url());
    let cut_off = setup.another_node("gateway").env("GATEWRIGHT_REDIS_URL", url);
    world.node = Some(cut_off.start());
    for (name, fault) in [
        ("cut from Redis", Faults::refusing()),
        ("with Redis frozen", Faults::frozen()),
    ] {
        proxy.set(fault);
        if name == "cut from Redis" {
            proxy.cut();
        }
        let took = revoke(&world, &[], size(3, 100)).await;
        told(name, &took);
        assert!(took[took.len() - 1] < ALWAYS, "{name}: {took:?}");
        proxy.heal();
    }
}

fn told(how: &str, took: &[Duration]) {
    println!(
        "FIGURE: R7 {how}: of {} revocations the median took {:?}, the slowest {:?}",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
}

/// Revokes new keys one after the other; gives how late a call with each could
/// come and pass, the shortest first.
async fn revoke(world: &World, others: &[Server], rounds: usize) -> Vec<Duration> {
    let slug = format!("fast{}", world.echo.received().len());
    let published = world.publish(&slug, serde_json::json!({})).await;
    let consumer = world.consumer(&published).await;
    let path = format!("/{slug}/v1/pets");
    let mut all = world.gateways();
    all.extend(others.iter().map(Server::gateway));
    let mut took = Vec::new();
    for _ in 0..rounds {
        let (id, secret) = world.credential(&consumer.application).await;
        let gateways: Vec<Client> = all
            .iter()
            .map(|gateway| gateway.with("x-api-key", &secret))
            .collect();
        for gateway in &gateways {
            settles_at(gateway, &path, 200).await;
        }
        // The answer itself waits for a node: the clock starts with the question.
        let (since, standstill) = (Instant::now(), Standstill::watch());
        world
            .admin
            .verb(&format!("/credentials/{id}/revoke"))
            .await
            .expect(200);
        let ends = gateways.iter().map(|gateway| ends(gateway, &path, since));
        let last = join_all(ends).await.into_iter().max().unwrap();
        took.push(last.saturating_sub(standstill.lost()));
    }
    took.sort_unstable();
    took
}

/// When the first call was made that was refused.
async fn ends(gateway: &Client, path: &str, since: Instant) -> Duration {
    loop {
        let asked = since.elapsed();
        match gateway.get(path).await.status {
            401 => return asked,
            _ => assert!(asked < SOON, "a revoked key works"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
