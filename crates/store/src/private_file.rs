//! The files of an embedded store are for the account that runs it alone: they
//! hold the hashes of every key and the addresses of people.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::error::StoreError;

/// Makes the directory and the file that SQLite will open, where they are
/// missing. SQLite gives its write-ahead log the rights of the file itself.
/// What is there keeps the rights that its owner gave it.
///
/// # Errors
/// [`StoreError::Unavailable`], which names the path.
pub(crate) fn make(path: &Path) -> Result<(), StoreError> {
    let failed = |what: &Path, error: &std::io::Error| StoreError::Unavailable {
        reason: format!("{what:?} cannot be made: {error}"),
    };
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| failed(directory, &error))?;
    }
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_missing_is_made_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/deep/control.db");
        make(&file).unwrap();
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("control.db");
        write(&file, "kept").unwrap();
        set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        make(&file).unwrap();
        assert_eq!(
            (mode(&file), std::fs::read_to_string(&file).unwrap()),
            (0o640, "kept".to_owned())
        );
    }

    #[test]
    fn a_place_that_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("file");
        write(&blocked, "").unwrap();
        let error = make(&blocked.join("control.db")).unwrap_err();
        assert!(
            error.is_unavailable() && error.to_string().contains("file"),
            "{error}"
        );
    }
}
