//! The people of a team, with their names, and letting more of them in.

use gatewright_model::id::TeamId;
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::permission::{Permission, Role};
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::{Membership, User};
use gatewright_model::text::{Email, Name};

use crate::accounts::SentLink;
use crate::caller::Caller;
use crate::consumer::Consumer;
use crate::error::{Error, Result};
use crate::users::{NewMembership, NewUser};

/// Somebody in a team.
#[derive(Debug, Clone)]
pub struct TeamPerson {
    /// The role there.
    pub membership: Membership,
    /// The person.
    pub user: User,
}

/// Somebody who is to join a team.
#[derive(Debug, Clone)]
pub struct NewTeammate {
    /// Their address.
    pub email: Email,
    /// As people read it; made of the address when absent. An account that exists keeps its own.
    pub name: Option<Name>,
    /// Which role.
    pub role: Role,
}

/// How somebody joined a team.
#[derive(Debug, Clone)]
pub enum Welcomed {
    /// They had an account already.
    Added,
    /// They have to choose a password first, by this link.
    Invited(SentLink),
}

impl Consumer<'_> {
    /// The people of a team, newest first; at most 200.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not see the team.
    pub async fn people(&self, caller: &Caller, team: TeamId) -> Result<Vec<TeamPerson>> {
        let read = Permission::TeamsRead;
        caller.require_known(read, read, team, "team")?;
        let mut tx = self.0.read(caller).await?;
        let page = PageRequest {
            size: PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT),
            after: None,
        };
        let mut people = Vec::new();
        for membership in tx.memberships().list(Some(team), page).await?.items {
            if let Some(user) = tx.users().find(membership.user_id).await? {
                people.push(TeamPerson { membership, user });
            }
        }
        Ok(people)
    }

    /// Lets somebody into a team; who has no account yet gets one and is invited.
    ///
    /// # Errors
    /// [`Error::Forbidden`] names what the caller lacks; [`Error::Duplicate`]
    /// when they hold the role already.
    pub async fn welcome(&self, caller: &Caller, team: TeamId, new: NewTeammate) -> Result<Welcomed> {
        let control = self.0;
        let known = {
            let mut tx = control.read(caller).await?;
            tx.users().find_by_email(&new.email).await?
        };
        let membership = NewMembership {
            user: new.email.clone().into(),
            role: new.role,
            team: Some(Ref::Id(team)),
        };
        if known.is_some() {
            control.users().add_team_member(caller, membership).await?;
            return Ok(Welcomed::Added);
        }
        // Before anything is written: who may not give the role must not leave an account behind.
        crate::users::may_grant(caller, Some(team), new.role)?;
        let name = match new.name {
            Some(name) => name,
            None => name_from(&new.email)?,
        };
        let user = NewUser {
            email: new.email,
            name,
            password: None,
        };
        let user = control.users().create(caller, user).await?;
        control.users().add_team_member(caller, membership).await?;
        let sent = control.accounts().invite(caller, user.id).await?;
        Ok(Welcomed::Invited(sent))
    }
}

fn name_from(email: &Email) -> Result<Name> {
    let local = email.as_str().split('@').next().unwrap_or_default();
    Name::parse(local).map_err(|invalid| Error::field("/name", invalid))
}
