//! HTTP/2 without TLS from clients, TLS to upstreams, HTTP/1.0.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bed::{Bed, Setup};
use super::wire::{Upstream, call, get};
use crate::testing::eventually;

async fn http2_to(bed: &Bed) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(bed.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(if body.is_empty() { "GET" } else { "POST" })
        .uri(format!("http://api.example{path}"))
        .header("x-consumer-id", "evil")
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_clients_share_a_connection() {
    let upstream = Upstream::echo().await;
    let mut bed = Setup::before(&[upstream.address]).start();
    let sender = http2_to(&bed).await;
    let calls = (0..30).map(|number| {
        let mut sender = sender.clone();
        async move {
            let answer = sender
                .send_request(request(&format!("/shop/v1/{number}"), "hello"))
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(answer.headers().contains_key("x-request-id"));
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            assert!(text.starts_with(&format!("POST /{number} ")), "{text}");
            assert!(text.ends_with("hello") && !text.contains("evil"), "{text}");
            assert!(text.contains("x-forwarded-host: api.example"), "{text}");
        }
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(upstream.requests(), 30);
    assert_eq!(bed.metrics.sum(|worker| worker.accepted.get()), 1);
    for _ in 0..30 {
        assert!(bed.record().await.complete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_refusals_leave_the_connection_open() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut sender = http2_to(&bed).await;
    let mut mismatched = request("/shop/v1/", "");
    mismatched
        .headers_mut()
        .insert("host", "other.example".parse().unwrap());
    let answer = sender.send_request(mismatched).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(!answer.headers().contains_key("connection"));
    // A reset drops what was not sent yet: it may be the head as well.
    let reset = match sender.send_request(request("/shop/v1/", "")).await {
        Ok(cut) => cut.into_body().collect().await.is_err(),
        Err(_) => true,
    };
    assert!(reset, "a cut answer is reset");
    let answer = sender.send_request(request("/nowhere", "")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_says_goaway_and_finishes_streams() {
    let (released, release) = tokio::sync::watch::channel(false);
    let upstream = Upstream::start(move |mut wire, seen| {
        let mut release = release.clone();
        async move {
            wire.receive(false).await;
            seen.fetch_add(1, Ordering::SeqCst);
            release.wait_for(|released| *released).await.unwrap();
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                .await;
        }
    })
    .await;
    let bed = Setup::before(&[upstream.address]).start();
    let address = bed.address;
    let mut sender = http2_to(&bed).await;
    let under_way = tokio::spawn(sender.send_request(request("/shop/v1/", "")));
    eventually(|| upstream.requests() == 1).await;
    let draining = tokio::spawn(bed.drain());
    eventually(|| std::net::TcpStream::connect(address).is_err()).await;
    released.send_replace(true);
    let answer = under_way.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "done");
    assert_eq!(draining.await.unwrap().cut_off, 0);
    // The client would have kept the connection.
    eventually(|| sender.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_clients_get_an_end_they_understand() {
    let upstream =
        Upstream::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            .await;
    let bed = Setup::before(&[upstream.address]).start();
    let answer = call(bed.address, "GET /shop/v1/ HTTP/1.0\r\n\r\n").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.text(), "hello");
}

const CERTIFICATE: &[u8] = include_bytes!("../../../testdata/localhost.cert.der");
const KEY: &[u8] = include_bytes!("../../../testdata/localhost.key.der");

/// An upstream behind TLS as `localhost`, under a certificate that only its own root vouches for.
async fn tls_upstream() -> Upstream {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CERTIFICATE.into()], PrivateKeyDer::Pkcs8(KEY.into()))
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    Upstream::start(move |wire, seen| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(wire.stream).await else {
                return;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut head).await.unwrap();
            }
            seen.fetch_add(1, Ordering::SeqCst);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsealed";
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_behind_tls_is_verified_by_name_and_root() {
    let upstream = tls_upstream().await;
    let port = upstream.address.port();
    let before = |host: &str, trusts: bool| {
        let mut setup = Setup::before(&[]);
        setup.targets = vec![(format!("https://{host}:{port}"), 1)];
        if trusts {
            setup.settings.upstream_roots = vec![CERTIFICATE.into()];
        }
        setup.start()
    };
    let trusted = before("localhost", true);
    let answer = call(trusted.address, &get("/shop/v1/", "")).await;
    assert_eq!((answer.status(), answer.text()), (200, "sealed".to_owned()));
    for bed in [before("localhost", false), before("127.0.0.1", true)] {
        let answer = call(bed.address, &get("/shop/v1/", "")).await;
        assert_eq!(answer.code(), "upstream_unreachable");
    }
    assert_eq!(upstream.requests(), 1);
}
