//! The sample shop: its services run in this process, and what it puts into
//! the default tenant goes through the same use cases as everything else. All
//! of it can be done again, and taken out again.
//!
//! Start reading in [`Shop`], then [`seed`].

mod account;
mod ports;
mod sample_usage;
mod seed;

use std::sync::Arc;

use gatewright_config::{Config, Exit};
use gatewright_control::Control;
use gatewright_demo::upstreams::Upstreams;
use gatewright_model::time::SystemEntropy;
use serde_json::json;

use crate::commands::session::Session;
use crate::failure::Failure;
use crate::output;
use crate::schema;

pub(crate) use crate::demo::account::with_admin;

/// The running services of the shop.
#[derive(Debug)]
pub(crate) struct Shop {
    services: Upstreams,
}

impl Shop {
    /// Starts the services, on the ports of the last time where they are free.
    ///
    /// # Errors
    /// When loopback has no free port, or the data directory cannot be written.
    pub(crate) async fn open(config: &Config) -> Result<Self, Failure> {
        let wanted = ports::remembered(&config.store.data_dir);
        let services = Upstreams::start(wanted).await.map_err(|error| {
            Failure::finding(format!("the services of the demo cannot be started: {error}"))
        })?;
        ports::remember(&config.store.data_dir, services.addresses())?;
        Ok(Self { services })
    }

    /// Puts the shop into the default tenant, as far as it is not there.
    ///
    /// # Errors
    /// The first use case that fails; what was done before stays.
    pub(crate) async fn furnish(&self, control: &Control) -> Result<(), Failure> {
        let caller = control.command_line_caller(None).await?;
        let seeder = seed::Seeder::new(control, &caller, self.services.addresses());
        seeder.run().await?;
        tracing::info!("the sample shop is furnished");
        Ok(())
    }

    /// Ends the services.
    pub(crate) async fn close(self) {
        self.services.stop().await;
    }
}

/// Takes the sample shop out again and leaves what users made.
///
/// # Errors
/// As for every command on the store.
pub(crate) async fn remove(config: &Config) -> Result<Exit, Failure> {
    if !schema::is_made(&config.store.database, Arc::new(SystemEntropy)).await? {
        let nothing = json!({ "removed": { "apis": [], "applications": [], "usage": false } });
        output::print(
            config.store.output,
            "nothing is there: the store has not been made yet",
            &nothing,
        )?;
        return Ok(Exit::Success);
    }
    let session = Session::open(&config.store).await?;
    let caller = session.control.command_line_caller(None).await?;
    let removed = session.control.samples().remove(&caller).await?;
    let text = format!(
        "took out {} APIs and archived {} applications of the demo",
        removed.apis.len(),
        removed.applications.len()
    );
    output::print(session.output, &text, &json!({ "removed": removed }))?;
    session.close().await;
    Ok(Exit::Success)
}
