//! The disk is full.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gatewright_testkit::server::Setup;
use gatewright_testkit::wait::{Standstill, eventually};
use http::Method;
use serde_json::json;

use super::load::{Load, PATIENCE, all_answered, metric, size};
use crate::world::{Consumer, World, settles_at};

/// R12: from the moment on at which there is room again.
const RECOVERS: Duration = Duration::from_secs(10);

/// A small file system over a directory, as long as this lives.
struct Small {
    at: PathBuf,
}

impl Small {
    /// Nothing where this user may not mount one; then the test says so.
    fn over(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m,mode=700", "gatewright-test"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { at: at.to_owned() });
        }
        eprintln!("SKIPPED: a full disk needs the right to mount a file system");
        None
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap();
        for piece in [1 << 20, 4_096, 1] {
            let zeros = vec![0; piece];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What is still open keeps it until the process has ended.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.at).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[tokio::test]
async fn r12_a_full_disk_stops_changes_and_nothing_else() {
    let setup = Setup::embedded();
    let Some(disk) = Small::over(setup.data_dir()) else {
        return;
    };
    let world = World::from_server(setup.start());
    let published = world.publish("full", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, "/full/v1/pets", 200).await;
    let load = Load::start(std::slice::from_ref(&gateway), "/full/v1/pets", 2);
    load.goes_on(50).await;

    disk.fill();
    let application = json!({"name": "Too much", "environment": "live"}).to_string();
    // What fits in pages that are there already is taken; then it ends.
    let refused = eventually(PATIENCE, "a change is refused", || async {
        let reply = world
            .admin
            .json()
            .send(Method::POST, "/applications", application.clone())
            .await;
        (reply.status != 201).then_some(reply)
    })
    .await;
    assert!(matches!(refused.status, 503 | 507), "{refused}");
    load.goes_on(size(300, 20_000)).await;
    world.server.status().get("/healthz").await.expect(200);
    world.server.status().get("/readyz").await.expect(200);
    world.admin.get("/apis").await.expect(200);

    disk.make_room();
    let (since, standstill) = (Instant::now(), Standstill::watch());
    taken_again(&world, &consumer, since, &standstill).await;
    println!(
        "FIGURE: R12 changes were taken {:?} after there was room; {} call records lost",
        since.elapsed(),
        metric(&world.server, "call_records_lost_total").await
    );
    all_answered(&load.end(), 200);
    let chain = world.admin.get("/audit-chain").await.expect(200);
    assert_eq!(chain["intact"], true, "{chain}");
    let recorded = gateway.get("/full/v1/pets").await;
    let path = format!("/calls/{}", recorded.must_have("x-request-id"));
    eventually(PATIENCE, "calls are recorded again", || async {
        (world.admin.get(&path).await.status == 200).then_some(())
    })
    .await;
    let exit = world.server.stop();
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    assert!(!exit.stderr.contains("panicked"), "{}", exit.stderr);
}

/// Repeats a change until it is taken, as long as that may last.
async fn taken_again(world: &World, consumer: &Consumer, since: Instant, standstill: &Standstill) {
    let path = format!("/applications/{}/credentials", consumer.application);
    let key = json!({"kind": "api_key", "name": "after"});
    loop {
        let reply = world.admin.post(&path, &key).await;
        if reply.status == 201 {
            return;
        }
        let log = world.server.log();
        let end = log.len().saturating_sub(4_000);
        assert!(
            since.elapsed().saturating_sub(standstill.lost()) < RECOVERS,
            "{reply}\n{}",
            log.get(end..).unwrap_or(&log)
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
