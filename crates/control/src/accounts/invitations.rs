//! People whom an administrator added: they choose their password by a link.

use gatewright_model::account::LinkPurpose;
use gatewright_model::id::UserId;
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{Tenant, User, UserState};
use gatewright_model::text::{Email, Name};
use gatewright_store::{Scope, Tx};
use serde_json::json;

use crate::accounts::{Accounts, SentLink, links, people};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::mail::{Letter, letters};
use crate::passwords::Password;
use crate::sessions::{Client, Opened};
use crate::{tenants, users};

/// Writes the letter with a link.
type Writing = fn(&Tenant, Email, &SecretText) -> Letter;

impl Accounts<'_> {
    /// Invites somebody who was added without a password. An earlier invitation stops working.
    ///
    /// # Errors
    /// [`Error::Guard`] `has_password`, `suspended`; [`Error::NotFound`];
    /// [`Error::Forbidden`], also for somebody who may do more than the caller.
    pub async fn invite(&self, caller: &Caller, user: UserId) -> Result<SentLink> {
        let mut tx = self.0.begin(caller).await?;
        let user = below(&mut tx, caller, user).await?;
        if tx.users().password_hash(user.id).await?.is_some() {
            let rule = "this person has a password already: make a link to a new one instead";
            return Err(Error::guard("has_password", rule));
        }
        self.hand_link_over(tx, caller, user, LinkPurpose::Invite, letters::invite)
            .await
    }

    /// Makes a link to somebody's account and hands it over.
    pub(crate) async fn hand_link_over(
        &self,
        mut tx: Tx,
        caller: &Caller,
        user: User,
        purpose: LinkPurpose,
        letter: Writing,
    ) -> Result<SentLink> {
        let control = self.0;
        let tenant = tenants::own(&mut tx, caller).await?;
        let to = user.email.clone();
        let link = links::make_for(control, &mut tx, caller, &tenant, purpose, &user, to).await?;
        let sent = if control.sends_mail {
            control.post(&mut tx, tenant.id, &letter(&tenant, user.email, &link.url))?;
            SentLink::Mailed {
                expires_at: link.expires_at,
            }
        } else {
            SentLink::Shown {
                link: link.url,
                expires_at: link.expires_at,
            }
        };
        control.commit(tx, control.now()).await?;
        Ok(sent)
    }

    /// Accepts an invitation by choosing a password, and signs in.
    ///
    /// # Errors
    /// [`Error::Guard`] `link_invalid`.
    pub async fn accept_invitation(
        &self,
        tenant: &Tenant,
        secret: &SecretText,
        name: Option<Name>,
        password: Password,
        client: &Client,
    ) -> Result<Opened> {
        let control = self.0;
        if self.link(tenant, LinkPurpose::Invite, secret).await?.is_none() {
            return Err(links::invalid());
        }
        let hash = control.hash_password(password).await?;
        let now = control.now();
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let link = links::take(control, &mut tx, LinkPurpose::Invite, secret).await?;
        let id = link.user_id.ok_or_else(links::invalid)?;
        let mut user = tx.users().find(id).await?.ok_or_else(links::invalid)?;
        if user.state == UserState::Suspended || tx.users().password_hash(id).await?.is_some() {
            return Err(links::invalid());
        }
        user.state = UserState::Active;
        user.name = name.unwrap_or(user.name);
        tx.users().update(&user).await?;
        tx.users().set_password_hash(id, &hash).await?;
        let user = tx.users().find(id).await?.ok_or_else(links::invalid)?;
        let caller = people::at_portal(tenant, Some(id), client);
        let details = json!({ "name": user.name });
        tx.audit(entry(&caller, now, "user.accept", "user", id, details));
        if tx.memberships().of_user(id).await?.is_empty() {
            people::add_team(control, &mut tx, &caller, &user).await?;
        }
        let opened = control.begin_session(&mut tx, tenant, &user, client).await?;
        control.commit(tx, now).await?;
        Ok(opened)
    }
}

/// Somebody who is not suspended and may do nothing that the caller may not do:
/// who holds a link to an account holds the account.
pub(crate) async fn below(tx: &mut Tx, caller: &Caller, user: UserId) -> Result<User> {
    caller.require(Permission::MembersWrite)?;
    let user = tx.users().find(user).await?.ok_or(Error::missing("user"))?;
    users::may_rule(tx, caller, &user).await?;
    if user.state == UserState::Suspended {
        let rule = "this person may not sign in: let them sign in again first";
        return Err(Error::guard("suspended", rule));
    }
    Ok(user)
}
