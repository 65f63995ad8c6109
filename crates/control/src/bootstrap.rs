//! The first things in an empty store: the check value of the master key, the
//! default tenant with its default team, and the first admin.

use gatewright_model::audit::AuditSource;
use gatewright_model::id::UserId;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{
    DEFAULT_TEAM, DEFAULT_TENANT, Membership, Tenant, TenantSettings, User, UserState,
};
use gatewright_model::text::{Email, Name, Slug};
use gatewright_model::time::Timestamp;
use gatewright_store::{MetaKey, Scope, Tx};
use serde_json::json;

use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::passwords::Password;
use crate::tenants::{self, NewTenant};
use crate::tokens;

/// Why the store cannot be used with this master key.
#[derive(Debug, thiserror::Error)]
#[error("the store was made with another master key")]
pub struct WrongMasterKey;

impl Control {
    /// Prepares an empty store and refuses one that belongs to another master key.
    ///
    /// # Errors
    /// The outer error is the store's; the inner one says that the key is wrong.
    pub async fn prepare(&self) -> Result<std::result::Result<(), WrongMasterKey>> {
        let now = self.now();
        let mut tx = self.parts.store.begin(Scope::System).await?;
        let ours = self.parts.master_key.check_value();
        if tx.meta().set_once(MetaKey::MasterKeyCheck, &ours).await? != ours {
            return Ok(Err(WrongMasterKey));
        }
        let slug = fixed_slug(DEFAULT_TENANT)?;
        if tx.tenants().find_by_slug(&slug).await?.is_none() {
            let name = fixed(Name::parse("Default"))?;
            tenants::insert(
                self,
                &mut tx,
                NewTenant {
                    slug,
                    name,
                    settings: TenantSettings::default(),
                },
            )
            .await?;
        }
        self.commit(tx, now).await?;
        Ok(Ok(()))
    }

    /// Whether somebody runs the installation already.
    ///
    /// # Errors
    /// Store errors.
    pub async fn has_admin(&self) -> Result<bool> {
        let mut tx = self.read_system().await?;
        Ok(tx.users().any_platform_admin().await?)
    }

    /// Makes a platform admin who owns the default tenant.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `email_taken`.
    pub async fn create_admin(&self, email: Email, password: Password) -> Result<User> {
        let hash = self.hash_password(password).await?;
        let now = self.now();
        let tenant = default_tenant(&mut self.read_system().await?).await?;
        let mut tx = self.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let system = Caller::system(tenant.id, tenant.slug, AuditSource::Cli);
        let name = fixed(Name::parse(email.as_str().split('@').next().unwrap_or("admin")))?;
        let user = insert_admin(self, &mut tx, &system, email, name, &hash).await?;
        self.commit(tx, now).await?;
        Ok(user)
    }

    /// Makes a token for a user of a tenant from the command line, where
    /// whoever holds the store and the master key may do everything.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nobody has this address there.
    pub async fn create_token_for(
        &self,
        tenant: &Slug,
        email: &Email,
        name: Name,
        scopes: Vec<Permission>,
        expires_at: Option<Timestamp>,
    ) -> Result<SecretText> {
        let now = self.now();
        let found = self.read_system().await?.tenants().find_by_slug(tenant).await?;
        let tenant = found.ok_or(Error::missing("tenant"))?;
        let mut tx = self.parts.store.begin(Scope::Tenant(tenant.id)).await?;
        let user = tx
            .users()
            .find_by_email(email)
            .await?
            .ok_or(Error::missing("user"))?;
        let system = Caller::system(tenant.id, tenant.slug, AuditSource::Cli);
        let issued = tokens::insert(self, &mut tx, &system, user.id, name, scopes, expires_at).await?;
        self.commit(tx, now).await?;
        Ok(issued.secret)
    }

    /// The command line's caller: everything, in the default tenant, in the name of a user if one is given.
    ///
    /// # Errors
    /// Store errors.
    pub async fn command_line_caller(&self, user: Option<UserId>) -> Result<Caller> {
        let mut tx = self.read_system().await?;
        let tenant = default_tenant(&mut tx).await?;
        Ok(Caller {
            user_id: user,
            ..Caller::system(tenant.id, tenant.slug, AuditSource::Cli)
        })
    }
}

/// Writes a platform admin who owns the caller's tenant and is in its default team.
pub(crate) async fn insert_admin(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    email: Email,
    name: Name,
    password_hash: &str,
) -> Result<User> {
    let now = control.now();
    if let Some(existing) = tx.users().find_by_email(&email).await? {
        return Err(Error::duplicate("email_taken", "email", existing.id));
    }
    let user = User {
        id: control.new_id(now),
        tenant_id: caller.tenant_id,
        email,
        name,
        state: UserState::Active,
        platform_admin: true,
        auth_epoch: 0,
        created_at: now,
        row_version: 1,
    };
    tx.users().insert(&user, Some(password_hash)).await?;
    let team = tx.teams().find_by_slug(&fixed_slug(DEFAULT_TEAM)?).await?;
    let team = team.ok_or_else(|| Error::Internal("the tenant has no default team".to_owned()))?;
    for (team_id, role) in [(None, Role::Owner), (Some(team.id), Role::Publisher)] {
        let membership = Membership {
            id: control.new_id(now),
            tenant_id: caller.tenant_id,
            user_id: user.id,
            team_id,
            role,
            created_at: now,
        };
        tx.memberships().insert(&membership).await?;
    }
    let details = json!({ "email": user.email, "platform_admin": true });
    tx.audit(entry(caller, now, "user.create", "user", user.id, details));
    Ok(user)
}

pub(crate) async fn default_tenant(tx: &mut Tx) -> Result<Tenant> {
    let slug = fixed_slug(DEFAULT_TENANT)?;
    tx.tenants()
        .find_by_slug(&slug)
        .await?
        .ok_or_else(|| Error::Internal("the store was not prepared".to_owned()))
}

fn fixed_slug(text: &str) -> Result<Slug> {
    fixed(Slug::parse(text))
}

/// A constant of ours that is known to be well-formed.
fn fixed<T>(parsed: std::result::Result<T, gatewright_model::invalid::Invalid>) -> Result<T> {
    parsed.map_err(|invalid| Error::Internal(invalid.to_string()))
}
