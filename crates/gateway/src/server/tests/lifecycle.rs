//! Starting, spreading, draining.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::super::{Doors, StartError};
use super::bed::Setup;
use super::wire::{PATIENCE, Upstream, Wire, call, get};
use crate::testing::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let bed = Setup::before(&[]).start();
    let mut second = Setup::before(&[]);
    second.settings.listen = vec![bed.address];
    match second.try_start() {
        Err(StartError::AddressInUse { address }) => assert_eq!(address, bed.address),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_go_to_the_worker_with_the_fewest() {
    let mut setup = Setup::before(&[]);
    setup.workers = 3;
    let bed = setup.start();
    let mut held = Vec::new();
    for _ in 0..9 {
        held.push(TcpStream::connect(bed.address).await.unwrap());
    }
    eventually(|| {
        bed.metrics
            .workers
            .iter()
            .all(|worker| worker.connections.get() == 3)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caps_on_connections_hold() {
    let mut setup = Setup::before(&[]);
    setup.settings.uncapped.clear();
    setup.settings.max_connections_per_address = 2;
    let bed = setup.start();
    let mut held = vec![Wire::connect(bed.address).await, Wire::connect(bed.address).await];
    assert!(Wire::connect(bed.address).await.is_closed().await);
    assert_eq!(bed.metrics.connections_refused.get(), 1);
    held.clear();
    eventually(|| {
        let accepted = bed.metrics.sum(|worker| worker.accepted.get());
        accepted == 2 && bed.metrics.level(|worker| worker.connections.get()) == 0
    })
    .await;
    let mut third = Wire::connect(bed.address).await;
    third.send(&get("/nowhere", "")).await;
    assert_eq!(third.receive(false).await.unwrap().status(), 404);
}

/// An upstream that answers when it is told to.
async fn held_upstream(release: &Arc<Notify>) -> Upstream {
    let release = Arc::clone(release);
    Upstream::start(move |mut wire, seen: Arc<AtomicUsize>| {
        let release = Arc::clone(&release);
        async move {
            while wire.receive(false).await.is_some() {
                seen.fetch_add(1, Ordering::SeqCst);
                release.notified().await;
                wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
                    .await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_calls_and_ends_idle_connections() {
    let release = Arc::new(Notify::new());
    let upstream = held_upstream(&release).await;
    let bed = Setup::before(&[upstream.address]).start();
    let address = bed.address;
    let mut idle = Wire::connect(address).await;
    let mut busy = Wire::connect(address).await;
    busy.send(&get("/shop/v1/", "")).await;
    eventually(|| upstream.requests() == 1).await;
    let draining = tokio::spawn(bed.drain());
    assert!(idle.is_closed().await);
    eventually_refused(address).await;
    release.notify_one();
    let answer = busy.receive(false).await.unwrap();
    assert_eq!((answer.status(), answer.text()), (200, "done".to_owned()));
    assert_eq!(answer.header("connection").as_deref(), Some("close"));
    assert!(busy.is_closed().await);
    assert_eq!(draining.await.unwrap().cut_off, 0);
}

async fn eventually_refused(address: std::net::SocketAddr) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "the port closes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_has_an_end() {
    let release = Arc::new(Notify::new());
    let upstream = held_upstream(&release).await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut busy = Wire::connect(bed.address).await;
    busy.send(&get("/shop/v1/", "")).await;
    eventually(|| upstream.requests() == 1).await;
    let drained = bed.gateway.drain(Duration::from_millis(100)).await;
    assert_eq!(drained.cut_off, 1);
    assert!(busy.is_closed().await);
    assert_eq!(bed.metrics.level(|worker| worker.connections.get()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_on_many_workers_get_their_own_answers() {
    let upstream = Upstream::echo().await;
    let mut setup = Setup::before(&[upstream.address]);
    setup.workers = 2;
    let mut bed = setup.start();
    let address = bed.address;
    let clients: Vec<_> = (0..40)
        .map(|client| {
            tokio::spawn(async move {
                let mut wire = Wire::connect(address).await;
                for round in 0..25 {
                    let path = format!("/shop/v1/{client}-{round}");
                    wire.send(&get(&path, "")).await;
                    let answer = wire.receive(false).await.unwrap();
                    assert!(answer.text().starts_with(&format!("GET /{client}-{round} ")));
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(upstream.requests(), 1_000);
    let mut ids = std::collections::HashSet::new();
    for _ in 0..1_000 {
        let record = bed.record().await;
        assert!(record.complete);
        ids.insert(record.id);
    }
    assert_eq!(ids.len(), 1_000);
    assert_eq!(bed.recorder.lost(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_retires_hears_one_more_call_and_the_next_one_has_the_rest() {
    let upstream = Upstream::echo().await;
    let old = Setup::before(&[upstream.address]).start();
    let mut next = Setup::before(&[upstream.address]);
    next.doors = Doors::HandedOver(old.gateway.sockets().unwrap());
    let next = next.start();
    assert_eq!(next.address, old.address);
    let mut kept = Wire::connect(old.address).await;
    kept.send(&get("/shop/v1/first", "")).await;
    assert_eq!(kept.receive(false).await.unwrap().status(), 200);
    let taken = || next.metrics.sum(|worker| worker.accepted.get());
    assert_eq!(taken(), 0, "it is not open yet");
    next.gateway.open();
    let retiring = tokio::spawn(old.gateway.retire(PATIENCE));
    let began = std::time::Instant::now();
    for calls in 1.. {
        assert_eq!(call(next.address, &get("/shop/v1/new", "")).await.status(), 200);
        assert!(began.elapsed() < PATIENCE, "the next one gets nothing");
        if calls >= 20 && taken() > 0 {
            break;
        }
    }
    assert!(!retiring.is_finished(), "a call may be on its way");
    kept.send(&get("/shop/v1/second", "")).await;
    let last = kept.receive(false).await.unwrap();
    assert_eq!(
        (last.status(), last.header("connection").as_deref()),
        (200, Some("close"))
    );
    assert!(kept.is_closed().await);
    assert_eq!(retiring.await.unwrap().cut_off, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_retires_does_not_wait_for_ever_and_cuts_nobody_off_who_is_silent() {
    let upstream = Upstream::echo().await;
    let bed = Setup::before(&[upstream.address]).start();
    let mut silent = Wire::connect(bed.address).await;
    silent.send(&get("/shop/v1/", "")).await;
    assert_eq!(silent.receive(false).await.unwrap().status(), 200);
    let drained = bed.gateway.retire(Duration::from_millis(100)).await;
    assert_eq!(drained.cut_off, 0);
    assert!(silent.is_closed().await);
}
