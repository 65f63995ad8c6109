//! Upstreams and clients that misbehave.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::bed::Setup;
use super::wire::{PATIENCE, Upstream, Wire, call, get};
use crate::testing::eventually;

async fn outcome(answer: &str) -> (u16, String) {
    let upstream = Upstream::saying(answer).await;
    let bed = Setup::before(&[upstream.address]).start();
    let answer = call(bed.address, &get("/shop/v1/", "")).await;
    (answer.status(), answer.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_are_told_as_such() {
    let endless = format!(
        "{}HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2_000)
    );
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    for answer in [
        "",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBroken header\r\n\r\n",
        &endless,
        &huge,
    ] {
        let told = outcome(answer).await;
        let start = answer.get(..40.min(answer.len()));
        assert_eq!(told, (502, "upstream_invalid".to_owned()), "{start:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_answer_never_ends_cleanly() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ] {
        let upstream = Upstream::saying(answer).await;
        let mut bed = Setup::before(&[upstream.address]).start();
        let got = call(bed.address, &get("/shop/v1/", "")).await;
        assert_eq!((got.status(), got.whole), (200, false), "{answer:?}");
        let record = bed.record().await;
        assert_eq!((record.status, record.complete), (200, false), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_unreachable_and_silence_is_a_timeout() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut bed = Setup::before(&[closed]).start();
    let answer = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!(
        (answer.status(), answer.code()),
        (502, "upstream_unreachable".to_owned())
    );
    assert_eq!(bed.record().await.refusal, Some("upstream_unreachable"));

    let silent =
        Upstream::start(|mut wire, _| async move { while wire.receive(false).await.is_some() {} }).await;
    let bed = Setup::before(&[silent.address])
        .timeouts(1_000, 50, 1_000)
        .start();
    let answer = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!(
        (answer.status(), answer.code()),
        (504, "upstream_timeout".to_owned())
    );
    let posted = "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(call(bed.address, posted).await.status(), 504);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_answer_is_cut_off() {
    let upstream = Upstream::start(|mut wire, _| async move {
        wire.receive(false).await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            .await;
        wire.receive(false).await;
    })
    .await;
    let mut bed = Setup::before(&[upstream.address])
        .timeouts(30_000, 30_000, 50)
        .start();
    let answer = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!(
        (answer.status(), answer.whole, answer.text()),
        (200, false, "hello".to_owned())
    );
    assert!(!bed.record().await.complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_take_longer_than_a_pause_may() {
    let upstream = Upstream::start(|mut wire, _| async move {
        wire.receive(false).await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n").await;
        for _ in 0..8 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            wire.send("x").await;
        }
    })
    .await;
    let bed = Setup::before(&[upstream.address])
        .timeouts(30_000, 30_000, 3_500)
        .start();
    let answer = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!((answer.whole, answer.text()), (true, "xxxxxxxx".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_recorded_and_its_upstream_let_go() {
    let (told, mut gone) = tokio::sync::mpsc::channel(1);
    let upstream = Upstream::start(move |mut wire, seen| {
        let told = told.clone();
        async move {
            wire.receive(false).await;
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            // Ends when the gateway closes its side.
            assert!(wire.receive(false).await.is_none());
            told.send(()).await.unwrap();
        }
    })
    .await;
    let mut bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send(&get("/shop/v1/", "")).await;
    eventually(|| upstream.requests() == 1).await;
    drop(wire);
    let record = bed.record().await;
    assert_eq!((record.status, record.complete), (499, false));
    gone.recv().await.unwrap();
    assert_eq!(bed.metrics.sum(|worker| worker.abandoned.get()), 1);
    assert_eq!(bed.metrics.level(|worker| worker.in_flight.get()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_told_or_cut_off() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]).timeouts(30_000, 30_000, 300);
    setup.settings.times.head = Duration::from_millis(150);
    setup.settings.times.idle = Duration::from_millis(400);
    let bed = setup.start();
    // A body that stops.
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")
        .await;
    assert_eq!(wire.receive(false).await.unwrap().status(), 408);
    // A connection without a byte, a head that stops, and one that drips.
    assert!(Wire::connect(bed.address).await.is_closed().await);
    let mut wire = Wire::connect(bed.address).await;
    wire.send("GET /shop/v1/ HTTP/1.1\r\nHost:").await;
    assert_eq!(wire.receive(false).await.unwrap().code(), "request_timeout");
    assert!(wire.is_closed().await);
    let mut wire = Wire::connect(bed.address).await;
    let began = std::time::Instant::now();
    while wire.stream.write_all(b"X").await.is_ok() {
        assert!(began.elapsed() < PATIENCE, "a head that drips goes on for ever");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // A connection that idles after a call, which was quick enough here some time.
    for _ in 0..20 {
        let mut wire = Wire::connect(bed.address).await;
        wire.send(&get("/shop/v1/", "")).await;
        let status = wire.receive(false).await.unwrap().status();
        assert!(wire.is_closed().await);
        if status == 200 {
            return;
        }
        assert_eq!(status, 408);
    }
    panic!("not one head of twenty came in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_cut_off() {
    let upstream = Upstream::start(|mut wire, _| async move {
        wire.receive(false).await;
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            .await;
        while wire.stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    })
    .await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.times.idle = Duration::from_secs(1);
    let mut bed = setup.start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send(&get("/shop/v1/", "")).await;
    let record = bed.record().await;
    assert_eq!((record.status, record.complete), (200, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_rule_holds_for_what_is_connected_to() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.private = false;
    let bed = setup.start();
    assert_eq!(
        call(bed.address, &get("/shop/v1/", "")).await.code(),
        "upstream_unreachable"
    );
    // By name as well.
    let mut setup = Setup::before(&[]);
    setup.private = false;
    setup.targets = vec![(format!("http://localhost:{}", upstream.address.port()), 1)];
    let bed = setup.start();
    assert_eq!(
        call(bed.address, &get("/shop/v1/", "")).await.code(),
        "upstream_unreachable"
    );
    assert_eq!(upstream.connections(), 0);
    // Where private addresses are allowed a name works, link-local ones never do.
    let mut setup = Setup::before(&[]);
    setup.targets = vec![(format!("http://localhost:{}", upstream.address.port()), 1)];
    let bed = setup.start();
    assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
    let mut setup = Setup::before(&[]);
    setup.targets = vec![("http://169.254.169.254/".to_owned(), 1)];
    let bed = setup.start();
    assert_eq!(
        call(bed.address, &get("/shop/v1/", "")).await.code(),
        "upstream_unreachable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_does_not_call_itself() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut setup = Setup::before(&[free]);
    setup.settings.listen = vec![free];
    let bed = setup.start();
    assert_eq!(
        call(bed.address, &get("/shop/v1/", "")).await.code(),
        "upstream_unreachable"
    );
    assert_eq!(bed.metrics.sum(|worker| worker.accepted.get()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_sheds_at_once() {
    let silent = Upstream::start(|mut wire, seen| async move {
        while wire.receive(false).await.is_some() {
            seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    })
    .await;
    let mut setup = Setup::before(&[silent.address]);
    setup.settings.max_in_flight_per_target = 1;
    let bed = setup.start();
    let mut waiting = Wire::connect(bed.address).await;
    waiting.send(&get("/shop/v1/", "")).await;
    eventually(|| silent.requests() == 1).await;
    let shed = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!((shed.status(), shed.code()), (503, "overloaded".to_owned()));
    assert!(shed.header("retry-after").is_some());
}
