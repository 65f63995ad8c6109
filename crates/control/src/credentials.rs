//! Credentials: issuing, rotating, switching and revoking keys. The secret
//! leaves this module once, in the answer to the one who asked.

use std::time::Duration;

use gatewright_model::consumer::{
    Application, ApplicationState, Credential, CredentialKind, CredentialState, CredentialVerb, Environment,
    MAX_ROTATION_GRACE,
};
use gatewright_model::id::{ApplicationId, CredentialId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::secret::{self, SecretKind, SecretText};
use gatewright_model::text::{Name, Remark};
use gatewright_model::time::Timestamp;
use gatewright_store::Tx;
use serde_json::json;

use crate::applications;
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::outbox_entry;

/// How many credentials that still work an application may have.
const MAX_LIVE: usize = 100;
/// `gw_live_` or `gw_test_` and the first four random characters.
const PREFIX_CHARS: usize = 12;

/// Use cases of credentials.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'c>(pub(crate) &'c Control);

/// What makes a credential.
#[derive(Debug, Clone)]
pub struct NewCredential {
    /// What it is.
    pub kind: CredentialKind,
    /// What it is for.
    pub name: Option<Name>,
    /// When it starts to work.
    pub not_before: Option<Timestamp>,
    /// When it stops by itself.
    pub expires_at: Option<Timestamp>,
}

/// A fresh credential with its secret, which is shown only here.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// The secret.
    pub secret: SecretText,
}

/// What can be asked of a credential beside rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialAction {
    /// End it for good.
    Revoke {
        /// For the record.
        reason: Option<Remark>,
    },
    /// Switch it off.
    Disable,
    /// Switch it on.
    Enable,
}

impl Control {
    /// Use cases of credentials.
    #[must_use]
    pub const fn credentials(&self) -> Credentials<'_> {
        Credentials(self)
    }
}

