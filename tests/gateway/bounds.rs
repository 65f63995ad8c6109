//! The bounds that an operator sets.

use gatewright_testkit::server::Setup;
use http::Method;
use serde_json::json;

use crate::faults::load::metric_is;
use crate::world::{World, settles_at};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn an_operator_sets_the_largest_body_and_names_the_load_balancer() {
    let setup = Setup::embedded()
        .arg("--gateway-max-body-mib=1")
        .arg("--gateway-trusted-proxies=127.0.0.0/8,10.1.2.3");
    let world = World::from_server(setup.start());
    world.publish("bounded", json!({"security": "keyless"})).await;
    let gateway = world.gateway().with("x-forwarded-for", "203.0.113.9");
    settles_at(&gateway, "/bounded/v1/pets", 200).await;

    let body = |length: usize| vec![b'x'; length];
    let taken = gateway
        .send(Method::POST, "/bounded/v1/pets?taken", body(MIB))
        .await;
    assert_eq!(taken.status, 200);
    let refused = gateway
        .send(Method::POST, "/bounded/v1/pets?refused", body(MIB + 1))
        .await;
    assert_eq!(refused.status, 413);
    assert!(world.echo.received_with("?refused").is_empty());

    let received = world.echo.received_with("?taken");
    assert_eq!(
        received[0].header("x-forwarded-for"),
        Some("203.0.113.9, 127.0.0.1")
    );
}

#[tokio::test]
async fn connections_above_the_bound_are_closed_at_once() {
    let world = World::from_server(Setup::embedded().arg("--gateway-max-connections=2").start());
    world.publish("narrow", json!({"security": "keyless"})).await;
    let gateway = world.gateway();
    settles_at(&gateway, "/narrow/v1/pets", 200).await;
    // That connection is gone from the gateway's books before others take the places.
    metric_is(&world.server, "connections", 0.0).await;
    let held: Vec<_> = (0..2)
        .map(|_| std::net::TcpStream::connect(gateway.authority()).unwrap())
        .collect();
    metric_is(&world.server, "connections", 2.0).await;
    let refused = gateway.attempt(Method::GET, "/narrow/v1/pets", "").await;
    assert!(refused.is_err());
    drop(held);
    gatewright_testkit::wait::eventually(crate::world::SOON, "there is room again", || async {
        let reply = gateway.attempt(Method::GET, "/narrow/v1/pets", "").await;
        (reply.ok()?.status == 200).then_some(())
    })
    .await;
}

#[test]
fn a_bound_that_makes_no_sense_is_refused_by_name() {
    for (flag, value, says) in [
        ("--gateway-max-body-mib", "0", "1 to 65536"),
        ("--gateway-max-connections", "many", "--gateway-max-connections"),
        ("--gateway-trusted-proxies", "lb.example", "which is no network"),
    ] {
        let exit = Setup::embedded().arg(flag).arg(value).try_start().err().unwrap();
        assert_eq!(exit.code, 64, "{flag}");
        assert!(
            exit.stderr.contains(says) && exit.stderr.contains(flag),
            "{}",
            exit.stderr
        );
    }
}
