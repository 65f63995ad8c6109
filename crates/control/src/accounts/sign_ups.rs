//! Accounts that people ask for themselves.
//!
//! With mail, an address is shown to be theirs before anything is made of it,
//! and the password is chosen after that: nobody prepares an account for
//! somebody else's address. Without mail, the password comes with the request.

use gatewright_model::account::{LinkPurpose, SignUp, SignUpState};
use gatewright_model::id::{SignUpId, UserId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::state::{IllegalTransition, Word};
use gatewright_model::tenancy::{SignUpMode, Tenant, UserState};
use gatewright_model::text::{Email, Name};
use gatewright_store::{Scope, Tx, Wanted};
use serde_json::json;

use crate::accounts::links::{self, Subject};
use crate::accounts::{Accounts, people};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::mail::letters;
use crate::passwords::Password;
use crate::sessions::{Client, Opened};
use crate::tenants;

/// As many administrators are mailed about one request.
const MOST_TOLD: usize = 20;

/// What somebody types who wants an account.
#[derive(Debug, Clone)]
pub struct NewSignUp {
    /// How they want to be called.
    pub name: Name,
    /// The address of the account.
    pub email: Email,
    /// Needed where there is no mail; with mail it is chosen after the address was confirmed.
    pub password: Option<Password>,
}

/// How far a sign-up came.
#[derive(Debug, Clone)]
pub enum SignedUp {
    /// The next step waits in the mailbox, whether or not the address was known.
    CheckMail,
    /// Somebody has to agree.
    Waiting,
    /// There is an account, and this is its first session.
    In(Box<Opened>),
}

impl Accounts<'_> {
    /// Asks for an account.
    ///
    /// # Errors
    /// [`Error::TooOften`], [`Error::Guard`] `sign_up_off`, and `email_taken`
    /// where there is no mail to answer by; [`Error::Invalid`] without a
    /// password where one is needed.
    pub async fn sign_up(&self, tenant: &Tenant, new: NewSignUp, client: &Client) -> Result<SignedUp> {
        refuse_when_off(tenant)?;
        let control = self.0;
        let mut tried: Vec<_> = client
            .address
            .map(|address| control.mailing_from(address))
            .into_iter()
            .collect();
        if control.sends_mail {
            tried.push(control.mailing(tenant.id, new.email.as_str()));
            control.admit(tried).await?;
            self.mail_next_step(tenant, new.name, new.email, client).await?;
            return Ok(SignedUp::CheckMail);
        }
        let password = new.password.ok_or_else(|| {
            Error::field(
                "/password",
                Invalid::new("invalid_password", "must be 8 to 256 characters long"),
            )
        })?;
        control.admit(tried).await?;
        let hash = control.hash_password(password).await?;
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let wish = Wish {
            email: new.email,
            verified: false,
            name: new.name,
            hash,
        };
        self.grant_or_wait(&mut tx, tenant, wish, client)
            .await?
            .finish(control, tx)
            .await
    }

    /// Goes on with a sign-up whose address was confirmed by its link.
    ///
    /// # Errors
    /// [`Error::Guard`] `link_invalid`, `sign_up_off`, `email_taken`.
    pub async fn finish_sign_up(
        &self,
        tenant: &Tenant,
        secret: &SecretText,
        password: Password,
        client: &Client,
    ) -> Result<SignedUp> {
        refuse_when_off(tenant)?;
        let control = self.0;
        // The same kind of link confirms the new address of an account.
        let link = self.link(tenant, LinkPurpose::Verify, secret).await?;
        if link.is_none_or(|link| link.user.is_some()) {
            return Err(links::invalid());
        }
        let hash = control.hash_password(password).await?;
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let link = links::take(control, &mut tx, LinkPurpose::Verify, secret).await?;
        let wish = Wish {
            email: link.email,
            verified: true,
            name: link.name.ok_or_else(links::invalid)?,
            hash,
        };
        self.grant_or_wait(&mut tx, tenant, wish, client)
            .await?
            .finish(control, tx)
            .await
    }

    /// Who asked for an account, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn sign_ups(
        &self,
        caller: &Caller,
        state: Option<SignUpState>,
        page: PageRequest,
    ) -> Result<Page<SignUp>> {
        caller.require(Permission::MembersWrite)?;
        let mut tx = self.0.read(caller).await?;
        Ok(tx.sign_ups().list(state, page).await?)
    }

    /// How many wait for an account; zero for who may not decide.
    ///
    /// # Errors
    /// Store errors.
    pub async fn waiting_sign_ups(&self, caller: &Caller) -> Result<u64> {
        if !caller.rights.in_tenant(Permission::MembersWrite) {
            return Ok(0);
        }
        let mut tx = self.0.read(caller).await?;
        Ok(tx.sign_ups().count_waiting().await?)
    }

    /// One request for an account.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn requested(&self, caller: &Caller, id: SignUpId) -> Result<SignUp> {
        caller.require(Permission::MembersWrite)?;
        let mut tx = self.0.read(caller).await?;
        tx.sign_ups().find(id).await?.ok_or(Error::missing("sign-up"))
    }

    /// Gives somebody the account that was asked for.
    ///
    /// # Errors
    /// [`Error::Illegal`] when it was decided before, [`Error::Duplicate`]
    /// `email_taken`, [`Error::Forbidden`].
    pub async fn approve(&self, caller: &Caller, id: SignUpId) -> Result<SignUp> {
        let control = self.0;
        let now = control.now();
        let mut tx = control.begin(caller).await?;
        let mut sign_up = undecided(&mut tx, caller, id, "approve").await?;
        if let Some(existing) = tx.users().find_by_email(&sign_up.email).await? {
            return Err(Error::duplicate("email_taken", "email", existing.id));
        }
        let hash = tx.sign_ups().password_hash(id).await?;
        let hash = hash.ok_or_else(|| Error::Internal(format!("the sign-up {id} has no password")))?;
        let (email, name) = (sign_up.email.clone(), sign_up.name.clone());
        let user = people::add(control, &mut tx, caller, email, name, &hash).await?;
        decide(
            &mut tx,
            caller,
            &mut sign_up,
            SignUpState::Approved,
            Some(user.id),
            control,
        )
        .await?;
        if control.sends_mail {
            let tenant = tenants::own(&mut tx, caller).await?;
            let sign_in = control.page_address(&tenant, "/sign-in");
            let letter = letters::approved(&tenant, user.email, &sign_in);
            control.post(&mut tx, tenant.id, &letter)?;
        }
        control.commit(tx, now).await?;
        Ok(sign_up)
    }

    /// Refuses the account that was asked for. The same address may ask again.
    ///
    /// # Errors
    /// [`Error::Illegal`] when it was decided before, [`Error::Forbidden`].
    pub async fn reject(&self, caller: &Caller, id: SignUpId) -> Result<SignUp> {
        let control = self.0;
        let now = control.now();
        let mut tx = control.begin(caller).await?;
        let mut sign_up = undecided(&mut tx, caller, id, "reject").await?;
        decide(
            &mut tx,
            caller,
            &mut sign_up,
            SignUpState::Rejected,
            None,
            control,
        )
        .await?;
        // Mail goes only to an address that was shown to belong to who asked.
        if control.sends_mail && sign_up.email_verified {
            let tenant = tenants::own(&mut tx, caller).await?;
            let letter = letters::rejected(&tenant, sign_up.email.clone());
            control.post(&mut tx, tenant.id, &letter)?;
        }
        control.commit(tx, now).await?;
        Ok(sign_up)
    }

    async fn mail_next_step(&self, tenant: &Tenant, name: Name, email: Email, client: &Client) -> Result<()> {
        let control = self.0;
        let now = control.now();
        let mut tx = control.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let letter = match tx.users().find_by_email(&email).await? {
            Some(user) if user.state == UserState::Suspended => return Ok(()),
            Some(user) if tx.users().password_hash(user.id).await?.is_none() => {
                let caller = people::at_portal(tenant, None, client);
                let (purpose, to) = (LinkPurpose::Invite, email.clone());
                let link = links::make_for(control, &mut tx, &caller, tenant, purpose, &user, to).await?;
                letters::invite(tenant, email, &link.url)
            }
            Some(_) => {
                let sign_in = control.page_address(tenant, "/sign-in");
                let forgot = control.page_address(tenant, "/forgot");
                letters::known_already(tenant, email, &sign_in, &forgot)
            }
            None => {
                let subject = Subject {
                    user: None,
                    email: email.clone(),
                    name: Some(name),
                };
                let lasts = links::lasts_by_mail(LinkPurpose::Verify);
                let made = links::make(control, &mut tx, tenant, LinkPurpose::Verify, subject, lasts);
                letters::verify(tenant, email, &made.await?.url)
            }
        };
        control.post(&mut tx, tenant.id, &letter)?;
        control.commit(tx, now).await
    }

    async fn grant_or_wait(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        wish: Wish,
        client: &Client,
    ) -> Result<SignedUp> {
        let control = self.0;
        let now = control.now();
        let known = tx.users().find_by_email(&wish.email).await?.is_some();
        if tenant.settings.sign_up == SignUpMode::Open {
            if known {
                return Err(email_taken());
            }
            let caller = people::at_portal(tenant, None, client);
            let user = people::add(control, tx, &caller, wish.email, wish.name, &wish.hash).await?;
            let opened = control.begin_session(tx, tenant, &user, client).await?;
            return Ok(SignedUp::In(Box::new(opened)));
        }
        // Who is known already, or waits already, gets the same answer and changes nothing.
        if !known && tx.sign_ups().find_waiting(&wish.email).await?.is_none() {
            let sign_up = SignUp {
                id: control.new_id(now),
                tenant_id: tenant.id,
                email: wish.email,
                email_verified: wish.verified,
                name: wish.name,
                state: SignUpState::Waiting,
                decided_by: None,
                decided_at: None,
                user_id: None,
                created_at: now,
            };
            tx.sign_ups().insert(&sign_up, &wish.hash).await?;
            let caller = people::at_portal(tenant, None, client);
            let details = json!({ "email": sign_up.email, "email_verified": sign_up.email_verified });
            tx.audit(entry(
                &caller,
                now,
                "sign_up.request",
                "sign_up",
                sign_up.id,
                details,
            ));
            tell_administrators(control, tx, tenant).await?;
        }
        Ok(SignedUp::Waiting)
    }
}

