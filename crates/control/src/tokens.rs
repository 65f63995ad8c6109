//! Tokens of the management API, and who stands behind one.

use std::time::Duration;

use gatewright_model::audit::AuditSource;
use gatewright_model::id::TokenId;
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::{PLATFORM, Permission, PermissionSet, Rights};
use gatewright_model::secret::{self, SecretKind, SecretText};
use gatewright_model::tenancy::{ManagementToken, StandingState, Tenant, User, UserState};
use gatewright_model::text::{Name, Slug};
use gatewright_model::time::Timestamp;
use gatewright_store::Tx;
use serde_json::json;

use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};

/// A token's last use is written at most this often.
const STAMP_EVERY: Duration = Duration::from_secs(60);

/// Use cases of management tokens.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'c>(pub(crate) &'c Control);

/// What makes a token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub name: Name,
    /// Narrows the rights; empty for all of the user's.
    pub scopes: Vec<Permission>,
    /// When it stops by itself.
    pub expires_at: Option<Timestamp>,
}

/// A fresh token with its secret, which is shown only here.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: ManagementToken,
    /// The secret.
    pub secret: SecretText,
}

impl Control {
    /// Use cases of management tokens.
    #[must_use]
    pub const fn tokens(&self) -> Tokens<'_> {
        Tokens(self)
    }
}

impl Tokens<'_> {
    /// Who stands behind a presented token, in the tenant that is asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`] `token` whatever is wrong with it, so that nothing is
    /// learned; [`Error::Forbidden`] when another tenant is asked for by
    /// somebody who does not run the installation.
    pub async fn authenticate(
        &self,
        presented: &str,
        tenant: Option<&Slug>,
        source: AuditSource,
        request_id: Option<String>,
    ) -> Result<Caller> {
        let missing = || Error::missing("token");
        if secret::recognise(presented) != Ok(SecretKind::ManagementToken) {
            return Err(missing());
        }
        let now = self.0.now();
        let mut tx = self.0.read_system().await?;
        let token = tx
            .tokens()
            .find_by_hash(&self.0.hasher.hash(presented))
            .await?
            .ok_or_else(missing)?;
        let alive = token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end);
        let user = tx
            .users()
            .find(token.user_id)
            .await?
            .filter(|user| user.state == UserState::Active);
        let home = tx
            .tenants()
            .find(token.tenant_id)
            .await?
            .filter(|home| home.state == StandingState::Active);
        let (true, Some(user), Some(home)) = (alive, user, home) else {
            return Err(missing());
        };
        let rights = rights_of(&mut tx, &user, &token.scopes).await?;
        let target = match tenant.filter(|slug| **slug != home.slug) {
            Some(slug) => other_tenant(&mut tx, &user, &rights, slug).await?,
            None => home,
        };
        drop(tx);
        if token
            .last_used_at
            .is_none_or(|last| now.since(last) >= STAMP_EVERY)
        {
            self.0.parts.store.stamp_token_use(token.id, now).await?;
        }
        Ok(Caller {
            tenant_id: target.id,
            tenant_slug: target.slug,
            user_id: Some(user.id),
            token_id: Some(token.id),
            narrowed: !token.scopes.is_empty(),
            visiting: user.tenant_id != target.id,
            platform_admin: user.platform_admin,
            rights,
            source,
            request_id,
        })
    }

    /// Lists the caller's own tokens, newest first; an owner sees everybody's.
    ///
    /// # Errors
    /// Store errors.
    pub async fn list(&self, caller: &Caller, page: PageRequest) -> Result<Page<ManagementToken>> {
        let mut tx = self.0.read(caller).await?;
        let of = if caller.rights.in_tenant(Permission::MembersWrite) {
            None
        } else {
            caller.user_id
        };
        Ok(tx.tokens().list(of, page).await?)
    }

    /// One token.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: TokenId) -> Result<ManagementToken> {
        let mut tx = self.0.read(caller).await?;
        seen(&mut tx, caller, id).await
    }

    /// Creates a token of the caller. It never has more rights than the caller has now.
    ///
    /// # Errors
    /// [`Error::Forbidden`] names a scope that the caller lacks.
    pub async fn create(&self, caller: &Caller, new: NewToken) -> Result<IssuedToken> {
        caller.require_anywhere(Permission::TokensWrite)?;
        let now = self.0.now();
        if new.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::field(
                "/expires_at",
                Invalid::new("expires_past", "must lie in the future"),
            ));
        }
        if let Some(lacking) = new.scopes.iter().find(|scope| !caller.rights.anywhere(**scope)) {
            return Err(Error::Forbidden { permission: *lacking });
        }
        let user = caller.author().ok_or_else(|| {
            let rule =
                "a token belongs to a person of its tenant: make it at home, without Gatewright-Tenant";
            Error::guard("no_user", rule)
        })?;
        let mut tx = self.0.begin(caller).await?;
        // A narrowed caller passes its own ceiling on, or a narrow token could make itself a wide one.
        let scopes = if new.scopes.is_empty() && caller.token_id.is_some() {
            caller.rights.all().iter().collect()
        } else {
            new.scopes
        };
        let issued = insert(self.0, &mut tx, caller, user, new.name, scopes, new.expires_at).await?;
        self.0.commit(tx, now).await?;
        Ok(issued)
    }

    /// Ends a token.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn revoke(&self, caller: &Caller, id: TokenId) -> Result<ManagementToken> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut token = seen(&mut tx, caller, id).await?;
        if token.revoked_at.is_none() {
            token.revoked_at = Some(now);
            tx.tokens().revoke(id, now).await?;
            tx.audit(entry(
                caller,
                now,
                "token.revoke",
                "token",
                id,
                json!({ "name": token.name }),
            ));
            self.0.commit(tx, now).await?;
        }
        Ok(token)
    }
}

