//! More callers than the gateway can serve.

use std::time::{Duration, Instant};

use gatewright_testkit::wait::eventually;
use serde_json::json;

use super::load::{Load, PATIENCE, all_answered, p99, size};
use crate::world::{World, best_of_a_few, settles_at};

/// R22: what health may take meanwhile.
const HEALTH: Duration = Duration::from_millis(100);
/// What a gateway of this size may hold (`architecture.md`, section 3, and the sockets of the callers).
const RESIDENT_KIB: u64 = 256 << 10;

#[tokio::test]
async fn r22_health_is_told_and_memory_is_bounded_under_overload() {
    let world = World::embedded();
    let published = world.publish("crowded", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, "/crowded/v1/pets", 200).await;
    let crowd: Vec<_> = std::iter::repeat_n(gateway.clone(), 2).collect();
    let load = Load::start(&crowd, "/crowded/v1/pets", size(100, 1_000));
    load.goes_on(size(500, 5_000)).await;
    // Callers and gateway share this machine's cores: the median is the gateway's part of it.
    let median = best_of_a_few(HEALTH, async |_| median_of_health(&world).await).await;
    let resident = world.server.resident();
    let calls = load.end();
    all_answered(&calls, 200);
    println!(
        "FIGURE: R22 {} calls of {} callers, p99 {:?}; health meanwhile median {median:?}; {resident} KiB resident",
        calls.len(),
        2 * size(100, 1_000),
        p99(&calls)
    );
    assert!(median <= HEALTH, "{median:?}");
    assert!(resident <= RESIDENT_KIB, "{resident} KiB");
    eventually(PATIENCE, "nothing is left of the crowd", || async {
        (super::load::metric(&world.server, "requests_in_flight").await < 0.5).then_some(())
    })
    .await;
}

async fn median_of_health(world: &World) -> Duration {
    let mut told = Vec::new();
    for _ in 0..size(40, 1_000) {
        for path in ["/healthz", "/readyz"] {
            let since = Instant::now();
            world.server.status().get(path).await.expect(200);
            told.push(since.elapsed());
        }
    }
    told.sort_unstable();
    told[told.len() / 2]
}
