//! Sessions: signing in with a password, who stands behind a cookie, and the
//! list of where somebody is signed in.
//!
//! A session is looked up in the store at each request, so that a cookie that
//! was ended, or whose owner was suspended or chose another password, is dead
//! at once on every node.

mod kept_form;
mod sign_in;

use std::net::IpAddr;
use std::time::Duration;

use gatewright_model::account::Session;
use gatewright_model::audit::AuditSource;
use gatewright_model::id::{SessionId, UserId};
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{DEFAULT_TENANT, StandingState, Tenant, User, UserState};
use gatewright_model::text::{Email, Name, Slug};
use gatewright_model::time::Timestamp;
use gatewright_store::{Scope, Tx};
use serde_json::json;

use crate::account_secret::Purpose;
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::tokens::rights_of;
use crate::users::may_rule;

pub use kept_form::KeptForm;

/// A session that was not used for so long ends.
const IDLE: Duration = Duration::from_secs(12 * 3_600);
/// A session ends after so long however much it was used.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// The same two for the console.
const CONSOLE_IDLE: Duration = Duration::from_secs(30 * 60);
const CONSOLE_LONGEST: Duration = Duration::from_secs(12 * 3_600);
/// So long after signing in nobody asks for the password again.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// A session's last use is written at most this often.
const STAMP_EVERY: Duration = Duration::from_secs(60);
/// What is kept of a browser's own words.
const CLIENT_CHARS: usize = 300;

/// Use cases of sessions.
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'c>(pub(crate) &'c Control);

/// Somebody who is signed in, as pages greet them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The account.
    pub id: UserId,
    /// As people read it.
    pub name: Name,
    /// The address to sign in with.
    pub email: Email,
    /// Whether the person runs the installation.
    pub platform_admin: bool,
}

/// Who stands behind a cookie.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// Which session it is; it opens nothing.
    pub id: SessionId,
    /// What is allowed.
    pub caller: Caller,
    /// The person.
    pub person: Person,
    /// The person's tenant.
    pub tenant: Tenant,
    /// Signed in within the last five minutes: nobody asks for the password again.
    pub fresh: bool,
    /// Young and lively enough for the console: begun within twelve hours, used within thirty minutes.
    pub console: bool,
}

/// The browser of somebody who signs in.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// What it calls itself.
    pub user_agent: String,
    /// Where it is, when that is known.
    pub address: Option<IpAddr>,
    /// The request it came with, for the audit trail.
    pub request_id: Option<String>,
}

/// A session that just began.
#[derive(Debug, Clone)]
pub struct Opened {
    /// What its cookie holds.
    pub secret: SecretText,
    /// When the cookie may go.
    pub expires_at: Timestamp,
    /// Who it is.
    pub view: SessionView,
}

/// A session in the list of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// The browser, in its own words.
    pub client: String,
    /// Where it began, when that is known.
    pub address: Option<IpAddr>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

impl Control {
    /// Use cases of sessions.
    #[must_use]
    pub const fn sessions(&self) -> Sessions<'_> {
        Sessions(self)
    }

    /// The tenant whose portal is asked for: by its slug where the address
    /// names one, else by the host name, else the default tenant. `None` for an
    /// unknown slug and for a suspended tenant.
    ///
    /// # Errors
    /// Store errors.
    pub async fn tenant_of_portal(&self, slug: Option<&str>, host: Option<&str>) -> Result<Option<Tenant>> {
        let mut tx = self.read_system().await?;
        let found = match slug {
            Some(slug) => match Slug::parse(slug) {
                Ok(slug) => tx.tenants().find_by_slug(&slug).await?,
                Err(_) => None,
            },
            None => of_host(&mut tx, host).await?,
        };
        Ok(found.filter(|tenant| tenant.state == StandingState::Active))
    }

    /// Begins a session of a user in the user's tenant.
    pub(crate) async fn begin_session(
        &self,
        tx: &mut Tx,
        tenant: &Tenant,
        user: &User,
        client: &Client,
    ) -> Result<Opened> {
        let now = self.now();
        let (secret, hash) = self.new_secret(Purpose::Session);
        let session = Session {
            id: self.new_id(now),
            hash,
            tenant_id: tenant.id,
            user_id: user.id,
            auth_epoch: user.auth_epoch,
            client: readable(&client.user_agent),
            address: client.address,
            created_at: now,
            last_seen_at: now,
            expires_at: now.plus(IDLE),
            console_until: now.plus(CONSOLE_IDLE),
        };
        tx.sessions().insert(&session).await?;
        let view = view(tx, &session, user, tenant.clone(), now, client.request_id.clone()).await?;
        let details = json!({ "user": user.id, "address": client.address });
        tx.audit(entry(
            &view.caller,
            now,
            "session.begin",
            "session",
            session.id,
            details,
        ));
        Ok(Opened {
            secret,
            expires_at: now.plus(LONGEST),
            view,
        })
    }
}