impl Credentials<'_> {
    /// Issues a key.
    ///
    /// # Errors
    /// [`Error::Invalid`] on bad times, [`Error::Guard`] when the application is
    /// not active or has too many keys.
    pub async fn issue(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        new: NewCredential,
    ) -> Result<Issued> {
        let now = self.0.now();
        check_times(&new, now)?;
        let mut tx = self.0.begin(caller).await?;
        let application =
            applications::find(&mut tx, caller, application, Permission::CredentialsWrite).await?;
        let issued = insert(self.0, &mut tx, caller, &application, new).await?;
        self.0.commit(tx, now).await?;
        Ok(issued)
    }

    /// Lists the credentials of an application, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn list(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        page: PageRequest,
    ) -> Result<Page<Credential>> {
        let mut tx = self.0.read(caller).await?;
        let application =
            applications::find(&mut tx, caller, application, Permission::ApplicationsRead).await?;
        Ok(tx.credentials().list(application.id, page).await?)
    }

    /// One credential.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: CredentialId) -> Result<Credential> {
        let mut tx = self.0.read(caller).await?;
        Ok(seen(&mut tx, caller, id, Permission::ApplicationsRead).await?.0)
    }

    /// The keys that begin like this, of applications that the caller may see. A
    /// whole key may be given: what lies behind its prefix is not looked at.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for less than a prefix, which names too many.
    pub async fn find_by_prefix(&self, caller: &Caller, text: &str) -> Result<Vec<Credential>> {
        caller.require_anywhere(Permission::ApplicationsRead)?;
        let prefix: String = text.trim().chars().take(PREFIX_CHARS).collect();
        if prefix.chars().count() < PREFIX_CHARS {
            let rule = "must have at least its first 12 characters, for example gw_live_3fZk";
            return Err(Error::field("/key", Invalid::new("key_too_short", rule)));
        }
        let mut tx = self.0.read(caller).await?;
        let mut found = tx.credentials().find_by_prefix(&prefix).await?;
        if caller.rights.in_tenant(Permission::ApplicationsRead) {
            return Ok(found);
        }
        let mut seen = Vec::new();
        for credential in found.drain(..) {
            let application = tx.applications().find(credential.application_id).await?;
            let visible = application.is_some_and(|application| {
                caller
                    .rights
                    .in_team(Permission::ApplicationsRead, application.team_id)
            });
            if visible {
                seen.push(credential);
            }
        }
        Ok(seen)
    }

    /// Issues a successor; the old key works until the end of the grace and
    /// never past its own expiry. A grace of zero revokes it at once.
    ///
    /// # Errors
    /// [`Error::Illegal`] unless the key is active, [`Error::Invalid`] when the
    /// grace is too long, [`Error::Stale`].
    pub async fn rotate(
        &self,
        caller: &Caller,
        id: CredentialId,
        grace: Duration,
        if_match: IfMatch,
    ) -> Result<Issued> {
        if grace > MAX_ROTATION_GRACE {
            let rule = Invalid::new("grace_too_long", "must be at most 2,592,000 seconds: 30 days");
            return Err(Error::field("/grace_seconds", rule));
        }
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let (old, application) = seen(&mut tx, caller, id, Permission::CredentialsWrite).await?;
        if_match.check(old.row_version)?;
        active(&application)?;
        let rotating = old.state.after(CredentialVerb::Rotate)?;
        let new = NewCredential {
            kind: old.kind,
            name: old.name.clone(),
            not_before: None,
            expires_at: old.expires_at,
        };
        let issued = make(self.0, caller, &application, new, now);
        tx.credentials().insert(&issued.credential).await?;
        tx.touch_credential(issued.credential.id);
        let grace_until = now.plus(grace);
        let mut old = old;
        old.replaced_by = Some(issued.credential.id);
        old.updated_at = now;
        if grace.is_zero() {
            old.state = CredentialState::Revoked;
            old.revoked_reason = Remark::parse("rotated without grace").ok();
        } else {
            old.state = rotating;
            old.grace_until = Some(old.expires_at.map_or(grace_until, |end| end.min(grace_until)));
        }
        let old = tx.credentials().update(&old).await?;
        tx.touch_credential(old.id);
        let details =
            json!({ "successor": issued.credential.id, "grace_until": old.grace_until, "state": old.state });
        tx.audit(entry(
            caller,
            now,
            "credential.rotate",
            "credential",
            old.id,
            details.clone(),
        ));
        tx.outbox(outbox_entry::event(
            self.0,
            caller,
            now,
            "credential.rotate",
            old.id,
            &details,
        ));
        self.0.commit(tx, now).await?;
        Ok(issued)
    }

    /// The old key of a rotation that made `id`, for its end of grace.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn replaced_by(&self, caller: &Caller, id: CredentialId) -> Result<Option<Credential>> {
        let mut tx = self.0.read(caller).await?;
        let (_, application) = seen(&mut tx, caller, id, Permission::ApplicationsRead).await?;
        let all = tx.credentials().of_application(application.id).await?;
        Ok(all
            .into_iter()
            .find(|credential| credential.replaced_by == Some(id)))
    }

    /// Revokes or switches a key.
    ///
    /// # Errors
    /// [`Error::Illegal`], [`Error::Forbidden`], [`Error::Stale`].
    pub async fn transition(
        &self,
        caller: &Caller,
        id: CredentialId,
        action: CredentialAction,
        if_match: IfMatch,
    ) -> Result<Credential> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let (credential, _) = seen(&mut tx, caller, id, Permission::CredentialsWrite).await?;
        if_match.check(credential.row_version)?;
        let (verb, reason) = match action {
            CredentialAction::Revoke { reason } => (CredentialVerb::Revoke, reason),
            CredentialAction::Disable => (CredentialVerb::Disable, None),
            CredentialAction::Enable => (CredentialVerb::Enable, None),
        };
        let credential = step(self.0, &mut tx, caller, credential, verb, reason).await?;
        self.0.commit(tx, now).await?;
        Ok(credential)
    }
}

