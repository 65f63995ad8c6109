//! Publishing under load: every answer belongs to one configuration.

use std::time::{Duration, Instant};

use gatewright_testkit::echo::Echo;
use gatewright_testkit::http::text;
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::json;

use super::load::{Load, PATIENCE, all_answered, nearly_all, size};
use crate::world::World;

/// R8.
const EVERYWHERE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn r08_a_published_change_is_everywhere_soon_and_never_in_halves() {
    let Some(world) = World::cluster() else { return };
    let published = world.publish("changing", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateways: Vec<_> = world
        .gateways()
        .iter()
        .map(|gateway| gateway.with("x-api-key", &consumer.secret))
        .collect();
    // Configuration n sends to upstream n mod 2, below the path /n: one without the other is a half.
    let upstreams = [Echo::start(), Echo::start()];
    let load = Load::start(&gateways, "/changing/v1/pets", 2);
    let mut took = Vec::new();
    for number in 1..=size(8, 600) {
        let upstream = &upstreams[number % 2];
        let target = format!("{}/c{number}", upstream.url());
        let since = Instant::now();
        world
            .admin
            .put(
                "/apis/changing/versions/v1/upstream",
                &json!({"targets": [{"url": target}]}),
            )
            .await
            .expect(200);
        let wanted = format!("/c{number}/pets");
        for gateway in &gateways {
            eventually(PATIENCE, "the change arrives", || async {
                let reply = gateway.attempt(Method::GET, "/changing/v1/pets", "").await.ok()?;
                (text(&reply.json(), "target") == wanted).then_some(())
            })
            .await;
        }
        took.push(since.elapsed());
        load.goes_on(4).await;
    }
    all_answered(&load.end(), 200);
    took.sort_unstable();
    println!(
        "FIGURE: R8 of {} changes the median was on both nodes after {:?}, the slowest after {:?}",
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1]
    );
    assert!(nearly_all(&took) <= EVERYWHERE, "{took:?}");
    whole(&upstreams);
}

/// No call got the path of one configuration and the upstream of another.
fn whole(upstreams: &[Echo; 2]) {
    let mut seen = 0;
    for (index, upstream) in upstreams.iter().enumerate() {
        for request in upstream.received() {
            let number: usize = request
                .target
                .trim_start_matches("/c")
                .split('/')
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or_else(|| panic!("{}", request.target));
            assert_eq!(number % 2, index, "half of another configuration: {request:?}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}