impl Sessions<'_> {
    /// Who stands behind the secret of a cookie. `None` for one that is
    /// unknown, expired or idle, and when its owner may no longer sign in or
    /// has another password by now.
    ///
    /// # Errors
    /// Store errors.
    pub async fn authenticate(
        &self,
        secret: &SecretText,
        request_id: Option<String>,
    ) -> Result<Option<SessionView>> {
        let Some(hash) = self.0.secret_hash(Purpose::Session, secret) else {
            return Ok(None);
        };
        let now = self.0.now();
        let mut tx = self.0.read_system().await?;
        let Some(session) = tx.sessions().find(&hash).await? else {
            return Ok(None);
        };
        let Some((user, tenant)) = alive(&mut tx, &session, now).await? else {
            return Ok(None);
        };
        let view = view(&mut tx, &session, &user, tenant, now, request_id).await?;
        drop(tx);
        if now.since(session.last_seen_at) >= STAMP_EVERY {
            self.stamp(session, now).await;
        }
        Ok(Some(view))
    }

    /// Notes that a session was used. That it could not be noted is no reason to turn somebody away.
    async fn stamp(&self, session: Session, now: Timestamp) {
        // Once the console was out of reach only a new sign-in opens it again.
        let console_until = if now < session.console_until {
            now.plus(CONSOLE_IDLE)
                .min(session.created_at.plus(CONSOLE_LONGEST))
        } else {
            session.console_until
        };
        let used = Session {
            last_seen_at: now,
            expires_at: now.plus(IDLE).min(session.created_at.plus(LONGEST)),
            console_until,
            ..session
        };
        let stamped = async {
            let mut tx = self.0.parts.store.begin(Scope::System).await?;
            tx.sessions().stamp_seen(&used).await?;
            tx.commit(now).await
        };
        if let Err(error) = stamped.await {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "the last use of a session could not be noted");
        }
    }

    /// Ends the session of a cookie; nothing happens when there is none.
    ///
    /// # Errors
    /// Store errors.
    pub async fn sign_out(&self, secret: &SecretText) -> Result<()> {
        let Some(hash) = self.0.secret_hash(Purpose::Session, secret) else {
            return Ok(());
        };
        let now = self.0.now();
        let mut tx = self.0.read_system().await?;
        let Some(session) = tx.sessions().find(&hash).await? else {
            return Ok(());
        };
        let owner = tx.users().find(session.user_id).await?;
        let tenant = tx.tenants().find(session.tenant_id).await?;
        let (Some(owner), Some(tenant)) = (owner, tenant) else {
            return Ok(());
        };
        let caller = view(&mut tx, &session, &owner, tenant, now, None).await?.caller;
        drop(tx);
        let mut tx = self.0.begin(&caller).await?;
        if tx.sessions().delete(session.id).await? {
            let details = json!({ "user": owner.id });
            tx.audit(entry(&caller, now, "session.end", "session", session.id, details));
        }
        self.0.commit(tx, now).await
    }

    /// Where the caller is signed in, the last used first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<SessionRow>> {
        match caller.user_id {
            Some(user) => self.list_of(caller, user).await,
            None => Ok(Vec::new()),
        }
    }

    /// Where somebody is signed in. Others' sessions are for who may invite people.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn list_of(&self, caller: &Caller, user: UserId) -> Result<Vec<SessionRow>> {
        let now = self.0.now();
        let mut tx = self.0.read(caller).await?;
        let user = theirs(&mut tx, caller, user).await?;
        let sessions = tx.sessions().of_user(user.id).await?;
        let alive = sessions
            .into_iter()
            .filter(|session| now < session.expires_at && session.auth_epoch == user.auth_epoch);
        Ok(alive.map(row).collect())
    }

    /// Ends one session: the caller's own or, for who may invite people, that of
    /// somebody who may do nothing that the caller may not do.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn revoke(&self, caller: &Caller, id: SessionId) -> Result<()> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let missing = || Error::missing("session");
        let session = tx.sessions().find_by_id(id).await?.ok_or_else(missing)?;
        let own = caller.is(session.user_id);
        if !own && !caller.rights.in_tenant(Permission::MembersWrite) {
            return Err(missing());
        }
        if !own {
            let user = tx.users().find(session.user_id).await?.ok_or_else(missing)?;
            may_rule(&mut tx, caller, &user).await?;
        }
        tx.sessions().delete(id).await?;
        let details = json!({ "user": session.user_id });
        tx.audit(entry(caller, now, "session.revoke", "session", id, details));
        self.0.commit(tx, now).await
    }

    /// Ends every session of the caller but the current one, and says how many.
    ///
    /// # Errors
    /// Store errors.
    pub async fn revoke_others(&self, caller: &Caller, current: SessionId) -> Result<u64> {
        match caller.user_id {
            Some(user) => self.revoke_of(caller, user, Some(current)).await,
            None => Ok(0),
        }
    }

    /// Ends every session of somebody who may do nothing that the caller may not do,
    /// and says how many.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`].
    pub async fn revoke_all(&self, caller: &Caller, user: UserId) -> Result<u64> {
        self.revoke_of(caller, user, None).await
    }

    async fn revoke_of(&self, caller: &Caller, user: UserId, but: Option<SessionId>) -> Result<u64> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let user = theirs(&mut tx, caller, user).await?;
        if !caller.is(user.id) {
            may_rule(&mut tx, caller, &user).await?;
        }
        let ended = tx.sessions().delete_of_user(user.id, but).await?;
        if ended > 0 {
            let details = json!({ "sessions": ended });
            tx.audit(entry(caller, now, "user.sign_out", "user", user.id, details));
        }
        self.0.commit(tx, now).await?;
        Ok(ended)
    }
}

