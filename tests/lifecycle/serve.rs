//! A server says when it is ready, and leaves without losing a call.

use gatewright_testkit::http::text;
use gatewright_testkit::server::{ADMIN_PASSWORD, Setup};
use gatewright_testkit::wait::eventually;
use serde_json::json;

use crate::world::{SOON, World, shared};

#[tokio::test]
async fn the_ready_line_names_every_role_that_runs() {
    let world = shared().await;
    let ready = world.server.ready();
    for role in ["gateway", "management", "portal", "status"] {
        assert!(text(ready, role).starts_with("http://127.0.0.1:"), "{ready}");
    }
    assert_eq!(ready["pid"], world.server.pid());
    let log = world.server.log();
    assert!(!log.contains(ADMIN_PASSWORD) && !log.contains("gwm_"), "{log}");

    let some = Setup::embedded().arg("--roles").arg("management,worker").start();
    assert!(
        some.ready().get("gateway").is_none() && some.ready().get("portal").is_none(),
        "{}",
        some.ready()
    );
    some.management().get("/openapi.json").await.expect(200);
    assert_eq!(some.stop().code, 0);
}

#[tokio::test]
async fn the_status_listener_tells_health_and_figures() {
    let world = shared().await;
    let status = world.server.status();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status.get(path).await.status, 200, "{path}");
    }
    let metrics = status.get("/metrics").await;
    metrics.expect(200);
    assert!(metrics.text().contains("# TYPE gatewright_"), "{metrics}");
    let portal = gatewright_testkit::http::Client::new(world.server.address("portal"));
    let front = portal.get("/").await;
    front.expect(200);
    assert!(
        front.must_have("content-type").starts_with("text/html"),
        "{front}"
    );
}

#[tokio::test]
async fn a_call_under_way_ends_well_when_the_server_drains() {
    let world = World::embedded();
    let published = world.publish("draining", json!({})).await;
    let consumer = world.consumer(&published).await;
    let gateway = world.gateway().with("x-api-key", &consumer.secret);
    let call = tokio::spawn(async move { gateway.get("/draining/v1/pets?echo_delay_ms=1500").await });
    eventually(SOON, "the upstream has the call", || async {
        (!world.echo.received_with("echo_delay_ms").is_empty()).then_some(())
    })
    .await;
    world.server.signal("TERM");
    let reply = call.await.unwrap();
    reply.expect(200);
    let exit = world.server.wait();
    assert_eq!(exit.code, 0, "{}", exit.stderr);
}

#[tokio::test]
async fn configuration_comes_from_file_environment_and_flags_in_that_order() {
    let setup = Setup::embedded();
    let file = setup.data_dir().join("gatewright.toml");
    std::fs::write(&file, "gateway-listen = \"127.0.0.1:1\"\nlog-format = \"json\"\n").unwrap();
    let server = setup.clone().arg("--config").arg(&file).start();
    assert_ne!(
        server.address("gateway"),
        "http://127.0.0.1:1",
        "the flag wins over the file"
    );
    let log = server.stop().stderr;
    let first = log.lines().next().unwrap_or_default();
    assert!(
        serde_json::from_str::<serde_json::Value>(first).is_ok(),
        "json logs as the file says: {first}"
    );
    let pretty = setup
        .arg("--config")
        .arg(&file)
        .env("GATEWRIGHT_LOG_FORMAT", "pretty")
        .start();
    let log = pretty.stop().stderr;
    let first = log.lines().next().expect("something is logged");
    assert!(
        serde_json::from_str::<serde_json::Value>(first).is_err(),
        "the environment wins over the file: {first}"
    );
}

#[tokio::test]
async fn an_administrator_that_exists_is_not_made_again() {
    let setup = Setup::embedded();
    setup.start().stop();
    let server = setup
        .clone()
        .env("GATEWRIGHT_ADMIN_EMAIL", "other@example.com")
        .start();
    let token = setup.token();
    server.management().bearer(&token).get("/apis").await.expect(200);
    let other = setup.command(&["token", "create", "--user", "other@example.com", "--name", "x"]);
    assert_ne!(other.code, 0, "the second address is nobody");
}

#[tokio::test]
async fn sighup_reads_the_configuration_again_and_ends_nothing() {
    let setup = Setup::embedded();
    let file = setup.data_dir().join("gatewright.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write("log-level = \"info\"\n");
    let server = setup.arg("--config").arg(&file).start();
    let told = async |text: &str| {
        eventually(SOON, text, async || server.log().contains(text).then_some(())).await;
    };
    write("log-level = \"loud\"\n");
    server.signal("HUP");
    told("the configuration is not read again, nothing changes").await;
    write("log-level = \"gatewright=debug\"\nworkers = 3\n");
    server.signal("HUP");
    told("the log has another level").await;
    told("after a restart holds what has changed of: workers").await;
    server.status().get("/healthz").await.expect(200);
    assert_eq!(server.stop().code, 0);
}
