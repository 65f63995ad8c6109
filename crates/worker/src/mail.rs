//! Delivers letters over SMTP. What cannot be delivered is tried again with
//! growing waits for a day; what the server refuses for good is given up.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use gatewright_control::Control;
use gatewright_control::mail::{Letter, MAIL};
use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use gatewright_model::time::{Entropy, Timestamp};
use gatewright_store::{OutboxMessage, Scope, StoreError, Topics};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio_util::sync::CancellationToken;

use crate::backoff::{jittered, wait};

/// How often it is looked for letters.
const LOOK: Duration = Duration::from_secs(1);
/// What one command of the conversation with the server may take.
const WITHIN: Duration = Duration::from_secs(15);
/// What the delivery of one letter may take.
const LETTER_WITHIN: Duration = Duration::from_secs(45);
/// Letters that one look takes.
const BATCH: u16 = 10;
/// So long no other worker takes the same letters.
const HELD: Duration = Duration::from_secs(600);
/// The wait after the first failure; it doubles with each.
const RETRY: Duration = Duration::from_secs(5);
/// After this long a letter is given up.
const KEEP_TRYING: Duration = Duration::from_secs(86_400);

/// How the connection to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte.
    Implicit,
    /// By STARTTLS; a server that does not offer it gets nothing.
    Required,
    /// By STARTTLS where the server offers it.
    WhenOffered,
    /// Never.
    Off,
}

/// The server that takes mail, and the address that it comes from.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// User and password, where the server asks for them.
    pub credentials: Option<(String, SecretText)>,
    /// The sender's name.
    pub from_name: Option<Name>,
    /// The sender's address.
    pub from: Email,
}

