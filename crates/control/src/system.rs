//! How the installation itself is: for whoever runs it.

use std::time::Duration;

use gatewright_store::Dialect;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::Result;
use crate::tenants::require_platform;

/// What the process and its store say about themselves.
#[derive(Debug, Clone)]
pub struct SystemView {
    /// The version of the program.
    pub version: &'static str,
    /// `SQLite` or `Postgres`.
    pub store: &'static str,
    /// How long a statement takes there and back.
    pub latency: Duration,
    /// How far the database's clock is ahead, in milliseconds; `None` where it is the same clock.
    pub clock_skew_ms: Option<i64>,
    /// Migrations that the schema lacks.
    pub pending: Vec<String>,
    /// Where the gateway is reached.
    pub gateway_url: String,
    /// Where the portal is reached.
    pub portal_url: String,
}

impl Control {
    /// How the installation is right now.
    ///
    /// # Errors
    /// [`crate::Error::Forbidden`]; [`crate::Error::Unavailable`].
    pub async fn system(&self, caller: &Caller) -> Result<SystemView> {
        require_platform(caller)?;
        let health = self.parts.store.health(self.now()).await?;
        Ok(SystemView {
            version: env!("CARGO_PKG_VERSION"),
            store: match health.dialect {
                Dialect::Sqlite => "SQLite",
                Dialect::Postgres => "Postgres",
            },
            latency: health.latency,
            clock_skew_ms: health.clock_skew_ms,
            pending: health.pending,
            gateway_url: self.urls().gateway.clone(),
            portal_url: self.urls().portal.clone(),
        })
    }
}
