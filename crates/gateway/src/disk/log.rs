//! The delta log: every change of a subject, appended and made durable before
//! it is acknowledged. When it holds too much that is outdated, it is written anew.
//!
//! The form of a change on disk is the one of [`Delta`] in postcard, which
//! depends on the order of its fields: a change of that type needs a new
//! [`MAGIC`], and a test holds the bytes.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gatewright_model::id::EntityId;
use gatewright_model::snapshot::Delta;
use uuid::Uuid;

use super::frame::{Frames, push};
use super::sync_directory;

/// Begins the file and names its form.
const MAGIC: &[u8; 8] = b"GWDELTA1";
/// No change of a subject is larger.
const LARGEST: usize = 64 << 10;
/// Below this size it is not worth to write the log anew.
const SMALL: u64 = 16 << 20;
/// Changes that are handed out at once when the log is read.
const CHUNK: usize = 50_000;

/// What a record says.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Entry {
    /// A subject is as follows.
    Changed(Delta),
    /// Every change up to this number is in the log.
    Through(i64),
}

/// When a change that is appended has to be durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before it is acknowledged.
    Now,
    /// With others, by [`DeltaLog::sync`]: none of them is acknowledged before.
    Later,
}

/// The open log.
#[derive(Debug)]
pub(super) struct DeltaLog {
    path: PathBuf,
    file: File,
    length: u64,
    /// The length when it was last written anew.
    base: u64,
    through: i64,
}

/// What was found when the log was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Something was lost in the middle: what comes after it may be incomplete.
    pub(super) damaged: bool,
    /// The file is of another form and was set aside.
    pub(super) foreign: bool,
}

impl DeltaLog {
    /// Opens the log, hands its changes to `each` and cuts a torn tail off.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(super) fn open(path: PathBuf, mut each: impl FnMut(&[Delta])) -> io::Result<(Self, Found)> {
        let mut found = Found::default();
        let mut file = open(&path)?;
        if file.metadata()?.len() < MAGIC.len() as u64 {
            begin(&mut file)?;
        } else if !has_magic(&mut file)? {
            found.foreign = true;
            fs::rename(&path, path.with_extension("log.foreign"))?;
            file = open(&path)?;
            begin(&mut file)?;
        }
        let read = read(&mut file, &mut each)?;
        found.damaged = read.damaged;
        let mut log = Self {
            path,
            file,
            length: read.end,
            base: SMALL,
            through: read.through,
        };
        if read.torn {
            log.file.set_len(log.length)?;
            log.file.sync_all()?;
        }
        log.file.seek(SeekFrom::Start(log.length))?;
        if found.damaged {
            log.rewrite()?;
        }
        Ok((log, found))
    }

    /// Every change up to this number is in the log.
    pub(super) const fn through(&self) -> i64 {
        self.through
    }

    /// Appends changes, and waits until they are durable when that is to be now.
    ///
    /// # Errors
    /// When they are not. The log is then as it was before.
    pub(super) fn append(&mut self, deltas: &[Delta], through: i64, durable: Durability) -> io::Result<()> {
        if deltas.is_empty() {
            self.through = self.through.max(through);
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(deltas.len() * 160);
        for delta in deltas {
            push(&mut bytes, &encode(&Entry::Changed(delta.clone()))?)?;
        }
        push(&mut bytes, &encode(&Entry::Through(through))?)?;
        if let Err(error) = self.write(&bytes, durable) {
            // What was written in part is cut off now, or as a torn tail at the next start.
            self.file
                .set_len(self.length)
                .and_then(|()| self.file.seek(SeekFrom::Start(self.length)))?;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.through = self.through.max(through);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], durable: Durability) -> io::Result<()> {
        self.file.write_all(bytes)?;
        match durable {
            Durability::Now => self.sync(),
            Durability::Later => Ok(()),
        }
    }

    /// Waits until everything is durable.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Writes the log anew when more than half of it is outdated.
    ///
    /// # Errors
    /// When that fails; the old log is still there.
    pub(super) fn compact(&mut self) -> io::Result<()> {
        if self.length < self.base.saturating_mul(2) {
            return Ok(());
        }
        self.rewrite()
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// When the file cannot be emptied.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(MAGIC.len() as u64)?;
        self.file.sync_all()?;
        self.length = self.file.seek(SeekFrom::End(0))?;
        self.through = 0;
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn set_writable(&mut self, writable: bool) {
        self.file = OpenOptions::new()
            .read(true)
            .write(writable)
            .open(&self.path)
            .unwrap();
        self.file.seek(SeekFrom::Start(self.length)).unwrap();
    }

    /// Two passes: which record of a subject is the newest, then a copy of these.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut newest: HashMap<Uuid, (i64, u64)> = HashMap::new();
        each_delta(&mut self.file, |delta, end| {
            let place = newest.entry(subject_of(delta)).or_insert((delta.seq(), end));
            if place.0 <= delta.seq() {
                *place = (delta.seq(), end);
            }
            Ok(())
        })?;
        let fresh = self.path.with_extension("log.new");
        let mut out = BufWriter::new(File::create(&fresh)?);
        out.write_all(MAGIC)?;
        each_delta(&mut self.file, |delta, end| {
            if newest.get(&subject_of(delta)) != Some(&(delta.seq(), end)) {
                return Ok(());
            }
            write_entry(&mut out, &Entry::Changed(delta.clone()))
        })?;
        write_entry(&mut out, &Entry::Through(self.through))?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        sync_directory(&self.path)?;
        self.file = open(&self.path)?;
        self.length = self.file.seek(SeekFrom::End(0))?;
        self.base = self.length.max(SMALL);
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn begin(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(MAGIC)?;
    file.sync_all()
}

fn has_magic(file: &mut File) -> io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(&mut magic)?;
    Ok(magic == *MAGIC)
}

fn encode(entry: &Entry) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(entry).map_err(io::Error::other)
}

