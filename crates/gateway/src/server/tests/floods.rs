//! Clients that cost more than they ask for: each is ended, memory stays
//! bounded, and others are served meanwhile (`security.md`, T19).

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bed::{Bed, Setup};
use super::wire::{Upstream, Wire, call, get};
use crate::http2::PREFACE;
use crate::testing::eventually;
use crate::worker::memory::HTTP1_CONNECTION;

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET /nowhere` of `a`, in the static table of RFC 7541.
fn head() -> Vec<u8> {
    let mut head = vec![0x82, 0x86, 0x04, 8];
    head.extend(b"/nowhere");
    head.extend([0x01, 1, b'a']);
    head
}

/// Sends these frames until the gateway closes; the kinds of the frames that it sent.
async fn kinds_until_closed(bed: &Bed, mut flood: impl FnMut(u32) -> Vec<u8>) -> Vec<u8> {
    let stream = TcpStream::connect(bed.address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let read = tokio::spawn(async move {
        let mut bytes = Vec::new();
        // A reset after the farewell is an end as well.
        drop(reading.read_to_end(&mut bytes).await);
        bytes
    });
    writing.write_all(PREFACE).await.unwrap();
    writing.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    for number in 0..100_000 {
        if writing.write_all(&flood(number)).await.is_err() {
            break;
        }
    }
    drop(writing);
    let bytes = read.await.unwrap();
    let mut kinds = Vec::new();
    let mut rest = &bytes[..];
    while let [high, middle, low, kind, _, _, _, _, _, behind @ ..] = rest {
        kinds.push(*kind);
        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
        rest = behind.get(length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_are_told_goodbye_and_ended() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let pings = kinds_until_closed(&bed, |_| frame(PING, 0, 0, &[0; 8])).await;
    assert!(pings.contains(&GOAWAY), "{pings:?}");
    assert!(pings.iter().filter(|kind| **kind == PING).count() < 200);
    let settings = kinds_until_closed(&bed, |_| frame(SETTINGS, 0, 0, &[])).await;
    assert!(settings.contains(&GOAWAY), "{settings:?}");
    let resets = kinds_until_closed(&bed, |number| {
        let stream = number * 2 + 1;
        let mut both = frame(HEADERS, END_HEADERS | END_STREAM, stream, &head());
        both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        both
    })
    .await;
    assert!(resets.contains(&GOAWAY), "{resets:?}");
    let endless = kinds_until_closed(&bed, |number| match number {
        0 => frame(HEADERS, END_STREAM, 1, &head()),
        _ => frame(CONTINUATION, 0, 1, &[]),
    })
    .await;
    assert!(endless.contains(&GOAWAY), "{endless:?}");
    eventually(|| bed.metrics.level(|worker| worker.connections.get()) == 0).await;
    assert!(bed.metrics.sum(|worker| worker.floods.get()) >= 3);
    assert_eq!(bed.metrics.level(|worker| worker.in_flight.get()), 0);
    assert_eq!(bed.metrics.level(|worker| worker.buffered.get()), 0);
    assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_hold_bounded_memory_and_end_in_time() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.times.head = Duration::from_secs(6);
    let bed = setup.start();
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::connect(bed.address).await;
        wire.send("GET /shop/v1/ HTTP/1.1\r\nHost: a\r\nCookie: ").await;
        wire.send(&"c".repeat(30_000)).await;
        slow.push(wire);
    }
    let held = || bed.metrics.level(|worker| worker.buffered.get());
    eventually(|| held() > 100 * 30_000).await;
    assert!(held() < 100 * 100 * 1024, "{}", held());
    assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
    for mut wire in slow {
        let answer = wire.receive(false).await.unwrap();
        assert_eq!(
            (answer.status(), answer.code()),
            (408, "request_timeout".to_owned())
        );
        assert!(wire.is_closed().await);
    }
    eventually(|| bed.metrics.level(|worker| worker.buffered.get()) == 0).await;
    assert_eq!(bed.metrics.sum(|worker| worker.slow_clients.get()), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_make_room_when_memory_is_scarce() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.max_buffered = 10 * HTTP1_CONNECTION;
    let bed = setup.start();
    let mut idle = Vec::new();
    for _ in 0..10 {
        let mut wire = Wire::connect(bed.address).await;
        wire.send(&get("/shop/v1/", "")).await;
        assert_eq!(wire.receive(false).await.unwrap().status(), 200);
        idle.push(wire);
    }
    assert_eq!(bed.metrics.sum(|worker| worker.made_room.get()), 0);
    let mut next = Wire::connect(bed.address).await;
    next.send(&get("/shop/v1/", "")).await;
    for wire in &mut idle {
        assert!(wire.is_closed().await);
    }
    assert_eq!(bed.metrics.sum(|worker| worker.made_room.get()), 10);
    // Whether it was admitted or refused for now depends on who came first.
    assert!(matches!(next.receive(false).await.unwrap().status(), 200 | 503));
    assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_takes_all_memory_is_refused() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.settings.max_buffered = 2 * HTTP1_CONNECTION;
    let bed = setup.start();
    let mut greedy = Wire::connect(bed.address).await;
    greedy.send("GET /shop/v1/ HTTP/1.1\r\nHost: a\r\nCookie: ").await;
    greedy.send(&"c".repeat(30_000)).await;
    let answer = greedy.receive(false).await.unwrap();
    assert_eq!((answer.status(), answer.code()), (503, "overloaded".to_owned()));
    assert!(answer.header("retry-after").is_some());
    assert!(greedy.is_closed().await);
    eventually(|| bed.metrics.level(|worker| worker.buffered.get()) == 0).await;
    assert_eq!(call(bed.address, &get("/shop/v1/", "")).await.status(), 200);
}
