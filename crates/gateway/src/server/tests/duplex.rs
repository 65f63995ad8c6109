//! Both directions of a call at once, and answers that end in other ways than
//! by their length.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bed::Setup;
use super::wire::{PATIENCE, Upstream, Wire, call, get};
use crate::testing::eventually;

/// More than the buffers of all sockets on the way hold together.
const LARGE: usize = 128 * 1024 * 1024;

/// Bytes that are written, or read, without being held.
const PIECE: usize = 64 * 1024;

async fn write_large(to: &mut (impl AsyncWriteExt + Unpin)) {
    for _ in 0..LARGE / PIECE {
        to.write_all(&[b'a'; PIECE]).await.unwrap();
    }
}

async fn read_at_least(from: &mut (impl AsyncReadExt + Unpin), bytes: usize) {
    let mut read = 0;
    let mut piece = vec![0; PIECE];
    while read < bytes {
        let more = tokio::time::timeout(PATIENCE, from.read(&mut piece)).await;
        let more = more.expect("the other side sends in time").unwrap();
        assert!(more > 0, "{read} bytes of {bytes}");
        read += more;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_send_all_before_it_reads_anything() {
    let head = |start: &str| format!("{start}\r\nContent-Length: {LARGE}\r\n\r\n");
    let upstream = Upstream::start(move |mut wire, _| async move {
        let (mut from, mut to) = wire.stream.split();
        let write = async {
            to.write_all(head("HTTP/1.1 200 OK").as_bytes()).await.unwrap();
            write_large(&mut to).await;
        };
        let read = async {
            read_at_least(&mut from, LARGE).await;
            // The head counted too. To leave with bytes unread would reset the
            // connection, and take along what is written and not yet sent.
            while from.read(&mut [0; 1024]).await.is_ok_and(|more| more > 0) {}
        };
        tokio::join!(read, write);
    })
    .await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.max_body = u64::try_from(LARGE).unwrap();
    let bed = setup.start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send(&head("POST /shop/v1/ HTTP/1.1\r\nHost: a")).await;
    let sent = tokio::time::timeout(PATIENCE * 3, write_large(&mut wire.stream)).await;
    assert!(sent.is_ok(), "the request is taken while its answer waits");
    read_at_least(&mut wire.stream, LARGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_end_of_its_request_is_passed_on() {
    let upstream = Upstream::start(|mut wire, _| async move {
        let mut head = vec![0; 1024];
        let _some = wire.stream.read(&mut head).await.unwrap();
        wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nenough")
            .await;
    })
    .await;
    let mut bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin")
        .await;
    let answer = wire.receive(false).await.unwrap();
    assert_eq!((answer.status(), answer.text()), (413, "enoug".to_owned()));
    // What follows on the connection could be taken for the rest of the body.
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(wire.is_closed().await);
    assert_eq!(bed.record().await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_end_with_its_connection() {
    for version in ["1.0", "1.1"] {
        let upstream = Upstream::saying(&format!("HTTP/{version} 200 OK\r\n\r\nall of it")).await;
        let mut bed = Setup::before(&[upstream.address]).start();
        let mut wire = Wire::connect(bed.address).await;
        for _ in 0..2 {
            wire.send(&get("/shop/v1/", "")).await;
            let answer = wire.receive(false).await.unwrap();
            assert_eq!((answer.whole, answer.text()), (true, "all of it".to_owned()));
            assert!(bed.record().await.complete);
        }
        assert_eq!(upstream.connections(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_over_which_more_came_than_was_asked_for_is_not_used_again() {
    let upstream = Upstream::start(|mut wire, seen| async move {
        while wire.receive(false).await.is_some() {
            seen.fetch_add(1, Ordering::SeqCst);
            wire.send(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            )
            .await;
        }
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    for _ in 0..5 {
        let answer = call(bed.address, &get("/shop/v1/", "")).await;
        assert_eq!((answer.whole, answer.text()), (true, "ok".to_owned()));
    }
    assert_eq!((upstream.requests(), upstream.connections()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bodiless_request_that_was_never_taken_is_sent_again_whatever_its_method() {
    // Closes behind each answer without saying so.
    let upstream = Upstream::start(|mut wire, seen| async move {
        wire.receive(false).await.unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        drop(wire);
        seen.fetch_add(1, Ordering::SeqCst);
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    for sent in 1..=10 {
        wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert_eq!(wire.receive(false).await.unwrap().status(), 200);
        // The close has arrived by then.
        eventually(|| upstream.requests() == sent).await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(upstream.requests(), 10);
}