fn write_entry(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let mut bytes = Vec::new();
    push(&mut bytes, &encode(entry)?)?;
    out.write_all(&bytes)
}

/// Ids are unique over all kinds: their random bits are.
fn subject_of(delta: &Delta) -> Uuid {
    match delta {
        Delta::Application(delta) => delta.id.uuid(),
        Delta::Subscription(delta) => delta.id.uuid(),
        Delta::Credential(delta) => delta.id.uuid(),
    }
}

fn frames(file: &mut File) -> io::Result<Frames<&mut File>> {
    file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
    Ok(Frames::new(file, MAGIC.len() as u64, LARGEST))
}

fn each_delta(file: &mut File, mut each: impl FnMut(&Delta, u64) -> io::Result<()>) -> io::Result<()> {
    let mut frames = frames(file)?;
    while let Some(frame) = frames.next()? {
        if let Ok(Entry::Changed(delta)) = postcard::from_bytes(&frame.content) {
            each(&delta, frame.end)?;
        }
    }
    Ok(())
}

struct ReadLog {
    end: u64,
    through: i64,
    damaged: bool,
    torn: bool,
}

fn read(file: &mut File, each: &mut impl FnMut(&[Delta])) -> io::Result<ReadLog> {
    let mut frames = frames(file)?;
    let mut chunk = Vec::new();
    let mut log = ReadLog {
        end: MAGIC.len() as u64,
        through: 0,
        damaged: false,
        torn: false,
    };
    while let Some(frame) = frames.next()? {
        log.end = frame.end;
        log.damaged |= frame.after_damage;
        match postcard::from_bytes(&frame.content) {
            Ok(Entry::Changed(delta)) => chunk.push(delta),
            // A mark behind damage promises what is not there: it is asked for again.
            Ok(Entry::Through(through)) if !log.damaged => log.through = log.through.max(through),
            Ok(Entry::Through(_)) => {}
            Err(_) => log.damaged = true,
        }
        if chunk.len() >= CHUNK {
            each(&chunk);
            chunk.clear();
        }
    }
    each(&chunk);
    log.torn = frames.is_torn();
    Ok(log)
}

#[cfg(test)]
mod tests {
    use gatewright_model::consumer::CredentialState;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{application, credential, subscription};

    fn reopened(path: &Path) -> (Vec<Delta>, DeltaLog, Found) {
        let mut deltas = Vec::new();
        let (log, found) = DeltaLog::open(path.to_owned(), |chunk| deltas.extend_from_slice(chunk)).unwrap();
        (deltas, log, found)
    }

    fn some_deltas() -> Vec<Delta> {
        vec![
            Delta::Application(application(1, 1)),
            Delta::Subscription(subscription(2, 2, 1, 1)),
            Delta::Credential(credential(3, 3, 1)),
        ]
    }

