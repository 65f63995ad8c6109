//! Requests that must not pass, as raw bytes: what is answered, and that the
//! upstream sees none of them.

use super::bed::Setup;
use super::wire::{Upstream, Wire, call, get};

/// Raw request and expected status; the connection ends after each.
const REFUSED: &[(&str, u16)] = &[
    ("GET /shop/v1/ HTTP/1.1\r\n\r\n", 400),
    ("GET /shop/v1/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1/ HTTP/1.1\r\nHost: \r\n\r\n", 400),
    ("GET /shop/v1/ HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("GET /shop/v1/ HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET http://a/shop/v1/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 400),
    ("GET /shop/v1/ HTTP/1.1\nHost: a\n\n", 400),
    ("GET /shop/v1/ HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400),
    (
        "GET /shop/v1/ HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
        400,
    ),
    ("GET /shop/v1/ HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ("GET /shop/v1/../v2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1/%2e%2e/v2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1/a%2fb HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1//b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1/a\\b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1/a%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /shop/v1/%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nhi",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 10485761\r\n\r\n",
        413,
    ),
    ("GET /shop/v1/ HTTP/2.0\r\nHost: a\r\n\r\n", 400),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_rules_is_refused_and_the_connection_ends() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    for (request, status) in REFUSED {
        let mut wire = Wire::connect(bed.address).await;
        wire.send(request).await;
        let answer = wire.receive(false).await.expect(request);
        assert_eq!(answer.status(), *status, "{request:?}");
        assert!(answer.header("x-request-id").is_some(), "{request:?}");
        assert_eq!(
            answer.header("gatewright-refusal").as_deref(),
            Some(&*answer.code()),
            "{request:?}"
        );
        assert!(wire.is_closed().await, "{request:?}");
    }
    assert_eq!(upstream.requests(), 0);
    // The gateway is as well as before.
    assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_sent_is_one_request_seen() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    // The body of the first looks like a request; the second one is pipelined behind it.
    let inner = "GET /shop/v1/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let outer = format!(
        "POST /shop/v1/outer HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}{}",
        inner.len(),
        get("/shop/v1/second", "Connection: close\r\n")
    );
    wire.send(&outer).await;
    let first = wire.receive(false).await.unwrap();
    assert!(first.text().starts_with("POST /outer "));
    assert!(first.text().ends_with(inner));
    assert!(
        wire.receive(false)
            .await
            .unwrap()
            .text()
            .starts_with("GET /second ")
    );
    assert!(wire.is_closed().await);
    assert_eq!(upstream.requests(), 2);
    // One that is chunked may stand behind another as well.
    let mut wire = Wire::connect(bed.address).await;
    let chunked = "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    wire.send(&format!("{}{chunked}", get("/shop/v1/", ""))).await;
    assert_eq!(wire.receive(false).await.unwrap().status(), 200);
    assert_eq!(wire.receive(false).await.unwrap().status(), 200);
    assert_eq!(upstream.requests(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_bounded() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let long = get(&format!("/shop/v1/{}", "a".repeat(9 * 1024)), "");
    assert_eq!(call(bed.address, &long).await.status(), 414);
    let large = get("/shop/v1/", &format!("Cookie: {}\r\n", "c".repeat(40 * 1024)));
    assert_eq!(call(bed.address, &large).await.status(), 431);
    let many = get("/shop/v1/", &"X: 1\r\n".repeat(150));
    assert_eq!(call(bed.address, &many).await.status(), 431);
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_still_reads_the_refusal() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let length = 11 * 1024 * 1024;
    let head = format!("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    let mut wire = Wire::connect(bed.address).await;
    wire.send(&head).await;
    wire.send(&" ".repeat(length)).await;
    let answer = wire.receive(false).await.unwrap();
    assert_eq!(
        (answer.status(), answer.code()),
        (413, "payload_too_large".to_owned())
    );
    assert!(wire.is_closed().await);
    let mut waits = Wire::connect(bed.address).await;
    waits
        .send(&head.replace("Host: a", "Host: a\r\nExpect: 100-continue"))
        .await;
    assert_eq!(waits.receive(false).await.unwrap().status(), 413);
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_over_the_limit_is_refused_on_the_way() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.max_body = 10;
    let mut bed = setup.start();
    let head = "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = call(
        bed.address,
        &format!("{head}8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n"),
    )
    .await;
    assert_eq!(
        (answer.status(), answer.code()),
        (413, "payload_too_large".to_owned())
    );
    assert_eq!(bed.record().await.refusal, Some("payload_too_large"));
    let broken = call(bed.address, &format!("{head}0x2\r\nhi\r\n0\r\n\r\n")).await;
    assert_eq!(broken.status(), 400);
    let forbidden = call(bed.address, &format!("{head}2\r\nhi\r\n0\r\nHost: b\r\n\r\n")).await;
    assert_eq!(
        (forbidden.status(), forbidden.code()),
        (400, "bad_request".to_owned())
    );
    assert_eq!(upstream.requests(), 0, "no broken body arrived whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_server_and_expectations() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let server = call(bed.address, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(server.status(), 204);
    let odd = call(bed.address, &get("/shop/v1/", "Expect: miracles\r\n")).await;
    assert_eq!(odd.status(), 417);
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    assert_eq!(wire.receive(false).await.unwrap().status(), 100);
    wire.send("hi").await;
    let answer = wire.receive(false).await.unwrap();
    assert!(answer.status() == 200 && answer.text().ends_with("hi"));
    assert!(!answer.text().to_lowercase().contains("expect:"));
    // What is refused never asks for the body.
    let mut wire = Wire::connect(bed.address).await;
    wire.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await;
    assert_eq!(wire.receive(false).await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_keeps_the_connection_only_when_the_body_is_out_of_the_way() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let chunked =
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    // The body comes behind the head.
    let mut wire = Wire::connect(bed.address).await;
    for body in ["hello", "world"] {
        wire.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            .await;
        wire.send(body).await;
        let refused = wire.receive(false).await.unwrap();
        assert_eq!((refused.status(), refused.header("connection")), (404, None));
    }
    wire.send(chunked).await;
    assert_eq!(wire.receive(false).await.unwrap().status(), 200);
    // It does not come at all.
    wire.send("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        .await;
    let refused = wire.receive(false).await.unwrap();
    assert_eq!(refused.header("connection").as_deref(), Some("close"));
    assert!(wire.is_closed().await);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 1, ..Default::default() })]

    #[test]
    fn the_upstream_sees_the_path_that_was_decided_upon(
        paths in proptest::collection::vec("/shop/v1/[a-z0-9%./;{}~:@_ -]{0,24}", 300)
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let upstream = Upstream::echo().await;
            let bed = Setup::before(&[upstream.address]).start();
            for path in paths {
                let answer = call(bed.address, &get(&path, "Connection: close\r\n")).await;
                if answer.status() == 200 {
                    let spelled = crate::edge::path::normalise(&path).unwrap();
                    let expected = format!("GET {} HTTP/1.1", spelled.strip_prefix("/shop/v1").unwrap());
                    assert_eq!(answer.text().lines().next(), Some(&*expected));
                }
            }
        });
    }
}