/// Writes a token of a user.
pub(crate) async fn insert(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    user: gatewright_model::id::UserId,
    name: Name,
    scopes: Vec<Permission>,
    expires_at: Option<Timestamp>,
) -> Result<IssuedToken> {
    let now = control.now();
    let secret = secret::generate(SecretKind::ManagementToken, control.parts.entropy.as_ref());
    let token = ManagementToken {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        user_id: user,
        name,
        scopes,
        hint: secret.hint(),
        expires_at,
        revoked_at: None,
        last_used_at: None,
        created_at: now,
    };
    tx.tokens()
        .insert(&token, &control.hasher.hash(secret.expose()))
        .await?;
    let details = json!({ "name": token.name, "scopes": token.scopes, "user": user });
    tx.audit(entry(caller, now, "token.create", "token", token.id, details));
    Ok(IssuedToken { token, secret })
}

async fn seen(tx: &mut Tx, caller: &Caller, id: TokenId) -> Result<ManagementToken> {
    let token = tx.tokens().find(id).await?.ok_or(Error::missing("token"))?;
    let own = caller.is(token.user_id) || caller.token_id == Some(token.id);
    if own || caller.rights.in_tenant(Permission::MembersWrite) {
        Ok(token)
    } else {
        Err(Error::missing("token"))
    }
}

/// What a user may do by its roles, under the ceiling of a token's scopes.
pub(crate) async fn rights_of(tx: &mut Tx, user: &User, scopes: &[Permission]) -> Result<Rights> {
    let memberships = tx.memberships().of_user(user.id).await?;
    let mut rights = Rights::of_roles(memberships.into_iter().map(|held| (held.team_id, held.role)));
    if user.platform_admin {
        rights.grant(None, PLATFORM.iter().copied().collect());
    }
    if scopes.is_empty() {
        return Ok(rights);
    }
    Ok(rights.limited_to(scopes.iter().copied().collect::<PermissionSet>()))
}

/// A platform admin acts in another tenant with the rights held at home.
async fn other_tenant(tx: &mut Tx, user: &User, rights: &Rights, slug: &Slug) -> Result<Tenant> {
    let permission = Permission::PlatformManage;
    if !user.platform_admin || !rights.in_tenant(permission) {
        return Err(Error::Forbidden { permission });
    }
    tx.tenants()
        .find_by_slug(slug)
        .await?
        .ok_or(Error::missing("tenant"))
}
