//! What was acknowledged survives the death of the process, whatever it was doing.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatewright_testkit::http::{Client, text};
use gatewright_testkit::server::{Server, Setup};
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::{Value, json};

use super::load::{PATIENCE, size};
use crate::world::{World, all_items, settles_at, settles_within};

both_stores!(
    an_acknowledged_revocation_survives_a_crash,
    r16_kills_at_random_steps_leave_nothing_half_done
);

async fn an_acknowledged_revocation_survives_a_crash(world: World) {
    let published = world.publish("crashing", json!({})).await;
    let consumer = world.consumer(&published).await;
    let (id, secret) = world.credential(&consumer.application).await;
    settles_at(
        &world.gateway().with("x-api-key", &secret),
        "/crashing/v1/pets",
        200,
    )
    .await;
    world
        .admin
        .verb(&format!("/credentials/{id}/revoke"))
        .await
        .expect(200);
    let World {
        server,
        node,
        echo: _echo,
        _stores,
        ..
    } = world;
    let (setup, node_setup) = (
        server.setup().clone(),
        node.as_ref().map(|node| node.setup().clone()),
    );
    server.kill();
    if let Some(node) = node {
        node.kill();
    }
    let server = setup.start();
    let node = node_setup.map(|setup| setup.start());
    // The process that acknowledged it knows it at once.
    server
        .gateway()
        .with("x-api-key", &secret)
        .get("/crashing/v1/pets")
        .await
        .expect_problem(401, "key_invalid");
    // Another one may have died before it was told.
    let gateway = node.as_ref().unwrap_or(&server).gateway();
    let refused = settles_at(&gateway.with("x-api-key", &secret), "/crashing/v1/pets", 401).await;
    refused.expect_problem(401, "key_invalid");
    settles_at(
        &gateway.with("x-api-key", &consumer.secret),
        "/crashing/v1/pets",
        200,
    )
    .await;
}

/// What somebody at the management API has been told so far.
#[derive(Debug, Default)]
struct Told {
    /// Keys by their id: the secret, and whether it was revoked.
    keys: BTreeMap<String, (String, bool)>,
    /// The key whose revocation was asked for and not answered.
    revoking: Option<String>,
    /// The state of the subscription to the second plan, and the one that was asked for.
    subscription: &'static str,
    moving: Option<&'static str>,
    /// Answered moves of it.
    moves: usize,
    asked: usize,
}

struct Place {
    application: String,
    subscription: String,
}

async fn r16_kills_at_random_steps_leave_nothing_half_done(mut world: World) {
    let published = world.publish("lively", json!({})).await;
    let other = world.publish("moving", json!({})).await;
    let consumer = world.consumer(&published).await;
    let subscription = world.subscribe(&consumer.application, &other.plan).await;
    let place = Place {
        application: consumer.application.clone(),
        subscription: text(&subscription, "id").to_owned(),
    };
    let token = world.server.setup().token();
    let told = Arc::new(Mutex::new(Told {
        subscription: "active",
        ..Told::default()
    }));
    // The node of a cluster is killed by another test: here it is the one that writes.
    let setup = world.server.setup().clone();
    let kills = size(5, 100);
    let mut dice = u64::from(std::process::id());
    for round in 1..=kills {
        let busy = busy(&world.server, &token, &place, &told);
        // However slow this machine is, something was acknowledged that may be lost.
        eventually(PATIENCE, "changes are acknowledged", || async {
            let told = told.lock().unwrap();
            (told.keys.len() >= round && told.moves > 0).then_some(())
        })
        .await;
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((dice >> 33) % 400_000));
        world = World {
            server: die_and_return(world.server, &setup),
            ..world
        };
        busy.join().unwrap();
        world.admin = world.server.management().bearer(&token);
        holds(&world, &place, &told).await;
    }
    let told = told.lock().unwrap();
    println!(
        "FIGURE: {kills} kills: {} requests, {} keys and {} moves acknowledged, none lost, none in halves, the chain whole",
        told.asked,
        told.keys.len(),
        told.moves
    );
}

