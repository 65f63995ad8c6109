//! Clients that cost more than they ask for: the process keeps its size, ends
//! them in time, and serves others meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use gatewright_testkit::wait::Standstill;
use serde_json::json;

use crate::world::{SOON, World, settles_at};

const MIB: u64 = 1024 * 1024;
/// Within this time an attacker is gone (`security.md`, T19).
const ENDED: Duration = Duration::from_secs(15);

/// Resident memory of a process in bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// Connections that each send a head of 30 KiB without its end.
fn slow_heads(authority: &str, count: usize) -> Vec<TcpStream> {
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(authority).unwrap();
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}", "c".repeat(30 * 1024));
            stream.write_all(head.as_bytes()).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream
        })
        .collect()
}

/// Sends frames of HTTP/2 until the other side ends the connection.
fn flood(authority: &str, frame: &[u8]) {
    let mut stream = TcpStream::connect(authority).unwrap();
    let standstill = Standstill::watch();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let many = frame.repeat(1_000);
    let began = Instant::now();
    while stream.write_all(&many).is_ok() {
        let had = began.elapsed().saturating_sub(standstill.lost());
        assert!(had < ENDED, "nobody ends a flood");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_neither_grow_the_process_nor_stop_others() {
    let world = World::embedded();
    world.publish("calm", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    settles_at(&gateway, "/calm/v1/pets", 200).await;
    let (authority, pid) = (gateway.authority().to_owned(), world.server.pid());
    let before = resident(pid);
    let (began, standstill) = (Instant::now(), Standstill::watch());
    let slow = tokio::task::spawn_blocking({
        let authority = authority.clone();
        move || slow_heads(&authority, 400)
    });
    let slow = slow.await.unwrap();
    let floods = tokio::task::spawn_blocking(move || {
        // PING, SETTINGS, and an empty DATA.
        flood(&authority, b"\0\0\x08\x06\0\0\0\0\0abcdefgh");
        flood(&authority, b"\0\0\0\x04\0\0\0\0\0");
        flood(&authority, b"\0\0\x05\x02\0\0\0\0\x01abcde");
    });
    let mut took = Vec::new();
    for _ in 0..100 {
        let asked = Instant::now();
        assert_eq!(gateway.get("/calm/v1/pets").await.status, 200);
        took.push(asked.elapsed());
    }
    floods.await.unwrap();
    let grown = resident(pid).saturating_sub(before);
    assert!(grown < 64 * MIB, "grew by {} MiB", grown / MIB);
    took.sort_unstable();
    // A moment without the machine is a call or two of these.
    assert!(took[94] < Duration::from_secs(2), "calls took {took:?}");
    let answers = tokio::task::spawn_blocking(move || {
        slow.into_iter()
            .map(|mut stream| {
                let mut answer = Vec::new();
                drop(stream.read_to_end(&mut answer));
                String::from_utf8_lossy(&answer).into_owned()
            })
            .collect::<Vec<_>>()
    });
    for answer in answers.await.unwrap() {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
        assert!(answer.contains("\"code\":\"request_timeout\""), "{answer:?}");
    }
    let ended = began.elapsed().saturating_sub(standstill.lost());
    assert!(ended < ENDED, "{ended:?}");
    let metrics = world.server.status().get("/metrics").await.text();
    let figure = |name: &str| {
        let line = metrics.lines().find(|line| line.starts_with(name));
        let text = line.and_then(|line| line.split(' ').nth(1));
        text.and_then(|text| text.parse::<u64>().ok())
            .unwrap_or_else(|| panic!("{name} in {metrics}"))
    };
    assert!(figure("gatewright_clients_slow_total") >= 400);
    assert!(figure("gatewright_connections_flooded_total") >= 3);
}

#[tokio::test]
async fn what_is_compressed_passes_as_it_is() {
    let world = crate::world::shared().await;
    world.publish("packed", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    settles_at(&gateway, "/packed/v1/pets", 200).await;
    // The beginning of a gzip stream that would unfold to far more.
    let packed = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xff; 10_000]].concat();
    let client = gateway.with("content-encoding", "gzip");
    let reply = client
        .send(http::Method::POST, "/packed/v1/pets?packed", packed.clone())
        .await;
    assert_eq!(reply.status, 200);
    let received = world.echo.received_with("?packed");
    assert_eq!(received[0].body, packed);
    assert_eq!(received[0].header("content-encoding"), Some("gzip"));
}
