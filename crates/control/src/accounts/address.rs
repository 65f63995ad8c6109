//! The address of an account. Its owner changes it by a link that goes to the
//! new address, so that it is shown to be theirs; the old address is told.
//! Where no mail is sent an administrator changes it.

use gatewright_model::account::LinkPurpose;
use gatewright_model::id::UserId;
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{Tenant, User, UserState};
use gatewright_model::text::Email;
use gatewright_model::time::Timestamp;
use gatewright_store::{Scope, Tx};
use serde_json::json;

use crate::accounts::{Accounts, invitations, links, people};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::mail::letters;
use crate::sessions::Client;
use crate::tenants;

impl Accounts<'_> {
    /// Mails a link to the address that the caller's own account is to have
    /// from now on, and tells the old one. An earlier link stops working. Who
    /// asks is not told whether the address has an account already. Gives the
    /// time when the link stops working.
    ///
    /// # Errors
    /// [`Error::Guard`] `no_mail`, `no_user`, `same_address`; [`Error::TooOften`].
    pub async fn ask_for_address(&self, caller: &Caller, to: Email, client: &Client) -> Result<Timestamp> {
        let control = self.0;
        if !control.sends_mail {
            let rule = "no mail is sent from here: ask an administrator to change your address";
            return Err(Error::guard("no_mail", rule));
        }
        let no_user = || Error::guard("no_user", "an address belongs to a person of this tenant");
        let id = caller.author().ok_or_else(no_user)?;
        let mut tried = vec![control.mailing(caller.tenant_id, to.as_str())];
        tried.extend(client.address.map(|address| control.mailing_from(address)));
        control.admit(tried).await?;
        let now = control.now();
        let mut tx = control.begin(caller).await?;
        let user = tx.users().find(id).await?.ok_or_else(no_user)?;
        refuse_same(&user, &to)?;
        let tenant = tenants::own(&mut tx, caller).await?;
        tx.account_links().delete_of_user(user.id).await?;
        let purpose = LinkPurpose::Verify;
        let link = links::make_for(control, &mut tx, caller, &tenant, purpose, &user, to.clone()).await?;
        let expires_at = link.expires_at;
        let letter = if tx.users().find_by_email(&to).await?.is_some() {
            let sign_in = control.page_address(&tenant, "/sign-in");
            let forgot = control.page_address(&tenant, "/forgot");
            letters::known_already(&tenant, to, &sign_in, &forgot)
        } else {
            letters::confirm_address(&tenant, to, &link.url)
        };
        control.post(&mut tx, tenant.id, &letter)?;
        let settings = control.page_address(&tenant, "/me/settings");
        let letter = letters::address_asked(&tenant, user.email, &settings);
        control.post(&mut tx, tenant.id, &letter)?;
        control.commit(tx, now).await?;
        Ok(expires_at)
    }

    /// Gives an account the address to which the link was sent.
    ///
    /// # Errors
    /// [`Error::Guard`] `link_invalid`; [`Error::Duplicate`] `email_taken`.
    pub async fn confirm_address(
        &self,
        tenant: &Tenant,
        secret: &SecretText,
        client: &Client,
    ) -> Result<User> {
        let control = self.0;
        let now = control.now();
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let link = links::take(control, &mut tx, LinkPurpose::Verify, secret).await?;
        let id = link.user_id.ok_or_else(links::invalid)?;
        let user = tx.users().find(id).await?;
        let user = user
            .filter(|user| user.state == UserState::Active)
            .ok_or_else(links::invalid)?;
        let caller = people::at_portal(tenant, Some(id), client);
        let user = set(control, &mut tx, &caller, tenant, user, link.email).await?;
        control.commit(tx, now).await?;
        Ok(user)
    }

    /// Changes somebody's address at once: for administrators, of people who
    /// may do nothing that the administrator may not do. Both addresses are told.
    /// The own one is changed so only where no mail is sent.
    ///
    /// # Errors
    /// [`Error::Guard`] `own_account`, `same_address`, `suspended`;
    /// [`Error::Duplicate`] `email_taken`; [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn set_address(&self, caller: &Caller, id: UserId, to: Email) -> Result<User> {
        let control = self.0;
        caller.require(Permission::MembersWrite)?;
        if control.sends_mail && caller.user_id == Some(id) {
            let rule = "your own address is changed in your settings, by a link to the new one";
            return Err(Error::guard("own_account", rule));
        }
        let now = control.now();
        let mut tx = control.begin(caller).await?;
        let user = invitations::below(&mut tx, caller, id).await?;
        refuse_same(&user, &to)?;
        let tenant = tenants::own(&mut tx, caller).await?;
        let user = set(control, &mut tx, caller, &tenant, user, to).await?;
        control.commit(tx, now).await?;
        Ok(user)
    }
}

/// Writes the new address. Links that went to the old one end.
async fn set(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    tenant: &Tenant,
    user: User,
    to: Email,
) -> Result<User> {
    if let Some(existing) = tx.users().find_by_email(&to).await? {
        return Err(Error::duplicate("email_taken", "email", existing.id));
    }
    let old = user.email.clone();
    let user = tx.users().update(&User { email: to, ..user }).await?;
    tx.account_links().delete_of_user(user.id).await?;
    let details = json!({ "from": old, "to": user.email });
    let now = control.now();
    tx.audit(entry(caller, now, "user.change_email", "user", user.id, details));
    if control.sends_mail {
        for address in [old, user.email.clone()] {
            let letter = letters::address_changed(tenant, address);
            control.post(tx, tenant.id, &letter)?;
        }
    }
    Ok(user)
}

fn refuse_same(user: &User, to: &Email) -> Result<()> {
    if user.email == *to {
        let rule = "this is the address of the account already";
        return Err(Error::guard("same_address", rule));
    }
    Ok(())
}
