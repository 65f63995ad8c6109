//! What a node keeps so that it can start alone: the last configurations and
//! the log of every change of a subject. Both are durable before anything is
//! acknowledged (`architecture.md`, section 3).
//!
//! Everything here blocks and belongs on a thread that may.

mod frame;
mod log;
mod snapshots;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gatewright_model::snapshot::{Delta, Manifest, PartHash};

pub use log::Durability;
pub use snapshots::StoredSnapshot;

use log::DeltaLog;
use snapshots::Snapshots;

/// The directory of one node. One process at a time: the data directory is locked by its owner.
#[derive(Debug)]
pub struct Disk {
    snapshots: Snapshots,
    log: DeltaLog,
}

/// The disk cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct DiskError {
    /// The directory.
    pub path: PathBuf,
    /// What went wrong.
    pub source: io::Error,
}

impl Disk {
    /// Opens the directory, makes it when it is missing, and hands the changes
    /// of the log to `each` in chunks. Returns what is worth an alert.
    ///
    /// # Errors
    /// When the directory cannot be read or written.
    pub fn open(dir: &Path, each: impl FnMut(&[Delta])) -> Result<(Self, Vec<String>), DiskError> {
        let named = |source| DiskError {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(named)?;
        let snapshots = Snapshots::open(dir.join("snapshots")).map_err(named)?;
        let (log, found) = DeltaLog::open(dir.join("deltas.log"), each).map_err(named)?;
        let mut alerts = Vec::new();
        if found.damaged {
            alerts.push("the log of changes was damaged: what it lost is asked for again".to_owned());
        }
        if found.foreign {
            alerts.push("the log of changes was of another form and was set aside".to_owned());
        }
        Ok((Self { snapshots, log }, alerts))
    }

    /// Every change up to this number is durable.
    #[must_use]
    pub const fn through(&self) -> i64 {
        self.log.through()
    }

    /// Keeps changes.
    ///
    /// # Errors
    /// When they are not kept, or not durable although they have to be; nothing has changed then.
    pub fn append(&mut self, deltas: &[Delta], through: i64, durable: Durability) -> io::Result<()> {
        self.log.append(deltas, through, durable)
    }

    /// Makes durable what was to be so later.
    ///
    /// # Errors
    /// When it is not.
    pub fn sync(&mut self) -> io::Result<()> {
        self.log.sync()
    }

    /// Writes the log anew when more than half of it is outdated.
    ///
    /// # Errors
    /// When that fails; the log is then as it was.
    pub fn tidy(&mut self) -> io::Result<()> {
        self.log.compact()
    }

    /// The numbers of the stored configurations, the newest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn snapshots(&self) -> io::Result<Vec<i64>> {
        self.snapshots.list()
    }

    /// Reads a stored configuration.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged or incomplete.
    pub fn snapshot(&self, seq: i64) -> io::Result<StoredSnapshot> {
        self.snapshots.read(seq)
    }

    /// Makes a configuration durable. Parts that are not in `fresh` are taken
    /// from the newest stored one.
    ///
    /// # Errors
    /// When it is not durable, for example because a part is nowhere.
    pub fn keep(&self, manifest: &Manifest, fresh: HashMap<PartHash, Bytes>) -> io::Result<()> {
        let mut bodies = fresh;
        let lacks = |bodies: &HashMap<PartHash, Bytes>| {
            manifest.parts.iter().any(|part| !bodies.contains_key(&part.hash))
        };
        for seq in self.snapshots.list()? {
            if !lacks(&bodies) {
                break;
            }
            // A damaged one has been reported when it was read first.
            if let Ok(stored) = self.snapshots.read(seq) {
                for (hash, body) in stored.bodies {
                    bodies.entry(hash).or_insert(body);
                }
            }
        }
        self.snapshots.write(&StoredSnapshot {
            manifest: manifest.clone(),
            bodies,
        })
    }

    /// Lets every write of the log fail, or succeed again, as a full disk does.
    #[cfg(test)]
    pub(crate) fn set_log_writable(&mut self, writable: bool) {
        self.log.set_writable(writable);
    }

    /// Forgets everything: what is here came from another history.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&mut self) -> io::Result<()> {
        self.log.clear()?;
        self.snapshots.clear()
    }
}

/// A rename is durable only when the directory is (fsync(2)).
fn sync_directory(of: &Path) -> io::Result<()> {
    match of.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Parts, api_part, tenant_part, version_part};

    fn parts(label: &str) -> Parts {
        let mut parts = Parts::default();
        parts.tenant(&tenant_part(1, "default"));
        parts.api(&api_part(1, 1, "/shop"));
        parts.version(&version_part(1, 1, label));
        parts
    }

    fn open(dir: &Path) -> Disk {
        Disk::open(dir, |_| {}).unwrap().0
    }

    #[test]
    fn the_last_three_are_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        let first = parts("v1");
        disk.keep(&first.manifest(1), first.bodies.clone()).unwrap();
        for (seq, label) in [(2, "v2"), (3, "v3"), (4, "v4")] {
            let next = parts(label);
            // Only the version is new; the rest comes from the one before.
            let mut fresh = next.bodies.clone();
            fresh.retain(|hash, _| !first.bodies.contains_key(hash));
            assert_eq!(fresh.len(), 1);
            disk.keep(&next.manifest(seq), fresh).unwrap();
        }
        assert_eq!(disk.snapshots().unwrap(), [4, 3, 2]);
        let stored = open(dir.path()).snapshot(4).unwrap();
        assert_eq!(
            (stored.manifest, stored.bodies),
            (parts("v4").manifest(4), parts("v4").bodies)
        );
    }

    #[test]
    fn a_damaged_one_is_refused_and_its_neighbour_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        for seq in [1, 2] {
            disk.keep(&parts("v1").manifest(seq), parts("v1").bodies).unwrap();
        }
        let path = dir.path().join("snapshots").join(format!("{:020}.snapshot", 2));
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        for damage in [&flipped[..], &whole[..whole.len() - 1], &whole[..7], b""] {
            fs::write(&path, damage).unwrap();
            assert!(disk.snapshot(2).is_err());
            assert!(disk.snapshot(1).is_ok());
        }
    }

    #[test]
    fn a_part_that_is_nowhere_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        let error = disk.keep(&parts("v1").manifest(1), HashMap::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(disk.snapshots().unwrap().is_empty());
    }
}
