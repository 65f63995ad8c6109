//! One round of catching up.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_model::snapshot::{Manifest, PartHash};
use tokio::time::Instant;

use crate::compiled::{CompileError, CompiledConfig, Patience, compile, missing_parts};
use crate::disk::{Disk, Durability};
use crate::source::{Away, DeltaPage};
use crate::subjects::Load;

use super::{ANSWER, ConfigSync, DELIVERY, DISK_PAUSE, Durable, asked, blocking};

/// Changes in one page. What a page takes while it is read lies between what stays:
/// with pages of 10,000 a gateway of 100,000 keys held 20 MB more.
const PAGE: usize = 1_000;

/// Longer than any call holds the configuration that it is decided by.
const RETIRES: Duration = Duration::from_secs(5);

type Bodies = HashMap<PartHash, Bytes>;

/// Lets go of the configuration before. Whoever does so last takes it apart,
/// which takes milliseconds with ten thousand APIs: it is not to be a worker
/// that was deciding about a call when the new one came.
async fn retire(before: Option<Arc<CompiledConfig>>) {
    tokio::time::sleep(RETIRES).await;
    blocking(move || drop(before)).await;
}

impl ConfigSync {
    pub(super) async fn catch_up(&mut self) -> Result<(), Away> {
        let head = asked(ANSWER, self.ends.source.head()).await?;
        if head < self.runtime.subjects().applied() {
            self.begin_anew(head).await?;
        }
        self.take_deltas(head).await?;
        if head > self.manifests_seen {
            self.take_manifest().await?;
            self.manifests_seen = head;
        }
        if self.unkept.is_some_and(|due| Instant::now() >= due) {
            self.keep_again().await?;
        }
        Ok(())
    }

    /// The source has gone back in time: it was restored from a backup. What
    /// it says now holds. An empty one is not believed, because that is what a
    /// wrong address looks like.
    async fn begin_anew(&mut self, head: i64) -> Result<(), Away> {
        if asked(ANSWER, self.ends.source.manifest(0)).await?.is_none() {
            return Err(Away::because(format!(
                "the source is at {head}, behind what is here, and has no configuration"
            )));
        }
        tracing::warn!(
            source.head = head,
            applied = self.runtime.subjects().applied(),
            "the source has gone back: everything is read anew"
        );
        self.manifests_seen = 0;
        self.manifest_known = 0;
        self.runtime.subjects().clear();
        let cleared = self.on_disk(Disk::clear).await;
        self.note_log(cleared);
        Ok(())
    }

    async fn take_deltas(&mut self, head: i64) -> Result<(), Away> {
        let mut position = self.position();
        // Nothing is open yet that a revocation could close: what comes first may be gathered.
        let mut load = (self.runtime.subjects().applied() == 0).then(Load::default);
        let taken = self.take_pages(head, &mut position, &mut load).await;
        if let Some(load) = load {
            // Reported as applied only when it is on disk to stay.
            if let Err(error) = self.on_disk(Disk::sync).await {
                self.note_log(Err(error));
                if let Durable::Behind { through, .. } = &mut self.durable {
                    // Nobody knows how much of it is there.
                    *through = 0;
                }
            }
            let runtime = Arc::clone(&self.runtime);
            blocking(move || load.finish(runtime.subjects(), position)).await;
        }
        taken
    }

    async fn take_pages(
        &mut self,
        head: i64,
        position: &mut i64,
        load: &mut Option<Load>,
    ) -> Result<(), Away> {
        while *position < head {
            let page = asked(DELIVERY, self.ends.source.deltas(*position, PAGE)).await?;
            if page.through <= *position {
                return Err(Away::because("the source delivers nothing up to its own head"));
            }
            *position = page.through;
            let more = page.more;
            *load = self.apply(page, load.take()).await;
            if !more {
                break;
            }
        }
        Ok(())
    }

    /// Where to go on: behind what is applied, or behind what is durable when
    /// the disk is due to be tried again.
    fn position(&mut self) -> i64 {
        match self.durable {
            Durable::Behind { through, retry_at } if Instant::now() >= retry_at => {
                self.durable = Durable::Current;
                through
            }
            _ => self.runtime.subjects().applied(),
        }
    }

    async fn apply(&mut self, page: DeltaPage, load: Option<Load>) -> Option<Load> {
        let runtime = Arc::clone(&self.runtime);
        let disk = self.disk.take();
        let keep = matches!(self.durable, Durable::Current);
        let (disk, load, written) = blocking(move || {
            let (mut disk, mut load) = (disk, load);
            let durability = match load {
                Some(_) => Durability::Later,
                None => Durability::Now,
            };
            // In force first: a full disk must not keep a revoked key alive.
            match &mut load {
                Some(load) => load.add(runtime.subjects(), &page.deltas),
                None => runtime.subjects().apply(&page.deltas, page.through),
            }
            let written = match &mut disk {
                Some(disk) if keep => disk.append(&page.deltas, page.through, durability),
                _ => Ok(()),
            };
            (disk, load, written)
        })
        .await;
        self.disk = disk;
        if keep {
            self.note_log(written);
            if let Err(error) = self.on_disk(Disk::tidy).await {
                tracing::warn!(%error, "the log of changes could not be written anew");
            }
        }
        load
    }