/// A kill, the checks of the files that it left, and a start.
fn die_and_return(server: Server, setup: &Setup) -> Server {
    server.kill();
    for file in ["control.db", "traffic.db"] {
        let path = setup.data_dir().join(file);
        if path.exists() {
            // Not by the product's own eyes.
            let output = Command::new("sqlite3")
                .arg(&path)
                .arg("PRAGMA integrity_check; PRAGMA foreign_key_check;")
                .output()
                .expect("sqlite3 is installed (Debian: sqlite3)");
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(
                said.trim(),
                "ok",
                "{file}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    setup.start()
}

/// Somebody who changes things until nobody answers any more.
fn busy(server: &Server, token: &str, place: &Place, told: &Arc<Mutex<Told>>) -> std::thread::JoinHandle<()> {
    let admin = server.management().bearer(token);
    let told = Arc::clone(told);
    let keys = format!("/applications/{}/credentials", place.application);
    let subscription = format!("/subscriptions/{}", place.subscription);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(async {
            for step in 0.. {
                let goes_on = match step % 3 {
                    0 => issue(&admin, &keys, &told).await,
                    1 => revoke(&admin, &told).await,
                    _ => shift(&admin, &subscription, &told).await,
                };
                if !goes_on {
                    return;
                }
            }
        });
    })
}

async fn issue(admin: &Client, keys: &str, told: &Mutex<Told>) -> bool {
    let body = json!({"kind": "api_key", "name": "main"}).to_string();
    told.lock().unwrap().asked += 1;
    let Ok(reply) = admin.json().attempt(Method::POST, keys, body).await else {
        return false;
    };
    let key = reply.expect(201);
    let (id, secret) = (text(&key, "id").to_owned(), text(&key, "secret").to_owned());
    told.lock().unwrap().keys.insert(id, (secret, false));
    true
}

async fn revoke(admin: &Client, told: &Mutex<Told>) -> bool {
    let oldest = {
        let mut told = told.lock().unwrap();
        told.asked += 1;
        let alive: Vec<String> = told
            .keys
            .iter()
            .filter(|(_, (_, revoked))| !revoked)
            .map(|(id, _)| id.clone())
            .collect();
        // Some keys stay: they have to go on working.
        let [oldest, _, _, ..] = alive.as_slice() else {
            return true;
        };
        told.revoking = Some(oldest.clone());
        oldest.clone()
    };
    let path = format!("/credentials/{oldest}/revoke");
    let Ok(reply) = admin.attempt(Method::POST, &path, "").await else {
        return false;
    };
    reply.expect(200);
    let mut told = told.lock().unwrap();
    told.revoking = None;
    if let Some((_, revoked)) = told.keys.get_mut(&oldest) {
        *revoked = true;
    }
    drop(told);
    true
}

async fn shift(admin: &Client, subscription: &str, told: &Mutex<Told>) -> bool {
    let (verb, next) = {
        let mut told = told.lock().unwrap();
        told.asked += 1;
        let (verb, next) = match told.subscription {
            "active" => ("suspend", "suspended"),
            _ => ("resume", "active"),
        };
        told.moving = Some(next);
        (verb, next)
    };
    let body = json!({"reason": "for the tests"}).to_string();
    let client = if verb == "suspend" {
        admin.json()
    } else {
        admin.clone()
    };
    let body = if verb == "suspend" { body } else { String::new() };
    let path = format!("{subscription}/{verb}");
    let Ok(reply) = client.attempt(Method::POST, &path, body).await else {
        return false;
    };
    reply.expect(200);
    let mut told = told.lock().unwrap();
    told.moving = None;
    told.subscription = next;
    told.moves += 1;
    drop(told);
    true
}

/// The store says what somebody was told, or the step that was not answered in whole.
async fn holds(world: &World, place: &Place, told: &Mutex<Told>) {
    let admin = &world.admin;
    let chain = admin.get("/audit-chain").await.expect(200);
    assert_eq!(chain["intact"], true, "{chain}");

    let path = format!("/applications/{}/credentials?limit=100", place.application);
    let stored = all_items(admin, &path).await;
    let events = all_items(admin, "/audit-events?limit=100").await;
    let shown = admin
        .get(&format!("/subscriptions/{}", place.subscription))
        .await
        .expect(200);
    let state = text(&shown, "state");
    let keys = {
        let mut told = told.lock().unwrap();
        agrees(&mut told, &stored, &events);
        moved(&mut told, &events, &place.subscription, state);
        told.keys.clone()
    };
    answered_as_told(world, &keys).await;
}

/// How many events tell of this.
fn count(events: &[Value], action: &str, id: &str) -> usize {
    let same = |event: &&Value| text(event, "action") == action && text(event, "subject_id") == id;
    events.iter().filter(same).count()
}

/// Every key is stored as it was told, and has the events of its state.
fn agrees(told: &mut Told, stored: &[Value], events: &[Value]) {
    for key in stored {
        let (id, state) = (text(key, "id"), text(key, "state"));
        assert_eq!(count(events, "credential.issue", id), 1, "{id} was issued once");
        assert_eq!(
            count(events, "credential.revoke", id),
            usize::from(state == "revoked"),
            "{id} is {state}, and its events say so"
        );
    }
    let unanswered = told.revoking.take();
    for (id, (_, revoked)) in &mut told.keys {
        let known = stored.iter().find(|key| text(key, "id") == id);
        let state = text(known.unwrap_or_else(|| panic!("{id} is lost")), "state");
        if unanswered.as_ref() == Some(id) {
            // Nobody was told: either is right, and from now on it stays.
            *revoked = state == "revoked";
        }
        assert_eq!(*revoked, state == "revoked", "{id} is {state}");
    }
}

/// The subscription is where it was told to be, and has an event for each move.
fn moved(told: &mut Told, events: &[Value], subscription: &str, state: &str) {
    if let Some(asked) = told.moving.take()
        && state == asked
    {
        told.subscription = asked;
        told.moves += 1;
    }
    assert_eq!(told.subscription, state);
    let moves = ["subscription.suspend", "subscription.resume"]
        .map(|action| count(events, action, subscription))
        .iter()
        .sum::<usize>();
    assert_eq!(
        moves, told.moves,
        "each move has its event, and no other is there"
    );
}

/// The gateways know it: the one that acknowledged it at once, the other one soon.
async fn answered_as_told(world: &World, keys: &BTreeMap<String, (String, bool)>) {
    // All keys of a long run would take longer than the run: the newest are in question.
    for (secret, revoked) in keys.values().rev().take(12) {
        let status = if *revoked { 401 } else { 200 };
        let client = world.server.gateway().with("x-api-key", secret);
        assert_eq!(client.get("/lively/v1/pets").await.status, status);
        for gateway in world.gateways() {
            let client = gateway.with("x-api-key", secret);
            settles_within(PATIENCE, &client, "/lively/v1/pets", |reply| {
                reply.status == status
            })
            .await;
        }
    }
}
