//! Upstreams whose answers end early, come late, or drip.

use std::time::Duration;

use gatewright_testkit::faulty::saying;
use gatewright_testkit::http::{Client, text};
use gatewright_testkit::proxy::Proxy;
use gatewright_testkit::proxy::fault::{End, Faults, Flow};
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::load::{PATIENCE, size};
use crate::world::{Consumer, World, all_items, settles_at};

/// The body of each answer.
const BODY: usize = 2_048;

/// The whole answers that are cut: their length known, and not.
fn answers() -> [(&'static str, Vec<u8>); 2] {
    let body = "x".repeat(BODY);
    let known =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {BODY}\r\n\r\n{body}");
    let half = "x".repeat(BODY / 2);
    let chunk = format!("{:x}\r\n{half}\r\n", BODY / 2);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"
    );
    [("known", known.into_bytes()), ("chunked", chunked.into_bytes())]
}

#[tokio::test]
async fn r11_an_answer_that_was_cut_never_looks_whole() {
    let world = World::embedded();
    for (slug, answer) in answers() {
        let (proxy, through) = Proxy::before(&saying(&answer));
        let (gateway, consumer) = open(&world, &through, slug).await;
        let path = format!("/{slug}/v1/pets");
        let step = size(97, 1);
        let (mut cut, mut refused) = (0, 0);
        for end in [End::Fin, End::Reset] {
            for after in (1..answer.len()).step_by(step) {
                proxy.set(Faults::answers_end(after as u64, end));
                match gateway.attempt(Method::GET, &path, "").await {
                    Ok(reply) => {
                        assert_eq!(reply.status, 502, "{slug}, {end:?} after {after}: {reply}");
                        refused += 1;
                    }
                    Err(_) => cut += 1,
                }
            }
        }
        println!(
            "FIGURE: R11 {slug}: of {} answers cut short {refused} were refused, {cut} visibly cut",
            cut + refused
        );
        assert!(cut > 0 && refused > 0, "{cut} {refused}");
        proxy.heal();
        settles_at(&gateway, &path, 200).await;
        recorded(&world, &consumer, cut).await;
    }
}

/// The records say of each answer whether it was whole.
async fn recorded(world: &World, consumer: &Consumer, cut: usize) {
    let path = format!("/calls?application={}&limit=100", consumer.application);
    eventually(PATIENCE, "cut answers are recorded as such", || async {
        let records = all_items(&world.admin, &path).await;
        let passed: Vec<&Value> = records.iter().filter(|record| record["status"] == 200).collect();
        let halves = passed.iter().filter(|record| record["complete"] == false).count();
        // One was whole: the one after the fault.
        (halves == cut && passed.len() == cut + 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn r11_a_stalled_answer_ends_and_what_is_half_closed_is_whole() {
    let world = World::embedded();
    let [(_, answer), _] = answers();
    let (proxy, through) = Proxy::before(&saying(&answer));
    let (gateway, _) = open(&world, &through, "stalled").await;
    let waits = async |response_ms: u32, idle_ms: u32| {
        let timeouts = json!({"response_ms": response_ms, "idle_ms": idle_ms});
        let settings = json!({"targets": [{"url": through}], "timeouts": timeouts});
        let put = world.admin.put("/apis/stalled/versions/v1/upstream", &settings);
        put.await.expect(200);
        world.all_nodes_follow("stalled").await;
    };
    waits(500, 500).await;
    proxy.set(Faults::answers_end(10, End::Stall));
    settles_at(&gateway, "/stalled/v1/pets", 504)
        .await
        .expect_problem(504, "upstream_timeout");
    // The head in its own time, whatever holds this machine up; then nothing more.
    waits(60_000, 500).await;
    proxy.set(Faults::answers_end(answer.len() as u64 - 100, End::Stall));
    // Until the new times are in force, or when the head is late, the answer is a 504; it is never whole.
    let cut = async {
        while let Ok(reply) = gateway.attempt(Method::GET, "/stalled/v1/pets", "").await {
            reply.expect_problem(504, "upstream_timeout");
        }
    };
    timeout(PATIENCE * 3, cut).await.expect("the answer is cut off");
    // The end of the connection after the last byte takes nothing away.
    waits(60_000, 60_000).await;
    proxy.set(Faults::answers_end(answer.len() as u64, End::HalfClose));
    let whole = gateway.get("/stalled/v1/pets").await;
    whole.expect(200);
    assert_eq!(whole.body.len(), BODY);
}

#[tokio::test]
async fn r11_single_bytes_and_late_ones_make_whole_messages() {
    let world = World::embedded();
    let (upstream, through) = Proxy::before(&world.echo.url());
    let (_, consumer) = open(&world, &through, "dripping").await;
    let authority = world.gateway().authority().to_owned();
    let front = Proxy::start(&authority);
    let gateway = Client::new(&front.url())
        .with("x-api-key", &consumer.secret)
        .with("host", &authority);
    let late = Faults::late(Duration::from_millis(5), Duration::from_millis(20));
    let slow = Flow {
        slice: 64,
        bytes_per_second: Some(100_000),
        ..Flow::default()
    };
    let slow = Faults {
        up: slow,
        down: slow,
        ..Faults::default()
    };
    for (name, fault) in [
        ("single bytes", Faults::sliced(1)),
        ("late", late),
        ("slow", slow),
    ] {
        upstream.set(fault);
        front.set(fault);
        for round in 0..size(3, 50) {
            let body = format!("{name} {round} {}", "y".repeat(BODY));
            let posted = gateway.post("/dripping/v1/pets", &json!({"name": body})).await;
            let seen = posted.expect(200);
            let seen: Value = serde_json::from_str(text(&seen, "body")).unwrap();
            assert_eq!(text(&seen, "name"), body, "{name}");
        }
    }
    // A byte that was turned in the head makes no answer of it.
    front.heal();
    upstream.set(Faults {
        down: Flow {
            corrupt_at: Some(3),
            ..Flow::default()
        },
        ..Faults::default()
    });
    upstream.cut();
    let spoilt = gateway.attempt(Method::POST, "/dripping/v1/pets", "{}").await;
    assert_eq!(spoilt.map_or(502, |reply| reply.status), 502);
}

async fn open(world: &World, upstream: &str, slug: &str) -> (Client, Consumer) {
    let published = world.publish_to(upstream, slug, json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, &format!("/{slug}/v1/pets"), 200).await;
    (gateway, consumer)
}
