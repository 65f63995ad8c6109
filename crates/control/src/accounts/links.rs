//! Links with one-time secrets.

use std::time::Duration;

use gatewright_model::account::{AccountLink, LinkPurpose};
use gatewright_model::id::UserId;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{Tenant, User};
use gatewright_model::text::{Email, Name};
use gatewright_model::time::Timestamp;
use gatewright_store::{Scope, Tx};
use serde_json::json;

use crate::account_secret::Purpose;
use crate::accounts::Accounts;
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};

const INVITED_FOR: Duration = Duration::from_secs(7 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

/// What a page may show of a link that still works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// The account it is about; `None` when there is none yet.
    pub user: Option<UserId>,
    /// The address it is about.
    pub email: Email,
    /// How the person is called so far.
    pub name: Option<Name>,
    /// When it stops working by itself.
    pub expires_at: Timestamp,
}

/// A link that was just made.
#[derive(Debug)]
pub(crate) struct NewLink {
    pub(crate) url: SecretText,
    pub(crate) expires_at: Timestamp,
}

/// Whom a link is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) user: Option<UserId>,
    pub(crate) email: Email,
    pub(crate) name: Option<Name>,
}

impl Accounts<'_> {
    /// What a link is about, without using it up. `None` when it was used, is
    /// too old, or never was.
    ///
    /// # Errors
    /// Store errors.
    pub async fn link(
        &self,
        tenant: &Tenant,
        purpose: LinkPurpose,
        secret: &SecretText,
    ) -> Result<Option<LinkView>> {
        let mut tx = self.0.parts.store.read(Scope::Tenant(tenant.id)).await?;
        let link = find(self.0, &mut tx, purpose, secret).await?;
        Ok(link.map(|link| LinkView {
            user: link.user_id,
            email: link.email,
            name: link.name,
            expires_at: link.expires_at,
        }))
    }
}

/// Makes a link; older ones of the same purpose for the same address stop working.
pub(crate) async fn make(
    control: &Control,
    tx: &mut Tx,
    tenant: &Tenant,
    purpose: LinkPurpose,
    subject: Subject,
    lasts: Duration,
) -> Result<NewLink> {
    let now = control.now();
    let (secret, hash) = control.new_secret(Purpose::Link);
    tx.account_links().delete_of(&subject.email, &[purpose]).await?;
    let link = AccountLink {
        hash,
        tenant_id: tenant.id,
        purpose,
        user_id: subject.user,
        email: subject.email,
        name: subject.name,
        created_at: now,
        expires_at: now.plus(lasts),
    };
    tx.account_links().insert(&link).await?;
    let path = ["/", page(purpose), "/", secret.expose()].concat();
    Ok(NewLink {
        url: SecretText::new(control.page_address(tenant, &path)),
        expires_at: link.expires_at,
    })
}

/// Makes the link of somebody's account that goes to this address, and notes it
/// in the audit trail.
pub(crate) async fn make_for(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    tenant: &Tenant,
    purpose: LinkPurpose,
    user: &User,
    to: Email,
) -> Result<NewLink> {
    let subject = Subject {
        user: Some(user.id),
        email: to.clone(),
        name: Some(user.name.clone()),
    };
    let lasts = if control.sends_mail {
        lasts_by_mail(purpose)
    } else {
        lasts_by_hand(purpose)
    };
    let link = make(control, tx, tenant, purpose, subject, lasts).await?;
    let action = match purpose {
        LinkPurpose::Invite => "user.invite",
        LinkPurpose::Reset => "user.reset_link",
        LinkPurpose::Verify => "user.ask_email",
    };
    let details = json!({ "email": to, "expires_at": link.expires_at });
    tx.audit(entry(caller, control.now(), action, "user", user.id, details));
    Ok(link)
}

/// Uses a link up.
///
/// # Errors
/// [`Error::Guard`] `link_invalid` when it was used, is too old, or never was.
pub(crate) async fn take(
    control: &Control,
    tx: &mut Tx,
    purpose: LinkPurpose,
    secret: &SecretText,
) -> Result<AccountLink> {
    let link = find(control, tx, purpose, secret).await?.ok_or_else(invalid)?;
    if tx.account_links().take(&link.hash).await? {
        Ok(link)
    } else {
        Err(invalid())
    }
}

async fn find(
    control: &Control,
    tx: &mut Tx,
    purpose: LinkPurpose,
    secret: &SecretText,
) -> Result<Option<AccountLink>> {
    let Some(hash) = control.secret_hash(Purpose::Link, secret) else {
        return Ok(None);
    };
    let now = control.now();
    let works = |link: &AccountLink| link.purpose == purpose && now < link.expires_at;
    Ok(tx.account_links().find(&hash).await?.filter(works))
}

/// One error for a link that does not work, whatever the reason.
pub(crate) fn invalid() -> Error {
    Error::guard(
        "link_invalid",
        "this link was used already or is too old: ask for a new one",
    )
}

/// How long a link lasts that comes by mail.
pub(crate) const fn lasts_by_mail(purpose: LinkPurpose) -> Duration {
    match purpose {
        LinkPurpose::Invite => INVITED_FOR,
        LinkPurpose::Verify => DAY,
        LinkPurpose::Reset => HOUR,
    }
}

/// How long a link lasts that an administrator hands over by hand.
const fn lasts_by_hand(purpose: LinkPurpose) -> Duration {
    match purpose {
        LinkPurpose::Invite => INVITED_FOR,
        LinkPurpose::Verify | LinkPurpose::Reset => DAY,
    }
}

const fn page(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::Invite => "invite",
        LinkPurpose::Reset => "reset",
        LinkPurpose::Verify => "verify",
    }
}