    #[test]
    fn what_was_appended_is_there_after_a_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deltas.log");
        let (_, mut log, _) = reopened(&path);
        log.append(&some_deltas(), 3, Durability::Now).unwrap();
        log.append(&[], 9, Durability::Now).unwrap();
        drop(log);
        let (deltas, log, found) = reopened(&path);
        assert_eq!((deltas, found), (some_deltas(), Found::default()));
        // A number without changes is not worth a write: it is asked for again.
        assert_eq!(log.through(), 3);
    }

    #[test]
    fn a_torn_tail_is_cut_and_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deltas.log");
        let (_, mut log, _) = reopened(&path);
        log.append(&some_deltas(), 3, Durability::Now).unwrap();
        let whole = log.length;
        log.append(&[Delta::Credential(credential(4, 4, 1))], 4, Durability::Now)
            .unwrap();
        log.file.set_len(whole + 20).unwrap();
        drop(log);
        let (deltas, mut log, found) = reopened(&path);
        assert_eq!((deltas.len(), log.through(), found), (3, 3, Found::default()));
        log.append(&[Delta::Credential(credential(5, 5, 1))], 5, Durability::Now)
            .unwrap();
        drop(log);
        let (deltas, log, found) = reopened(&path);
        assert_eq!((deltas.len(), log.through(), found), (4, 5, Found::default()));
    }

    #[test]
    fn damage_in_the_middle_is_told_and_what_follows_it_is_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deltas.log");
        let (_, mut log, _) = reopened(&path);
        log.append(&some_deltas(), 3, Durability::Now).unwrap();
        let place = log.length + 20;
        log.append(&[Delta::Credential(credential(4, 4, 1))], 4, Durability::Now)
            .unwrap();
        log.append(&[Delta::Credential(credential(5, 5, 1))], 5, Durability::Now)
            .unwrap();
        log.file.seek(SeekFrom::Start(place)).unwrap();
        log.file.write_all(b"!!").unwrap();
        drop(log);
        let (deltas, log, found) = reopened(&path);
        assert!(found.damaged);
        assert_eq!((deltas.len(), log.through()), (4, 3));
        drop(log);
        // It was written anew without the damage.
        let (deltas, log, found) = reopened(&path);
        assert_eq!((deltas.len(), log.through(), found), (4, 3, Found::default()));
    }

    #[test]
    fn written_anew_it_holds_the_newest_of_each() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deltas.log");
        let (_, mut log, _) = reopened(&path);
        log.append(&some_deltas(), 3, Durability::Now).unwrap();
        let mut revoked = credential(8, 3, 1);
        revoked.state = CredentialState::Revoked;
        log.append(&[Delta::Credential(revoked.clone())], 8, Durability::Now)
            .unwrap();
        log.rewrite().unwrap();
        log.append(&[Delta::Application(application(9, 9))], 9, Durability::Now)
            .unwrap();
        drop(log);
        let (deltas, log, _) = reopened(&path);
        assert_eq!((deltas.len(), log.through()), (4, 9));
        assert!(deltas.contains(&Delta::Credential(revoked)));
        assert!(!deltas.contains(&Delta::Credential(credential(3, 3, 1))));
    }

    #[test]
    fn a_file_of_another_form_is_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deltas.log");
        fs::write(&path, b"GWDELTA0 and more").unwrap();
        let (deltas, _, found) = reopened(&path);
        assert!(deltas.is_empty() && found.foreign);
        assert!(dir.path().join("deltas.log.foreign").exists());
    }

    #[test]
    fn the_form_on_disk_does_not_change_by_accident() {
        let mut bytes = Vec::new();
        for delta in some_deltas() {
            push(&mut bytes, &encode(&Entry::Changed(delta)).unwrap()).unwrap();
        }
        assert_eq!(
            (bytes.len(), crc32fast::hash(&bytes)),
            (280, 3_276_403_171),
            "the form of a delta on disk changed: give the file another MAGIC and hold the new bytes here"
        );
    }

    proptest! {
        #[test]
        fn cut_anywhere_it_opens_with_a_prefix(cut in 0_u64..2_000) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("deltas.log");
            let (_, mut log, _) = reopened(&path);
            let all: Vec<_> = (1..10).map(|n| Delta::Credential(credential(n, n.unsigned_abs().into(), 1))).collect();
            for (delta, seq) in all.iter().zip(1..) {
                log.append(std::slice::from_ref(delta), seq, Durability::Now).unwrap();
            }
            log.file.set_len(cut.min(log.length)).unwrap();
            drop(log);
            let (deltas, log, found) = reopened(&path);
            prop_assert!(!found.damaged);
            prop_assert_eq!(&deltas[..], &all[..deltas.len()]);
            let acknowledged = usize::try_from(log.through()).unwrap();
            prop_assert!(acknowledged <= deltas.len() && deltas.len() <= acknowledged + 1);
        }
    }
}
