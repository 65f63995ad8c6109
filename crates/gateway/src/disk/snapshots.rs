//! The last configurations, each whole in a file of its own, so that damage to
//! one does not reach another.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use gatewright_model::snapshot::{Manifest, PartHash};

use super::frame::{Frames, push};
use super::sync_directory;

/// Begins a file and names its form.
const MAGIC: &[u8; 8] = b"GWSNAP_1";
/// How many are kept.
const KEPT: usize = 3;
/// No manifest and no part is larger.
const LARGEST: usize = 64 << 20;

/// A configuration as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Its manifest.
    pub manifest: Manifest,
    /// The bytes of its parts.
    pub bodies: HashMap<PartHash, Bytes>,
}

/// The directory of snapshots.
#[derive(Debug)]
pub(super) struct Snapshots {
    dir: PathBuf,
}

impl Snapshots {
    /// # Errors
    /// When the directory cannot be made.
    pub(super) fn open(dir: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        Ok(Self { dir })
    }

    /// The numbers of what is there, the newest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(super) fn list(&self) -> io::Result<Vec<i64>> {
        let mut seqs = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let seq = name.to_str().and_then(|name| name.strip_suffix(".snapshot"));
            seqs.extend(seq.and_then(|seq| seq.parse::<i64>().ok()));
        }
        seqs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(seqs)
    }

    fn path(&self, seq: i64) -> PathBuf {
        self.dir.join(format!("{seq:020}.snapshot"))
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged or incomplete.
    pub(super) fn read(&self, seq: i64) -> io::Result<StoredSnapshot> {
        let mut file = BufReader::new(File::open(self.path(seq))?);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(damaged("is of another form"));
        }
        let mut frames = Frames::new(file, MAGIC.len() as u64, LARGEST);
        let first = frames.next()?.ok_or_else(|| damaged("has no manifest"))?;
        let manifest: Manifest = serde_json::from_slice(&first.content)?;
        let mut bodies = HashMap::with_capacity(manifest.parts.len());
        while let Some(frame) = frames.next()? {
            let body = Bytes::from(frame.content);
            bodies.insert(PartHash::of(&body), body);
        }
        let whole = manifest.parts.iter().all(|part| bodies.contains_key(&part.hash));
        if first.after_damage || !whole {
            return Err(damaged("lacks a part"));
        }
        Ok(StoredSnapshot { manifest, bodies })
    }

    /// Writes one, durably, and removes those that are too old.
    ///
    /// # Errors
    /// When it is not durable.
    pub(super) fn write(&self, snapshot: &StoredSnapshot) -> io::Result<()> {
        let path = self.path(snapshot.manifest.seq);
        let fresh = path.with_extension("new");
        write_file(&fresh, snapshot)?;
        fs::rename(&fresh, &path)?;
        sync_directory(&path)?;
        for seq in self.list()?.into_iter().skip(KEPT) {
            fs::remove_file(self.path(seq))?;
        }
        Ok(())
    }

    /// Removes all.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(super) fn clear(&self) -> io::Result<()> {
        for seq in self.list()? {
            fs::remove_file(self.path(seq))?;
        }
        Ok(())
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the snapshot {what}"))
}

fn write_file(path: &Path, snapshot: &StoredSnapshot) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    out.write_all(MAGIC)?;
    let mut frame = Vec::new();
    push(&mut frame, &serde_json::to_vec(&snapshot.manifest)?)?;
    out.write_all(&frame)?;
    let mut hashes: Vec<_> = snapshot.manifest.parts.iter().map(|part| part.hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    for hash in hashes {
        let body = snapshot
            .bodies
            .get(&hash)
            .ok_or_else(|| damaged("lacks a part"))?;
        frame.clear();
        push(&mut frame, body)?;
        out.write_all(&frame)?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}
