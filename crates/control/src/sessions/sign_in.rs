//! Signing in with a password. Whatever is wrong, the answer is the same and
//! takes as long.

use gatewright_model::account::Session;
use gatewright_model::audit::AuditSource;
use gatewright_model::id::{EntityId, UserId};
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{StandingState, Tenant, User, UserState};
use gatewright_model::text::Email;
use gatewright_store::Scope;
use serde_json::json;

use crate::accounts::throttle::{Tried, network};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::sessions::{Client, Opened, Sessions};

impl Sessions<'_> {
    /// Signs somebody in with a password.
    ///
    /// # Errors
    /// [`Error::Guard`] `sign_in_failed`, whatever was wrong, and after the same
    /// time; [`Error::TooOften`] with the time when to try again.
    pub async fn sign_in(
        &self,
        tenant: &Tenant,
        email: &str,
        password: SecretText,
        client: Client,
    ) -> Result<Opened> {
        let control = self.0;
        let turn = control.password_turn()?;
        let typed = email.trim().to_lowercase();
        let (user, stored) = self.account(tenant, &typed).await?;
        let tried = self.tried(tenant, &typed, user.as_ref(), &client).await?;
        let admitted = control.admit(tried).await?;
        let matches = control.password_matches(turn, password, stored).await?;
        let user = user.filter(|user| matches && user.state == UserState::Active);
        let Some(user) = user.filter(|_| tenant.state == StandingState::Active) else {
            if admitted.last {
                self.note_block(tenant, &typed).await?;
            }
            return Err(sign_in_failed());
        };
        let now = control.now();
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        // Read again: the password may have been changed while it was compared.
        let current = tx.users().find(user.id).await?;
        let unchanged =
            |current: &User| current.state == UserState::Active && current.auth_epoch == user.auth_epoch;
        let user = current.filter(unchanged).ok_or_else(sign_in_failed)?;
        let opened = control.begin_session(&mut tx, tenant, &user, &client).await?;
        control.commit(tx, now).await?;
        control.succeeded(admitted).await?;
        Ok(opened)
    }

    /// What a sign-in counts against. Where the account is signed in already its
    /// owner has a count of their own: strangers who guess do not lock them out.
    async fn tried(
        &self,
        tenant: &Tenant,
        typed: &str,
        user: Option<&User>,
        client: &Client,
    ) -> Result<Vec<Tried>> {
        let control = self.0;
        let Some(address) = client.address else {
            return Ok(vec![control.trying_account(tenant.id, typed)]);
        };
        // An unknown account is looked up all the same, so that it takes as long.
        let id = user.map_or_else(|| UserId::from_uuid(uuid::Uuid::nil()), |user| user.id);
        let mut tx = control.parts.store.read(Scope::Tenant(tenant.id)).await?;
        let sessions = tx.sessions().of_user(id).await?;
        let at_home = |session: &Session| {
            session
                .address
                .is_some_and(|known| network(known) == network(address))
        };
        let account = if sessions.iter().any(at_home) {
            control.trying_account_from(tenant.id, typed, address)
        } else {
            control.trying_account(tenant.id, typed)
        };
        Ok(vec![account, control.trying_from(address)])
    }

    async fn account(&self, tenant: &Tenant, typed: &str) -> Result<(Option<User>, Option<String>)> {
        let Ok(email) = Email::parse(typed) else {
            return Ok((None, None));
        };
        let mut tx = self.0.parts.store.read(Scope::Tenant(tenant.id)).await?;
        let Some(user) = tx.users().find_by_email(&email).await? else {
            return Ok((None, None));
        };
        let stored = tx.users().password_hash(user.id).await?;
        Ok((stored.is_some().then_some(user), stored))
    }

    /// Notes in the audit trail that an account is closed for a while.
    async fn note_block(&self, tenant: &Tenant, typed: &str) -> Result<()> {
        let (Some(user), _) = self.account(tenant, typed).await? else {
            return Ok(());
        };
        let now = self.0.now();
        let system = Caller::system(tenant.id, tenant.slug.clone(), AuditSource::System);
        let mut tx = self.0.begin(&system).await?;
        let details = json!({ "reason": "too many wrong passwords" });
        tx.audit(entry(
            &system,
            now,
            "user.sign_in_blocked",
            "user",
            user.id,
            details,
        ));
        self.0.commit(tx, now).await
    }
}

/// One error for everything that can be wrong with a sign-in.
fn sign_in_failed() -> Error {
    Error::guard("sign_in_failed", "the address or the password is wrong")
}
