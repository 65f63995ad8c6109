//! Applications: the consumers' programs.

use gatewright_model::consumer::{
    Application, ApplicationState, ApplicationVerb, CredentialVerb, Environment, SubscriptionState,
    SubscriptionVerb, UNARCHIVE_WITHIN,
};
use gatewright_model::id::{ApplicationId, TeamId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::text::{Name, Remark, Slug};
use gatewright_store::{ApplicationFilter as StoredFilter, Tx};
use serde_json::json;

use crate::apis::{find_team, team_for};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::{credentials, outbox_entry, subscriptions};

/// Use cases of applications.
#[derive(Debug, Clone, Copy)]
pub struct Applications<'c>(pub(crate) &'c Control);

/// What makes an application.
#[derive(Debug, Clone)]
pub struct NewApplication {
    /// As people read it.
    pub name: Name,
    /// Unique in the tenant; made of the name when absent.
    pub slug: Option<Slug>,
    /// The owning team; the tenant's default team when absent.
    pub team: Option<Ref<TeamId>>,
    /// Which kind of keys it gets.
    pub environment: Environment,
}

/// Which applications a list shows.
#[derive(Debug, Clone, Default)]
pub struct ApplicationFilter {
    /// Part of the name or of the slug.
    pub q: Option<String>,
    /// The owning team.
    pub team: Option<Ref<TeamId>>,
    /// In which state.
    pub state: Option<ApplicationState>,
}

impl Control {
    /// Use cases of applications.
    #[must_use]
    pub const fn applications(&self) -> Applications<'_> {
        Applications(self)
    }
}

impl Applications<'_> {
    /// Lists the applications of the caller's teams, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &ApplicationFilter,
        page: PageRequest,
    ) -> Result<Page<Application>> {
        caller.require_anywhere(Permission::ApplicationsRead)?;
        let mut tx = self.0.read(caller).await?;
        let team = match &filter.team {
            Some(team) => Some(find_team(&mut tx, team).await?.id),
            None => None,
        };
        let stored = StoredFilter {
            q: filter.q.clone(),
            team,
            state: filter.state,
            teams: caller.rights.teams_with(Permission::ApplicationsRead),
        };
        Ok(tx.applications().list(&stored, page).await?)
    }

    /// One application.
    ///
    /// # Errors
    /// [`Error::NotFound`] also when it belongs to a team of others.
    pub async fn get(&self, caller: &Caller, application: &Ref<ApplicationId>) -> Result<Application> {
        let mut tx = self.0.read(caller).await?;
        find(&mut tx, caller, application, Permission::ApplicationsRead).await
    }

    /// Creates an application.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `slug_taken`.
    pub async fn create(&self, caller: &Caller, new: NewApplication) -> Result<Application> {
        self.0.settled(|| self.create_once(caller, new.clone())).await
    }

    async fn create_once(&self, caller: &Caller, new: NewApplication) -> Result<Application> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let application = insert(self.0, &mut tx, caller, new).await?;
        self.0.commit(tx, now).await?;
        Ok(application)
    }

    /// Renames an application.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Forbidden`].
    pub async fn rename(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        name: Name,
        if_match: IfMatch,
    ) -> Result<Application> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut application = find(&mut tx, caller, application, Permission::ApplicationsWrite).await?;
        if_match.check(application.row_version)?;
        let details = json!({ "from": application.name, "to": name });
        application.name = name;
        application.updated_at = now;
        let application = tx.applications().update(&application).await?;
        tx.touch_application(application.id);
        tx.audit(entry(
            caller,
            now,
            "application.update",
            "application",
            application.id,
            details,
        ));
        self.0.commit(tx, now).await?;
        Ok(application)
    }

    /// Moves an application. Archiving closes its subscriptions and revokes its
    /// keys for good. Brought back within 30 days, it asks for these
    /// subscriptions anew; keys do not come back.
    ///
    /// # Errors
    /// [`Error::Illegal`], [`Error::Guard`] `too_late`, [`Error::Stale`].
    pub async fn transition(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        verb: ApplicationVerb,
        reason: Option<Remark>,
        if_match: IfMatch,
    ) -> Result<Application> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut application = find(&mut tx, caller, application, Permission::ApplicationsWrite).await?;
        if_match.check(application.row_version)?;
        let before = application.state;
        // A suspension is the tenant's: who suffers from it does not lift it, nor end it by archiving.
        if verb == ApplicationVerb::Suspend || before == ApplicationState::Suspended {
            caller.require(Permission::TenantWrite)?;
        }
        application.state = before.after(verb)?;
        if before == ApplicationState::Archived
            && application
                .archived_at
                .is_some_and(|at| now.since(at) > UNARCHIVE_WITHIN)
        {
            return Err(Error::guard(
                "too_late",
                "an application can be brought back within 30 days of its archiving",
            ));
        }
        let archived_at = application.archived_at;
        application.archived_at = (application.state == ApplicationState::Archived).then_some(now);
        application.updated_at = now;
        let application = tx.applications().update(&application).await?;
        tx.touch_application(application.id);
        if verb == ApplicationVerb::Archive {
            retire(self.0, &mut tx, caller, &application).await?;
        }
        if let Some(since) = archived_at {
            subscriptions::restore(self.0, &mut tx, caller, &application, since).await?;
        }
        let action = match verb {
            ApplicationVerb::Suspend => "application.suspend",
            ApplicationVerb::Activate => "application.activate",
            ApplicationVerb::Archive => "application.archive",
        };
        let details = json!({ "from": before, "to": application.state, "reason": reason });
        tx.audit(entry(
            caller,
            now,
            action,
            "application",
            application.id,
            details.clone(),
        ));
        tx.outbox(outbox_entry::event(
            self.0,
            caller,
            now,
            action,
            application.id,
            &details,
        ));
        self.0.commit(tx, now).await?;
        Ok(application)
    }
}

