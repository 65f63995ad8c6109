//! The whole configuration, and the part of it that every command needs.

use std::path::PathBuf;

use crate::admin::FirstAdmin;
use crate::args::{ServeArgs, StoreArgs};
use crate::clients::ClientConfig;
use crate::database::{DATA_DIR, DatabaseTarget, MIGRATE, SecretUrl, read_redis};
use crate::environment::Environment;
use crate::error::ConfigErrors;
use crate::file::{self, CONFIG};
use crate::layers::{Given, Reader};
use crate::listen::ListenConfig;
use crate::logging::{LogConfig, OutputFormat};
use crate::mail::MailConfig;
use crate::master_key::{self, MASTER_KEY_FILE, MasterKeySource};
use crate::network::NetworkConfig;
use crate::public_url::PublicUrls;
use crate::roles::Roles;
use crate::running::RunningConfig;

/// What every command needs. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The directory of this process's own files.
    pub data_dir: PathBuf,
    /// The control store.
    pub database: DatabaseTarget,
    /// Redis, for several processes.
    pub redis: Option<SecretUrl>,
    /// Where the master key comes from.
    pub master_key: MasterKeySource,
    /// The log.
    pub log: LogConfig,
    /// How the command prints its result.
    pub output: OutputFormat,
    /// Sentences to log once the log is up: what was ignored and why.
    pub warnings: Vec<String>,
}

/// What a server needs. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// What every command needs.
    pub store: StoreConfig,
    /// What this process runs.
    pub roles: Roles,
    /// Where it listens.
    pub listen: ListenConfig,
    /// How outsiders reach it.
    pub urls: PublicUrls,
    /// Which addresses its fetchers may reach.
    pub network: NetworkConfig,
    /// What clients of its gateway may cost.
    pub clients: ClientConfig,
    /// Threads, drain, retention.
    pub running: RunningConfig,
    /// Pending migrations are applied to a Postgres that holds data.
    pub migrate: bool,
    /// Whom to make administrator when there is none.
    pub first_admin: Option<FirstAdmin>,
    /// How mail is sent, where it is.
    pub mail: Option<MailConfig>,
}

impl StoreConfig {
    /// Reads and checks the settings of a command that runs no server. A
    /// missing master key is told by [`MasterKeySource::load`], since not
    /// every command needs it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(args: &StoreArgs, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut reader = reader(&args.0, environment);
        let config = Self::read(&mut reader, environment);
        reader.finish(config)
    }

    fn read(reader: &mut Reader<'_>, environment: &Environment) -> Option<Self> {
        let data_dir = reader.read(&DATA_DIR, |path| Ok(PathBuf::from(path)));
        let redis = read_redis(reader);
        let log = LogConfig::read(reader);
        let output = OutputFormat::read(reader);
        let data_dir = data_dir?;
        let database = DatabaseTarget::read(reader, &data_dir)?;
        let master_key = MasterKeySource::read(reader, &data_dir, &database)?;
        Some(Self {
            data_dir,
            database,
            redis: redis?,
            master_key,
            log: log?,
            output: output?,
            warnings: environment.misspelt(),
        })
    }
}

impl Config {
    /// Reads and checks every setting, before anything is opened or bound.
    ///
    /// # Errors
    /// Everything that is wrong, a missing master key included.
    pub fn load(args: &ServeArgs, environment: &Environment) -> Result<Self, ConfigErrors> {
        let mut reader = reader(&args.0, environment);
        let config = Self::read(&mut reader, environment);
        reader.finish(config)
    }

    fn read(reader: &mut Reader<'_>, environment: &Environment) -> Option<Self> {
        let store = StoreConfig::read(reader, environment);
        let roles = Roles::read(reader);
        let listen = ListenConfig::read(reader, roles);
        let urls = PublicUrls::read(reader);
        let first_admin = FirstAdmin::read(reader);
        let mail = MailConfig::read(reader);
        let network = NetworkConfig::read(reader);
        let clients = ClientConfig::read(reader);
        let running = RunningConfig::read(reader);
        let migrate = reader.read_switch(&MIGRATE);
        let store = store?;
        if matches!(store.master_key, MasterKeySource::Missing) {
            reader.refuse(&MASTER_KEY_FILE, master_key::missing());
        }
        Some(Self {
            store,
            roles: roles?,
            listen: listen?,
            urls: urls?,
            network: network?,
            clients: clients?,
            running: running?,
            migrate: migrate?,
            first_admin: first_admin?,
            mail: mail?,
        })
    }
}

/// A reader over all layers. A file that cannot be used is an error of its own;
/// the other layers are checked all the same.
fn reader<'a>(flags: &'a Given, environment: &'a Environment) -> Reader<'a> {
    let mut reader = Reader::new(flags, environment);
    let named = if reader.is_given(&CONFIG) {
        match reader.read(&CONFIG, |path| Ok(PathBuf::from(path))) {
            Some(path) => Some(path),
            None => return reader,
        }
    } else {
        None
    };
    match file::load(named) {
        Ok(given) => reader.add_file(given),
        Err(errors) => reader.extend(errors),
    }
    reader
}

