//! Both directions of a call at once, and answers that end in other ways than
//! by their length.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bed::Setup;
use super::wire::{Upstream, Wire, call, get};

/// More than the buffers of all sockets on the way hold together.
const LARGE: usize = 32 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_send_all_before_it_reads_anything() {
    let upstream = Upstream::start(|mut wire, _| async move {
        let (mut from, mut to) = wire.stream.split();
        let read = async {
            let mut read = 0;
            let mut piece = vec![0; 65_536];
            while read < LARGE {
                read += from.read(&mut piece).await.unwrap();
            }
        };
        let write = async {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\n");
            to.write_all(head.as_bytes()).await.unwrap();
            to.write_all(&vec![b'a'; LARGE]).await.unwrap();
        };
        tokio::join!(read, write);
    })
    .await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.max_body = u64::try_from(LARGE).unwrap();
    let bed = setup.start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send(&format!(
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n"
    ))
    .await;
    wire.stream.write_all(&vec![b'b'; LARGE]).await.unwrap();
    let answer = wire.receive(false).await.unwrap();
    assert_eq!(
        (answer.status(), answer.whole, answer.body.len()),
        (200, true, LARGE)
    );
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
        seen.fetch_add(1, Ordering::SeqCst);
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    for _ in 0..10 {
        wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert_eq!(wire.receive(false).await.unwrap().status(), 200);
        // The close has arrived by then.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(upstream.requests(), 10);
}