/// Adds an application inside of a transaction that somebody else commits.
pub(crate) async fn insert(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    new: NewApplication,
) -> Result<Application> {
    let now = control.now();
    let id: ApplicationId = control.new_id(now);
    let wanted = match &new.slug {
        Some(slug) => slug.clone(),
        None => Slug::from_text(new.name.as_str()).ok_or_else(|| {
            let rule = "must be given: the name holds no letter a-z and no digit";
            Error::field("/slug", Invalid::new("slug_needed", rule))
        })?,
    };
    let team = team_for(tx, new.team.as_ref()).await?;
    caller.require_in(Permission::ApplicationsWrite, team.id)?;
    let slug = match tx.applications().find_by_slug(&wanted).await? {
        None => wanted,
        Some(existing) if new.slug.is_some() => {
            return Err(Error::duplicate("slug_taken", "slug", existing.id));
        }
        Some(_) => with_suffix(&wanted, id)?,
    };
    let application = Application {
        id,
        tenant_id: caller.tenant_id,
        team_id: team.id,
        slug,
        name: new.name,
        environment: new.environment,
        state: ApplicationState::Active,
        archived_at: None,
        created_at: now,
        updated_at: now,
        row_version: 1,
    };
    tx.applications().insert(&application).await?;
    tx.touch_application(application.id);
    let details =
        json!({ "slug": application.slug, "team": team.slug, "environment": application.environment });
    tx.audit(entry(
        caller,
        now,
        "application.create",
        "application",
        application.id,
        details,
    ));
    Ok(application)
}

/// Two applications may have one name. The second one's slug ends in the last
/// characters of its id, which are random.
fn with_suffix(slug: &Slug, id: ApplicationId) -> Result<Slug> {
    const SUFFIX: usize = 8;
    let id = id.to_string();
    let suffix = id.get(id.len() - SUFFIX..).unwrap_or(&id);
    // A slug has at most 63 characters, all of them ASCII.
    let base: String = slug.as_str().chars().take(63 - SUFFIX - 1).collect();
    let text = format!("{}-{suffix}", base.trim_end_matches('-'));
    Slug::parse(&text).map_err(|invalid| Error::field("/slug", invalid))
}

/// An application that the caller may see and act on.
pub(crate) async fn find(
    tx: &mut Tx,
    caller: &Caller,
    application: &Ref<ApplicationId>,
    wanted: Permission,
) -> Result<Application> {
    let found = match application {
        Ref::Id(id) => tx.applications().find(*id).await?,
        Ref::Slug(slug) => tx.applications().find_by_slug(slug).await?,
    };
    let found = found.ok_or(Error::missing("application"))?;
    caller.require_known(Permission::ApplicationsRead, wanted, found.team_id, "application")?;
    Ok(found)
}

async fn retire(control: &Control, tx: &mut Tx, caller: &Caller, application: &Application) -> Result<()> {
    let reason = Remark::parse("the application was archived").ok();
    for subscription in tx.subscriptions().live_of_application(application.id).await? {
        let verb = match subscription.state {
            SubscriptionState::Pending => SubscriptionVerb::Withdraw,
            _ => SubscriptionVerb::Close,
        };
        // The time stamp tells later which ones the archiving has closed.
        let at = application.updated_at;
        subscriptions::end_at(control, tx, caller, subscription, verb, reason.clone(), at).await?;
    }
    for credential in tx.credentials().of_application(application.id).await? {
        if !credential.state.is_terminal() {
            credentials::step(
                control,
                tx,
                caller,
                credential,
                CredentialVerb::Revoke,
                reason.clone(),
            )
            .await?;
        }
    }
    Ok(())
}