/// Issues a key inside of a transaction that somebody else commits.
pub(crate) async fn insert(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    application: &Application,
    new: NewCredential,
) -> Result<Issued> {
    let now = control.now();
    active(application)?;
    let live = tx.credentials().of_application(application.id).await?;
    if live
        .iter()
        .filter(|credential| {
            !matches!(
                credential.state,
                CredentialState::Revoked | CredentialState::Expired
            )
        })
        .count()
        >= MAX_LIVE
    {
        return Err(Error::guard(
            "too_many_credentials",
            "an application has at most 100 keys; revoke one that is not used",
        ));
    }
    let issued = make(control, caller, application, new, now);
    tx.credentials().insert(&issued.credential).await?;
    tx.touch_credential(issued.credential.id);
    let details = json!({ "application": application.id, "prefix": issued.credential.hint.prefix, "expires_at": issued.credential.expires_at });
    tx.audit(entry(
        caller,
        now,
        "credential.issue",
        "credential",
        issued.credential.id,
        details,
    ));
    Ok(issued)
}

async fn seen(
    tx: &mut Tx,
    caller: &Caller,
    id: CredentialId,
    wanted: Permission,
) -> Result<(Credential, Application)> {
    let missing = || Error::missing("credential");
    let credential = tx.credentials().find(id).await?.ok_or_else(missing)?;
    let application = tx
        .applications()
        .find(credential.application_id)
        .await?
        .ok_or_else(missing)?;
    caller.require_known(
        Permission::ApplicationsRead,
        wanted,
        application.team_id,
        "credential",
    )?;
    Ok((credential, application))
}

fn active(application: &Application) -> Result<()> {
    if application.state == ApplicationState::Active {
        Ok(())
    } else {
        Err(Error::guard(
            "application_not_active",
            format!("the application is {}", application.state),
        ))
    }
}

fn check_times(new: &NewCredential, now: Timestamp) -> Result<()> {
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::field(
            "/expires_at",
            Invalid::new("expires_past", "must lie in the future"),
        ));
    }
    if let (Some(start), Some(end)) = (new.not_before, new.expires_at)
        && end <= start
    {
        return Err(Error::field(
            "/expires_at",
            Invalid::new("expires_before_start", "must lie after not_before"),
        ));
    }
    Ok(())
}

fn make(
    control: &Control,
    caller: &Caller,
    application: &Application,
    new: NewCredential,
    now: Timestamp,
) -> Issued {
    let kind = match application.environment {
        Environment::Live => SecretKind::LiveKey,
        Environment::Test => SecretKind::TestKey,
    };
    let secret = secret::generate(kind, control.parts.entropy.as_ref());
    let scheduled = new.not_before.is_some_and(|start| start > now);
    let credential = Credential {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        application_id: application.id,
        kind: new.kind,
        name: new.name,
        hint: secret.hint(),
        hash: control.hasher.hash(secret.expose()),
        state: if scheduled {
            CredentialState::Scheduled
        } else {
            CredentialState::Active
        },
        not_before: new.not_before,
        expires_at: new.expires_at,
        grace_until: None,
        replaced_by: None,
        last_used_at: None,
        revoked_reason: None,
        created_by: caller.author(),
        created_at: now,
        updated_at: now,
        row_version: 1,
    };
    Issued { credential, secret }
}

/// Moves a credential inside of a transaction that somebody else commits.
pub(crate) async fn step(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    mut credential: Credential,
    verb: CredentialVerb,
    reason: Option<Remark>,
) -> Result<Credential> {
    let now = control.now();
    let before = credential.state;
    credential.state = before.after(verb)?;
    if verb == CredentialVerb::Revoke {
        credential.revoked_reason = reason;
    }
    credential.updated_at = now;
    let credential = tx.credentials().update(&credential).await?;
    tx.touch_credential(credential.id);
    let action = match verb {
        CredentialVerb::Start => "credential.start",
        CredentialVerb::Rotate => "credential.rotate",
        CredentialVerb::Disable => "credential.disable",
        CredentialVerb::Enable => "credential.enable",
        CredentialVerb::Expire => "credential.expire",
        CredentialVerb::Revoke => "credential.revoke",
    };
    let details = json!({ "from": before, "to": credential.state, "reason": credential.revoked_reason });
    tx.audit(entry(
        caller,
        now,
        action,
        "credential",
        credential.id,
        details.clone(),
    ));
    tx.outbox(outbox_entry::event(
        control,
        caller,
        now,
        action,
        credential.id,
        &details,
    ));
    Ok(credential)
}
