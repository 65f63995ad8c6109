//! The first run: a link that the log prints lets whoever reads the log make
//! the first administrator. It is gone as soon as there is one.

use gatewright_model::audit::AuditSource;
use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use gatewright_store::{MetaKey, Scope};

use crate::account_secret::Purpose;
use crate::bootstrap;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::sessions::{Client, Opened};

/// Use cases of the first run.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'c>(&'c Control);

/// What makes the first administrator.
#[derive(Debug, Clone)]
pub struct NewAdmin {
    /// As people read it.
    pub name: Name,
    /// The address to sign in with.
    pub email: Email,
    /// The password to sign in with.
    pub password: Password,
}

impl Control {
    /// Use cases of the first run.
    #[must_use]
    pub const fn setup(&self) -> Setup<'_> {
        Setup(self)
    }
}

impl Setup<'_> {
    /// Makes the link of the first run; `None` when there is an administrator.
    /// A link that was made before stops working: the newest line of the log counts.
    ///
    /// # Errors
    /// Store errors.
    pub async fn new_link(&self) -> Result<Option<SecretText>> {
        if self.0.has_admin().await? {
            return Ok(None);
        }
        let (secret, hash) = self.0.new_secret(Purpose::Setup);
        let now = self.0.now();
        let mut tx = self.0.parts.store.begin(Scope::System).await?;
        tx.meta().set(MetaKey::SetupSecret, &hex::encode(hash.0)).await?;
        self.0.commit(tx, now).await?;
        let portal = &self.0.urls().portal;
        let link = [portal, "/setup?secret=", secret.expose()].concat();
        Ok(Some(SecretText::new(link)))
    }

    /// Whether this secret still opens the first run.
    ///
    /// # Errors
    /// Store errors.
    pub async fn is_open(&self, secret: &SecretText) -> Result<bool> {
        let Some(presented) = self.stored_form(secret) else {
            return Ok(false);
        };
        let mut tx = self.0.read_system().await?;
        let held = tx.meta().get(MetaKey::SetupSecret).await?;
        Ok(held == Some(presented) && !tx.users().any_platform_admin().await?)
    }

    /// Makes the first administrator and signs them in.
    ///
    /// # Errors
    /// [`Error::Guard`] `setup_closed` when the secret is not the newest one or
    /// there is an administrator; [`Error::Duplicate`] `email_taken`.
    pub async fn complete(&self, secret: &SecretText, new: NewAdmin, client: &Client) -> Result<Opened> {
        let control = self.0;
        if !self.is_open(secret).await? {
            return Err(closed());
        }
        let presented = self.stored_form(secret).ok_or_else(closed)?;
        let hash = control.hash_password(new.password).await?;
        let now = control.now();
        let tenant = bootstrap::default_tenant(&mut control.read_system().await?).await?;
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let held = tx.meta().get(MetaKey::SetupSecret).await?;
        let ours = held == Some(presented) && !tx.users().any_platform_admin().await?;
        if !ours || !tx.meta().remove(MetaKey::SetupSecret).await? {
            return Err(closed());
        }
        let caller = Caller {
            request_id: client.request_id.clone(),
            ..Caller::system(tenant.id, tenant.slug.clone(), AuditSource::Ui)
        };
        let user = bootstrap::insert_admin(control, &mut tx, &caller, new.email, new.name, &hash).await?;
        let opened = control.begin_session(&mut tx, &tenant, &user, client).await?;
        control.commit(tx, now).await?;
        Ok(opened)
    }

    fn stored_form(&self, secret: &SecretText) -> Option<String> {
        let hash = self.0.secret_hash(Purpose::Setup, secret)?;
        Some(hex::encode(hash.0))
    }
}

fn closed() -> Error {
    Error::guard(
        "setup_closed",
        "this link does not work any more: sign in, or take the newest link from the log",
    )
}
