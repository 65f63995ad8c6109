//! What the commands that work on the store have in common: the store, the
//! master key, and the use cases over them. They work beside a running server,
//! which hears of their changes by notice or by polling.

use std::sync::Arc;

use gatewright_config::{Environment, OutputFormat, StoreArgs, StoreConfig};
use gatewright_control::Control;
use gatewright_control::control::{Parts, PublicUrls};
use gatewright_control::error::with_causes;
use gatewright_control::fetch::Fetcher;
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::address::AddressPolicy;
use gatewright_model::keys::MasterKey;
use gatewright_model::time::{Clock, Entropy, SystemClock, SystemEntropy};
use gatewright_store::Store;
use tokio::runtime::Handle;

use crate::failure::Failure;
use crate::log;
use crate::schema::{self, Upgrade};

/// The configuration of a command, with the log started.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn configure(args: &StoreArgs, environment: &Environment) -> Result<StoreConfig, Failure> {
    let config = StoreConfig::load(args, environment)?;
    log::start(&config.log, &config.warnings)?;
    Ok(config)
}

/// An opened store with the use cases over it.
#[derive(Debug)]
pub(crate) struct Session {
    /// The use cases.
    pub(crate) control: Control,
    /// How the result is printed.
    pub(crate) output: OutputFormat,
    notices: Notices,
}

impl Session {
    /// Opens the store that the configuration names. An empty one is prepared;
    /// one with an older schema is left alone.
    ///
    /// # Errors
    /// 64 for a wrong or missing key and for pending migrations, 69 when the
    /// store is out of reach.
    pub(crate) async fn open(config: &StoreConfig) -> Result<Self, Failure> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let master_key = config.master_key.load(entropy.as_ref())?;
        let store = schema::open(&config.database, Arc::clone(&entropy)).await?;
        schema::settle(&store, clock.as_ref(), Upgrade::Never).await?;
        let notices = notices(config, Loudness::Heard)?;
        let control = Control::new(Parts {
            store,
            notices: notices.clone(),
            clock,
            entropy,
            master_key,
            fetcher: Fetcher::new(AddressPolicy {
                private: false,
                allow: Vec::new(),
            }),
            urls: PublicUrls {
                gateway: "http://127.0.0.1:8000".to_owned(),
                portal: "http://127.0.0.1:8002".to_owned(),
            },
            own_listeners: Vec::new(),
            local_gateway: None,
        });
        prepare(&control).await?;
        Ok(Self {
            control,
            output: config.output,
            notices,
        })
    }

    /// Ends it; notices on their way get their chance.
    pub(crate) async fn close(self) {
        self.notices.close().await;
        self.control.store().close().await;
    }
}

/// Where changes are announced.
///
/// # Errors
/// When the address of Redis cannot be used.
pub(crate) fn notices(config: &StoreConfig, loudness: Loudness) -> Result<Notices, Failure> {
    match &config.redis {
        Some(url) => Notices::redis(url.expose(), loudness, &Handle::current()).map_err(|error| {
            Failure::usage(format!(
                "redis_url (--redis-url, GATEWRIGHT_REDIS_URL) cannot be used: {}; fix: give redis://HOST:PORT",
                with_causes(&error)
            ))
        }),
        None => Ok(Notices::in_process(loudness)),
    }
}

/// Prepares an empty store, and refuses one that was made under another key.
///
/// # Errors
/// 64 for a wrong key, 69 when the store is out of reach.
pub(crate) async fn prepare(control: &Control) -> Result<(), Failure> {
    control.prepare().await?.map_err(|wrong| {
        Failure::usage(format!(
            "wrong master key: {wrong}; fix: give the key that this store was made with, by --master-key-file or GATEWRIGHT_MASTER_KEY"
        ))
    })
}

/// Refuses a store that was made under another key, and changes nothing.
///
/// # Errors
/// As for [`prepare`].
pub(crate) async fn matches_key(store: &Store, key: &MasterKey) -> Result<bool, Failure> {
    let mut tx = store.read(gatewright_store::Scope::System).await?;
    let known = tx.meta().get(gatewright_store::MetaKey::MasterKeyCheck).await?;
    Ok(known.is_none_or(|known| known == key.check_value()))
}
