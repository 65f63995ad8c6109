//! Opening the store, and the rules for bringing its schema up to date
//! (`product.md` 2): an empty one is migrated, SQLite with data is copied
//! first, and a Postgres with data only when the operator says so.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use gatewright_config::DatabaseTarget;
use gatewright_model::secret::SecretText;
use gatewright_model::time::{Clock, Entropy};
use gatewright_store::{Database, Dialect, Store, StoreSettings};

use crate::failure::Failure;

/// What may be done to a schema that holds data and is not up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// Nothing: a command beside a server changes no schema under it.
    Never,
    /// SQLite is copied and migrated; Postgres is left to the operator.
    Embedded,
    /// Both are migrated.
    Always,
}

/// Connects to the store.
///
/// # Errors
/// 69 when it is out of reach.
pub(crate) async fn open(target: &DatabaseTarget, entropy: Arc<dyn Entropy>) -> Result<Store, Failure> {
    let database = match target {
        DatabaseTarget::Sqlite { control, traffic } => {
            make_home(control)?;
            Database::Sqlite {
                control: control.clone(),
                traffic: traffic.clone(),
            }
        }
        DatabaseTarget::Postgres(url) => Database::postgres(SecretText::new(url.expose().to_owned())),
    };
    Ok(Store::open(StoreSettings { database, entropy }).await?)
}

/// Whether there is certainly no store: opening it would make its files.
pub(crate) fn is_missing(target: &DatabaseTarget) -> bool {
    matches!(target, DatabaseTarget::Sqlite { control, .. } if !control.exists())
}

/// Whether there is a store with a schema in it; looking makes neither.
///
/// # Errors
/// 69 when it is out of reach.
pub(crate) async fn is_made(target: &DatabaseTarget, entropy: Arc<dyn Entropy>) -> Result<bool, Failure> {
    if is_missing(target) {
        return Ok(false);
    }
    let store = open(target, entropy).await?;
    let empty = store.is_empty_schema().await?;
    store.close().await;
    Ok(!empty)
}

fn make_home(control: &Path) -> Result<(), Failure> {
    let Some(home) = control.parent().filter(|home| !home.as_os_str().is_empty()) else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(home);
    made.map_err(|error| {
        Failure::usage(format!(
            "the directory {home:?} of the database cannot be made: {error}; fix: correct data_dir (--data-dir, GATEWRIGHT_DATA_DIR) or database_url (--database-url, GATEWRIGHT_DATABASE_URL)"
        ))
    })
}

/// Brings the schema up to date as far as that is allowed, and says which
/// migrations were applied.
///
/// # Errors
/// 64 with the command that helps when it is not allowed; 69 when the store is
/// out of reach.
pub(crate) async fn settle(
    store: &Store,
    clock: &dyn Clock,
    upgrade: Upgrade,
) -> Result<Vec<String>, Failure> {
    let pending = store.pending_migrations().await?;
    if pending.is_empty() {
        return Ok(pending);
    }
    if !store.is_empty_schema().await? {
        let allowed = match store.dialect() {
            Dialect::Sqlite => upgrade != Upgrade::Never,
            Dialect::Postgres => upgrade == Upgrade::Always,
        };
        if !allowed {
            return Err(refusal(&pending));
        }
        copy_embedded(store, clock).await?;
    }
    let applied = store.migrate(clock.now()).await?;
    tracing::info!(migrations = applied.join(", "), "schema is up to date");
    Ok(applied)
}

fn refusal(pending: &[String]) -> Failure {
    Failure::usage(format!(
        "the database holds data and {} migration(s) are pending: {}; fix: run `gatewright migrate` with the same --database-url, or start with --migrate",
        pending.len(),
        pending.join(", ")
    ))
}

/// Keeps a copy of SQLite's files as they were.
async fn copy_embedded(store: &Store, clock: &dyn Clock) -> Result<(), Failure> {
    if store.dialect() == Dialect::Sqlite {
        for copy in store.copy_files(clock.now()).await? {
            tracing::info!(file = ?copy, "copied the database before the migration");
        }
    }
    Ok(())
}
