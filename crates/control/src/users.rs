//! People: adding them, giving them roles, taking their access away.

use gatewright_model::id::{MembershipId, TeamId, UserId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::{Permission, Role};
use gatewright_model::reference::{PersonRef, Ref};
use gatewright_model::tenancy::{Membership, User, UserState, UserVerb};
use gatewright_model::text::{Email, Name};
use gatewright_store::Tx;
use serde_json::json;

use crate::apis::{find_team, unknown_team};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::passwords::Password;
use crate::tenants::require_platform;

/// Use cases of people.
#[derive(Debug, Clone, Copy)]
pub struct Users<'c>(pub(crate) &'c Control);

/// What makes a user.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Unique in the tenant.
    pub email: Email,
    /// As people read it.
    pub name: Name,
    /// Without one the user is invited and has to choose it.
    pub password: Option<Password>,
}

/// What can be changed of a user.
#[derive(Debug, Clone, Default)]
pub struct UserPatch {
    /// As people read it.
    pub name: Option<Name>,
    /// Let it sign in, or not.
    pub verb: Option<UserVerb>,
}

/// A role for somebody.
#[derive(Debug, Clone)]
pub struct NewMembership {
    /// Who.
    pub user: PersonRef,
    /// Which role.
    pub role: Role,
    /// In which team; `None` for the whole tenant.
    pub team: Option<Ref<TeamId>>,
}

impl Control {
    /// Use cases of people.
    #[must_use]
    pub const fn users(&self) -> Users<'_> {
        Users(self)
    }
}

impl Users<'_> {
    /// Lists the people of the tenant, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(&self, caller: &Caller, page: PageRequest) -> Result<Page<User>> {
        caller.require(Permission::TeamsRead)?;
        let mut tx = self.0.read(caller).await?;
        Ok(tx.users().list(page).await?)
    }

    /// One person; everybody may see oneself.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: UserId) -> Result<User> {
        let mut tx = self.0.read(caller).await?;
        let user = tx.users().find(id).await?.ok_or(Error::missing("user"))?;
        if caller.user_id == Some(id) || caller.rights.in_tenant(Permission::TeamsRead) {
            Ok(user)
        } else {
            Err(Error::missing("user"))
        }
    }

    /// Adds a person without any role.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `email_taken`, [`Error::Forbidden`].
    pub async fn create(&self, caller: &Caller, new: NewUser) -> Result<User> {
        caller.require(Permission::MembersWrite)?;
        let NewUser {
            email,
            name,
            password,
        } = new;
        let hash = match password {
            Some(password) => Some(self.0.hash_password(password).await?),
            None => None,
        };
        let once = || self.create_once(caller, email.clone(), name.clone(), hash.clone());
        self.0.settled(once).await
    }

    async fn create_once(
        &self,
        caller: &Caller,
        email: Email,
        name: Name,
        hash: Option<String>,
    ) -> Result<User> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        if let Some(existing) = tx.users().find_by_email(&email).await? {
            return Err(Error::duplicate("email_taken", "email", existing.id));
        }
        let user = User {
            id: self.0.new_id(now),
            tenant_id: caller.tenant_id,
            email,
            name,
            state: if hash.is_some() {
                UserState::Active
            } else {
                UserState::Invited
            },
            platform_admin: false,
            auth_epoch: 0,
            created_at: now,
            row_version: 1,
        };
        tx.users().insert(&user, hash.as_deref()).await?;
        tx.audit(entry(
            caller,
            now,
            "user.create",
            "user",
            user.id,
            json!({ "email": user.email }),
        ));
        self.0.commit(tx, now).await?;
        Ok(user)
    }

    /// Renames or suspends a person who may do nothing that the caller may not
    /// do. Suspending ends every token and session.
    ///
    /// # Errors
    /// [`Error::Guard`] `last_owner`, [`Error::Illegal`], [`Error::Stale`], [`Error::Forbidden`].
    pub async fn update(
        &self,
        caller: &Caller,
        id: UserId,
        patch: UserPatch,
        if_match: IfMatch,
    ) -> Result<User> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut user = tx.users().find(id).await?.ok_or(Error::missing("user"))?;
        let own_name = caller.is(id) && patch.verb.is_none();
        if !own_name {
            caller.require(Permission::MembersWrite)?;
        }
        if !caller.is(id) {
            may_rule(&mut tx, caller, &user).await?;
        }
        if_match.check(user.row_version)?;
        if let Some(verb) = patch.verb {
            user.state = user.state.after(verb)?;
            if verb == UserVerb::Suspend {
                keep_an_owner(&mut tx, user.id).await?;
                user.auth_epoch += 1;
            }
        }
        user.name = patch.name.unwrap_or(user.name);
        let user = tx.users().update(&user).await?;
        tx.audit(entry(
            caller,
            now,
            "user.update",
            "user",
            user.id,
            json!({ "name": user.name, "state": user.state }),
        ));
        self.0.commit(tx, now).await?;
        Ok(user)
    }

    /// Lists who holds which role, newest first; of one team when it is named.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`].
    pub async fn members(
        &self,
        caller: &Caller,
        team: Option<&Ref<TeamId>>,
        page: PageRequest,
    ) -> Result<Page<Membership>> {
        let mut tx = self.0.read(caller).await?;
        let team = match team {
            Some(team) => {
                let team = find_team(&mut tx, team).await?;
                caller.require_known(Permission::TeamsRead, Permission::TeamsRead, team.id, "team")?;
                Some(team.id)
            }
            None => {
                caller.require(Permission::TeamsRead)?;
                None
            }
        };
        Ok(tx.memberships().list(team, page).await?)
    }

    /// The roles that a person holds: in the tenant and in teams.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn held_by(&self, caller: &Caller, id: UserId) -> Result<Vec<Membership>> {
        self.get(caller, id).await?;
        let mut tx = self.0.read(caller).await?;
        Ok(tx.memberships().of_user(id).await?)
    }

    /// One membership.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn member(&self, caller: &Caller, id: MembershipId) -> Result<Membership> {
        let mut tx = self.0.read(caller).await?;
        let membership = tx.memberships().find(id).await?.ok_or(Error::missing("member"))?;
        let readable = match membership.team_id {
            Some(team) => caller.rights.in_team(Permission::TeamsRead, team),
            None => caller.rights.in_tenant(Permission::TeamsRead),
        };
        if readable {
            Ok(membership)
        } else {
            Err(Error::missing("member"))
        }
    }

    /// Gives somebody a role. Nobody gives away what the giver lacks.
    ///
    /// # Errors
    /// [`Error::Forbidden`] names the permission that the giver lacks.
    pub async fn add_member(&self, caller: &Caller, new: NewMembership) -> Result<Membership> {
        self.0
            .settled(|| self.grant(caller, new.clone(), unknown_team))
            .await
    }

    /// The same for a team that is not a field but the place of the call.
    ///
    /// # Errors
    /// As for [`Users::add_member`]; [`Error::NotFound`] when there is no such team.
    pub async fn add_team_member(&self, caller: &Caller, new: NewMembership) -> Result<Membership> {
        let missing = || Error::missing("team");
        self.0.settled(|| self.grant(caller, new.clone(), missing)).await
    }

    async fn grant(
        &self,
        caller: &Caller,
        new: NewMembership,
        no_such_team: fn() -> Error,
    ) -> Result<Membership> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let team = match &new.team {
            Some(team) => match find_team(&mut tx, team).await {
                Err(Error::NotFound { .. }) => return Err(no_such_team()),
                found => Some(found?.id),
            },
            None => None,
        };
        may_grant(caller, team, new.role)?;
        if team.is_some() && new.role.tenant_only() {
            let rule = format!("must be absent: {} is a role in the whole tenant", new.role);
            return Err(Error::field("/team", Invalid::new("tenant_role", rule)));
        }
        let user = find_person(&mut tx, &new.user).await?;
        let known = tx.memberships().of_user(user.id).await?;
        if let Some(existing) = known
            .iter()
            .find(|held| held.team_id == team && held.role == new.role)
        {
            return Err(Error::duplicate("member_exists", "user", existing.id));
        }
        let membership = Membership {
            id: self.0.new_id(now),
            tenant_id: caller.tenant_id,
            user_id: user.id,
            team_id: team,
            role: new.role,
            created_at: now,
        };
        tx.memberships().insert(&membership).await?;
        let details = json!({ "user": user.id, "team": team, "role": new.role });
        tx.audit(entry(caller, now, "member.add", "member", membership.id, details));
        self.0.commit(tx, now).await?;
        Ok(membership)
    }

    /// Takes a role away.
    ///
    /// # Errors
    /// [`Error::Guard`] `last_owner`.
    pub async fn remove_member(&self, caller: &Caller, id: MembershipId) -> Result<()> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let membership = tx.memberships().find(id).await?.ok_or(Error::missing("member"))?;
        may_grant(caller, membership.team_id, membership.role)?;
        if membership.role == Role::Owner {
            keep_an_owner(&mut tx, membership.user_id).await?;
        }
        tx.memberships().delete(id).await?;
        let details =
            json!({ "user": membership.user_id, "team": membership.team_id, "role": membership.role });
        tx.audit(entry(caller, now, "member.remove", "member", id, details));
        self.0.commit(tx, now).await
    }
}

