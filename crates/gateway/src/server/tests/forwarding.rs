//! What the upstream gets and what the client gets back.

use gatewright_model::plan::Security;
use tokio::io::AsyncWriteExt;

use super::bed::Setup;
use super::wire::{Message, Upstream, Wire, call, get};

/// The request as the echo upstream saw it.
fn seen(answer: &Message) -> Message {
    let text = answer.text();
    let (head, body) = text.split_once("\r\n\r\n").expect("an echoed request");
    Message {
        head: format!("{head}\r\n"),
        body: body.as_bytes().to_vec(),
        whole: true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_gets_a_message_of_ours() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.targets = vec![(format!("http://{}/base/", upstream.address), 1)];
    let mut bed = setup.start();
    let answer = call(
        bed.address,
        &get(
            "/shop/v1/%69tems/a%3ab?x=1&y=%20",
            "X-Consumer-Id: evil\r\nX_Plan: evil\r\nX-Request-Id: mine\r\nConnection: X-Drop, keep-alive\r\n\
             X-Drop: 1\r\nX-Keep: 2\r\nCookie: gw_session=s; a=1\r\nX-Forwarded-For: 6.6.6.6\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: v=1\r\n",
        ),
    )
    .await;
    assert_eq!(answer.status(), 200);
    let seen = seen(&answer);
    assert!(
        seen.head
            .starts_with("GET /base/items/a%3Ab?x=1&y=%20 HTTP/1.1\r\n"),
        "{}",
        seen.head
    );
    assert_eq!(seen.values("host"), [upstream.address.to_string()]);
    assert_eq!(seen.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.values("x-forwarded-host"), ["api.example"]);
    assert_eq!(seen.values("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.values("x-correlation-id"), ["mine"]);
    assert_eq!(seen.values("x-keep"), ["2"]);
    assert_eq!(seen.values("cookie"), ["a=1"]);
    assert_eq!(seen.values("tracestate"), ["v=1"]);
    for gone in [
        "x-consumer-id",
        "x_plan",
        "x-plan",
        "x-drop",
        "connection",
        "content-length",
    ] {
        assert_eq!(seen.values(gone), Vec::<String>::new(), "{gone}");
    }
    let record = bed.record().await;
    assert_eq!(seen.header("x-request-id"), Some(record.id.to_string()));
    assert_eq!(answer.header("x-request-id"), Some(record.id.to_string()));
    assert!(
        seen.header("traceparent")
            .unwrap()
            .starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    );
    assert_eq!(record.trace_id.as_str(), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        (record.status, record.complete, record.snapshot_seq),
        (200, true, 3)
    );
    assert_eq!(record.bytes_out, u64::try_from(answer.body.len()).unwrap());
    assert_eq!(
        record.target.as_deref(),
        Some(&*format!("http://{}/base", upstream.address))
    );
    assert_eq!(record.path, "/shop/v1/%69tems/a%3ab");
    assert!(record.upstream_us > 0 && record.upstream_us <= record.duration_us);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_proves_who_calls_and_stays_here() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.security = Security::ApiKey;
    let mut bed = setup.start();
    let missing = call(bed.address, &get("/shop/v1/", "")).await;
    assert_eq!(
        (missing.status(), missing.code()),
        (401, "key_missing".to_owned())
    );
    assert!(missing.header("www-authenticate").is_some());
    assert_eq!(bed.record().await.refusal, Some("key_missing"));
    for line in ["X-API-Key: ", "Authorization: Bearer "] {
        let answer = call(bed.address, &get("/shop/v1/", &format!("{line}{}\r\n", bed.key))).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let seen = seen(&answer);
        assert!(!seen.head.contains(&bed.key));
        assert!(seen.header("x-consumer-id").unwrap().starts_with("app_"));
        assert_eq!(seen.header("x-consumer-name").as_deref(), Some("app 71"));
        assert!(seen.header("x-subscription-id").unwrap().starts_with("sub_"));
        assert_eq!(seen.header("x-plan").as_deref(), Some("plan-5"));
        let record = bed.record().await;
        assert_eq!(record.subject.application_id, Some(crate::testing::id(71)));
        assert_eq!(record.subject.credential_id, Some(crate::testing::id(70)));
    }
    assert_eq!(upstream.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    for round in 0..20 {
        wire.send(&get("/shop/v1/", "")).await;
        assert_eq!(wire.receive(false).await.unwrap().status(), 200, "{round}");
    }
    assert_eq!((upstream.connections(), upstream.requests()), (1, 20));
    assert_eq!(bed.metrics.sum(|worker| worker.upstream_reuses.get()), 19);
    assert_eq!(bed.metrics.sum(|worker| worker.requests[1].get()), 20);
    assert_eq!(bed.metrics.sum(|worker| worker.accepted.get()), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_with_either_framing() {
    let upstream = Upstream::echo().await;
    let mut bed = Setup::before(&[upstream.address]).start();
    let sized = "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    let answer = call(bed.address, sized).await;
    assert_eq!(seen(&answer).header("content-length").as_deref(), Some("5"));
    assert_eq!(seen(&answer).text(), "hello");
    assert_eq!(bed.record().await.bytes_in, 5);
    let chunked = "PUT /shop/v1/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                   3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nX-Sum: 7\r\nX-Consumer-Id: evil\r\n\r\n";
    let answer = call(bed.address, chunked).await;
    assert_eq!(
        seen(&answer).header("transfer-encoding").as_deref(),
        Some("chunked")
    );
    assert_eq!(seen(&answer).text(), "hello[x-sum: 7]");
    assert_eq!(bed.record().await.bytes_in, 5);
    let empty = "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        seen(&call(bed.address, empty).await)
            .header("content-length")
            .as_deref(),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_stream_both_ways() {
    let upstream = Upstream::start(|mut wire, _| async move {
        let request = wire.receive(false).await.unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            request.body.len()
        );
        wire.send(&head).await;
        wire.stream.write_all(&request.body).await.unwrap();
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let body: String = (0..600_000)
        .map(|n| char::from(b'a' + u8::try_from(n % 26).unwrap()))
        .collect();
    let request = format!(
        "POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut wire = Wire::connect(bed.address).await;
    wire.send(&request).await;
    let answer = wire.receive(false).await.unwrap();
    assert!(answer.whole);
    assert_eq!(answer.text(), body);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_keep_their_shape() {
    let upstream = Upstream::start(|mut wire, _| async move {
        while let Some(request) = wire.receive(false).await {
            let answer = match request.head.split(' ').nth(1).unwrap() {
                "/none" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/same" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 7\r\n\r\n",
                "/early" => {
                    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n",
            };
            wire.send(answer).await;
        }
    })
    .await;
    let mut bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    wire.send("HEAD /shop/v1/head HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = wire.receive(true).await.unwrap();
    assert_eq!(
        (head.status(), head.header("content-length").as_deref()),
        (200, Some("12"))
    );
    wire.send(&get("/shop/v1/none", "")).await;
    let none = wire.receive(false).await.unwrap();
    assert_eq!((none.status(), none.header("content-length")), (204, None));
    wire.send(&get("/shop/v1/same", "")).await;
    let same = wire.receive(false).await.unwrap();
    assert_eq!(
        (same.status(), same.header("etag").as_deref()),
        (304, Some("\"x\""))
    );
    wire.send(&get("/shop/v1/early", "")).await;
    let early = wire.receive(false).await.unwrap();
    assert_eq!((early.status(), early.text()), (200, "ok".to_owned()));
    assert_eq!(upstream.connections(), 1);
    for status in [200, 204, 304, 200] {
        let record = bed.record().await;
        assert_eq!((record.status, record.complete), (status, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_take_turns_by_weight_and_a_dead_one_is_skipped() {
    let (light, heavy) = (Upstream::echo().await, Upstream::echo().await);
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut setup = Setup::before(&[light.address, heavy.address, dead]);
    setup.targets[1].1 = 3;
    let bed = setup.start();
    for _ in 0..50 {
        assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
    }
    assert_eq!(light.requests() + heavy.requests(), 50);
    assert!(
        heavy.requests() > light.requests(),
        "{} {}",
        heavy.requests(),
        light.requests()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_died_costs_no_call() {
    // Answers once, then closes as soon as the second request comes.
    let upstream = Upstream::start(|mut wire, seen| async move {
        wire.receive(false).await.unwrap();
        seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        wire.receive(false).await;
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut wire = Wire::connect(bed.address).await;
    for _ in 0..6 {
        wire.send(&get("/shop/v1/", "")).await;
        assert_eq!(wire.receive(false).await.unwrap().status(), 200);
    }
    assert_eq!(upstream.requests(), 6);
    // A request with an effect is not sent twice.
    wire.send("POST /shop/v1/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        .await;
    let answer = wire.receive(false).await.unwrap();
    assert_eq!(
        (answer.status(), answer.code()),
        (502, "upstream_invalid".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_not_offered_to_the_upstream() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
    let answer = call(bed.address, &get("/shop/v1/", lines)).await;
    assert_eq!(answer.status(), 200);
    assert!(seen(&answer).values("upgrade").is_empty());
}