/// The owner and the tenant of a session that still holds.
async fn alive(tx: &mut Tx, session: &Session, now: Timestamp) -> Result<Option<(User, Tenant)>> {
    if now >= session.expires_at || now >= session.created_at.plus(LONGEST) {
        return Ok(None);
    }
    let holds = |user: &User| user.state == UserState::Active && user.auth_epoch == session.auth_epoch;
    let user = tx.users().find(session.user_id).await?.filter(holds);
    let stands = |tenant: &Tenant| tenant.state == StandingState::Active;
    let tenant = tx.tenants().find(session.tenant_id).await?.filter(stands);
    Ok(user.zip(tenant))
}

async fn view(
    tx: &mut Tx,
    session: &Session,
    user: &User,
    tenant: Tenant,
    now: Timestamp,
    request_id: Option<String>,
) -> Result<SessionView> {
    let rights = rights_of(tx, user, &[]).await?;
    let age = now.since(session.created_at);
    Ok(SessionView {
        id: session.id,
        caller: Caller {
            tenant_id: tenant.id,
            tenant_slug: tenant.slug.clone(),
            user_id: Some(user.id),
            token_id: None,
            narrowed: false,
            visiting: false,
            platform_admin: user.platform_admin,
            rights,
            source: AuditSource::Ui,
            request_id,
        },
        person: Person {
            id: user.id,
            name: user.name.clone(),
            email: user.email.clone(),
            platform_admin: user.platform_admin,
        },
        tenant,
        fresh: age <= FRESH,
        console: now < session.console_until,
    })
}

async fn of_host(tx: &mut Tx, host: Option<&str>) -> Result<Option<Tenant>> {
    if let Some(host) = host {
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        if let Some(tenant) = tx.tenants().find_by_host(name).await? {
            return Ok(Some(tenant));
        }
    }
    let default = Slug::parse(DEFAULT_TENANT).map_err(|invalid| Error::Internal(invalid.to_string()))?;
    Ok(tx.tenants().find_by_slug(&default).await?)
}

/// Somebody whose sessions the caller may see and end.
async fn theirs(tx: &mut Tx, caller: &Caller, user: UserId) -> Result<User> {
    if !caller.is(user) {
        caller.require(Permission::MembersWrite)?;
    }
    tx.users().find(user).await?.ok_or(Error::missing("user"))
}

fn row(session: Session) -> SessionRow {
    SessionRow {
        id: session.id,
        client: session.client,
        address: session.address,
        created_at: session.created_at,
        last_seen_at: session.last_seen_at,
        expires_at: session.expires_at,
    }
}

fn readable(user_agent: &str) -> String {
    user_agent
        .chars()
        .filter(|c| !c.is_control())
        .take(CLIENT_CHARS)
        .collect()
}