/// The person whom a field names.
async fn find_person(tx: &mut Tx, person: &PersonRef) -> Result<User> {
    let found = match person {
        PersonRef::Id(id) => tx.users().find(*id).await?,
        PersonRef::Email(email) => tx.users().find_by_email(email).await?,
    };
    found.ok_or_else(|| {
        Error::field(
            "/user",
            Invalid::new(
                "unknown_user",
                "must be the id or the address of a user of this tenant; add the user first",
            ),
        )
    })
}

/// Demands everything that a role gives, so that nobody gives or takes more than they have.
pub(crate) fn may_grant(caller: &Caller, team: Option<TeamId>, role: Role) -> Result<()> {
    let held = |permission| match team {
        Some(team) => caller.rights.in_team(permission, team),
        None => caller.rights.in_tenant(permission),
    };
    let lacking = std::iter::once(Permission::MembersWrite)
        .chain(role.permissions().iter().copied())
        .find(|permission| !held(*permission));
    match lacking {
        Some(permission) => Err(Error::Forbidden { permission }),
        None => Ok(()),
    }
}

/// Demands every right that a person has, so that nobody takes the account of
/// somebody who may do more, or shuts them out.
pub(crate) async fn may_rule(tx: &mut Tx, caller: &Caller, user: &User) -> Result<()> {
    if user.platform_admin {
        require_platform(caller)?;
    }
    for held in tx.memberships().of_user(user.id).await? {
        may_grant(caller, held.team_id, held.role)?;
    }
    Ok(())
}

/// The last active owner stays.
async fn keep_an_owner(tx: &mut Tx, leaving: UserId) -> Result<()> {
    let owners = tx.memberships().active_owners().await?;
    if owners.contains(&leaving) && owners.iter().all(|owner| *owner == leaving) {
        return Err(Error::guard(
            "last_owner",
            "the last owner stays: make somebody else an owner first",
        ));
    }
    Ok(())
}