/// Mails those who decide about accounts.
async fn tell_administrators(control: &Control, tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    if !control.sends_mail {
        return Ok(());
    }
    let people = control.page_address(tenant, "/console/users");
    let owners = Wanted {
        users: tx.memberships().active_owners().await?,
        ..Wanted::default()
    };
    let owners = tx.names().of(&owners).await?.users;
    for (_, address) in owners.into_values().take(MOST_TOLD) {
        let letter = letters::sign_up_waits(tenant, address, &people);
        control.post(tx, tenant.id, &letter)?;
    }
    Ok(())
}

/// A wish for an account that has everything an account needs.
struct Wish {
    email: Email,
    verified: bool,
    name: Name,
    hash: String,
}

impl SignedUp {
    async fn finish(self, control: &Control, tx: Tx) -> Result<Self> {
        control.commit(tx, control.now()).await?;
        Ok(self)
    }
}

async fn undecided(tx: &mut Tx, caller: &Caller, id: SignUpId, verb: &'static str) -> Result<SignUp> {
    caller.require(Permission::MembersWrite)?;
    let sign_up = tx.sign_ups().lock(id).await?.ok_or(Error::missing("sign-up"))?;
    if sign_up.state == SignUpState::Waiting {
        return Ok(sign_up);
    }
    Err(Error::Illegal(IllegalTransition {
        entity: "sign-up",
        state: sign_up.state.as_str(),
        verb,
        allowed: Vec::new(),
    }))
}

async fn decide(
    tx: &mut Tx,
    caller: &Caller,
    sign_up: &mut SignUp,
    state: SignUpState,
    user: Option<UserId>,
    control: &Control,
) -> Result<()> {
    let now = control.now();
    sign_up.state = state;
    sign_up.decided_by = caller.author();
    sign_up.decided_at = Some(now);
    sign_up.user_id = user;
    tx.sign_ups().decide(sign_up).await?;
    let action = if user.is_some() {
        "sign_up.approve"
    } else {
        "sign_up.reject"
    };
    let details = json!({ "email": sign_up.email, "user": user });
    tx.audit(entry(caller, now, action, "sign_up", sign_up.id, details));
    Ok(())
}

fn refuse_when_off(tenant: &Tenant) -> Result<()> {
    if tenant.settings.sign_up == SignUpMode::Off {
        let rule = "accounts are made by invitation here: ask an administrator for one";
        return Err(Error::guard("sign_up_off", rule));
    }
    Ok(())
}

fn email_taken() -> Error {
    Error::guard(
        "email_taken",
        "there is an account with this address already: sign in instead",
    )
}
