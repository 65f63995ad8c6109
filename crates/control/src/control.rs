//! What every use case shares: the store, the announcer of changes, time,
//! randomness, keys, and the public addresses.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gatewright_coordination::authority::Authority;
use gatewright_coordination::notice::{Notice, Notices};
use gatewright_model::id::{EntityId, uuid_v7};
use gatewright_model::keys::MasterKey;
use gatewright_model::secret::SecretHasher;
use gatewright_model::time::{Clock, Entropy, Timestamp};
use gatewright_store::{Scope, Store, Tx};
use tokio::sync::{Semaphore, watch};
use url::Url;

use crate::caller::Caller;
use crate::catalog::Shelves;
use crate::docs::KeptDocs;
use crate::error::{Error, Result};
use crate::fetch::Fetcher;

/// Where the installation is reached from outside, as its operator says.
#[derive(Debug, Clone)]
pub struct PublicUrls {
    /// The gateway, without a trailing slash.
    pub gateway: String,
    /// The portal, without a trailing slash.
    pub portal: String,
}

impl PublicUrls {
    /// Whether a host name is that of one of our own addresses.
    pub(crate) fn have_host(&self, host: &str) -> bool {
        [&self.gateway, &self.portal].into_iter().any(|url| {
            Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host)))
        })
    }

    /// Takes two addresses and drops trailing slashes.
    #[must_use]
    pub fn new(gateway: &Url, portal: &Url) -> Self {
        let bare = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
        Self {
            gateway: bare(gateway),
            portal: bare(portal),
        }
    }
}

/// What [`Control`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The control store.
    pub store: Store,
    /// Tells gateways that something changed.
    pub notices: Notices,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids, keys and nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Seals secrets and keys the hashes of credentials.
    pub master_key: MasterKey,
    /// Reads documents from addresses that users name.
    pub fetcher: Fetcher,
    /// Public addresses.
    pub urls: PublicUrls,
    /// Where this process listens itself: no upstream may lead there.
    pub own_listeners: Vec<SocketAddr>,
    /// The change up to which the gateway of this same process knows everything, when it runs one.
    pub local_gateway: Option<watch::Receiver<i64>>,
}

/// How long a change waits for the gateway of the same process. Who publishes
/// or issues a key here can call at once; other nodes follow within a second.
const LOCAL_FOLLOWS: Duration = Duration::from_secs(1);

/// How many passwords are hashed or wait for it at once. Two at a time take a
/// tenth of a second each: nobody waits longer than two seconds, the rest is told to come back.
const PASSWORD_QUEUE: usize = 32;

/// The use cases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) parts: Arc<Parts>,
    pub(crate) hasher: Arc<SecretHasher>,
    /// Imports are the only heavy work here: as many at once as fit beside the rest.
    pub(crate) imports: Arc<Semaphore>,
    /// Argon2 takes 19 MiB a call.
    pub(crate) passwords: Arc<Semaphore>,
    /// Who has a password hashed or waits for it.
    pub(crate) password_queue: Arc<Semaphore>,
    /// Whether a worker delivers mail.
    pub(crate) sends_mail: bool,
    /// What is on show, arranged for searching.
    pub(crate) shelves: Arc<Shelves>,
    /// What pages of references share, for the revisions that are read.
    pub(crate) kept_docs: Arc<KeptDocs>,
    /// Who knows what is left of limits.
    pub(crate) counters: Option<Arc<dyn Authority>>,
}

impl Control {
    /// Puts the use cases over their parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            hasher: Arc::new(parts.master_key.secret_hasher()),
            parts: Arc::new(parts),
            imports: Arc::new(Semaphore::new(2)),
            passwords: Arc::new(Semaphore::new(2)),
            password_queue: Arc::new(Semaphore::new(PASSWORD_QUEUE)),
            sends_mail: false,
            shelves: Arc::default(),
            kept_docs: Arc::default(),
            counters: None,
        }
    }

    /// The same use cases with somebody to ask what is left of limits.
    #[must_use]
    pub fn asking(self, counters: Arc<dyn Authority>) -> Self {
        Self {
            counters: Some(counters),
            ..self
        }
    }

    /// The same use cases for an installation whose workers deliver mail: links
    /// go to people's addresses instead of to whoever asked for them.
    #[must_use]
    pub fn sending_mail(self) -> Self {
        Self {
            sends_mail: true,
            ..self
        }
    }

    /// The store, for the composition root.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Public addresses.
    #[must_use]
    pub fn urls(&self) -> &PublicUrls {
        &self.parts.urls
    }

    pub(crate) fn new_id<I: EntityId>(&self, now: Timestamp) -> I {
        let mut random = [0; 10];
        self.parts.entropy.fill(&mut random);
        I::from_uuid(uuid_v7(now, random))
    }

    pub(crate) async fn begin(&self, caller: &Caller) -> Result<Tx> {
        Ok(self.parts.store.begin(Scope::Tenant(caller.tenant_id)).await?)
    }

    pub(crate) async fn read(&self, caller: &Caller) -> Result<Tx> {
        Ok(self.parts.store.read(Scope::Tenant(caller.tenant_id)).await?)
    }

    pub(crate) async fn read_system(&self) -> Result<Tx> {
        Ok(self.parts.store.read(Scope::System).await?)
    }

    /// Runs a use case that takes a place, and once more when somebody else took
    /// it at the same time: Postgres has undone the first try by then, and the
    /// look of the second finds whose place it is.
    ///
    /// # Errors
    /// As the use case.
    pub(crate) async fn settled<T, F>(&self, work: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        match Box::pin(work()).await {
            Err(Error::Raced(rule)) => {
                tracing::debug!(store.rule = %rule, "a place was taken at the same time; trying again");
                Box::pin(work()).await
            }
            done => done,
        }
    }

    /// Commits, and tells the gateways when something changed for them.
    pub(crate) async fn commit(&self, tx: Tx, now: Timestamp) -> Result<()> {
        if let Some(seq) = tx.commit(now).await? {
            self.parts.notices.publish(Notice::Changed { seq });
            self.wait_for_local_gateway(seq).await;
        }
        Ok(())
    }

    /// The change is permanent already: a gateway that is slow or gone does not take it back.
    async fn wait_for_local_gateway(&self, seq: i64) {
        let Some(mut known) = self.parts.local_gateway.clone() else {
            return;
        };
        let follows = known.wait_for(|known| *known >= seq);
        if tokio::time::timeout(LOCAL_FOLLOWS, follows).await.is_err() {
            tracing::debug!(
                change.seq = seq,
                "the gateway of this process has not caught up yet"
            );
        }
    }
}
