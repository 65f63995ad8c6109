//! `backup` and `restore`: the control store as one portable file.

use std::error::Error;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use gatewright_config::{Environment, Exit, MasterKeySource};
use gatewright_control::error::with_causes;
use gatewright_model::time::{Clock, SystemClock, SystemEntropy};
use gatewright_store::{ArchiveFacts, BackupOptions};
use serde_json::json;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};

use crate::cli::ArchiveArgs;
use crate::commands::session::configure;
use crate::failure::Failure;
use crate::output;
use crate::schema::{self, Upgrade};

/// Runs `backup`. The archive appears whole or not at all.
pub(crate) async fn backup(args: &ArchiveArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let store = schema::open(&config.database, Arc::new(SystemEntropy)).await?;
    store.check_schema().await?;
    let draft = args.file.with_extension("part");
    let unwritable = |error: std::io::Error| {
        Failure::usage(format!(
            "the archive {:?} cannot be written: {error}; fix: name a file in a directory that this user may write to",
            args.file
        ))
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(unwritable)?;
    let mut writer = BufWriter::new(tokio::fs::File::from_std(file));
    let written = store
        .backup(&mut writer, BackupOptions { calls: false }, SystemClock.now())
        .await;
    if let Err(error) = written {
        std::fs::remove_file(&draft).map_err(unwritable)?;
        return Err(error.into());
    }
    writer.flush().await.map_err(unwritable)?;
    writer.get_ref().sync_all().await.map_err(unwritable)?;
    std::fs::rename(&draft, &args.file).map_err(unwritable)?;
    store.close().await;
    let text = format!(
        "wrote {}; keep the master key apart from it, and both",
        args.file.display()
    );
    output::print(config.output, &text, &json!({ "file": args.file }))?;
    Ok(Exit::Success)
}

/// Runs `restore`: into an empty store, and only under the key that the
/// archive was made with. Nothing is written before both files are judged.
pub(crate) async fn restore(args: &ArchiveArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let facts = inspect(&args.file).await?;
    check_key(&config.master_key, &facts)?;
    let mut reader = open(&args.file).await?;
    let store = schema::open(&config.database, Arc::new(SystemEntropy)).await?;
    schema::settle(&store, &SystemClock, Upgrade::Never).await?;
    store.restore(&mut reader).await?;
    store.close().await;
    let text = format!("restored {}", args.file.display());
    output::print(config.output, &text, &json!({ "file": args.file }))?;
    Ok(Exit::Success)
}

async fn open(path: &Path) -> Result<BufReader<tokio::fs::File>, Failure> {
    let file = tokio::fs::File::open(path).await;
    file.map(BufReader::new).map_err(|error| unusable(path, &error))
}

async fn inspect(path: &Path) -> Result<ArchiveFacts, Failure> {
    let mut reader = open(path).await?;
    let facts = ArchiveFacts::read(&mut reader).await;
    facts.map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn Error) -> Failure {
    Failure::usage(format!(
        "{path:?} cannot be restored: {}; fix: name a whole file that `gatewright backup` of this release has written",
        with_causes(error)
    ))
}

/// Refuses a key that the archive was not made with, and makes none in its place.
fn check_key(source: &MasterKeySource, facts: &ArchiveFacts) -> Result<(), Failure> {
    let Some(known) = &facts.master_key_check else {
        return Ok(());
    };
    if let MasterKeySource::Generated(path) = source
        && !path.exists()
    {
        return Err(Failure::usage(format!(
            "the archive needs the master key that it was made with, and there is none at {path:?}; fix: copy master.key of the old installation to {path:?}, or give that key by --master-key-file or GATEWRIGHT_MASTER_KEY"
        )));
    }
    if source.load(&SystemEntropy)?.check_value() == *known {
        return Ok(());
    }
    let place = match source {
        MasterKeySource::Generated(path) => {
            format!("copy master.key of the old installation to {path:?}, or ")
        }
        _ => String::new(),
    };
    Err(Failure::usage(format!(
        "the archive was made under another master key, and nothing was restored; fix: {place}give that key by --master-key-file or GATEWRIGHT_MASTER_KEY"
    )))
}

#[cfg(test)]
mod tests {
    use gatewright_model::keys::MasterKey;

    use super::*;

    #[test]
    fn the_key_is_judged_and_never_made_up() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("master.key");
        let source = MasterKeySource::Generated(path.clone());
        let old = MasterKey::generate(&SystemEntropy);
        let facts = ArchiveFacts {
            master_key_check: Some(old.check_value()),
        };
        let missing = check_key(&source, &facts).unwrap_err();
        assert_eq!(missing.exit, Exit::Usage);
        assert!(
            missing
                .to_string()
                .contains("copy master.key of the old installation to"),
            "{missing}"
        );
        assert!(!path.exists());

        check_key(&MasterKeySource::Value(old), &facts).unwrap();
        let other = MasterKeySource::Value(MasterKey::generate(&SystemEntropy));
        let wrong = check_key(&other, &facts).unwrap_err();
        assert!(wrong.to_string().contains("another master key"), "{wrong}");
    }

    #[tokio::test]
    async fn what_is_no_archive_is_refused_with_the_fix() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notes.txt");
        std::fs::write(&path, "no archive").unwrap();
        for file in [path.as_path(), home.path(), &home.path().join("nothing")] {
            let refusal = inspect(file).await.unwrap_err();
            assert_eq!(refusal.exit, Exit::Usage);
            assert!(
                refusal.to_string().contains("; fix: name a whole file"),
                "{refusal}"
            );
        }
    }
}
