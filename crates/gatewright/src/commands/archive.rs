//! `backup` and `restore`: the control store as one portable file.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use gatewright_config::{Environment, Exit};
use gatewright_model::time::{Clock, SystemClock, SystemEntropy};
use gatewright_store::{BackupOptions, Store};
use serde_json::json;
use tokio::io::{AsyncWriteExt, BufReader, BufWriter};

use crate::cli::ArchiveArgs;
use crate::commands::session::{configure, matches_key};
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

/// Runs `restore`: into an empty store, and only under the key that the archive was made with.
pub(crate) async fn restore(args: &ArchiveArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let key = config.master_key.load(&SystemEntropy)?;
    let unreadable = |error: std::io::Error| {
        Failure::usage(format!(
            "the archive {:?} cannot be read: {error}; fix: name a file that `gatewright backup` has written",
            args.file
        ))
    };
    let file = tokio::fs::File::open(&args.file).await.map_err(unreadable)?;
    let store = schema::open(&config.database, Arc::new(SystemEntropy)).await?;
    schema::settle(&store, &SystemClock, Upgrade::Never).await?;
    let mut reader = BufReader::new(file);
    store.restore(&mut reader).await?;
    let fits = matches_key(&store, &key).await?;
    finish(&store).await;
    if !fits {
        return Err(Failure::usage(
            "the archive was restored, but it was made under another master key; fix: start with that key, by --master-key-file or GATEWRIGHT_MASTER_KEY",
        ));
    }
    let text = format!("restored {}", args.file.display());
    output::print(config.output, &text, &json!({ "file": args.file }))?;
    Ok(Exit::Success)
}

async fn finish(store: &Store) {
    store.close().await;
}
