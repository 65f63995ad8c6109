//! `migrate`: lists and applies what the schema lacks.

use std::sync::Arc;

use gatewright_config::{Environment, Exit, OutputFormat};
use gatewright_model::time::{SystemClock, SystemEntropy};
use serde_json::json;

use crate::cli::MigrateArgs;
use crate::commands::session::configure;
use crate::failure::Failure;
use crate::output;
use crate::schema::{self, Upgrade};

/// Runs the command.
pub(crate) async fn run(args: &MigrateArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let store = schema::open(&config.database, Arc::new(SystemEntropy)).await?;
    let (key, names) = if args.list {
        ("pending", store.pending_migrations().await?)
    } else {
        (
            "applied",
            schema::settle(&store, &SystemClock, Upgrade::Always).await?,
        )
    };
    store.close().await;
    let text = if names.is_empty() {
        "the schema is up to date".to_owned()
    } else {
        format!("{key}: {}", names.join(", "))
    };
    match config.output {
        OutputFormat::Text => output::line(&text)?,
        OutputFormat::Json => output::line(&json!({ key: names }).to_string())?,
    }
    Ok(Exit::Success)
}
