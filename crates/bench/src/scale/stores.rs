//! Databases that are filled with an archive.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::ValueEnum;
use gatewright_testkit::postgres::Postgres;
use gatewright_testkit::server::{MASTER_KEY, Setup};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::fill::{self, Size};
use super::seed;

/// What a Postgres is given that holds so much: a tenth of a small machine's memory, and fewer checkpoints.
const SETTINGS: &[&str] = &["shared_buffers=512MB", "max_wal_size=4GB"];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// The embedded one
    Sqlite,
    /// A Postgres that is started for the run
    Postgres,
}

impl Kind {
    /// As tables name it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        }
    }
}

/// Where an archive lies, and the directory that goes with it when nobody wants to keep it.
pub(super) type Archived = (PathBuf, Option<TempDir>);

/// Makes the archive of a size, or takes the one that was kept.
pub(super) fn archive(
    binary: &Path,
    size: Size,
    keep: Option<&Path>,
    runtime: &Runtime,
) -> anyhow::Result<Archived> {
    let name = format!(
        "{}-{}-{}-{}.archive",
        size.apis, size.keys, size.calls, size.audit
    );
    let (path, temporary) = match keep {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            (dir.join(name), None)
        }
        None => {
            let dir = TempDir::new()?;
            (dir.path().join(name), Some(dir))
        }
    };
    if !path.exists() {
        eprintln!("making {}", path.display());
        let dir = TempDir::new()?;
        let base = runtime.block_on(seed::base(binary, dir.path()))?;
        let draft = path.with_extension("draft");
        fill::write(&base, size, &draft)?;
        std::fs::rename(&draft, &path)?;
    }
    Ok((path, temporary))
}

/// A filled store.
pub(super) struct Filled {
    /// Starts processes on it.
    pub(super) setup: Setup,
    /// How much is in it.
    pub(super) size: Size,
    /// Which database it is.
    pub(super) kind: Kind,
    /// The server, when it is Postgres.
    pub(super) postgres: Option<Postgres>,
}

impl Filled {
    /// Restores an archive into a new store.
    pub(super) fn restore(binary: &Path, kind: Kind, size: Size, archive: Archived) -> anyhow::Result<Self> {
        let (path, _temporary) = archive;
        let (setup, postgres) = match kind {
            Kind::Sqlite => (seed::embedded(binary), None),
            Kind::Postgres => {
                let postgres = Postgres::with(SETTINGS);
                let setup = seed::embedded(binary).env("GATEWRIGHT_DATABASE_URL", postgres.database());
                (setup, Some(postgres))
            }
        };
        let filled = Self {
            setup,
            size,
            kind,
            postgres,
        };
        eprintln!("restoring {} into {}", path.display(), kind.name());
        let since = Instant::now();
        filled.run(binary, "restore", &path)?;
        eprintln!("restored in {} s", since.elapsed().as_secs());
        Ok(filled)
    }

    /// Takes what is filled already.
    pub(super) fn known(binary: &Path, size: Size, place: &str) -> anyhow::Result<Self> {
        let setup = seed::embedded(binary);
        let (setup, kind) = if place.starts_with("postgres") {
            (setup.env("GATEWRIGHT_DATABASE_URL", place), Kind::Postgres)
        } else {
            for entry in std::fs::read_dir(place)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    std::fs::copy(entry.path(), setup.data_dir().join(entry.file_name()))?;
                }
            }
            (setup, Kind::Sqlite)
        };
        let filled = Self {
            setup,
            size,
            kind,
            postgres: None,
        };
        let migrated = filled.setup.command(&["migrate"]);
        if migrated.code != 0 {
            bail!("migrate: {}", migrated.stderr);
        }
        Ok(filled)
    }

    /// A command of the binary that may take its time.
    fn run(&self, binary: &Path, command: &str, path: &Path) -> anyhow::Result<()> {
        let mut command_line = Command::new(binary);
        command_line
            .arg(command)
            .arg(path)
            .arg("--data-dir")
            .arg(self.setup.data_dir())
            .env("GATEWRIGHT_MASTER_KEY", MASTER_KEY);
        if let Some(url) = self.setup.variable("GATEWRIGHT_DATABASE_URL") {
            command_line.env("GATEWRIGHT_DATABASE_URL", url);
        }
        let output = command_line.output().context("gatewright does not start")?;
        if !output.status.success() {
            bail!("{command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}
