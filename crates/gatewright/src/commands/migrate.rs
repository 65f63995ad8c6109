//! `migrate`: lists and applies what the schema lacks.

use std::sync::Arc;

use gatewright_config::{DatabaseTarget, Environment, Exit, OutputFormat};
use gatewright_model::time::{SystemClock, SystemEntropy};
use gatewright_store::Store;
use serde_json::json;

use crate::cli::MigrateArgs;
use crate::commands::session::configure;
use crate::failure::Failure;
use crate::output;
use crate::schema::{self, Upgrade};

/// Runs the command.
pub(crate) async fn run(args: &MigrateArgs, environment: &Environment) -> Result<Exit, Failure> {
    let config = configure(&args.store, environment)?;
    let (key, names) = if args.list {
        ("pending", pending(&config.database).await?)
    } else {
        let store = schema::open(&config.database, Arc::new(SystemEntropy)).await?;
        let applied = schema::settle(&store, &SystemClock, Upgrade::Always).await?;
        store.close().await;
        ("applied", applied)
    };
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

/// What the schema lacks: everything where there is no store, which looking does not make.
async fn pending(target: &DatabaseTarget) -> Result<Vec<String>, Failure> {
    if schema::is_missing(target) {
        return Ok(Store::known_migrations());
    }
    let store = schema::open(target, Arc::new(SystemEntropy)).await?;
    let names = store.pending_migrations().await?;
    store.close().await;
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looking_makes_no_store() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let target = DatabaseTarget::Sqlite {
            control: data.join("control.db"),
            traffic: data.join("traffic.db"),
        };
        assert_eq!(pending(&target).await.unwrap(), Store::known_migrations());
        assert!(!schema::is_made(&target, Arc::new(SystemEntropy)).await.unwrap());
        assert!(!data.exists());
    }
}