#[cfg(test)]
mod tests {
    use gatewright_model::time::SystemEntropy;
    use proptest::prelude::*;

    use super::*;
    use crate::key::{KEYS, Kind};
    use crate::master_key::MasterKeyError;
    use crate::roles::Role;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn args(flags: &[(&'static str, &str)]) -> ServeArgs {
        let given = flags
            .iter()
            .map(|(name, value)| (*name, vec![(*value).to_owned()]));
        ServeArgs(given.collect())
    }

    fn load(flags: &[(&'static str, &str)], environment: &[(&str, &str)]) -> Result<Config, String> {
        let environment = Environment::from_pairs(environment.iter().copied());
        Config::load(&args(flags), &environment).map_err(|errors| {
            assert_eq!(errors.exit().code(), 64);
            errors.to_string()
        })
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("gatewright.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (home, path)
    }

    #[test]
    fn the_default_is_everything_on_loopback_with_sqlite() {
        let config = load(&[], &[]).unwrap();
        assert!(Role::ALL.into_iter().all(|role| config.roles.has(role)));
        assert_eq!(config.listen.gateway.to_string(), "127.0.0.1:8000");
        assert_eq!(config.listen.status.to_string(), "127.0.0.1:8003");
        let DatabaseTarget::Sqlite { control, .. } = &config.store.database else {
            panic!("is SQLite");
        };
        assert_eq!(control.to_str(), Some("./gatewright-data/control.db"));
        assert_eq!(config.running.drain.as_secs(), 30);
        assert_eq!(config.clients.max_body, 10 * 1024 * 1024);
        assert!(config.clients.trusted_proxies.is_empty());
        assert!(config.store.redis.is_none() && config.first_admin.is_none() && !config.migrate);
    }

    #[test]
    fn flags_win_over_the_environment_over_the_file_over_the_default() {
        let (_home, path) = file("gateway_listen = '127.0.0.1:1'\nworkers = 1\ndrain_seconds = 7");
        let environment = [
            ("GATEWRIGHT_CONFIG", path.as_str()),
            ("GATEWRIGHT_GATEWAY_LISTEN", "127.0.0.1:2"),
            ("GATEWRIGHT_WORKERS", "2"),
            ("GATEWRIGHT_DRAIN_SECONDS", ""),
        ];
        let config = load(&[("gateway-listen", "127.0.0.1:3")], &environment).unwrap();
        assert_eq!(config.listen.gateway.port(), 3);
        assert_eq!(config.running.workers.get(), 2);
        assert_eq!(config.running.drain.as_secs(), 7);
        assert_eq!(config.listen.portal.port(), 8002);
    }

    #[test]
    fn an_error_names_every_spelling_the_value_its_source_and_the_fix() {
        let error = load(&[], &[("GATEWRIGHT_GATEWAY_LISTEN", "9000")]).unwrap_err();
        assert_eq!(
            error,
            "gateway_listen (--gateway-listen, GATEWRIGHT_GATEWAY_LISTEN, gateway_listen in gatewright.toml) \
             \"9000\" is no address to listen on (set in the environment); fix: give 127.0.0.1:9000, or \
             0.0.0.0:9000 for every network"
        );
    }

    #[test]
    fn all_errors_are_told_at_once_one_a_line() {
        let flags = [("workers", "0"), ("roles", "gateway,king"), ("data-dir", " ")];
        let error = load(&flags, &[("GATEWRIGHT_DRAIN_SECONDS", "soon")]).unwrap_err();
        assert_eq!(error.lines().count(), 4, "{error}");
        assert!(error.lines().all(|line| line.contains("; fix: ")), "{error}");
    }

    #[test]
    fn a_named_file_must_be_there_and_must_fit() {
        let error = load(&[("config", "/nowhere/gatewright.toml")], &[]).unwrap_err();
        assert!(
            error.contains("--config") && error.contains("cannot be read"),
            "{error}"
        );
        let (_home, path) = file("portal_lisen = '127.0.0.1:1'");
        let error = load(&[("config", &path)], &[]).unwrap_err();
        assert!(error.contains("did you mean \"portal_listen\"?"), "{error}");
    }

    #[test]
    fn postgres_needs_a_master_key_from_one_place() {
        let postgres = ("database-url", "postgres://gw:hunter2@db/gw");
        let error = load(&[postgres], &[]).unwrap_err();
        assert!(
            error.contains("/dev/urandom | base64") && error.lines().count() == 1,
            "{error}"
        );
        assert!(!error.contains("hunter2"));

        let key = ("GATEWRIGHT_MASTER_KEY", KEY);
        let config = load(&[postgres], &[key]).unwrap();
        config.store.master_key.load(&SystemEntropy).unwrap();
        let error = load(&[postgres, ("master-key-file", "k")], &[key]).unwrap_err();
        assert!(error.contains("not both"), "{error}");
        let error = load(&[postgres], &[("GATEWRIGHT_MASTER_KEY", "hunter3")]).unwrap_err();
        assert!(!error.contains("hunter3"), "{error}");
    }

    #[test]
    fn a_command_that_needs_no_key_starts_without_one() {
        let given = args(&[("database-url", "postgres://db/gw"), ("output", "json")]).0;
        let config = StoreConfig::load(&StoreArgs(given), &Environment::default()).unwrap();
        assert_eq!(config.output, OutputFormat::Json);
        assert!(matches!(
            config.master_key.load(&SystemEntropy),
            Err(MasterKeyError::Missing)
        ));
    }

    #[test]
    fn an_https_portal_on_the_gateways_host_needs_a_word() {
        let urls = [
            ("gateway-url", "https://shop.example"),
            ("portal-url", "https://shop.example:8443"),
        ];
        let error = load(&urls, &[]).unwrap_err();
        assert!(error.contains("--allow-shared-host"), "{error}");
        load(&urls, &[("GATEWRIGHT_ALLOW_SHARED_HOST", "1")]).unwrap();
        load(&urls[1..], &[]).unwrap();
    }

    #[test]
    fn two_active_listeners_never_share_an_address() {
        let flags = [
            ("gateway-listen", "0.0.0.0:9000"),
            ("portal-listen", "127.0.0.1:9000"),
        ];
        let error = load(&flags, &[]).unwrap_err();
        assert!(error.contains("gateway-listen too"), "{error}");
        load(
            &[flags[0], flags[1], ("roles", "gateway")],
            &[("GATEWRIGHT_MUTE_NOTICES", "1")],
        )
        .unwrap();
    }

    #[test]
    fn the_first_administrator_has_an_address_and_a_password() {
        let (email, password) = (
            ("GATEWRIGHT_ADMIN_EMAIL", "Ana@Example.com"),
            ("GATEWRIGHT_ADMIN_PASSWORD", " hunter2 "),
        );
        let admin = load(&[], &[email, password]).unwrap().first_admin.unwrap();
        assert_eq!(admin.email.as_str(), "ana@example.com");
        assert_eq!(admin.password.expose(), " hunter2 ");
        for (given, missing) in [(email, password.0), (password, email.0)] {
            let error = load(&[], &[given]).unwrap_err();
            assert!(error.contains(missing) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn mail_needs_a_server_and_a_sender() {
        let (server, from) = (
            ("GATEWRIGHT_SMTP_URL", "smtp://ana:hunter2@mail.example"),
            ("GATEWRIGHT_MAIL_FROM", "Shop <no-reply@shop.example>"),
        );
        assert!(load(&[], &[]).unwrap().mail.is_none());
        let mail = load(&[], &[server, from]).unwrap().mail.unwrap();
        assert_eq!(mail.from.as_str(), "no-reply@shop.example");
        for (given, missing) in [(server, from.0), (from, server.0)] {
            let error = load(&[], &[given]).unwrap_err();
            assert!(error.contains(missing) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let environment = [
            ("GATEWRIGHT_DATABASE_URL", "postgres://zoe:hunter2@db/gw"),
            ("GATEWRIGHT_REDIS_URL", "redis://:hunter2@cache"),
            ("GATEWRIGHT_MASTER_KEY", KEY),
            ("GATEWRIGHT_ADMIN_EMAIL", "a@example.com"),
            ("GATEWRIGHT_ADMIN_PASSWORD", "hunter2"),
            ("GATEWRIGHT_SMTP_URL", "smtp://zoe:hunter2@mail.example"),
            ("GATEWRIGHT_MAIL_FROM", "a@example.com"),
        ];
        let shown = format!("{:?}", load(&[], &environment).unwrap());
        assert!(
            !shown.contains("hunter2") && !shown.contains(KEY) && !shown.contains("zoe"),
            "{shown}"
        );
        let pairs = Environment::from_pairs(environment);
        let flags = args(&[("database-url", "postgres://zoe:hunter2@db/gw")]);
        assert!(!format!("{pairs:?}{flags:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_text_panics_forges_a_line_or_leaks(index in 0..KEYS.len(), text in "(\\PC|[\n\r\u{1b}]|[a-z]+:(//)?){1,24}") {
            let key = KEYS[index];
            let environment = Environment::from_pairs([(key.env(), format!("{text}canary"))]);
            if let Err(errors) = Config::load(&ServeArgs::default(), &environment) {
                for error in errors.as_slice() {
                    let line = error.to_string();
                    prop_assert!(!line.chars().any(char::is_control), "{line:?}");
                    if matches!(key.kind, Kind::Secret | Kind::SecretUrl) {
                        prop_assert!(!line.contains("canary"), "{line}");
                    }
                }
            }
        }
    }
}