/// Why no mail can be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender's address is none that SMTP can carry.
    #[error("the sender's address cannot be used")]
    Sender(#[source] lettre::address::AddressError),
    /// The encryption cannot be set up for this host.
    #[error("the connection to the mail server cannot be encrypted")]
    Encryption(#[source] lettre::transport::smtp::Error),
}

/// Why one letter was not delivered.
#[derive(Debug)]
enum Undelivered {
    /// A later try may succeed.
    ForNow(String),
    /// No try will.
    ForGood(String),
}

/// Delivers letters until it is stopped.
pub struct Mailer {
    control: Control,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer over the use cases. Nothing is connected yet.
    ///
    /// # Errors
    /// [`MailError`] for settings that can never work.
    pub fn new(
        control: Control,
        settings: MailSettings,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, MailError> {
        let tls = || TlsParameters::new(settings.host.clone()).map_err(MailError::Encryption);
        let tls = match settings.encryption {
            Encryption::Implicit => Tls::Wrapper(tls()?),
            Encryption::Required => Tls::Required(tls()?),
            Encryption::WhenOffered => Tls::Opportunistic(tls()?),
            Encryption::Off => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .timeout(Some(WITHIN))
            .tls(tls);
        if let Some((user, password)) = settings.credentials {
            builder = builder.credentials(Credentials::new(user, password.expose().to_owned()));
        }
        let address = settings
            .from
            .as_str()
            .parse::<Address>()
            .map_err(MailError::Sender)?;
        let name = settings.from_name.map(|name| name.to_string());
        Ok(Self {
            control,
            transport: builder.build(),
            from: Mailbox::new(name, address),
            entropy,
        })
    }

    /// Runs until `stop`; the letter under way is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let mut away = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(jittered(LOOK, self.entropy.as_ref())) => {}
            }
            let delivered = self.deliver_due(&stop).await;
            if let (Err(error), false) = (&delivered, away) {
                tracing::warn!(
                    error = error as &dyn Error,
                    "letters cannot be taken from the store"
                );
            }
            away = delivered.is_err();
        }
    }

    async fn deliver_due(&self, stop: &CancellationToken) -> Result<(), StoreError> {
        let store = self.control.store();
        let now = self.control.now();
        let mut tx = store.read(Scope::System).await?;
        if !tx.outbox_messages().any_due(Topics::Only(MAIL), now).await? {
            return Ok(());
        }
        drop(tx);
        let mut tx = store.begin(Scope::System).await?;
        let taken = tx
            .outbox_messages()
            .claim(Topics::Only(MAIL), now, now.plus(HELD), BATCH)
            .await?;
        tx.commit(now).await?;
        for message in taken {
            if stop.is_cancelled() {
                self.put_back(&message, self.control.now(), "the worker ended")
                    .await?;
                continue;
            }
            let outcome = tokio::time::timeout(LETTER_WITHIN, self.deliver(&message)).await;
            let outcome = outcome.unwrap_or_else(|_| Err(Undelivered::ForNow("it took too long".to_owned())));
            self.settle(&message, outcome).await?;
        }
        Ok(())
    }

    async fn deliver(&self, message: &OutboxMessage) -> Result<(), Undelivered> {
        let letter = self.control.open_letter(message);
        let letter = letter.map_err(|error| Undelivered::ForGood(error.to_string()))?;
        let mail = self.mail(message, letter).map_err(Undelivered::ForGood)?;
        self.transport.send(mail).await.map(drop).map_err(|error| {
            let text = in_short(&error);
            if error.is_permanent() {
                Undelivered::ForGood(text)
            } else {
                Undelivered::ForNow(text)
            }
        })
    }

    fn mail(&self, message: &OutboxMessage, letter: Letter) -> Result<Message, String> {
        let to = letter.to.as_str().parse::<Address>();
        let to = to.map_err(|_| "the address cannot be written to".to_owned())?;
        // The same on every try, so that a mailbox can tell a repeat.
        let id = format!("<{}@{}>", message.id, self.from.email.domain());
        automatic(Message::builder())
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .message_id(Some(id))
            .date(std::time::UNIX_EPOCH + self.control.now().since(Timestamp::default()))
            .body(letter.text)
            .map_err(|error| error.to_string())
    }

    async fn settle(
        &self,
        message: &OutboxMessage,
        outcome: Result<(), Undelivered>,
    ) -> Result<(), StoreError> {
        let now = self.control.now();
        let old = now.since(message.created_at) >= KEEP_TRYING;
        match outcome {
            Ok(()) => self.forget(message, now).await,
            Err(Undelivered::ForNow(why)) if !old => {
                if message.attempts == 0 {
                    told(message, &why, "is tried again");
                }
                let pause = jittered(wait(RETRY, message.attempts), self.entropy.as_ref());
                self.put_back(message, now.plus(pause), &why).await
            }
            Err(Undelivered::ForNow(why) | Undelivered::ForGood(why)) => {
                told(message, &why, "was given up");
                self.forget(message, now).await
            }
        }
    }

    async fn forget(&self, message: &OutboxMessage, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.control.store().begin(Scope::System).await?;
        tx.outbox_messages().remove(message.id).await?;
        tx.commit(now).await.map(drop)
    }

    async fn put_back(&self, message: &OutboxMessage, due: Timestamp, why: &str) -> Result<(), StoreError> {
        let mut tx = self.control.store().begin(Scope::System).await?;
        tx.outbox_messages().retry(message.id, due, why).await?;
        tx.commit(self.control.now()).await.map(drop)
    }
}

/// Tells the log of a letter that was not delivered, and what becomes of it.
fn told(message: &OutboxMessage, why: &str, fate: &'static str) {
    tracing::warn!({ "letter.id" } = %message.id, reason = why, fate, "a letter could not be delivered");
}

/// Says that no person wrote it, so that no absent person answers (RFC 3834, section 5).
fn automatic(builder: MessageBuilder) -> MessageBuilder {
    builder.header(AutoSubmitted)
}

/// `Auto-Submitted: auto-generated`.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What happened, without the server's words: those may name the addressee.
fn in_short(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None if error.is_tls() => "the connection to the mail server could not be encrypted".to_owned(),
        None if error.is_client() => "the mail server does not offer what is needed".to_owned(),
        None => "the mail server could not be reached".to_owned(),
    }
}
