//! How soon a published change is on three nodes, and what taking it into
//! service does to the calls that a node answers meanwhile.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use gatewright_testkit::echo::Echo;
use gatewright_testkit::http::{Client, text};
use gatewright_testkit::redis::Redis;
use gatewright_testkit::server::Server;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::figures::{Figures, quantile};
use super::fill::slug;
use super::stores::Filled;
use crate::workload::{LABEL, Workload};

/// Nodes on which a change has to be.
const NODES: usize = 3;
/// The bar of a change, in milliseconds.
const VISIBLE: f64 = 1_000.0;
/// The bar of what a swap adds to the p99 of calls, in milliseconds.
const MOVES: f64 = 2.0;
/// Connections of the load.
const CONNECTIONS: u32 = 8;
/// Between two calls of one connection: far from saturation, where queues say everything.
const PACE: Duration = Duration::from_millis(8);
/// A call this long after a change may have met the swap.
const NEAR: Duration = Duration::from_millis(700);
/// From one change to the next.
const PAUSE: Duration = Duration::from_millis(1_500);
/// How long a change may take at all.
const PATIENCE: Duration = Duration::from_secs(60);
/// The API that changes, and the one that is called.
const CHANGING: u32 = 7;
const CALLED: u32 = 11;

/// What was seen.
struct Seen {
    /// When each change was published.
    published: Vec<Instant>,
    /// Until it was on every node, in milliseconds.
    took: Vec<f64>,
    /// The calls of the load.
    calls: Vec<(Instant, Duration)>,
}

/// Publishes so many changes to one API.
pub(super) async fn measure(filled: Filled, changes: usize, figures: &mut Figures) -> anyhow::Result<()> {
    let redis = Redis::start();
    let setup = filled.setup.clone().env("GATEWRIGHT_REDIS_URL", redis.url());
    let control = setup.clone().arg("--roles").arg("management,worker").start();
    let admin = control.management().bearer(&setup.token());
    let nodes: Vec<Server> = (0..NODES)
        .map(|_| setup.another_node("gateway").start())
        .collect();
    let seen = publish(&admin, &nodes, changes).await?;
    let what = format!("{} APIs, {} keys", filled.size.apis, filled.size.keys);
    tell(&what, seen, figures);
    for server in nodes.into_iter().chain([control]) {
        server.stop();
    }
    Ok(())
}

async fn publish(admin: &Client, nodes: &[Server], changes: usize) -> anyhow::Result<Seen> {
    let echo = Echo::start();
    let first = nodes.first().context("no node")?;
    point(admin, CALLED, &format!("{}/called", echo.url())).await;
    let called = format!("/{}/{LABEL}/items", slug(CALLED));
    arrives(&of(&first.gateway(), CALLED), &called, "/called/items").await?;
    let clients: Vec<Client> = nodes.iter().map(|node| of(&node.gateway(), CHANGING)).collect();
    let load = Load::start(first)?;
    tokio::time::sleep(3 * PAUSE).await;
    let (mut took, mut published) = (Vec::new(), Vec::new());
    let path = format!("/{}/{LABEL}/items", slug(CHANGING));
    for number in 1..=changes {
        let since = Instant::now();
        point(admin, CHANGING, &format!("{}/c{number}", echo.url())).await;
        published.push(since);
        let wanted = format!("/c{number}/items");
        let all = clients.iter().map(|client| arrives(client, &path, &wanted));
        futures_util::future::try_join_all(all).await?;
        took.push(since.elapsed().as_secs_f64() * 1_000.0);
        tokio::time::sleep(PAUSE).await;
    }
    let calls = load.end().await?;
    Ok(Seen {
        published,
        took,
        calls,
    })
}

fn tell(what: &str, mut seen: Seen, figures: &mut Figures) {
    let changes = seen.took.len();
    let median = format!("{what}: a change on {NODES} nodes, median of {changes}");
    figures.told(median, quantile(&mut seen.took, 50), "ms");
    let p99 = format!("{what}: a change on {NODES} nodes, p99 of {changes}");
    figures.against(p99, quantile(&mut seen.took, 99), VISIBLE, "ms");
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for (at, took) in &seen.calls {
        let is_near = seen
            .published
            .iter()
            .any(|since| *at >= *since && *at < *since + NEAR);
        let times = if is_near { &mut near } else { &mut far };
        times.push(took.as_secs_f64() * 1_000.0);
    }
    let (during, between) = (quantile(&mut near, 99), quantile(&mut far, 99));
    figures.told(
        format!("{what}: p99 of {} calls between changes", far.len()),
        between,
        "ms",
    );
    figures.told(
        format!("{what}: p99 of {} calls at changes", near.len()),
        during,
        "ms",
    );
    let added = format!("{what}: what a change adds to the p99 of calls");
    figures.against(added, during - between, MOVES, "ms");
}

/// A consumer whose subscription opens this API.
fn of(gateway: &Client, api: u32) -> Client {
    gateway.with("x-api-key", Workload::key(api).expose())
}

async fn point(admin: &Client, api: u32, target: &str) {
    let path = format!("/apis/{}/versions/{LABEL}/upstream", slug(api));
    admin
        .put(&path, &json!({"targets": [{"url": target}]}))
        .await
        .expect(200);
}

async fn arrives(client: &Client, path: &str, wanted: &str) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Ok(reply) = client.attempt(Method::GET, path, "").await
            && text(&reply.json(), "target") == wanted
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("{wanted} does not arrive within {PATIENCE:?}")
}

type Calls = Arc<Mutex<Vec<(Instant, Duration)>>>;

/// Calls at an even pace on kept connections.
struct Load {
    calls: Calls,
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

impl Load {
    fn start(node: &Server) -> anyhow::Result<Self> {
        let address: SocketAddr = node.address("gateway").trim_start_matches("http://").parse()?;
        let (calls, stop) = (Calls::default(), CancellationToken::new());
        let tasks = (0..CONNECTIONS)
            .map(|number| {
                let (calls, stop) = (Arc::clone(&calls), stop.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(PACE * number / CONNECTIONS).await;
                    tokio::select! {
                        () = stop.cancelled() => Ok(()),
                        failed = call(address, &calls) => failed,
                    }
                })
            })
            .collect();
        Ok(Self { calls, stop, tasks })
    }

    async fn end(self) -> anyhow::Result<Vec<(Instant, Duration)>> {
        self.stop.cancel();
        for task in self.tasks {
            task.await??;
        }
        Ok(std::mem::take(
            &mut self.calls.lock().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}

async fn call(address: SocketAddr, calls: &Calls) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET /{}/{LABEL}/items HTTP/1.1\r\nhost: {address}\r\nx-api-key: {}\r\n\r\n",
        slug(CALLED),
        Workload::key(CALLED).expose()
    );
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut answer = Vec::new();
    loop {
        pace.tick().await;
        let since = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        while !whole(&answer) {
            if stream.read_buf(&mut answer).await? == 0 {
                bail!("the gateway closed a connection");
            }
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            bail!("a call failed: {}", String::from_utf8_lossy(&answer));
        }
        calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((since, since.elapsed()));
    }
}

/// Whether an answer with a length has come to its end.
fn whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert!(whole(answer));
        assert!(!whole(&answer[..answer.len() - 1]));
        assert!(!whole(b"HTTP/1.1 200 OK\r\n"));
    }
}
