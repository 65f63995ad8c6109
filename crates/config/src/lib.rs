//! Start-up configuration: flags, the `GATEWRIGHT_…` environment and
//! `gatewright.toml` become one typed, validated [`Config`] before any port is
//! bound. Also what a process needs before it may open a store: the master key
//! and the lock on its data directory.
//!
//! This crate knows no store, no HTTP and no logging. It is the only one that
//! reads the environment. Start reading in [`key`] (how a setting is declared,
//! once, for flag, environment, file and documentation), then [`config`].

mod admin;
mod args;
mod clients;
mod config;
mod data_dir;
mod database;
mod environment;
mod error;
mod exit;
mod file;
mod key;
mod layers;
mod listen;
mod logging;
mod mail;
mod master_key;
mod nearest;
mod network;
mod public_url;
mod reference;
mod roles;
mod running;

pub use admin::FirstAdmin;
pub use args::{ServeArgs, StoreArgs};
pub use clients::ClientConfig;
pub use config::{Config, StoreConfig};
pub use data_dir::{DataDirLock, LockError};
pub use database::{DatabaseTarget, SecretUrl};
pub use environment::{Environment, notify_socket};
pub use error::{ConfigError, ConfigErrors};
pub use exit::{Exit, exit_of_clap};
pub use key::{Fallback, KEYS, Key, Kind, Reach, Scope};
pub use listen::ListenConfig;
pub use logging::{LogConfig, LogFormat, OutputFormat};
pub use mail::{MailConfig, SmtpEncryption, SmtpServer};
pub use master_key::{MasterKeyError, MasterKeySource};
pub use network::NetworkConfig;
pub use public_url::{PublicUrl, PublicUrls};
pub use reference::{describe, reference_markdown};
pub use roles::{Role, Roles};
pub use running::{RetentionConfig, RunningConfig};
