//! From disk into service.

use std::path::PathBuf;
use std::sync::Arc;

use crate::compiled::{CompiledConfig, compile};
use crate::disk::{Disk, DiskError};

use super::{ConfigSync, Durable, blocking};

impl ConfigSync {
    /// Puts into service what the directory has. Of the stored configurations
    /// it is the newest that can be used; that an older one serves is an alert.
    pub(super) async fn boot(&mut self, dir: PathBuf) -> Result<(), DiskError> {
        let runtime = Arc::clone(&self.runtime);
        let (disk, alerts) = blocking(move || {
            let (disk, mut alerts) = Disk::open(&dir, |deltas| runtime.subjects().apply(deltas, 0))?;
            runtime.subjects().apply(&[], disk.through());
            if let Some(config) = newest(&disk, &mut alerts) {
                runtime.activate(Arc::new(config));
            }
            Ok((disk, alerts))
        })
        .await?;
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
    seqs.into_iter().find_map(|seq| {
        let stored = disk.snapshot(seq).map_err(|error| error.to_string());
        let config = stored.and_then(|stored| {
            compile(&stored.manifest, None, &stored.bodies).map_err(|error| error.to_string())
        });
        config
            .inspect_err(|error| {
                alerts.push(format!("the stored configuration {seq} cannot be used: {error}"));
            })
            .ok()
    })
}
