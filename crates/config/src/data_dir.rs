//! One server per data directory.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::exit::Exit;

/// The lock file. It stays behind: removing it would let two servers lock two files of one name.
const LOCK_FILE: &str = "serve.lock";

/// Holds a data directory for this process. The operating system lets go of it
/// when the process ends, however it ends.
#[derive(Debug)]
pub struct DataDirLock {
    file: File,
}

/// Why the data directory cannot be held. Every text names the fix.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process serves it.
    #[error(
        "the data directory {path:?} is already served by process {}; fix: stop that process, or give this one its own --data-dir",
        holder(*pid)
    )]
    Taken {
        /// The data directory.
        path: PathBuf,
        /// The other process, when it has written its number.
        pid: Option<u32>,
    },
    /// The operating system refused.
    #[error(
        "data_dir (--data-dir, GATEWRIGHT_DATA_DIR) {path:?} cannot be used: {source}; fix: name a directory that this user may write to"
    )]
    Io {
        /// The data directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl LockError {
    /// The code the process ends with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Taken { .. } => Exit::Taken,
            Self::Io { .. } => Exit::Usage,
        }
    }
}

impl DataDirLock {
    /// Makes the directory (mode 0700) where it is missing and holds it until
    /// the value is dropped.
    ///
    /// # Errors
    /// [`LockError::Taken`] at once when another process holds it.
    pub fn acquire(data_dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io {
            path: data_dir.to_owned(),
            source,
        };
        create_private(data_dir).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(data_dir.join(LOCK_FILE))
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Taken {
                    path: data_dir.to_owned(),
                    pid: pid_in(&file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { file })
    }

    /// Holds a data directory by a lock that its holder has given away. Both
    /// hold it then: it is free when both have ended.
    ///
    /// # Errors
    /// When the descriptor is not the lock of this directory.
    pub fn inherit(descriptor: OwnedFd, data_dir: &Path) -> Result<Self, LockError> {
        let file = File::from(descriptor);
        let is_ours = || -> io::Result<bool> {
            let (given, here) = (file.metadata()?, std::fs::metadata(data_dir.join(LOCK_FILE))?);
            Ok((given.dev(), given.ino()) == (here.dev(), here.ino()))
        };
        let failed = |source| LockError::Io {
            path: data_dir.to_owned(),
            source,
        };
        if is_ours().map_err(failed)? {
            return Ok(Self { file });
        }
        Err(failed(io::Error::new(
            io::ErrorKind::InvalidData,
            "what was handed over is not its lock",
        )))
    }

    /// Writes the number of this process into the lock, for those who find it taken.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn sign(&mut self) -> io::Result<()> {
        sign(&mut self.file)
    }
}

impl AsFd for DataDirLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Makes a directory that only its owner may enter; an existing one is left as it is.
pub(crate) fn create_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    file.flush()
}

fn pid_in(file: &File) -> Option<u32> {
    let mut text = String::new();
    // Twenty bytes hold any process number.
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "(unknown number)".to_owned(), |pid| pid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_holder_is_told_the_first() {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().join("a/b");
        let held = DataDirLock::acquire(&data_dir).unwrap();
        let error = DataDirLock::acquire(&data_dir).unwrap_err();
        assert_eq!(error.exit().code(), 73);
        let text = error.to_string();
        assert!(
            text.contains(&format!("process {};", std::process::id())),
            "{text}"
        );
        drop(held);
        DataDirLock::acquire(&data_dir).unwrap();
    }

    #[test]
    fn a_lock_that_was_given_away_holds_until_both_are_gone() {
        let home = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (home.path().join("a"), home.path().join("b"));
        let given = DataDirLock::acquire(&here).unwrap();
        let other = DataDirLock::acquire(&elsewhere).unwrap();
        let copy = |lock: &DataDirLock| lock.as_fd().try_clone_to_owned().unwrap();
        DataDirLock::inherit(copy(&other), &here).unwrap_err();
        let mut inherited = DataDirLock::inherit(copy(&given), &here).unwrap();
        drop(given);
        DataDirLock::acquire(&here).unwrap_err();
        inherited.sign().unwrap();
        drop(inherited);
        DataDirLock::acquire(&here).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_a_configuration_error() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(
            DataDirLock::acquire(&file.join("x")).unwrap_err().exit(),
            Exit::Usage
        );
    }
}
