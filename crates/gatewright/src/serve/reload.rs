//! What SIGHUP does: the configuration is read again, from the file, the
//! environment that the process was started with, and its flags. A wrong one
//! changes nothing. The level of the log holds at once; what else has changed
//! is named, and holds after a restart.

use std::fmt::Debug;

use gatewright_config::{Config, LogConfig};

use super::Load;
use crate::log;

/// Reads the configuration again when it is asked to.
pub(crate) struct Reloading<'a> {
    load: &'a Load<'a>,
    log: LogConfig,
    /// What the process was started with, in the form in which it is compared.
    started: Vec<(&'static str, String)>,
}

impl<'a> Reloading<'a> {
    pub(crate) fn new(config: &Config, load: &'a Load<'a>) -> Self {
        Self {
            load,
            log: config.store.log.clone(),
            started: fixed(config),
        }
    }

    /// Reads it once. Everything is told in the log: nobody waits for an answer.
    pub(crate) fn reload(&mut self) {
        match (self.load)() {
            Ok(config) => {
                self.change_level(&config.store.log);
                self.name_changes(&config);
            }
            Err(errors) => {
                tracing::error!("the configuration is not read again, nothing changes: {errors}");
            }
        }
    }

    fn change_level(&mut self, log: &LogConfig) {
        if log.level == self.log.level {
            return;
        }
        match log::set_level(log) {
            Ok(()) => {
                self.log = log.clone();
                tracing::info!(log.level = self.log.level, "the log has another level");
            }
            Err(failure) => tracing::error!("the log keeps its level: {failure}"),
        }
    }

    fn name_changes(&self, config: &Config) {
        let now = fixed(config);
        let changed = self
            .started
            .iter()
            .zip(&now)
            .filter(|(before, after)| before != after);
        let names: Vec<&str> = changed.map(|((name, _), _)| *name).collect();
        if names.is_empty() {
            tracing::info!("the configuration was read again");
        } else {
            let names = names.join(", ");
            tracing::warn!(
                "the configuration was read again; after a restart holds what has changed of: {names}"
            );
        }
    }
}

/// What holds from the start to the end. Secrets are not told apart.
fn fixed(config: &Config) -> Vec<(&'static str, String)> {
    fn text(value: &impl Debug) -> String {
        format!("{value:?}")
    }
    let (store, running) = (&config.store, &config.running);
    vec![
        ("data_dir", text(&store.data_dir)),
        ("database_url", text(&store.database)),
        ("redis_url", text(&store.redis)),
        ("log_format", text(&store.log.format)),
        ("roles", text(&config.roles)),
        ("the listeners", text(&config.listen)),
        ("the public addresses", text(&config.urls)),
        ("fetch_allow", text(&config.network)),
        ("workers", text(&running.workers)),
        ("drain_seconds", text(&running.drain)),
        ("retention", text(&running.retention)),
        ("mail", text(&config.mail)),
    ]
}
