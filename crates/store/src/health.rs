//! How the store is: what `doctor` and readiness ask.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gatewright_model::time::Timestamp;

use crate::conn::Dialect;
use crate::dialect;
use crate::error::StoreError;
use crate::store::Store;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Which database it is.
    pub dialect: Dialect,
    /// How long a statement takes there and back.
    pub latency: Duration,
    /// How far the database's clock is ahead of ours, in milliseconds; `None` where it is the same clock.
    pub clock_skew_ms: Option<i64>,
    /// Migrations that the schema lacks.
    pub pending: Vec<String>,
}

impl Store {
    /// Asks both databases for an answer and says how long the slower one took.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] within two seconds.
    pub async fn ping(&self) -> Result<Duration, StoreError> {
        let start = Instant::now();
        self.control.ping().await?;
        let control = start.elapsed();
        if self.dialect() == Dialect::Postgres {
            return Ok(control);
        }
        let start = Instant::now();
        self.traffic.ping().await?;
        Ok(Ord::max(control, start.elapsed()))
    }

    /// Looks at the store from all sides.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or a schema that is not this program's.
    pub async fn health(&self, now: Timestamp) -> Result<Health, StoreError> {
        let latency = self.ping().await?;
        let clock_skew_ms = match self.dialect() {
            Dialect::Sqlite => None,
            Dialect::Postgres => {
                let mut conn = self.control.begin_as_owner().await?;
                let theirs = dialect::authority_time(&mut conn, now).await?;
                conn.rollback().await?;
                Some(theirs.as_millis().saturating_sub(now.as_millis()))
            }
        };
        Ok(Health {
            dialect: self.dialect(),
            latency,
            clock_skew_ms,
            pending: self.pending_migrations().await?,
        })
    }

    /// Copies the files of an embedded store beside themselves, before a
    /// migration, and says where. Each copy is consistent in itself.
    ///
    /// # Errors
    /// [`StoreError::Statement`] when the disk is full or the copy is there already.
    pub async fn copy_files(&self, now: Timestamp) -> Result<Vec<PathBuf>, StoreError> {
        let Some(files) = self.files.as_deref() else {
            return Ok(Vec::new());
        };
        let stamp = now.to_jiff().strftime("%Y%m%dT%H%M%SZ");
        let mut copies = Vec::new();
        for (link, file) in [(&self.control, &files.control), (&self.traffic, &files.traffic)] {
            let mut name = file.file_name().unwrap_or_default().to_owned();
            name.push(format!(".before-migration-{stamp}"));
            let copy = file.with_file_name(name);
            link.copy_to(&copy).await?;
            copies.push(copy);
        }
        Ok(copies)
    }
}
