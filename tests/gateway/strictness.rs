//! One request sent is at most one request forwarded, on the path that was checked.

mod table;

use std::io::{Read, Write};
use std::net::TcpStream;

use gatewright_testkit::http::Client;
use serde_json::json;

use self::table::{FIELDS, FRAMING, Fate, REQUEST_LINES};
use crate::world::{SOON, shared};

/// Sends bytes in slices and reads to the end of the connection.
fn exchange(gateway: &Client, bytes: &[u8], slice: usize) -> String {
    let mut stream = TcpStream::connect(gateway.authority()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    for part in bytes.chunks(slice) {
        // A gateway that has refused already does not listen any more.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    // A reset behind the answer is an end as well.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_received_are_those_that_the_table_expects() {
    let world = shared().await;
    world.publish("edge", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    crate::world::settles_at(&gateway, "/edge/v1/pets", 200).await;
    let host = gateway.authority().to_owned();
    let rows = [REQUEST_LINES, FIELDS, FRAMING].concat();
    for (number, (rule, template, fate)) in rows.into_iter().enumerate() {
        for slice in [usize::MAX, 3] {
            let (mark, after) = (
                format!("row={number}s{slice}e"),
                format!("after={number}s{slice}e"),
            );
            let request = template
                .replace("{p}", &format!("/edge/v1/pets?{mark}"))
                .replace("{h}", &host);
            let next =
                format!("GET /edge/v1/pets?{after} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = exchange(&gateway, format!("{request}{next}").as_bytes(), slice);
            let (expected, status, open) = match fate {
                Fate::Forwarded(count) => (count, 200, true),
                Fate::Last(count) => (count, 200, false),
                Fate::Refused(status) => (0, status, false),
                Fate::Answered(status) => (0, status, true),
            };
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{rule}: {answer:?}"
            );
            assert!(answer.contains("\r\nx-request-id: call_"), "{rule}: {answer:?}");
            if status >= 400 {
                assert!(answer.contains("application/problem+json"), "{rule}: {answer:?}");
            }
            let received = world.echo.received_with(&mark).len();
            assert_eq!(received, expected, "{rule}: {answer:?}");
            let understood = world.echo.received_with(&after).len();
            assert_eq!(understood, usize::from(open), "{rule}: {answer:?}");
            let answers = answer.matches("HTTP/1.1 ").count();
            let wanted = expected.max(1) + usize::from(open);
            assert_eq!(answers, wanted, "{rule}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_path_that_is_checked_is_the_path_that_is_forwarded() {
    let world = shared().await;
    world.publish("fenced", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    crate::world::settles_at(&gateway, "/fenced/v1/pets", 200).await;
    let tricks = [
        "/fenced/v1/pets/%2e%2e/%2e%2e/admin?trick",
        "/fenced/v1/pets/..%2fadmin?trick",
        "/fenced/v1/pets/..%5cadmin?trick",
        "/fenced/v1/pets/%00?trick",
        "/fenced/v1/../../admin?trick",
    ];
    for path in tricks {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            gateway.authority()
        );
        let answer = gateway.raw(request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
    assert!(
        world.echo.received_with("?trick").is_empty(),
        "{:?}",
        world.echo.received_with("?trick")
    );
}
