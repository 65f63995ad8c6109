//! The clock of one node jumps.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gatewright_testkit::server::{Server, Setup};
use serde_json::json;

use super::load::size;
use crate::world::{Consumer, World, code, decided, limit, settles_at};

/// What pretends another time to a process.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let found = folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("SKIPPED: libfaketime is not installed (Debian: faketime)");
    }
    found
}

/// A node whose clock is where `file` says: `+0`, `-1d`, `@2027-02-28 23:59:57`.
fn pretending(setup: &Setup, library: &Path, file: &Path) -> Server {
    let settings = [
        ("LD_PRELOAD", library.as_os_str().to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_os_str().to_owned()),
        ("FAKETIME_NO_CACHE", OsString::from("1")),
        // Steady time is steady, whatever the calendar says.
        ("FAKETIME_DONT_FAKE_MONOTONIC", OsString::from("1")),
        ("DONT_FAKE_MONOTONIC", OsString::from("1")),
    ];
    settings
        .into_iter()
        .fold(setup.another_node("gateway"), |setup, (name, value)| {
            setup.env(name, value)
        })
        .start()
}

#[tokio::test]
async fn r13_a_node_whose_clock_jumps_admits_no_more() {
    let Some(library) = faketime() else { return };
    let Some(world) = World::cluster() else { return };
    let file = world.server.setup().data_dir().join("time");
    std::fs::write(&file, "+0").unwrap();
    let third = pretending(world.server.setup(), &library, &file);
    let amount = size(200, 5_000);
    let quota = limit("quota", "daily", u64::try_from(amount).unwrap(), "1d");
    let published = world.publish("jumping", json!({"limits": [quota]})).await;
    let consumer = world.consumer(&published).await;
    let mut gateways = world.gateways();
    gateways.push(third.gateway());
    let gateways: Vec<_> = gateways
        .iter()
        .map(|gateway| gateway.with("x-api-key", &consumer.secret))
        .collect();
    for gateway in &gateways {
        settles_at(gateway, "/jumping/v1/pets", 200).await;
    }
    let mut admitted = gateways.len();
    // An hour and a day both ways, the end of a month, and both nights in which European clocks are set.
    let jumps = [
        "+1h",
        "-1h",
        "+1d",
        "-1d",
        "@2027-02-28 23:59:58",
        "@2027-03-28 00:59:58",
        "@2026-10-25 00:59:58",
        "+0",
    ];
    for jump in jumps {
        std::fs::write(&file, jump).unwrap();
        for at in 0..amount * 2 / jumps.len() {
            let reply = decided(&gateways[at % gateways.len()], "/jumping/v1/pets").await;
            match reply.status {
                200 => admitted += 1,
                _ => assert_eq!(code(&reply), "quota_exceeded", "{jump}: {reply}"),
            }
            if let Some(wait) = reply.header("retry-after") {
                let wait: u64 = wait.parse().unwrap();
                assert!(
                    (1..=86_400 + 5).contains(&wait),
                    "{jump}: no window is negative: {reply}"
                );
            }
        }
        third.status().get("/healthz").await.expect(200);
    }
    println!(
        "FIGURE: R13 a daily quota of {amount} admitted {admitted} on three nodes, one of them in {} times",
        jumps.len()
    );
    assert!(admitted <= amount, "{admitted} of {amount}");
    std::fs::write(&file, "-1h").unwrap();
    hears_of_changes(&world, &third, &consumer).await;
    let exit = third.stop();
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
}

/// A key that is made now works where it is another time, and ends there too.
async fn hears_of_changes(world: &World, third: &Server, consumer: &Consumer) {
    let other = world.publish("later", json!({})).await;
    world.subscribe(&consumer.application, &other.plan).await;
    let (id, secret) = world.credential(&consumer.application).await;
    let gateway = third.gateway().with("x-api-key", &secret);
    settles_at(&gateway, "/later/v1/pets", 200).await;
    world
        .admin
        .verb(&format!("/credentials/{id}/revoke"))
        .await
        .expect(200);
    settles_at(&gateway, "/later/v1/pets", 401).await;
}
