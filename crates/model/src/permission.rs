//! Permissions, the fixed roles that bundle them, and the question "may this
//! caller do that to this team's things".

use crate::id::TeamId;
use crate::state::Word;
use crate::words;

words! {
    /// One thing that a caller may be allowed to do; also the scope of a token.
    Permission {
        /// See APIs, versions, plans and documents.
        ApisRead = "apis:read",
        /// Create, import and change APIs, versions, upstreams and policies.
        ApisWrite = "apis:write",
        /// Move a version through its lifecycle.
        VersionsPublish = "versions:publish",
        /// Create and change plans.
        PlansWrite = "plans:write",
        /// See applications, subscriptions and key prefixes.
        ApplicationsRead = "applications:read",
        /// Create and change applications.
        ApplicationsWrite = "applications:write",
        /// Ask for, pause and end subscriptions as their consumer.
        SubscriptionsRequest = "subscriptions:request",
        /// Suspend, resume and close subscriptions as the provider.
        SubscriptionsManage = "subscriptions:manage",
        /// Issue, rotate and revoke keys.
        CredentialsWrite = "credentials:write",
        /// See requests that wait for a decision.
        ApprovalsRead = "approvals:read",
        /// Approve and reject requests.
        ApprovalsDecide = "approvals:decide",
        /// See usage figures.
        UsageRead = "usage:read",
        /// See call records.
        CallsRead = "calls:read",
        /// See who did what.
        AuditRead = "audit:read",
        /// See teams and their members.
        TeamsRead = "teams:read",
        /// Create and change teams.
        TeamsWrite = "teams:write",
        /// Invite people and give them roles.
        MembersWrite = "members:write",
        /// Create and revoke their own management tokens.
        TokensWrite = "tokens:write",
        /// See the gateway nodes and whether they are in sync.
        NodesRead = "nodes:read",
        /// See the tenant as a whole: its people, applications and keys.
        TenantRead = "tenant:read",
        /// Change the tenant's settings.
        TenantWrite = "tenant:write",
        /// Create and change tenants, as the administrator of the platform.
        PlatformManage = "platform:manage",
    }
}

words! {
    /// A fixed bundle of permissions.
    Role {
        /// Everything in the tenant.
        Owner = "owner",
        /// Publishes the team's APIs.
        Publisher = "publisher",
        /// Decides requests.
        Approver = "approver",
        /// Uses APIs through the team's applications.
        Developer = "developer",
        /// Reads metadata to help others.
        Support = "support",
        /// Reads configuration and the audit trail.
        Auditor = "auditor",
    }
}

use Permission as P;

const OWNER: &[P] = &[
    P::ApisRead,
    P::ApisWrite,
    P::VersionsPublish,
    P::PlansWrite,
    P::ApplicationsRead,
    P::ApplicationsWrite,
    P::SubscriptionsRequest,
    P::SubscriptionsManage,
    P::CredentialsWrite,
    P::ApprovalsRead,
    P::ApprovalsDecide,
    P::UsageRead,
    P::CallsRead,
    P::AuditRead,
    P::TeamsRead,
    P::TeamsWrite,
    P::MembersWrite,
    P::TokensWrite,
    P::NodesRead,
    P::TenantRead,
    P::TenantWrite,
];

const PUBLISHER: &[P] = &[
    P::ApisRead,
    P::ApisWrite,
    P::VersionsPublish,
    P::PlansWrite,
    P::ApplicationsRead,
    P::SubscriptionsManage,
    P::ApprovalsRead,
    P::ApprovalsDecide,
    P::UsageRead,
    P::CallsRead,
    P::TeamsRead,
    P::TokensWrite,
    P::NodesRead,
];

const APPROVER: &[P] = &[
    P::ApisRead,
    P::ApplicationsRead,
    P::ApprovalsRead,
    P::ApprovalsDecide,
    P::TeamsRead,
    P::TokensWrite,
    P::UsageRead,
];

const DEVELOPER: &[P] = &[
    P::ApisRead,
    P::ApplicationsRead,
    P::ApplicationsWrite,
    P::SubscriptionsRequest,
    P::CredentialsWrite,
    P::UsageRead,
    P::CallsRead,
    P::TeamsRead,
    P::TokensWrite,
];

const SUPPORT: &[P] = &[
    P::ApisRead,
    P::ApplicationsRead,
    P::ApprovalsRead,
    P::UsageRead,
    P::CallsRead,
    P::TeamsRead,
    P::TokensWrite,
    P::NodesRead,
    P::TenantRead,
];

const AUDITOR: &[P] = &[
    P::ApisRead,
    P::ApplicationsRead,
    P::ApprovalsRead,
    P::UsageRead,
    P::CallsRead,
    P::AuditRead,
    P::TeamsRead,
    P::TokensWrite,
    P::NodesRead,
    P::TenantRead,
];

/// What running the installation allows besides the roles that one holds:
/// tenants, gateways and who did what, but nothing of what is in a tenant.
pub const PLATFORM: &[P] = &[P::PlatformManage, P::NodesRead, P::AuditRead];

