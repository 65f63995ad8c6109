//! One of several targets comes and goes.

use std::time::Duration;

use gatewright_testkit::echo::Echo;
use gatewright_testkit::proxy::Proxy;
use gatewright_testkit::wait::eventually;
use serde_json::json;

use super::load::{Load, PATIENCE, size};
use crate::world::{World, settles};

/// R9: it is away for the first half of each second.
const HALF: Duration = Duration::from_millis(500);
/// Of so many calls one may fail.
const ONE_OF: usize = 1_000;
/// So many of a hundred calls may reach an upstream twice.
const TWICE: usize = 20;

#[tokio::test]
async fn r09_calls_succeed_while_one_of_three_targets_flaps() {
    let world = World::embedded();
    let published = world.publish("flapping", json!({})).await;
    let echoes = [Echo::start(), Echo::start(), Echo::start()];
    let (proxy, through) = Proxy::before(&echoes[0].url());
    let targets = [through, echoes[1].url(), echoes[2].url()].map(|url| json!({"url": url}));
    world
        .admin
        .put(
            "/apis/flapping/versions/v1/upstream",
            &json!({"targets": targets}),
        )
        .await
        .expect(200);
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let is_used = || !echoes[0].received().is_empty();
    settles(&gateway, "/flapping/v1/pets", |_| is_used()).await;
    let reached = || echoes.iter().map(|echo| echo.received().len()).sum::<usize>();
    let before = reached();

    let load = Load::start(std::slice::from_ref(&gateway), "/flapping/v1/pets", 4);
    for _ in 0..size(6, 300) {
        proxy.down();
        tokio::time::sleep(HALF).await;
        proxy.heal();
        tokio::time::sleep(HALF).await;
    }
    // Enough to tell, however slow this machine is.
    load.goes_on(ONE_OF).await;
    let calls = load.end();
    let failed: Vec<_> = calls.iter().filter(|call| call.status() != 200).collect();
    let reached = reached() - before;
    println!(
        "FIGURE: R9 {} of {} calls failed while one of three targets flapped; {reached} reached an upstream",
        failed.len(),
        calls.len()
    );
    assert!(failed.len() * ONE_OF <= calls.len(), "{failed:?}");
    assert!(reached * 100 <= calls.len() * (100 + TWICE), "{reached}");
    // Once it stays it is used like the others.
    let left = echoes[0].received().len();
    eventually(PATIENCE, "the target is used again", || async {
        gateway.get("/flapping/v1/pets").await.expect(200);
        (echoes[0].received().len() > left).then_some(())
    })
    .await;
}
