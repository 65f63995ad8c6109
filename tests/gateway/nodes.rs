//! Several gateway nodes on one store.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gatewright_testkit::http::{Client, text};
use gatewright_testkit::wait::eventually;
use serde_json::json;

use crate::world::{SOON, World, code, decided, items, limit};

/// Within this time what a node holds and does not use is anybody's.
const RETURNED: Duration = Duration::from_secs(15);

#[tokio::test]
async fn r19_a_quota_over_two_nodes_is_never_exceeded_and_nearly_all_usable() {
    let Some(world) = World::cluster() else { return };
    let limits = json!([limit("quota", "monthly", 500, "1mo")]);
    let published = world.publish("shared-quota", json!({"limits": limits})).await;
    let consumer = world.consumer(&published).await;
    let gateways: Vec<Client> = world
        .gateways()
        .iter()
        .map(|gateway| gateway.with("x-api-key", &consumer.secret))
        .collect();
    let lanes = (0..12_usize).map(|lane| {
        let gateway = gateways[lane % 2].clone();
        async move {
            let mut admitted = 0;
            for _ in 0..100 {
                let reply = decided(&gateway, "/shared-quota/v1/pets").await;
                match reply.status {
                    200 => admitted += 1,
                    _ => assert_eq!(code(&reply), "quota_exceeded", "{reply}"),
                }
            }
            admitted
        }
    });
    let mut admitted: usize = join_all(lanes).await.into_iter().sum();
    // What a node held when the other one made its last calls has come back by then.
    let until = Instant::now() + RETURNED;
    while admitted < 495 && Instant::now() < until {
        for gateway in &gateways {
            let reply = decided(gateway, "/shared-quota/v1/pets").await;
            admitted += usize::from(reply.status == 200);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("FIGURE: admitted {admitted} of a quota of 500 in 1,200 calls over two nodes");
    assert!((495..=500).contains(&admitted), "{admitted}");
    assert_eq!(world.echo.received().len(), admitted);
}

#[tokio::test]
async fn nodes_report_what_they_have_applied() {
    let Some(world) = World::cluster() else { return };
    world.publish("reported", json!({})).await;
    let snapshots = world.admin.get("/snapshots").await.expect(200);
    assert!(!items(&snapshots).is_empty(), "{snapshots}");
    let nodes = eventually(SOON, "both nodes report the same sequence", || async {
        let nodes = items(&world.admin.get("/nodes").await.expect(200));
        let applied: Vec<_> = nodes.iter().map(|node| node["applied_seq"].as_i64()).collect();
        let in_sync = nodes.iter().all(|node| node["in_sync"] == true);
        (nodes.len() == 2 && in_sync && applied[0].is_some() && applied[0] == applied[1]).then_some(nodes)
    });
    for node in nodes.await {
        assert!(!text(&node, "id").is_empty(), "{node}");
    }
}
