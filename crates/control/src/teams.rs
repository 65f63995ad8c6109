//! Teams of a tenant.

use gatewright_model::id::TeamId;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::state::IllegalTransition;
use gatewright_model::tenancy::{DEFAULT_TEAM, StandingState, StandingVerb, Team, TeamKind};
use gatewright_model::text::{Email, Name, Slug};
use serde_json::json;

use crate::apis::find_team;
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;

/// Use cases of teams.
#[derive(Debug, Clone, Copy)]
pub struct Teams<'c>(pub(crate) &'c Control);

/// What makes a team.
#[derive(Debug, Clone)]
pub struct NewTeam {
    /// Unique in the tenant.
    pub slug: Slug,
    /// As people read it.
    pub name: Name,
    /// Which side it stands on.
    pub kind: TeamKind,
    /// Where its mail goes.
    pub contact: Option<Email>,
}

/// What can be changed of a team.
#[derive(Debug, Clone, Default)]
pub struct TeamPatch {
    /// As people read it.
    pub name: Option<Name>,
    /// Which side it stands on.
    pub kind: Option<TeamKind>,
    /// Where its mail goes; `Some(None)` takes it away.
    pub contact: Option<Option<Email>>,
}

impl Control {
    /// Use cases of teams.
    #[must_use]
    pub const fn teams(&self) -> Teams<'_> {
        Teams(self)
    }
}

impl Teams<'_> {
    /// Lists the teams that the caller may see, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(&self, caller: &Caller, page: PageRequest) -> Result<Page<Team>> {
        caller.require_anywhere(Permission::TeamsRead)?;
        let mut tx = self.0.read(caller).await?;
        let only = caller.rights.teams_with(Permission::TeamsRead);
        Ok(tx.teams().list(only.as_deref(), page).await?)
    }

    /// One team.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, team: &Ref<TeamId>) -> Result<Team> {
        let mut tx = self.0.read(caller).await?;
        let team = find_team(&mut tx, team).await?;
        if caller.rights.in_team(Permission::TeamsRead, team.id) {
            Ok(team)
        } else {
            Err(Error::missing("team"))
        }
    }

    /// Creates a team.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `slug_taken`, [`Error::Forbidden`].
    pub async fn create(&self, caller: &Caller, new: NewTeam) -> Result<Team> {
        self.0.settled(|| self.create_once(caller, new.clone())).await
    }

    async fn create_once(&self, caller: &Caller, new: NewTeam) -> Result<Team> {
        caller.require(Permission::TeamsWrite)?;
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        if let Some(existing) = tx.teams().find_by_slug(&new.slug).await? {
            return Err(Error::duplicate("slug_taken", "slug", existing.id));
        }
        let team = Team {
            id: self.0.new_id(now),
            tenant_id: caller.tenant_id,
            slug: new.slug,
            name: new.name,
            kind: new.kind,
            contact: new.contact,
            state: StandingState::Active,
            created_at: now,
            row_version: 1,
        };
        tx.teams().insert(&team).await?;
        tx.audit(entry(
            caller,
            now,
            "team.create",
            "team",
            team.id,
            json!({ "slug": team.slug, "kind": team.kind }),
        ));
        self.0.commit(tx, now).await?;
        Ok(team)
    }

    /// Changes a team.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Forbidden`].
    pub async fn update(
        &self,
        caller: &Caller,
        team: &Ref<TeamId>,
        patch: TeamPatch,
        if_match: IfMatch,
    ) -> Result<Team> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut team = find_team(&mut tx, team).await?;
        caller.require_known(Permission::TeamsRead, Permission::TeamsWrite, team.id, "team")?;
        if_match.check(team.row_version)?;
        team.name = patch.name.unwrap_or(team.name);
        team.kind = patch.kind.unwrap_or(team.kind);
        team.contact = patch.contact.unwrap_or(team.contact);
        let team = tx.teams().update(&team).await?;
        tx.audit(entry(
            caller,
            now,
            "team.update",
            "team",
            team.id,
            json!({ "name": team.name, "kind": team.kind }),
        ));
        self.0.commit(tx, now).await?;
        Ok(team)
    }

    /// Suspends a team or lets it act again.
    ///
    /// # Errors
    /// [`Error::Guard`] for the default team, which owns what names no team;
    /// [`Error::Illegal`] when it stands so already.
    pub async fn set_standing(
        &self,
        caller: &Caller,
        team: &Ref<TeamId>,
        verb: StandingVerb,
        if_match: IfMatch,
    ) -> Result<Team> {
        caller.require(Permission::TeamsWrite)?;
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut team = find_team(&mut tx, team).await?;
        if_match.check(team.row_version)?;
        if team.slug.as_str() == DEFAULT_TEAM && verb == StandingVerb::Suspend {
            return Err(Error::guard(
                "default_team",
                "the default team owns what names no team and cannot be suspended",
            ));
        }
        team.state = team.state.after(verb).map_err(|refused| IllegalTransition {
            entity: "team",
            ..refused
        })?;
        let team = tx.teams().update(&team).await?;
        let action = match verb {
            StandingVerb::Activate => "team.activate",
            StandingVerb::Suspend => "team.suspend",
        };
        tx.audit(entry(caller, now, action, "team", team.id, json!({})));
        self.0.commit(tx, now).await?;
        Ok(team)
    }
}
