//! The codec over real sockets: what is answered, in which order, and when the
//! connection ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bed::Setup;
use super::wire::{PATIENCE, Upstream, Wire, call, get};
use crate::testing::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_none_is_answered_recorded_and_counted() {
    let upstream = Upstream::echo().await;
    let mut bed = Setup::before(&[upstream.address]).start();
    let broken = [
        ("GET /shop/v1/x HTTP/1.1\nHost: a\n\n", "GET", "/shop/v1/x"),
        ("GET /shop/v1/y HTTP/1.1\r\nHost : a\r\n\r\n", "GET", "/shop/v1/y"),
        ("PUT /shop/v1/z HTTP/3.0\r\nHost: a\r\n\r\n", "PUT", "/shop/v1/z"),
        ("\u{16}\u{3}\u{1}", "-", "/"),
        ("hello", "-", "/"),
    ];
    for (request, method, path) in broken {
        let mut wire = Wire::connect(bed.address).await;
        wire.send(request).await;
        if request == "hello" {
            // It could still become a request until it is longer than any.
            wire.send(&"o".repeat(10_000)).await;
        }
        let answer = wire.receive(false).await.expect(request);
        assert!(wire.is_closed().await, "{request:?}");
        let record = bed.record().await;
        assert_eq!(
            answer.header("x-request-id"),
            Some(record.id.to_string()),
            "{request:?}"
        );
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/problem+json")
        );
        assert_eq!(answer.header("connection").as_deref(), Some("close"));
        assert!(answer.header("date").is_some());
        assert_eq!(
            (answer.code().as_str(), Some(&*answer.code())),
            (
                record.refusal.unwrap(),
                answer.header("gatewright-refusal").as_deref()
            )
        );
        assert_eq!((&*record.method, record.path.as_str()), (method, path));
        assert_eq!(record.status, answer.status());
    }
    assert_eq!(bed.metrics.sum(|worker| worker.heads_refused.get()), 5);
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    let mut all = String::new();
    for number in 0..40 {
        all.push_str(&match number % 4 {
            0 => get(&format!("/shop/v1/{number}"), ""),
            1 => format!(
                "POST /shop/v1/{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET "
            ),
            2 => format!(
                "POST /shop/v1/{number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGET \r\n0\r\n\r\n"
            ),
            // Empty lines before a request are nobody's.
            _ => format!("\r\n{}", get(&format!("/nowhere/{number}"), "")),
        });
    }
    wire.send(&all).await;
    for number in 0..40 {
        let answer = wire.receive(false).await.unwrap();
        if number % 4 == 3 {
            assert_eq!(answer.status(), 404, "{number}");
            continue;
        }
        assert!(
            answer.text().contains(&format!(" /{number} HTTP/1.1")),
            "{number}: {}",
            answer.text()
        );
    }
    assert_eq!(upstream.requests(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_may_come_one_by_one() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let chunked = "POST /shop/v1/c HTTP/1.1\r\nHost: a\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 7\r\n\r\n";
    let sized = "POST /shop/v1/s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let mut wire = Wire::connect(bed.address).await;
    wire.stream.set_nodelay(true).unwrap();
    let mut dripped = Vec::new();
    for request in [chunked, sized] {
        for byte in request.as_bytes() {
            wire.stream.write_all(std::slice::from_ref(byte)).await.unwrap();
            tokio::task::yield_now().await;
        }
        dripped.push(wire.receive(false).await.unwrap());
    }
    let (end_of_first, end_of_second) = (dripped[0].text(), dripped[1].text());
    assert!(end_of_first.ends_with("hello[x-sum: 7]"), "{end_of_first}");
    assert!(end_of_second.ends_with("hello"), "{end_of_second}");
    assert_eq!(upstream.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_half_closes_has_left() {
    let upstream = Upstream::start(|mut wire, seen| async move {
        while wire.receive(false).await.is_some() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let mut bed = Setup::before(&[upstream.address]).start();
    for head in [
        get("/shop/v1/", ""),
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi".to_owned(),
    ] {
        let before = upstream.requests();
        let mut wire = Wire::connect(bed.address).await;
        wire.send(&head).await;
        eventually(|| upstream.requests() == before + 1).await;
        wire.stream.shutdown().await.unwrap();
        let record = bed.record().await;
        assert_eq!((record.status, record.complete), (499, false));
        assert!(wire.is_closed().await);
    }
    // In the midst of a body nobody can answer, in the midst of a head nobody asked.
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhi")
        .await;
    wire.stream.shutdown().await.unwrap();
    assert_eq!(bed.record().await.status, 499);
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nConte").await;
    wire.stream.shutdown().await.unwrap();
    assert!(wire.is_closed().await);
    assert!(bed.records.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_early_ends_the_connection() {
    let upstream = Upstream::start(|mut wire, _| async move {
        let mut byte = [0];
        wire.stream.read_exact(&mut byte).await.unwrap();
        wire.send("HTTP/1.1 409 Conflict\r\nContent-Length: 3\r\n\r\nno!")
            .await;
        while wire.stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome of it")
        .await;
    let answer = wire.receive(false).await.unwrap();
    assert_eq!((answer.status(), answer.text()), (409, "no!".to_owned()));
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    wire.send(&get("/shop/v1/smuggled", "")).await;
    assert!(wire.is_closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_clients_keep_what_they_ask_for() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    for _ in 0..2 {
        wire.send("GET /shop/v1/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .await;
        let answer = wire.receive(false).await.unwrap();
        assert_eq!(answer.header("connection").as_deref(), Some("keep-alive"));
    }
    wire.send("GET /shop/v1/ HTTP/1.0\r\n\r\n").await;
    let answer = wire.receive(false).await.unwrap();
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(wire.is_closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_with_its_connection_is_reset_when_it_breaks_off() {
    let upstream =
        Upstream::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send("GET /shop/v1/ HTTP/1.0\r\n\r\n").await;
    let mut read = Vec::new();
    let ended = wire.stream.read_to_end(&mut read).await;
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_go_to_those_who_ask_for_them() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
    )
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let asked = call(
        bed.address,
        &get("/shop/v1/", "TE: trailers\r\nConnection: TE\r\n"),
    )
    .await;
    assert_eq!((asked.whole, asked.text()), (true, "ok[x-sum: 7]".to_owned()));
    let unasked = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!((unasked.whole, unasked.text()), (true, "ok".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_late_in_a_drain_is_still_answered() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.times.head = PATIENCE;
    let bed = setup.start();
    let mut begun = Wire::connect(bed.address).await;
    begun.send("GET /shop/v1/late HTTP/1.1\r\nX-Long: ").await;
    begun.send(&"x".repeat(30_000)).await;
    // The beginning of the head has to be with the worker.
    eventually(|| bed.metrics.level(|worker| worker.buffered.get()) > 30_000).await;
    let address = bed.address;
    let draining = tokio::spawn(bed.drain());
    // The drain has begun when nobody else is let in.
    let until = tokio::time::Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(tokio::time::Instant::now() < until, "the port closes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.send("\r\nHost: a\r\n\r\n").await;
    let answer = begun.receive(false).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(begun.is_closed().await);
    assert_eq!(draining.await.unwrap().cut_off, 0);
}
