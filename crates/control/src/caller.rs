//! Who asks for a use case, and what that one may do.

use gatewright_model::audit::{Actor, AuditSource};
use gatewright_model::id::{TeamId, TenantId, TokenId, UserId};
use gatewright_model::permission::{Permission, PermissionSet, Rights};
use gatewright_model::text::Slug;

use crate::error::{Error, Result};

/// An authenticated caller in one tenant.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The tenant that this call is about.
    pub tenant_id: TenantId,
    /// Its slug.
    pub tenant_slug: Slug,
    /// The person.
    pub user_id: Option<UserId>,
    /// The token that speaks for the person.
    pub token_id: Option<TokenId>,
    /// Whether that token is for some of the person's rights only. It speaks for
    /// the rights, not for the person: name, sessions and tokens are out of its reach.
    pub narrowed: bool,
    /// Whether the person belongs to another tenant: a platform admin who acts here.
    pub visiting: bool,
    /// Whether the person runs the installation.
    pub platform_admin: bool,
    /// What is allowed.
    pub rights: Rights,
    /// Through which door the call came.
    pub source: AuditSource,
    /// The request it came with.
    pub request_id: Option<String>,
}

impl Caller {
    /// Gatewright itself, acting in a tenant: schedules, seeds, the command line.
    #[must_use]
    pub fn system(tenant_id: TenantId, tenant_slug: Slug, source: AuditSource) -> Self {
        let mut rights = Rights::default();
        rights.grant(None, PermissionSet::all());
        Self {
            tenant_id,
            tenant_slug,
            user_id: None,
            token_id: None,
            narrowed: false,
            visiting: false,
            platform_admin: true,
            rights,
            source,
            request_id: None,
        }
    }

    /// Whether the caller is this person, and not a token for some of its rights.
    #[must_use]
    pub fn is(&self, person: UserId) -> bool {
        self.user_id == Some(person) && !self.narrowed
    }

    /// The person as a thing of this tenant may name it: who visits from another
    /// tenant is named in the audit trail alone.
    #[must_use]
    pub const fn author(&self) -> Option<UserId> {
        if self.visiting { None } else { self.user_id }
    }

    /// The same caller as the audit trail names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            user_id: self.user_id,
            token_id: self.token_id,
            source: self.source,
            request_id: self.request_id.clone(),
        }
    }

    /// Demands a permission for the things of one team.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require_in(&self, permission: Permission, team: TeamId) -> Result<()> {
        if self.rights.in_team(permission, team) {
            Ok(())
        } else {
            Err(Error::Forbidden { permission })
        }
    }

    /// Demands a permission in the whole tenant.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require(&self, permission: Permission) -> Result<()> {
        if self.rights.in_tenant(permission) {
            Ok(())
        } else {
            Err(Error::Forbidden { permission })
        }
    }

    /// Demands a permission anywhere: lists filter by team themselves.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require_anywhere(&self, permission: Permission) -> Result<()> {
        if self.rights.anywhere(permission) {
            Ok(())
        } else {
            Err(Error::Forbidden { permission })
        }
    }

    /// Like [`Caller::require_in`], for things whose very existence is private
    /// to those who may read them: a caller who may not read gets "not found".
    ///
    /// # Errors
    /// [`Error::NotFound`] of this kind, or [`Error::Forbidden`].
    pub fn require_known(
        &self,
        read: Permission,
        wanted: Permission,
        team: TeamId,
        kind: &'static str,
    ) -> Result<()> {
        if !self.rights.in_team(read, team) {
            return Err(Error::missing(kind));
        }
        self.require_in(wanted, team)
    }
}
