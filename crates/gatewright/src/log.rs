//! The log of the process, as the configuration wants it.

use gatewright_config::{LogConfig, LogFormat};
use gatewright_control::error::with_causes;
use gatewright_telemetry::{log, panics};

use crate::failure::Failure;

/// Changes the level of the log.
pub(crate) fn set_level(config: &LogConfig) -> Result<(), Failure> {
    log::set_level(&config.level).map_err(|error| Failure::usage(with_causes(&error)))
}

/// Starts the log and says what the configuration had to warn about.
pub(crate) fn start(config: &LogConfig, warnings: &[String]) -> Result<(), Failure> {
    let format = match config.format {
        LogFormat::Pretty => log::Format::pretty_on_stderr(),
        LogFormat::Json => log::Format::Json,
    };
    log::start(format, &config.level).map_err(|error| Failure::usage(with_causes(&error)))?;
    panics::log_panics();
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(())
}
