//! How configuration gets here and stays current.
//!
//! A notice makes it quick, a poll makes it certain. Changes of subjects come
//! first, because a revocation must not wait for a large configuration to be
//! compiled; both are durable before they are reported as applied. A
//! configuration that cannot be compiled is refused and reported, and the one
//! before it goes on serving; a version that cannot be is left out alone.

mod boot;
mod disk_use;
mod step;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::id::NodeId;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::compiled::CompiledConfig;
use crate::disk::{Disk, DiskError};
use crate::runtime::Runtime;
use crate::source::{Away, ConfigSource, NodeReport, NodeStatus};

pub use self::disk_use::DiskUse;
use self::disk_use::Wish;

/// How often the head is asked for without a notice. With the time that
/// applying takes, a revocation is in force within 5 s whatever is lost.
const POLL: Duration = Duration::from_secs(1);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(3);
/// How long the delivery of a whole configuration may take.
const DELIVERY: Duration = Duration::from_secs(30);
/// How often a node says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// How often a disk that failed is tried again.
const DISK_PAUSE: Duration = Duration::from_secs(10);

/// Where configuration comes from and where it is reported to.
pub struct Ends {
    /// Where it comes from.
    pub source: Arc<dyn ConfigSource>,
    /// Where it is reported to.
    pub report: Arc<dyn NodeReport>,
}

/// Keeps a runtime current.
pub struct ConfigSync {
    node_id: NodeId,
    runtime: Arc<Runtime>,
    ends: Ends,
    /// `None` without a directory, and while the disk is in use on another thread.
    disk: Option<Disk>,
    /// Where the disk is, if there is one.
    home: Option<PathBuf>,
    disk_use: DiskUse,
    wishes: mpsc::Receiver<Wish>,
    durable: Durable,
    /// The number up to which manifests were asked for.
    manifests_seen: i64,
    /// Only a manifest above this number is looked at: it serves, or was refused.
    manifest_known: i64,
    /// The manifest of which parts were not delivered whole.
    incomplete: Option<i64>,
    /// The configuration that serves is not on disk; it is tried again then.
    unkept: Option<Instant>,
    problem: Problems,
    away: bool,
    reported: Option<(NodeStatus, Instant)>,
}

/// What is wrong, by cause, so that one that ends does not hide another.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Problems {
    config: Option<String>,
    versions: Option<String>,
    log: Option<String>,
    snapshot: Option<String>,
}

/// How many versions are named that were left out.
const NAMED: usize = 3;

impl Problems {
    /// Keeps and logs which versions the configuration that serves leaves out.
    fn note_versions(&mut self, config: &CompiledConfig) {
        for left_out in &config.left_out {
            tracing::error!(
                snapshot.seq = config.seq,
                version.id = %left_out.version,
                reason = left_out.reason,
                last_good = left_out.serves(),
                "a version is left out of the configuration"
            );
        }
        let named: Vec<String> = config
            .left_out
            .iter()
            .take(NAMED)
            .map(ToString::to_string)
            .collect();
        let more = config.left_out.len() - named.len();
        let tail = if more > 0 {
            format!("; and {more} more")
        } else {
            String::new()
        };
        self.versions = (!named.is_empty()).then(|| format!("{}{tail}", named.join("; ")));
    }

    fn worst(&self) -> Option<String> {
        let all = [&self.config, &self.versions, &self.log, &self.snapshot];
        all.into_iter().find_map(Clone::clone)
    }
}

/// How far the changes on disk go.
#[derive(Debug, Clone, Copy)]
enum Durable {
    /// There is no disk: what is applied is all there is.
    NotKept,
    /// As far as what is applied.
    Current,
    /// The disk failed; it has everything up to this number and is tried again later.
    Behind { through: i64, retry_at: Instant },
}

/// What a node had when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booted {
    /// A configuration, current as far as the source goes.
    FromSource,
    /// The last one that this node had; the source is away.
    FromDisk,
    /// Nothing: there is none on disk, and the source is away or has none.
    Empty,
}

impl ConfigSync {
    /// Reads what the directory has and puts it into service. Without a
    /// directory nothing survives a restart.
    ///
    /// # Errors
    /// When the directory cannot be used at all.
    pub async fn open(
        node_id: NodeId,
        runtime: Arc<Runtime>,
        ends: Ends,
        dir: Option<PathBuf>,
    ) -> Result<Self, DiskError> {
        let (disk_use, wishes) = disk_use::channel();
        let mut sync = Self {
            node_id,
            runtime,
            ends,
            disk: None,
            home: dir.clone(),
            disk_use,
            wishes,
            durable: Durable::NotKept,
            manifests_seen: 0,
            manifest_known: 0,
            incomplete: None,
            unkept: None,
            problem: Problems::default(),
            away: false,
            reported: None,
        };
        if let Some(dir) = dir {
            sync.boot(dir).await?;
        }
        Ok(sync)
    }

    /// Asks the source for what is newer, once, and says what there is to serve with.
    pub async fn start(&mut self) -> Booted {
        let current = self.step().await;
        let has_config = self.runtime.snapshot_seq().is_some();
        match current {
            _ if !has_config => Booted::Empty,
            Ok(()) => Booted::FromSource,
            Err(_) => Booted::FromDisk,
        }
    }

    /// Keeps the runtime current until it is stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let source = Arc::clone(&self.ends.source);
        loop {
            let round = async {
                // A failure has been logged; the next round tries again.
                let _ = self.step().await;
                tokio::select! {
                    () = source.changed() => None,
                    () = tokio::time::sleep(POLL) => None,
                    wish = self.wishes.recv() => wish,
                }
            };
            let wish = tokio::select! {
                () = stop.cancelled() => return,
                wish = round => wish,
            };
            if let Some(wish) = wish {
                self.heed(wish).await;
            }
        }
    }

    /// Brings the runtime up to the head of the source and reports what it has.
    ///
    /// # Errors
    /// When the source is away. What came before that is in force.
    pub async fn step(&mut self) -> Result<(), Away> {
        let result = self.catch_up().await;
        match &result {
            Ok(()) if self.away => tracing::info!("configuration is current again"),
            Err(error) if !self.away => {
                tracing::warn!(%error, "configuration cannot be asked for; serving goes on with what is here");
            }
            _ => {}
        }
        self.away = result.is_err();
        self.report().await;
        result
    }

    async fn report(&mut self) {
        let status = NodeStatus {
            node_id: self.node_id,
            snapshot_seq: self.runtime.snapshot_seq().unwrap_or(0),
            delta_seq: match self.durable {
                Durable::NotKept | Durable::Current => self.runtime.subjects().applied(),
                Durable::Behind { through, .. } => through,
            },
            at: self.runtime.clock().now(),
            problem: self.problem.worst(),
        };
        let due = self.reported.as_ref().is_none_or(|(last, at)| {
            let same = NodeStatus {
                at: last.at,
                ..status.clone()
            };
            same != *last || at.elapsed() >= SIGN_OF_LIFE
        });
        if due && asked(ANSWER, self.ends.report.report(&status)).await.is_ok() {
            self.reported = Some((status, Instant::now()));
        }
    }
}

async fn asked<T>(limit: Duration, question: impl Future<Output = Result<T, Away>>) -> Result<T, Away> {
    let answer = timeout(limit, question).await;
    answer.unwrap_or_else(|_| Err(Away::because("no answer in time")))
}

/// Does what may take its time, on a thread for that.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that ends cancels it: then nobody waits for this any more.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests;
