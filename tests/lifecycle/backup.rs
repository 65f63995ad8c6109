//! The way from SQLite to Postgres and back.

use gatewright_testkit::http::text;
use gatewright_testkit::server::{MASTER_KEY, Setup};
use serde_json::json;

use crate::stores;
use crate::world::{World, items};

#[tokio::test]
async fn a_backup_of_sqlite_lives_on_in_postgres_with_the_same_keys() {
    let Some(database) = stores::database() else {
        return;
    };
    let setup = Setup::embedded().env("GATEWRIGHT_MASTER_KEY", MASTER_KEY);
    let world = World::from_server(setup.start());
    let published = world.publish("moved", json!({})).await;
    let consumer = world.consumer(&published).await;
    let (lost_id, lost) = world.credential(&consumer.application).await;
    world
        .admin
        .verb(&format!("/credentials/{lost_id}/revoke"))
        .await
        .expect(200);
    let events = items(&world.admin.get("/audit-events").await.expect(200)).len();
    let archive = setup.data_dir().join("archive.gwb");
    let archive = archive.to_str().unwrap();
    let exit = setup.command(&["backup", archive]);
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    let World {
        server, echo: _echo, ..
    } = world;
    server.stop();

    let moved = Setup::cluster(&database.url, "").without_env("GATEWRIGHT_REDIS_URL");
    let exit = moved.command(&["restore", archive]);
    assert_eq!(exit.code, 0, "{}", exit.stderr);
    let server = moved.start();
    let gateway = server.gateway();
    gateway
        .with("x-api-key", &consumer.secret)
        .get("/moved/v1/pets")
        .await
        .expect(200);
    gateway
        .with("x-api-key", &lost)
        .get("/moved/v1/pets")
        .await
        .expect_problem(401, "key_invalid");
    let admin = server.management().bearer(&moved.token());
    let api = admin.get("/apis/moved").await.expect(200);
    assert_eq!(text(&api, "id"), published.api);
    let after = items(&admin.get("/audit-events").await.expect(200)).len();
    assert!(after >= events, "{after} of {events} events");

    let again = moved.command(&["restore", archive]);
    assert_ne!(again.code, 0, "a store that holds something is not overwritten");
    assert!(!again.stderr.contains("panicked"), "{}", again.stderr);
}

#[tokio::test]
async fn a_damaged_archive_restores_nothing() {
    let setup = Setup::embedded();
    setup.start().stop();
    let archive = setup.data_dir().join("archive.gwb");
    assert_eq!(setup.command(&["backup", archive.to_str().unwrap()]).code, 0);
    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&archive, bytes).unwrap();
    let fresh = Setup::embedded();
    let key = std::fs::read_to_string(setup.data_dir().join("master.key")).unwrap();
    let fresh = fresh.env("GATEWRIGHT_MASTER_KEY", key.trim());
    let exit = fresh.command(&["restore", archive.to_str().unwrap()]);
    assert_ne!(exit.code, 0);
    let server = fresh.start();
    let admin = server.management().bearer(&fresh.token());
    assert!(items(&admin.get("/apis").await.expect(200)).is_empty());
}
