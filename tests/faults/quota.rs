//! A quota over several nodes, one of which dies in the middle.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gatewright_testkit::echo::Echo;
use gatewright_testkit::http::{Client, NoAnswer, Reply};
use gatewright_testkit::server::Server;
use http::Method;
use serde_json::json;

use super::load::soak;
use crate::world::{SOON, World, code, decided, limit, settles_at};

/// Within this time what a node holds and does not use is anybody's.
const RETURNED: Duration = Duration::from_secs(15);
/// Calls that are made for each permit.
const RUSH: usize = 2;

#[tokio::test]
async fn r19_a_quota_is_never_exceeded_although_a_node_is_killed() {
    let Some(world) = World::cluster() else { return };
    let cases: &[(usize, usize)] = if soak() {
        &[
            (1, 10),
            (1, 1_000),
            (2, 10),
            (2, 1_000),
            (2, 9_000),
            (4, 10),
            (4, 1_000),
            (4, 9_000),
            (8, 9_000),
        ]
    } else {
        &[(2, 300)]
    };
    for &(nodes, amount) in cases {
        for kill in [false, true] {
            if kill && nodes == 1 {
                continue;
            }
            let (admitted, reached) = spend(&world, nodes, amount, kill).await;
            println!(
                "FIGURE: R19 {nodes} nodes, quota {amount}, {}: {admitted} admitted",
                if kill { "one killed" } else { "all healthy" }
            );
            assert!(reached <= amount, "{reached} of {amount} reached the upstream");
            assert!(admitted <= reached, "{admitted} answers of {reached} calls");
            assert!(
                kill || admitted >= usable(nodes, amount),
                "{admitted} of {amount} could be used"
            );
        }
    }
}

/// How much of a quota has to be usable while all are healthy. One permit at
/// least may be held by each node when the last one is asked for.
fn usable(nodes: usize, amount: usize) -> usize {
    amount - amount / 100 - usize::from(amount < 100) * nodes
}

/// As [`decided`], of a node that may die meanwhile.
async fn decided_or_dead(client: &Client, path: &str) -> Result<Reply, NoAnswer> {
    let until = Instant::now() + SOON;
    loop {
        let reply = client.attempt(Method::GET, path, "").await?;
        if code(&reply) != "limit_unavailable" || Instant::now() > until {
            return Ok(reply);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Spends a new quota over so many gateways: how many calls passed, and how many reached the upstream.
async fn spend(world: &World, nodes: usize, amount: usize, kill: bool) -> (usize, usize) {
    let slug = format!("q{nodes}-{amount}{}", if kill { "-killed" } else { "" });
    let quota = limit("quota", "monthly", u64::try_from(amount).unwrap(), "1mo");
    let echo = Echo::start();
    let published = world
        .publish_to(&echo.url(), &slug, json!({"limits": [quota]}))
        .await;
    let consumer = world.consumer(&published).await;
    let setup = world.server.setup();
    let mut extra: Vec<Server> = (2..nodes + usize::from(kill))
        .map(|_| setup.another_node("gateway").start())
        .collect();
    let mut gateways = world.gateways();
    gateways.truncate(nodes);
    gateways.extend(extra.iter().map(Server::gateway));
    let clients: Vec<Client> = gateways
        .iter()
        .map(|gateway| gateway.with("x-api-key", &consumer.secret))
        .collect();
    let path = format!("/{slug}/v1/pets");
    for client in &clients {
        settles_at(client, &path, 200).await;
    }
    let lanes = (0..12_usize).map(|lane| {
        let client = clients[lane % clients.len()].clone();
        let path = path.clone();
        async move {
            let mut admitted = 0;
            for _ in 0..amount * RUSH / 12 + 1 {
                // No answer is what the callers of a killed node see.
                let Ok(reply) = decided_or_dead(&client, &path).await else {
                    continue;
                };
                match reply.status {
                    200 => admitted += 1,
                    _ => assert_eq!(code(&reply), "quota_exceeded", "{reply}"),
                }
            }
            admitted
        }
    });
    let death = async {
        if kill {
            while echo.received().len() < amount / 3 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            extra.pop().unwrap().kill();
        }
    };
    let (admitted, ()) = futures_util::future::join(join_all(lanes), death).await;
    let mut admitted = admitted.into_iter().sum::<usize>() + clients.len();
    // What a node held when the others made their last calls has come back by then.
    let until = Instant::now() + RETURNED;
    while !kill && admitted < usable(nodes, amount) && Instant::now() < until {
        for client in &clients {
            let reply = decided(client, &path).await;
            admitted += usize::from(reply.status == 200);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (admitted, echo.received().len())
}
