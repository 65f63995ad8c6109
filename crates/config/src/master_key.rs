//! Where the master key comes from. It seals secrets and keys the credential
//! hashes, so it is the same on every node of a cluster.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gatewright_model::invalid::Invalid;
use gatewright_model::keys::MasterKey;
use gatewright_model::secret::SecretText;
use gatewright_model::time::Entropy;

use crate::data_dir::create_private;
use crate::database::DatabaseTarget;
use crate::error::{ConfigError, Fault};
use crate::exit::Exit;
use crate::key::{Fallback, Key, Kind, Reach, Scope};
use crate::layers::Reader;

pub(crate) static MASTER_KEY_FILE: Key = Key {
    name: "master-key-file",
    section: "Files and stores",
    kind: Kind::Path,
    fallback: Fallback::Derived("`master.key` in the data directory with SQLite; Postgres needs one"),
    scope: Scope::Every,
    reach: Reach::Everywhere,
    doc: "File with the master key, 32 random bytes in base64, readable by its owner alone.",
};

pub(crate) static MASTER_KEY: Key = Key {
    name: "master-key",
    section: "Files and stores",
    kind: Kind::Secret,
    fallback: Fallback::Unset,
    scope: Scope::Every,
    reach: Reach::EnvironmentOnly,
    doc: "The master key itself, instead of a file.",
};

/// The command that makes a key file.
const MAKE: &str = "(umask 077; head -c 32 /dev/urandom | base64 > master.key)";

/// What is wrong with a shared store and no key.
pub(crate) fn missing() -> Fault {
    Fault::new(
        "is not set, and Postgres needs a master key, the same on every node",
        format!("make one with `{MAKE}` and start with --master-key-file master.key"),
    )
}

/// A key file is 45 bytes; this leaves room for line ends and nothing else.
const MAX_FILE_BYTES: u64 = 256;

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub enum MasterKeySource {
    /// Given in the environment.
    Value(MasterKey),
    /// In a file that must be there.
    File(PathBuf),
    /// In the data directory, made when it is missing: SQLite alone.
    Generated(PathBuf),
    /// Not given, although the store is shared.
    Missing,
}

/// Why there is no master key. Every text names the fix.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// Postgres, and no key was given.
    #[error("{}", ConfigError::new(&MASTER_KEY_FILE, None, missing()))]
    Missing,
    /// The named file is not there.
    #[error(
        "master_key_file (--master-key-file, GATEWRIGHT_MASTER_KEY_FILE) names {0:?}, which is not there; fix: restore it from a backup, or for a new installation make one with `{MAKE}`"
    )]
    NotFound(PathBuf),
    /// Others than the owner may read the file.
    #[error(
        "the master key file {path:?} has mode {mode:o} and is open to others; fix: chmod 600 {path:?}, or hand the key over in GATEWRIGHT_MASTER_KEY"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("the master key file {path:?} {invalid}; fix: restore it from a backup")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        invalid: Invalid,
    },
    /// The operating system refused.
    #[error(
        "the master key file {path:?} cannot be used: {source}; fix: let this user read it, or write in its directory"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl MasterKeyError {
    /// The code the process ends with.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        Exit::Usage
    }
}

