//! The store as a whole: opening it, bringing its schema up to date, and transactions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_model::secret::SecretText;
use gatewright_model::time::{Entropy, Timestamp};

use crate::conn::{Access, Dialect, Durability, Link, Scope};
use crate::error::StoreError;
use crate::migrations::{self, MigrationError, Target};
use crate::tx::Tx;

/// Where the store is.
#[derive(Debug, Clone)]
pub enum Database {
    /// Two SQLite files; traffic has its own, so that it never stalls a change.
    Sqlite {
        /// Configuration: every commit reaches the disk.
        control: PathBuf,
        /// Call records, usage and counters of limits.
        traffic: PathBuf,
    },
    /// A PostgreSQL database.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: SecretText,
        /// The most connections that this process opens.
        connections: u32,
    },
}

impl Database {
    /// The connections of one process unless the operator says otherwise.
    pub const DEFAULT_CONNECTIONS: u32 = 16;

    /// `control.db` and `traffic.db` in a directory.
    #[must_use]
    pub fn sqlite_in(dir: &Path) -> Self {
        Self::sqlite_at(dir.join("control.db"))
    }

    /// A control file of any name, with `traffic.db` beside it.
    #[must_use]
    pub fn sqlite_at(control: PathBuf) -> Self {
        let traffic = control.with_file_name("traffic.db");
        Self::Sqlite { control, traffic }
    }

    /// A PostgreSQL database by its URL.
    #[must_use]
    pub fn postgres(url: SecretText) -> Self {
        Self::Postgres {
            url,
            connections: Self::DEFAULT_CONNECTIONS,
        }
    }
}

/// What [`Store::open`] needs.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where the store is.
    pub database: Database,
    /// Randomness for the ids of audit events.
    pub entropy: Arc<dyn Entropy>,
}

/// The store. Cheap to clone: clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) control: Link,
    pub(crate) traffic: Link,
    pub(crate) files: Option<Arc<Files>>,
    entropy: Arc<dyn Entropy>,
}

/// The files of an embedded store.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) control: PathBuf,
    pub(crate) traffic: PathBuf,
}

impl Store {
    /// Connects. The schema is not looked at: see [`Store::pending_migrations`] and [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer within two seconds.
    pub async fn open(settings: StoreSettings) -> Result<Self, StoreError> {
        let (control, traffic, files) = match settings.database {
            Database::Sqlite { control, traffic } => (
                Link::sqlite(&control, Durability::Full).await?,
                Link::sqlite(&traffic, Durability::Normal).await?,
                Some(Arc::new(Files { control, traffic })),
            ),
            Database::Postgres { url, connections } => {
                let link = Link::postgres(url.expose(), connections).await?;
                (link.clone(), link, None)
            }
        };
        Ok(Self {
            control,
            traffic,
            files,
            entropy: settings.entropy,
        })
    }

    /// Which database it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.control.dialect()
    }

    /// Begins a transaction that writes. SQLite has one at a time; a second one waits up to two seconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin(&self, scope: Scope) -> Result<Tx, StoreError> {
        let conn = self.control.begin(scope, Access::Write).await?;
        Ok(Tx::new(conn, scope, Arc::clone(&self.entropy)))
    }

    /// Begins a transaction that reads one state of the store; the database refuses its writes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read(&self, scope: Scope) -> Result<Tx, StoreError> {
        let conn = self.control.begin(scope, Access::Read).await?;
        Ok(Tx::new(conn, scope, Arc::clone(&self.entropy)))
    }

    /// The same for the tables of traffic.
    pub(crate) async fn traffic_tx(&self, scope: Scope, access: Access) -> Result<Tx, StoreError> {
        let conn = self.traffic.begin(scope, access).await?;
        Ok(Tx::new(conn, scope, Arc::clone(&self.entropy)))
    }

    /// The names of the migrations that the schema lacks.
    ///
    /// # Errors
    /// [`StoreError::Migration`] when an applied one was changed or is unknown to this program.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for (link, targets) in self.schemas() {
            let pending = migrations::pending(link, targets).await?;
            names.extend(pending.iter().map(|migration| migration.name.to_owned()));
        }
        Ok(names)
    }

    /// The names of all migrations: what is pending where there is no store yet.
    #[must_use]
    pub fn known_migrations() -> Vec<String> {
        let known = migrations::MIGRATIONS.iter();
        known.map(|migration| migration.name.to_owned()).collect()
    }

    /// Refuses a schema that is not the one of this program.
    ///
    /// # Errors
    /// [`MigrationError::Pending`] and what [`Store::pending_migrations`] refuses.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let pending = self.pending_migrations().await?;
        if pending.is_empty() {
            return Ok(());
        }
        Err(MigrationError::Pending(pending).into())
    }

    /// Whether the schema has no migration at all.
    ///
    /// # Errors
    /// As [`Store::pending_migrations`].
    pub async fn is_empty_schema(&self) -> Result<bool, StoreError> {
        Ok(self.pending_migrations().await?.len() == migrations::MIGRATIONS.len())
    }

    /// Applies pending migrations and returns their names. Two processes that do
    /// it at once wait for each other.
    ///
    /// # Errors
    /// As [`Store::pending_migrations`]; a migration that fails leaves nothing behind.
    pub async fn migrate(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for (link, targets) in self.schemas() {
            names.extend(migrations::apply(link, targets, now).await?);
        }
        Ok(names)
    }

    /// Each schema with the migrations that belong into it.
    fn schemas(&self) -> Vec<(&Link, &'static [Target])> {
        match self.dialect() {
            Dialect::Postgres => vec![(&self.control, &[Target::Control, Target::Traffic])],
            Dialect::Sqlite => vec![
                (&self.control, &[Target::Control]),
                (&self.traffic, &[Target::Traffic]),
            ],
        }
    }

    /// Closes every connection; waits for those in use.
    pub async fn close(&self) {
        self.control.close().await;
        self.traffic.close().await;
    }
}
