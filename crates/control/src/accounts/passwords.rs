//! New passwords: changed by who knows the old one, or reset by a link.

use gatewright_model::account::LinkPurpose;
use gatewright_model::id::{SessionId, UserId};
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{Tenant, User, UserState};
use gatewright_model::text::Email;
use gatewright_store::{Scope, Tx};
use serde_json::json;

use crate::accounts::{Accounts, SentLink, invitations, links, people};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::mail::letters;
use crate::passwords::Password;
use crate::sessions::Client;
use crate::tenants;

impl Accounts<'_> {
    /// Mails a link to a new password, if the address has an account. The
    /// answer is the same either way.
    ///
    /// # Errors
    /// [`Error::Guard`] `no_mail`; [`Error::TooOften`].
    pub async fn forgot(&self, tenant: &Tenant, email: Email, client: &Client) -> Result<()> {
        let control = self.0;
        if !control.sends_mail {
            let rule = "no mail is sent from here: ask an administrator for a link to a new password";
            return Err(Error::guard("no_mail", rule));
        }
        let mut tried = vec![control.mailing(tenant.id, email.as_str())];
        tried.extend(client.address.map(|address| control.mailing_from(address)));
        control.admit(tried).await?;
        let now = control.now();
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let user = tx.users().find_by_email(&email).await?;
        let Some(user) = user.filter(|user| user.state != UserState::Suspended) else {
            return Ok(());
        };
        let caller = people::at_portal(tenant, None, client);
        let has_password = tx.users().password_hash(user.id).await?.is_some();
        let purpose = if has_password {
            LinkPurpose::Reset
        } else {
            LinkPurpose::Invite
        };
        let to = email.clone();
        let link = links::make_for(control, &mut tx, &caller, tenant, purpose, &user, to).await?;
        let letter = if has_password {
            letters::reset(tenant, email, &link.url)
        } else {
            letters::invite(tenant, email, &link.url)
        };
        control.post(&mut tx, tenant.id, &letter)?;
        control.commit(tx, now).await
    }

    /// Makes a link by which somebody else chooses a new password.
    ///
    /// # Errors
    /// [`Error::Guard`] `own_account`, `no_password`, `suspended`;
    /// [`Error::NotFound`]; [`Error::Forbidden`], also for somebody who may do
    /// more than the caller.
    pub async fn reset_link(&self, caller: &Caller, user: UserId) -> Result<SentLink> {
        let mut tx = self.0.begin(caller).await?;
        let user = invitations::below(&mut tx, caller, user).await?;
        if caller.user_id == Some(user.id) {
            let rule = "your own password is changed in your settings, with the old one";
            return Err(Error::guard("own_account", rule));
        }
        if tx.users().password_hash(user.id).await?.is_none() {
            let rule = "this person has no password yet: invite them instead";
            return Err(Error::guard("no_password", rule));
        }
        self.hand_link_over(tx, caller, user, LinkPurpose::Reset, letters::reset)
            .await
    }

    /// Chooses a new password by a link. Every session ends, every other link stops working.
    ///
    /// # Errors
    /// [`Error::Guard`] `link_invalid`.
    pub async fn reset(
        &self,
        tenant: &Tenant,
        secret: &SecretText,
        password: Password,
        client: &Client,
    ) -> Result<User> {
        let control = self.0;
        if self.link(tenant, LinkPurpose::Reset, secret).await?.is_none() {
            return Err(links::invalid());
        }
        let hash = control.hash_password(password).await?;
        let now = control.now();
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let link = links::take(control, &mut tx, LinkPurpose::Reset, secret).await?;
        let id = link.user_id.ok_or_else(links::invalid)?;
        let user = tx.users().find(id).await?;
        let user = user
            .filter(|user| user.state == UserState::Active)
            .ok_or_else(links::invalid)?;
        set(control, &mut tx, tenant, &user, &hash, None).await?;
        let caller = people::at_portal(tenant, Some(id), client);
        tx.audit(entry(&caller, now, "user.password_reset", "user", id, json!({})));
        control.commit(tx, now).await?;
        control.forget_tries(tenant.id, user.email.as_str()).await?;
        Ok(user)
    }

    /// Changes the caller's own password. Every other session ends; the current one stays.
    ///
    /// # Errors
    /// [`Error::Guard`] `wrong_password`, `no_user`; [`Error::TooOften`].
    pub async fn change_password(
        &self,
        caller: &Caller,
        current: Option<SessionId>,
        old: SecretText,
        new: Password,
    ) -> Result<()> {
        let control = self.0;
        let user = self.confirm_password(caller, old).await?;
        let hash = control.hash_password(new).await?;
        let now = control.now();
        let mut tx = control.begin(caller).await?;
        let tenant = tenants::own(&mut tx, caller).await?;
        // Whoever changed it meanwhile knew the old one too, and is the later one to know.
        let unchanged = tx.users().find(user.id).await?;
        let unchanged = unchanged.filter(|found| found.auth_epoch == user.auth_epoch);
        let user = unchanged.ok_or(Error::Stale)?;
        set(control, &mut tx, &tenant, &user, &hash, current).await?;
        tx.audit(entry(
            caller,
            now,
            "user.password_change",
            "user",
            user.id,
            json!({}),
        ));
        control.commit(tx, now).await
    }

    /// Whose account it is, once they have typed its password again.
    ///
    /// # Errors
    /// [`Error::Guard`] `wrong_password`, `no_user`; [`Error::TooOften`].
    pub async fn confirm_password(&self, caller: &Caller, password: SecretText) -> Result<User> {
        let control = self.0;
        let no_user = || Error::guard("no_user", "a password belongs to a person of this tenant");
        let id = caller.author().ok_or_else(no_user)?;
        let turn = control.password_turn()?;
        let mut tx = control.read(caller).await?;
        let user = tx.users().find(id).await?.ok_or_else(no_user)?;
        let stored = tx.users().password_hash(id).await?;
        drop(tx);
        let tried = control.trying_account(caller.tenant_id, user.email.as_str());
        let admitted = control.admit(vec![tried]).await?;
        if !control.password_matches(turn, password, stored).await? {
            return Err(Error::guard("wrong_password", "the current password is wrong"));
        }
        control.succeeded(admitted).await?;
        Ok(user)
    }
}

/// Writes a new password: links that open the account and sessions that were
/// opened with the old one end.
async fn set(
    control: &Control,
    tx: &mut Tx,
    tenant: &Tenant,
    user: &User,
    hash: &str,
    keep: Option<SessionId>,
) -> Result<()> {
    tx.users().set_password_hash(user.id, hash).await?;
    tx.sessions().delete_of_user(user.id, keep).await?;
    if let Some(session) = keep {
        tx.sessions().set_epoch(session, user.auth_epoch + 1).await?;
    }
    tx.account_links().delete_of_user(user.id).await?;
    if control.sends_mail {
        let forgot = control.page_address(tenant, "/forgot");
        let letter = letters::password_changed(tenant, user.email.clone(), &forgot);
        control.post(tx, tenant.id, &letter)?;
    }
    Ok(())
}
