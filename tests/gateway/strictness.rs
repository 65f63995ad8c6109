//! One request sent is at most one request forwarded, on the path that was checked.

use serde_json::json;

use crate::world::shared;

#[tokio::test]
async fn ambiguous_requests_are_refused_and_never_become_two() {
    let world = shared().await;
    world.publish("edge", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    crate::world::settles_at(&gateway, "/edge/v1/pets", 200).await;
    let host = gateway.authority().to_owned();
    let cases = [
        (
            "both lengths",
            format!(
                "POST /edge/v1/pets?smuggle HTTP/1.1\r\nhost: {host}\r\ncontent-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nG"
            ),
        ),
        (
            "two encodings",
            format!(
                "POST /edge/v1/pets?smuggle HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("no host", "GET /edge/v1/pets?smuggle HTTP/1.1\r\n\r\n".to_owned()),
        (
            "two hosts",
            format!("GET /edge/v1/pets?smuggle HTTP/1.1\r\nhost: {host}\r\nhost: other\r\n\r\n"),
        ),
        (
            "other host in the target",
            format!("GET http://other/edge/v1/pets?smuggle HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        ),
        (
            "connect",
            format!("CONNECT {host} HTTP/1.1\r\nhost: {host}\r\n\r\n"),
        ),
    ];
    for (name, request) in cases {
        let before = world.echo.received_with("?smuggle").len();
        let answer = gateway.raw(request.as_bytes());
        let status = answer.get(9..12).unwrap_or_default();
        assert!(status.starts_with('4') || answer.is_empty(), "{name}: {answer}");
        assert_eq!(
            world.echo.received_with("?smuggle").len(),
            before,
            "{name} reached the upstream"
        );
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
