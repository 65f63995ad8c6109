//! A backup that is taken while people work, and what comes out of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatewright_testkit::http::{Client, text};
use gatewright_testkit::server::{MASTER_KEY, Server, Setup};
use gatewright_testkit::smtp::SmtpSink;
use http::Method;
use serde_json::{Value, json};

use super::load::size;
use crate::stores;
use crate::world::{World, items};

/// 32 bytes of 8.
const ANOTHER_KEY: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_backup_of_sqlite_restores_whole() {
    let sink = SmtpSink::start().await;
    let with_mail = |setup: Setup| mailing(setup, &sink).env("GATEWRIGHT_MASTER_KEY", MASTER_KEY);
    let from = with_mail(Setup::embedded());
    let into = with_mail(Setup::embedded());
    round_trip(from, into, &sink).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r15_a_backup_of_postgres_restores_whole() {
    let (Some(first), Some(second)) = (stores::database(), stores::database()) else {
        return;
    };
    let sink = SmtpSink::start().await;
    let setup = |url: &str| mailing(Setup::cluster(url, "").without_env("GATEWRIGHT_REDIS_URL"), &sink);
    round_trip(setup(&first.url), setup(&second.url), &sink).await;
}

fn mailing(setup: Setup, sink: &SmtpSink) -> Setup {
    setup
        .env("GATEWRIGHT_SMTP_URL", sink.url())
        .env("GATEWRIGHT_MAIL_FROM", "no-reply@shop.example")
}

async fn round_trip(from: Setup, into: Setup, sink: &SmtpSink) {
    let world = World::from_server(from.start());
    let published = world.publish("kept", json!({})).await;
    let consumer = world.consumer(&published).await;
    let (lost_id, lost) = world.credential(&consumer.application).await;
    world
        .admin
        .verb(&format!("/credentials/{lost_id}/revoke"))
        .await
        .expect(200);
    let configuration = newest_parts(&world.admin).await;
    // A letter that is on its way when the backup is taken, and never arrives.
    sink.refuse_next(1_000);
    let user = json!({"email": "bo@example.com", "name": "Bo"});
    let user = world.admin.post("/users", &user).await.expect(201);
    let invited = world
        .admin
        .verb(&format!("/users/{}/invite", text(&user, "id")))
        .await
        .expect(200);
    assert_eq!(invited["mailed"], true, "{invited}");

    let writer = Writer::start(&world.admin, &consumer.application);
    writer.has_written(size(5, 500)).await;
    let before = writer.keys();
    let archive = from.data_dir().join("archive.gwb");
    let archive = archive.to_str().unwrap();
    let since = Instant::now();
    let exit = from.command(&["backup", archive]);
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    let took = since.elapsed();
    writer.end();
    let World {
        server, echo: _echo, ..
    } = world;
    server.stop();

    wrong_key(&into, archive);
    let since = Instant::now();
    let exit = into.command(&["restore", archive]);
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    println!(
        "FIGURE: R15 backup of {} KiB in {took:?}, restored in {:?}",
        std::fs::metadata(archive).unwrap().len() >> 10,
        since.elapsed()
    );
    let letters = sink.received().len();
    sink.refuse_next(0);
    let server = into.start();
    let admin = server.management().bearer(&into.token());
    let chain = admin.get("/audit-chain").await.expect(200);
    assert_eq!(chain["intact"], true, "{chain}");
    assert_eq!(
        newest_parts(&admin).await,
        configuration,
        "the configuration has the same hashes"
    );
    keys_act_as_before(&server, before.iter().chain([&consumer.secret]), &lost).await;
    // The worker delivers what it finds within a second of its start; nothing may be there.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sink.received().len(), letters, "no letter is sent again");
}

async fn keys_act_as_before(server: &Server, kept: impl Iterator<Item = &String>, lost: &str) {
    for secret in kept {
        let gateway = server.gateway().with("x-api-key", secret);
        gateway.get("/kept/v1/pets").await.expect(200);
    }
    let gateway = server.gateway().with("x-api-key", lost);
    gateway
        .get("/kept/v1/pets")
        .await
        .expect_problem(401, "key_invalid");
}

fn wrong_key(into: &Setup, archive: &str) {
    let wrong = into.clone().env("GATEWRIGHT_MASTER_KEY", ANOTHER_KEY);
    let exit = wrong.command(&["restore", archive]);
    assert_eq!(exit.code, 64, "{}", exit.stderr);
    assert!(
        exit.stderr.contains("another master key") && exit.stderr.contains("nothing was restored"),
        "{}",
        exit.stderr
    );
}

/// Kind, key and hash of everything that the newest configuration is made of.
async fn newest_parts(admin: &Client) -> Value {
    let snapshots = items(&admin.get("/snapshots").await.expect(200));
    let newest = snapshots
        .iter()
        .filter_map(|snapshot| snapshot["seq"].as_i64())
        .max();
    let manifest = admin
        .get(&format!("/snapshots/{}", newest.unwrap()))
        .await
        .expect(200);
    assert!(
        manifest["parts"].as_array().is_some_and(|parts| parts.len() >= 3),
        "{manifest}"
    );
    manifest["parts"].clone()
}

/// Somebody who makes keys until told to stop.
struct Writer {
    keys: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Writer {
    fn start(admin: &Client, application: &str) -> Self {
        let (keys, stop) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::new(AtomicBool::new(false)),
        );
        let (made, stopped) = (Arc::clone(&keys), Arc::clone(&stop));
        let (admin, path) = (admin.json(), format!("/applications/{application}/credentials"));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) && made.lock().unwrap().len() < 90 {
                let body = json!({"kind": "api_key", "name": "more"}).to_string();
                let Ok(reply) = admin.attempt(Method::POST, &path, body).await else {
                    return;
                };
                if reply.status == 201 {
                    made.lock()
                        .unwrap()
                        .push(text(&reply.json(), "secret").to_owned());
                }
            }
        });
        Self { keys, stop, task }
    }

    async fn has_written(&self, wanted: usize) {
        let wanted = wanted.min(80);
        gatewright_testkit::wait::eventually(Duration::from_secs(60), "keys are made", || async {
            (self.keys.lock().unwrap().len() >= wanted).then_some(())
        })
        .await;
    }

    fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.abort();
    }
}