    fn note_log(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) => {
                if self.problem.log.take().is_some() {
                    tracing::info!("changes are kept on disk again");
                }
            }
            Err(error) => {
                tracing::error!(%error, "changes cannot be kept on disk; they are in force all the same");
                self.problem.log = Some(format!("changes cannot be kept on disk: {error}"));
                self.durable = Durable::Behind {
                    through: self.disk.as_ref().map_or(0, Disk::through),
                    retry_at: Instant::now() + DISK_PAUSE,
                };
            }
        }
    }

    async fn take_manifest(&mut self) -> Result<(), Away> {
        let Some(manifest) = asked(ANSWER, self.ends.source.manifest(self.manifest_known)).await? else {
            return Ok(());
        };
        let seq = manifest.seq;
        let current = self.runtime.config.load_full();
        let bodies = self.bodies(missing_parts(&manifest, current.as_deref())).await?;
        // What is not whole the second time will not be the third.
        let patience = match self.incomplete {
            Some(known) if known == seq => Patience::LeaveOut,
            _ => Patience::Wait,
        };
        let runtime = Arc::clone(&self.runtime);
        let (manifest, bodies, compiled) = blocking(move || {
            let compiled = compile(&manifest, current.as_deref(), &bodies, patience).map(|config| {
                let config = Arc::new(config);
                runtime.activate(Arc::clone(&config));
                (config, current)
            });
            (manifest, bodies, compiled)
        })
        .await;
        match compiled {
            Ok((config, before)) => {
                self.note_service(&config, seq);
                drop(config);
                tokio::spawn(retire(before));
                self.keep(manifest, bodies).await;
                Ok(())
            }
            // What was delivered is not what was announced: that may be better next time.
            Err(error @ (CompileError::Missing(_) | CompileError::Damaged(_))) => {
                self.incomplete = Some(seq);
                Err(Away::because(error))
            }
            Err(error) => {
                self.refuse(&error, seq);
                Ok(())
            }
        }
    }

    fn note_service(&mut self, config: &CompiledConfig, seq: i64) {
        self.problem.note_versions(config);
        tracing::info!(snapshot.seq = seq, "a configuration serves");
        self.problem.config = None;
        self.incomplete = None;
        self.manifest_known = seq;
    }

    fn refuse(&mut self, error: &CompileError, seq: i64) {
        tracing::error!(snapshot.seq = seq, %error, "a configuration is refused; the one before it serves");
        self.manifest_known = seq;
        self.problem.config = Some(format!("snapshot {seq} is refused: {error}"));
    }

    async fn bodies(&self, hashes: Vec<PartHash>) -> Result<Bodies, Away> {
        if hashes.is_empty() {
            return Ok(Bodies::new());
        }
        let delivered = asked(DELIVERY, self.ends.source.parts(&hashes)).await?;
        Ok(delivered.into_iter().collect())
    }

    async fn keep(&mut self, manifest: Manifest, bodies: Bodies) {
        let kept = self.on_disk(move |disk| disk.keep(&manifest, bodies)).await;
        match kept {
            Ok(()) => {
                self.problem.snapshot = None;
                self.unkept = None;
            }
            Err(error) => {
                tracing::error!(%error, "the configuration cannot be kept on disk; it serves all the same");
                self.problem.snapshot = Some(format!("the configuration cannot be kept on disk: {error}"));
                self.unkept = Some(Instant::now() + DISK_PAUSE);
            }
        }
    }

    /// Tries again to keep what serves, with all of its parts from the source.
    async fn keep_again(&mut self) -> Result<(), Away> {
        self.unkept = Some(Instant::now() + DISK_PAUSE);
        let serving = self.runtime.snapshot_seq().unwrap_or(0);
        let newest = asked(ANSWER, self.ends.source.manifest(serving - 1)).await?;
        if let Some(manifest) = newest.filter(|manifest| manifest.seq == serving) {
            let bodies = self.bodies(missing_parts(&manifest, None)).await?;
            self.keep(manifest, bodies).await;
        }
        Ok(())
    }

    /// Does something with the disk on a thread that may wait; nothing without one.
    async fn on_disk(
        &mut self,
        work: impl FnOnce(&mut Disk) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        let Some(mut disk) = self.disk.take() else {
            return Ok(());
        };
        let (disk, result) = blocking(move || {
            let result = work(&mut disk);
            (disk, result)
        })
        .await;
        self.disk = Some(disk);
        result
    }
}