impl Role {
    /// What the role allows, in the tenant or in the team where it is held.
    #[must_use]
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Owner => OWNER,
            Self::Publisher => PUBLISHER,
            Self::Approver => APPROVER,
            Self::Developer => DEVELOPER,
            Self::Support => SUPPORT,
            Self::Auditor => AUDITOR,
        }
    }

    /// Roles that only make sense in the whole tenant.
    #[must_use]
    pub const fn tenant_only(self) -> bool {
        matches!(self, Self::Owner | Self::Support | Self::Auditor)
    }
}

/// A set of permissions as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// All permissions.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether the permission is in the set.
    #[must_use]
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members in the order of their declaration.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |permission| self.contains(*permission))
    }

    const fn bit(permission: Permission) -> u64 {
        1 << permission as u32
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |bits, permission| bits | Self::bit(permission)),
        )
    }
}

/// What a caller may do: rights in the whole tenant, rights in single teams,
/// and the ceiling that a token's scopes set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    tenant: PermissionSet,
    teams: Vec<(TeamId, PermissionSet)>,
}

impl Rights {
    /// Rights from roles: `None` is the whole tenant.
    pub fn of_roles(roles: impl IntoIterator<Item = (Option<TeamId>, Role)>) -> Self {
        let mut rights = Self::default();
        for (team, role) in roles {
            let granted: PermissionSet = role.permissions().iter().copied().collect();
            rights.grant(team, granted);
        }
        rights
    }

    /// Adds permissions in the tenant (`None`) or in a team.
    pub fn grant(&mut self, team: Option<TeamId>, granted: PermissionSet) {
        match team {
            None => self.tenant = self.tenant.union(granted),
            Some(team) => match self.teams.iter_mut().find(|(known, _)| *known == team) {
                Some((_, held)) => *held = held.union(granted),
                None => self.teams.push((team, granted)),
            },
        }
    }

    /// Keeps only what the ceiling allows.
    #[must_use]
    pub fn limited_to(mut self, ceiling: PermissionSet) -> Self {
        self.tenant = self.tenant.intersection(ceiling);
        for (_, held) in &mut self.teams {
            *held = held.intersection(ceiling);
        }
        self
    }

    /// Whether the permission is held in the whole tenant.
    #[must_use]
    pub fn in_tenant(&self, permission: Permission) -> bool {
        self.tenant.contains(permission)
    }

    /// Whether the permission is held for the things of this team.
    #[must_use]
    pub fn in_team(&self, permission: Permission, team: TeamId) -> bool {
        self.in_tenant(permission)
            || self
                .teams
                .iter()
                .any(|(held_in, held)| *held_in == team && held.contains(permission))
    }

    /// Whether the permission is held anywhere.
    #[must_use]
    pub fn anywhere(&self, permission: Permission) -> bool {
        self.in_tenant(permission) || self.teams.iter().any(|(_, held)| held.contains(permission))
    }

    /// The teams in which the permission is held, or `None` for the whole tenant.
    #[must_use]
    pub fn teams_with(&self, permission: Permission) -> Option<Vec<TeamId>> {
        if self.in_tenant(permission) {
            return None;
        }
        Some(
            self.teams
                .iter()
                .filter(|(_, held)| held.contains(permission))
                .map(|(team, _)| *team)
                .collect(),
        )
    }

    /// The teams in which anything is held.
    #[must_use]
    pub fn teams(&self) -> Vec<TeamId> {
        self.teams.iter().map(|(team, _)| *team).collect()
    }

    /// Everything that is held anywhere.
    #[must_use]
    pub fn all(&self) -> PermissionSet {
        self.teams
            .iter()
            .fold(self.tenant, |all, (_, held)| all.union(*held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EntityId;

    fn team(n: u128) -> TeamId {
        TeamId::from_uuid(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn team_roles_reach_only_their_team() {
        let rights = Rights::of_roles([(Some(team(1)), Role::Publisher), (Some(team(2)), Role::Developer)]);
        assert!(rights.in_team(Permission::ApisWrite, team(1)));
        assert!(!rights.in_team(Permission::ApisWrite, team(2)));
        assert!(!rights.in_tenant(Permission::ApisWrite));
        assert_eq!(rights.teams_with(Permission::ApisWrite), Some(vec![team(1)]));
    }

    #[test]
    fn a_ceiling_takes_away_and_never_gives() {
        let ceiling = [Permission::ApisRead, Permission::PlatformManage]
            .into_iter()
            .collect();
        let rights = Rights::of_roles([(None, Role::Owner)]).limited_to(ceiling);
        assert!(rights.in_team(Permission::ApisRead, team(1)));
        assert!(!rights.anywhere(Permission::ApisWrite));
        assert!(!rights.anywhere(Permission::PlatformManage));
    }

    #[test]
    fn every_permission_but_the_platform_admins_belongs_to_the_owner() {
        for permission in Permission::ALL {
            let held = Role::Owner.permissions().contains(permission);
            assert_eq!(held, *permission != Permission::PlatformManage, "{permission}");
        }
    }
}
