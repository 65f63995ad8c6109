//! From disk into service.

use std::path::PathBuf;
use std::sync::Arc;

use crate::compiled::{CompiledConfig, Patience, compile};
use crate::disk::{Disk, DiskError};
use crate::subjects::Load;

use super::{ConfigSync, Durable, blocking};

impl ConfigSync {
    /// Puts into service what the directory has. Of the stored configurations
    /// it is the newest that can be used; that an older one serves is an alert.
    pub(super) async fn boot(&mut self, dir: PathBuf) -> Result<(), DiskError> {
        let runtime = Arc::clone(&self.runtime);
        let (disk, alerts, config) = blocking(move || {
            let (subjects, mut load) = (runtime.subjects(), Load::default());
            let (disk, mut alerts) = Disk::open(&dir, |deltas| load.add(subjects, deltas))?;
            load.finish(subjects, disk.through());
            let config = newest(&disk, &mut alerts).map(Arc::new);
            if let Some(config) = &config {
                runtime.activate(Arc::clone(config));
            }
            Ok((disk, alerts, config))
        })
        .await?;
        if let Some(config) = config {
            self.problem.note_versions(&config);
        }
        for alert in &alerts {
            tracing::error!(alert, "the node's own copy of the configuration is not whole");
        }
        self.problem.snapshot = alerts.into_iter().next();
        self.manifest_known = self.runtime.snapshot_seq().unwrap_or(0);
        self.durable = Durable::Current;
        self.disk = Some(disk);
        Ok(())
    }
}

fn newest(disk: &Disk, alerts: &mut Vec<String>) -> Option<CompiledConfig> {
    let seqs = disk
        .snapshots()
        .inspect_err(|error| alerts.push(format!("stored configurations cannot be listed: {error}")))
        .ok()?;
    for (place, seq) in seqs.iter().enumerate() {
        match read(disk, *seq, None) {
            Ok(config) if config.left_out.is_empty() => return Some(config),
            // Those before it may hold a good form of what it has to leave out. One
            // that cannot be read itself is no loss.
            Ok(_) => {
                let oldest_first = seqs.iter().skip(place).rev();
                return oldest_first.fold(None, |before, seq| {
                    read(disk, *seq, before.as_ref()).ok().or(before)
                });
            }
            Err(error) => alerts.push(format!("the stored configuration {seq} cannot be used: {error}")),
        }
    }
    None
}

fn read(disk: &Disk, seq: i64, before: Option<&CompiledConfig>) -> Result<CompiledConfig, String> {
    let stored = disk.snapshot(seq).map_err(|error| error.to_string())?;
    compile(&stored.manifest, before, &stored.bodies, Patience::Wait).map_err(|error| error.to_string())
}
