//! Accounts from outside, over a real store and a clock that is turned by hand.

mod address;
mod links;
mod sessions;
mod sign_ups;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::address::AddressPolicy;
use gatewright_model::id::UserId;
use gatewright_model::keys::MasterKey;
use gatewright_model::page::PageRequest;
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{SignUpMode, Tenant};
use gatewright_model::text::{Email, Name};
use gatewright_model::time::{Clock, SystemEntropy, Timestamp};
use gatewright_store::{Database, Scope, Store, StoreSettings, Topics};

use crate::accounts::{NewSignUp, SentLink};
use crate::caller::Caller;
use crate::control::{Control, Parts, PublicUrls};
use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::mail::{Letter, MAIL};
use crate::passwords::Password;
use crate::sessions::{Client, Opened};
use crate::users::NewUser;

const ADMIN: &str = "ana@example.com";
const PASSWORD: &str = "correct horse";
const OTHER: &str = "battery staple";

#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct World {
    control: Control,
    clock: Arc<Hand>,
    tenant: Tenant,
    _home: tempfile::TempDir,
}

impl World {
    async fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let store = Store::open(StoreSettings {
            database: Database::sqlite_in(home.path()),
            entropy: Arc::new(SystemEntropy),
        })
        .await
        .unwrap();
        store.migrate(clock.now()).await.unwrap();
        let control = Control::new(Parts {
            store,
            notices: Notices::in_process(Loudness::Muted),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy),
            master_key: MasterKey::generate(&SystemEntropy),
            fetcher: Fetcher::new(AddressPolicy {
                private: false,
                allow: Vec::new(),
            }),
            urls: PublicUrls {
                gateway: "http://gw.test".to_owned(),
                portal: "http://portal.test".to_owned(),
            },
            own_listeners: Vec::new(),
            local_gateway: None,
        });
        control.prepare().await.unwrap().unwrap();
        let tenant = control.tenant_of_portal(None, None).await.unwrap().unwrap();
        Self {
            control,
            clock,
            tenant,
            _home: home,
        }
    }

    async fn with_admin() -> Self {
        let world = Self::empty().await;
        world
            .control
            .create_admin(email(ADMIN), password(PASSWORD))
            .await
            .unwrap();
        world
    }

    async fn with_mail() -> Self {
        let mut world = Self::with_admin().await;
        world.control = world.control.sending_mail();
        world
    }

    fn signing_up(mut self, mode: SignUpMode) -> Self {
        self.tenant.settings.sign_up = mode;
        self
    }

    fn turn(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    async fn sign_in(&self, who: &str, with: &str) -> Result<Opened> {
        self.sign_in_from(who, with, Client::default()).await
    }

    async fn sign_in_from(&self, who: &str, with: &str, client: Client) -> Result<Opened> {
        let sessions = self.control.sessions();
        sessions.sign_in(&self.tenant, who, secret(with), client).await
    }

    async fn admin(&self) -> Caller {
        self.sign_in(ADMIN, PASSWORD).await.unwrap().view.caller
    }

    async fn is_alive(&self, opened: &Opened) -> bool {
        let found = self.control.sessions().authenticate(&opened.secret, None).await;
        found.unwrap().is_some()
    }

    async fn add_user(&self, who: &str, with: Option<&str>) -> UserId {
        let new = NewUser {
            email: email(who),
            name: Name::parse(who).unwrap(),
            password: with.map(password),
        };
        let admin = self.admin().await;
        self.control.users().create(&admin, new).await.unwrap().id
    }

    /// Takes the letters that wait.
    async fn letters(&self) -> Vec<Letter> {
        let now = self.clock.now();
        let mut tx = self.control.store().begin(Scope::System).await.unwrap();
        let outbox = tx.outbox_messages();
        let taken = outbox.claim(Topics::Only(MAIL), now, now, 50).await.unwrap();
        for message in &taken {
            let text = message.payload.to_string();
            assert!(!text.contains("http"), "a letter waits unsealed: {text}");
            tx.outbox_messages().remove(message.id).await.unwrap();
        }
        tx.commit(now).await.unwrap();
        taken
            .iter()
            .map(|message| self.control.open_letter(message).unwrap())
            .collect()
    }

    async fn actions(&self) -> Vec<String> {
        let mut admin = self.admin().await;
        admin
            .rights
            .grant(None, [Permission::AuditRead].into_iter().collect());
        let filter = crate::audit::AuditFilter::default();
        let audit = self.control.audit();
        let events = audit.list(&admin, &filter, PageRequest::default()).await.unwrap();
        events.items.into_iter().map(|event| event.action).collect()
    }
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn password(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text.to_owned())
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("ok", |error| match error {
        Error::Guard { code, .. } | Error::Duplicate { code, .. } | Error::TooOften { code, .. } => code,
        Error::Forbidden { .. } => "forbidden",
        Error::Illegal(_) => "illegal",
        Error::NotFound { .. } => "missing",
        _ => "other",
    })
}

/// The secret in the first link of a text.
fn secret_in(text: &str, page: &str) -> SecretText {
    let start = text.find(page).unwrap_or_else(|| panic!("{page} in {text}")) + page.len();
    let rest: String = text[start..]
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .collect();
    secret(&rest)
}

fn from(address: &str) -> Client {
    Client {
        address: address.parse::<IpAddr>().ok(),
        ..Client::default()
    }
}

fn shown(sent: &SentLink, page: &str) -> SecretText {
    secret_in(sent.link().unwrap().expose(), page)
}

fn bo(with: Option<&str>) -> NewSignUp {
    NewSignUp {
        name: Name::parse("Bo Lee").unwrap(),
        email: email("bo@example.com"),
        password: with.map(password),
    }
}