impl MasterKeySource {
    /// The key. A [`MasterKeySource::Generated`] file is made when it is
    /// missing: mode 0600, written and synced under another name first, so
    /// that a crash leaves either no key or a whole one.
    ///
    /// # Errors
    /// [`MasterKeyError`] when there is no key, or its file is open to others.
    pub fn load(&self, entropy: &dyn Entropy) -> Result<MasterKey, MasterKeyError> {
        match self {
            Self::Value(key) => Ok(key.clone()),
            Self::File(path) => read(path)?.ok_or_else(|| MasterKeyError::NotFound(path.clone())),
            Self::Generated(path) => match read(path)? {
                Some(key) => Ok(key),
                None => generate(path, entropy),
            },
            Self::Missing => Err(MasterKeyError::Missing),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, data_dir: &Path, database: &DatabaseTarget) -> Option<Self> {
        let given = (reader.is_given(&MASTER_KEY_FILE), reader.is_given(&MASTER_KEY));
        match given {
            (true, true) => {
                let fix = format!("keep it or {}, not both", MASTER_KEY.env());
                reader.refuse(
                    &MASTER_KEY_FILE,
                    Fault::new("is a second source of the master key", fix),
                );
                None
            }
            (true, false) => reader.read(&MASTER_KEY_FILE, |path| Ok(Self::File(path.into()))),
            (false, true) => reader.read(&MASTER_KEY, |text| {
                let fix = format!("make one with `{MAKE}`");
                MasterKey::from_base64(text)
                    .map(Self::Value)
                    .map_err(|_| Fault::new("is not 32 bytes in base64", fix))
            }),
            (false, false) if database.is_embedded() => Some(Self::Generated(data_dir.join("master.key"))),
            (false, false) => Some(Self::Missing),
        }
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> MasterKeyError {
    let path = path.to_owned();
    move |source| MasterKeyError::Io { path, source }
}

/// `None` when there is no such file.
fn read(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path)(error)),
    };
    let mode = file.metadata().map_err(failed(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES).read_to_string(&mut text);
    let text = SecretText::new(text);
    read.map_err(failed(path))?;
    match MasterKey::from_base64(text.expose()) {
        Ok(key) => Ok(Some(key)),
        Err(invalid) => Err(MasterKeyError::Invalid {
            path: path.to_owned(),
            invalid,
        }),
    }
}

fn generate(path: &Path, entropy: &dyn Entropy) -> Result<MasterKey, MasterKeyError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    create_private(directory).map_err(failed(path))?;
    let key = MasterKey::generate(entropy);
    let mut suffix = [0_u8; 8];
    entropy.fill(&mut suffix);
    let draft = directory.join(format!("master.key.{}", hex::encode(suffix)));
    let placed = write_draft(&draft, &key).and_then(|()| place(&draft, path));
    let removed = match std::fs::remove_file(&draft) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    if !placed.map_err(failed(path))? {
        // Another process was first: its key is the one that counts.
        return read(path)?.ok_or_else(|| MasterKeyError::NotFound(path.to_owned()));
    }
    removed.map_err(failed(path))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed(path))?;
    Ok(key)
}

fn write_draft(draft: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    // The mode above passes through the umask, which may take bits away but also is not ours to trust.
    file.set_permissions(Permissions::from_mode(0o600))?;
    let text = SecretText::new(format!("{}\n", key.to_base64()));
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

/// Gives the draft its name, unless the name is taken. A link, unlike a
/// rename, never replaces the key of a process that was faster; file systems
/// without links (FAT, some network shares) have the rename.
fn place(draft: &Path, path: &Path) -> io::Result<bool> {
    match std::fs::hard_link(draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(_) => std::fs::rename(draft, path).map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::time::SystemEntropy;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_closed_to_others() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data/master.key");
        let source = MasterKeySource::Generated(path.clone());
        let made = source.load(&SystemEntropy).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            source.load(&SystemEntropy).unwrap().check_value(),
            made.check_value()
        );
        let files = std::fs::read_dir(home.path().join("data")).unwrap().count();
        assert_eq!(files, 1, "no draft is left");
    }

    #[test]
    fn starters_at_the_same_time_agree_on_one_key() {
        let home = tempfile::tempdir().unwrap();
        let source = MasterKeySource::Generated(home.path().join("master.key"));
        let keys: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| source.load(&SystemEntropy).unwrap().check_value()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key == &keys[0]));
    }

    #[test]
    fn open_missing_and_broken_files_name_their_fix() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("k");
        let source = MasterKeySource::File(path.clone());
        let error = source.load(&SystemEntropy).unwrap_err().to_string();
        assert!(error.contains("/dev/urandom"), "{error}");

        std::fs::write(&path, "c2hvcnQ=").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = source.load(&SystemEntropy).unwrap_err().to_string();
        assert!(
            error.contains("mode 640") && error.contains("chmod 600"),
            "{error}"
        );

        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = source.load(&SystemEntropy).unwrap_err();
        assert!(matches!(error, MasterKeyError::Invalid { .. }));
        assert!(!error.to_string().contains("c2hvcnQ"));
        assert_eq!(MasterKeyError::Missing.exit(), Exit::Usage);
    }
}
