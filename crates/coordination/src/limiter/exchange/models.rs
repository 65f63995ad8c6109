//! Calls that wait when the authority goes away, in every order.

use std::num::NonZeroU32;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_model::limit::LimitKind;
use gatewright_model::time::{SystemClock, SystemEntropy};
use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::limiter::book::tests::{id, limit};
use crate::limiter::permits::Decision;
use crate::limiter::{Cluster, LimiterSettings};
use crate::modelling::{complete, joined, spawn, with_timers};
use crate::notice::Loudness;

/// The authority that is away.
#[derive(Debug)]
struct Nobody;

impl Authority for Nobody {
    fn lease(&self, _: Vec<LeaseRequest>) -> BoxFuture<'_, Result<Vec<LeaseAnswer>, AuthorityAway>> {
        async { Err(AuthorityAway::Garbled("nothing")) }.boxed()
    }
}

fn exchange() -> (Exchange, mpsc::UnboundedReceiver<Wake>) {
    let (wake, woken) = unbounded_channel();
    let cluster = Cluster::Shared {
        nodes: NonZeroU32::MIN,
    };
    let settings = LimiterSettings {
        // Whoever waits does so until it is told.
        wait: Duration::from_secs(3_600),
        ..LimiterSettings::new(id(1), cluster)
    };
    let sources = Sources {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let exchange = Exchange::new(
        Arc::new(Node::new(settings, wake)),
        Arc::default(),
        Arc::new(Nobody),
        Notices::in_process(Loudness::Muted),
        sources,
    );
    (exchange, woken)
}

#[test]
fn who_waits_is_told_that_the_authority_is_away() {
    with_timers(|| {
        let (mut exchange, mut woken) = exchange();
        let entry = exchange
            .registry
            .limit(&exchange.node, &limit(LimitKind::Quota, 10));
        let permits = entry.permits("p").unwrap();
        // From now on no call is so late that it says when it was here.
        permits.take(exchange.node.instant(1_000 * MILLI));
        let (over, mut ended) = unbounded_channel();
        let call = spawn(move || {
            let decision = complete(permits.wait());
            over.send(()).unwrap();
            decision
        });
        // Once a call has failed for so long, it counts as away.
        let error = AuthorityAway::Garbled("nothing");
        exchange.failed(Vec::new(), &error, 0);
        if let Ok(wake) = woken.try_recv() {
            exchange.woken(wake);
        }
        exchange.failed(Vec::new(), &error, 1_000 * MILLI);
        while let Some(wake) = complete(async {
            tokio::select! {
                biased;
                wake = woken.recv() => wake,
                _ = ended.recv() => None,
            }
        }) {
            exchange.woken(wake);
        }
        assert_eq!(joined(call), Decision::AuthorityAway);
        exchange.registry.clear();
    });
}
