//! What a gateway holds in memory, and how soon it serves from disk.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use gatewright_testkit::http::Client;
use gatewright_testkit::server::{Server, Setup};

use super::figures::Figures;
use super::fill::slug;
use super::stores::Filled;
use crate::child::Place;
use crate::environment::free_address;
use crate::workload::{Asked, LABEL, Workload};
use crate::wrk::{Load, Pressure};

/// How long a gateway may take until it knows everything.
const PATIENCE: Duration = Duration::from_secs(120);
/// After this time without work a figure is taken.
const REST: Duration = Duration::from_secs(12);
/// Connections and seconds of the load.
const LOAD: (u32, u32) = (64, 10);
/// The same in words.
const LOADED: &str = "10 s of 20,000 keys over 64 connections";
/// What is told of how the memory is made up.
const TOLD: [&str; 4] = ["Rss", "Pss_File", "Anonymous", "AnonHuge"];
/// How often a gateway is started from disk.
const STARTS: usize = 3;

/// The bars of a number of keys: memory in MB, start in seconds.
const fn bars(keys: u32) -> (f64, f64) {
    if keys > 100_000 { (400.0, 2.0) } else { (64.0, 1.0) }
}

/// Measures a gateway on a filled store, which is taken away at the end.
pub(super) async fn measure(mut filled: Filled, figures: &mut Figures) -> anyhow::Result<()> {
    let node = filled.setup.another_node("gateway");
    from_store(&node, &filled, figures).await?;
    if let Some(postgres) = &mut filled.postgres {
        postgres.stop();
    }
    let keys = filled.size.keys;
    let (memory, start) = bars(keys);
    let what = title(&filled);
    let mut worst: f64 = 0.0;
    for _ in 0..STARTS {
        worst = worst.max(from_disk(&node, keys).await?);
    }
    let first = format!("{what}: start to first answer from disk, slowest of {STARTS}");
    figures.against(first, worst, start, "s");
    let server = node.start();
    tokio::time::sleep(REST).await;
    let after = format!("{what}: resident after a start from disk");
    figures.against(after, resident(&server)?, memory, "MB");
    server.stop();
    Ok(())
}

fn title(filled: &Filled) -> String {
    format!("gateway, {} APIs, {} keys", filled.size.apis, filled.size.keys)
}

/// From nothing to everything that the store has, and then with calls.
async fn from_store(node: &Setup, filled: &Filled, figures: &mut Figures) -> anyhow::Result<()> {
    let keys = filled.size.keys;
    let (memory, _) = bars(keys);
    let what = title(filled);
    let since = Instant::now();
    let server = node.start();
    knows_all(&server, keys).await?;
    let first = format!("{what}: first start until it knows everything");
    figures.told(first, since.elapsed().as_secs_f64(), "s");
    tokio::time::sleep(REST).await;
    let rested = format!("{what}: resident {} s after it", REST.as_secs());
    figures.against(rested, resident(&server)?, memory, "MB");
    load(&server, filled.size.apis, keys)?;
    let loaded = format!("{what}: resident right after {LOADED}");
    figures.told(loaded, resident(&server)?, "MB");
    tokio::time::sleep(REST).await;
    let rested = format!("{what}: resident {} s later", REST.as_secs());
    figures.against(rested, resident(&server)?, memory, "MB");
    server.stop();
    Ok(())
}

/// What the kernel counts as resident, in MB.
fn resident(server: &Server) -> anyhow::Result<f64> {
    let smaps = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid()))?;
    for line in smaps
        .lines()
        .filter(|line| TOLD.iter().any(|told| line.starts_with(told)))
    {
        eprintln!("{line}");
    }
    Ok(server.resident() as f64 * 1_024.0 / 1e6)
}

/// The last key is in the last change.
async fn knows_all(server: &Server, keys: u32) -> anyhow::Result<()> {
    let gateway = with_key(&server.gateway(), keys - 1);
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        // Whatever is beyond the gateway does not answer: it was let through.
        if gateway.get(&path(keys - 1, 1)).await.status != 401 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the gateway does not know its keys after {PATIENCE:?}")
}

fn with_key(gateway: &Client, key: u32) -> Client {
    gateway.with("x-api-key", Workload::key(key).expose())
}

/// A path of the API behind a key, when there are so many APIs.
fn path(key: u32, apis: u32) -> String {
    format!("/{}/{LABEL}/items", slug(key % apis.max(1)))
}

/// Starts it while the store is away; seconds until it lets the last key through.
async fn from_disk(node: &Setup, keys: u32) -> anyhow::Result<f64> {
    let address = free_address()?;
    let node = node.clone().arg("--gateway-listen").arg(address.to_string());
    let gateway = with_key(&Client::new(&format!("http://{address}")), keys - 1);
    let since = Instant::now();
    let starting = node.spawn();
    let took = loop {
        let reply = gateway.attempt(http::Method::GET, &path(keys - 1, 1), "").await;
        if reply.is_ok_and(|reply| reply.status != 503 && reply.status != 401) {
            break since.elapsed();
        }
        if since.elapsed() > PATIENCE {
            bail!("the gateway does not serve from disk");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    let settled = starting.settle();
    let server = settled.map_err(|exit| anyhow::anyhow!("{}", exit.stderr))?;
    server.stop();
    Ok(took.as_secs_f64())
}

fn load(server: &Server, apis: u32, keys: u32) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("no directory")?;
    let requests: Vec<Asked> = (0..20_000.min(keys))
        .map(|number| Asked {
            path: path(number, apis),
            key: Some(Workload::key(number)),
        })
        .collect();
    let load = Load::prepare(dir.path(), &requests)?;
    let (connections, seconds) = LOAD;
    let pressure = Pressure {
        connections,
        threads: 1,
        seconds,
        place: Place::Anywhere,
    };
    let address = server.address("gateway").trim_start_matches("http://").parse()?;
    let answered = load.put_on(address, &pressure)?;
    eprintln!(
        "{:.0} requests a second, {} failed",
        answered.rate(),
        answered.failed
    );
    Ok(())
}
