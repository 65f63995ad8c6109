//! The consumer's own side, put together for people: applications with their
//! subscriptions and keys, and the names of the things that these refer to.
//! Somebody who belongs to teams sees what is theirs; somebody who belongs to
//! none and may read the whole tenant sees all of it.

mod attention;
mod calls;
mod history;
mod people;

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use gatewright_model::api::{Api, ApiVersion, Operation};
use gatewright_model::consumer::{
    Application, ApplicationState, Credential, CredentialState, Subscription, SubscriptionState,
};
use gatewright_model::id::{ApiId, ApplicationId, PlanId, SubscriptionId, TeamId, VersionId};
use gatewright_model::limit::Limit;
use gatewright_model::page::{Page, PageRequest, PageSize};
use gatewright_model::permission::Permission;
use gatewright_model::plan::{Plan, grants};
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::Team;
use gatewright_model::text::VersionLabel;
use gatewright_model::time::Timestamp;
use gatewright_store::{ApplicationFilter, SubscriptionFilter, Tx};

pub use attention::{DeprecatedUse, Home, KeyEnd, Matter};
pub use calls::CallView;
pub use history::SubscriptionEvent;
pub use people::{NewTeammate, TeamPerson, Welcomed};

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::names::Named;
use crate::{applications, versions};

/// As many subscriptions of one application as a page shows.
const MOST_SUBSCRIPTIONS: u16 = PageSize::MAX;
/// As many subscriptions of a page of applications as are looked at.
const MOST_AT_ONCE: u16 = 10_000;
/// What happened to a subscription is news for so long.
const NEWS_FOR: Duration = Duration::from_secs(7 * 86_400);

/// Use cases of the consumer's own pages.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'c>(&'c Control);

/// An application with the team that owns it.
#[derive(Debug, Clone)]
pub struct ApplicationView {
    /// The application.
    pub application: Application,
    /// Its team.
    pub team: Team,
}

/// An application in a list.
#[derive(Debug, Clone)]
pub struct ApplicationCard {
    /// The application.
    pub application: Application,
    /// Its team.
    pub team: Team,
    /// How many of its keys work or will.
    pub keys: usize,
    /// How many of its subscriptions were granted and are not over.
    pub subscriptions: usize,
    /// How many of its requests wait for a decision.
    pub waiting: usize,
}

/// A subscription with what it is to and on which terms.
#[derive(Debug, Clone)]
pub struct SubscriptionView {
    /// The subscription.
    pub subscription: Subscription,
    /// The API it is to.
    pub api: Api,
    /// The plan it is under.
    pub plan: Plan,
    /// The limits it is pinned to.
    pub limits: Vec<Limit>,
    /// The versions that it opens, newest first.
    pub versions: Vec<GrantedVersion>,
}

/// A version that a subscription opens.
#[derive(Debug, Clone)]
pub struct GrantedVersion {
    /// The version.
    pub version: ApiVersion,
    /// Where it is called.
    pub gateway_url: String,
    /// What replaces it, when its end is announced.
    pub successor: Option<VersionLabel>,
}

/// A call that an application can make right now.
#[derive(Debug, Clone)]
pub struct FirstCall {
    /// The API.
    pub api: Api,
    /// Its version.
    pub version: VersionLabel,
    /// The operation.
    pub operation: Operation,
    /// Where it is called; parameters of the path stand in braces.
    pub url: String,
}

impl Control {
    /// Use cases of the consumer's own pages.
    #[must_use]
    pub const fn consumer(&self) -> Consumer<'_> {
        Consumer(self)
    }
}

impl Consumer<'_> {
    /// Lists the caller's applications, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn applications(
        &self,
        caller: &Caller,
        q: Option<&str>,
        state: Option<ApplicationState>,
        page: PageRequest,
    ) -> Result<Page<ApplicationCard>> {
        caller.require_anywhere(Permission::ApplicationsRead)?;
        let mut tx = self.0.read(caller).await?;
        let filter = ApplicationFilter {
            q: q.map(str::to_owned),
            team: None,
            state,
            teams: own_teams(caller),
        };
        let found = tx.applications().list(&filter, page).await?;
        let found_of = Found::of(&mut tx, &found.items, self.0.now()).await?;
        Ok(Page {
            items: found_of.cards(&mut tx, found.items).await?,
            next: found.next,
        })
    }

    /// One application.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn application(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
    ) -> Result<ApplicationView> {
        let mut tx = self.0.read(caller).await?;
        let application =
            applications::find(&mut tx, caller, application, Permission::ApplicationsRead).await?;
        with_team(&mut tx, application).await
    }

    /// Every subscription of an application, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn subscriptions(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
    ) -> Result<Vec<SubscriptionView>> {
        let mut tx = self.0.read(caller).await?;
        let application =
            applications::find(&mut tx, caller, application, Permission::ApplicationsRead).await?;
        let mut known = Known::default();
        let mut views = Vec::new();
        for subscription in all_subscriptions(&mut tx, application.id).await? {
            views.push(known.view(self.0, &mut tx, caller, subscription).await?);
        }
        Ok(views)
    }

    /// One subscription of an application.
    ///
    /// # Errors
    /// [`Error::NotFound`], also when it is another application's.
    pub async fn subscription(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        id: SubscriptionId,
    ) -> Result<(ApplicationView, SubscriptionView)> {
        let mut tx = self.0.read(caller).await?;
        let application =
            applications::find(&mut tx, caller, application, Permission::ApplicationsRead).await?;
        let subscription = tx
            .subscriptions()
            .find(id)
            .await?
            .filter(|found| found.application_id == application.id)
            .ok_or(Error::missing("subscription"))?;
        let view = Known::default()
            .view(self.0, &mut tx, caller, subscription)
            .await?;
        Ok((with_team(&mut tx, application).await?, view))
    }

    /// A call to try a key with: the simplest operation of the newest version
    /// that the application may use.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn first_call(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
    ) -> Result<Option<FirstCall>> {
        let usable = self.subscriptions(caller, application).await?;
        let usable = usable
            .into_iter()
            .filter(|view| view.subscription.state == SubscriptionState::Active && !view.subscription.paused);
        let mut tx = self.0.read(caller).await?;
        for view in usable {
            for granted in &view.versions {
                let operations = versions::operations_of(&mut tx, &granted.version).await?;
                if let Some(operation) = simplest(operations) {
                    let url = [granted.gateway_url.as_str(), operation.template.as_str()].concat();
                    return Ok(Some(FirstCall {
                        api: view.api,
                        version: granted.version.label.clone(),
                        operation,
                        url,
                    }));
                }
            }
        }
        Ok(None)
    }

    /// The teams for which the caller may make applications, their own before others.
    ///
    /// # Errors
    /// Store errors.
    pub async fn teams_to_create_in(&self, caller: &Caller) -> Result<Vec<Team>> {
        let own = caller.rights.teams();
        let wanted = caller.rights.teams_with(Permission::ApplicationsWrite);
        let mut tx = self.0.read(caller).await?;
        let page = PageRequest {
            size: PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT),
            after: None,
        };
        let mut teams = tx.teams().list(wanted.as_deref(), page).await?.items;
        teams.sort_by_key(|team| (!own.contains(&team.id), team.name.to_string()));
        Ok(teams)
    }
}

/// The teams whose applications are the caller's; `None` for the whole tenant.
pub(crate) fn own_teams(caller: &Caller) -> Option<Vec<TeamId>> {
    let own: Vec<TeamId> = caller
        .rights
        .teams()
        .into_iter()
        .filter(|team| caller.rights.in_team(Permission::ApplicationsRead, *team))
        .collect();
    if own.is_empty() {
        caller.rights.teams_with(Permission::ApplicationsRead)
    } else {
        Some(own)
    }
}

async fn with_team(tx: &mut Tx, application: Application) -> Result<ApplicationView> {
    let team = tx.teams().find(application.team_id).await?;
    Ok(ApplicationView {
        team: team.ok_or(Error::missing("team"))?,
        application,
    })
}

/// The keys and subscriptions of the applications of one page, read at once.
#[derive(Debug, Default)]
struct Found {
    credentials: HashMap<ApplicationId, Vec<Credential>>,
    /// Those that are live, and those that were changed within [`NEWS_FOR`].
    subscriptions: HashMap<ApplicationId, Vec<Subscription>>,
}

impl Found {
    async fn of(tx: &mut Tx, applications: &[Application], now: Timestamp) -> Result<Self> {
        let ids: Vec<ApplicationId> = applications.iter().map(|application| application.id).collect();
        let mut found = Self::default();
        for credential in tx.credentials().of_applications(&ids).await? {
            found
                .credentials
                .entry(credential.application_id)
                .or_default()
                .push(credential);
        }
        let since = now.minus(NEWS_FOR);
        let subscriptions = tx.subscriptions();
        for subscription in subscriptions
            .current_of_applications(&ids, since, MOST_AT_ONCE)
            .await?
        {
            let of = found
                .subscriptions
                .entry(subscription.application_id)
                .or_default();
            of.push(subscription);
        }
        Ok(found)
    }

    fn credentials(&self, of: ApplicationId) -> &[Credential] {
        self.credentials.get(&of).map_or(&[], Vec::as_slice)
    }

    fn subscriptions(&self, of: ApplicationId) -> &[Subscription] {
        self.subscriptions.get(&of).map_or(&[], Vec::as_slice)
    }

    async fn cards(&self, tx: &mut Tx, applications: Vec<Application>) -> Result<Vec<ApplicationCard>> {
        let ids: Vec<TeamId> = applications
            .iter()
            .map(|application| application.team_id)
            .collect();
        let teams = tx.teams().with_ids(&ids).await?;
        let card = |application: Application| {
            let team = teams.iter().find(|team| team.id == application.team_id);
            let live = || {
                self.subscriptions(application.id)
                    .iter()
                    .filter(|found| found.state.is_live())
            };
            let waiting = live()
                .filter(|found| found.state == SubscriptionState::Pending)
                .count();
            Ok(ApplicationCard {
                team: team.cloned().ok_or(Error::missing("team"))?,
                keys: self
                    .credentials(application.id)
                    .iter()
                    .filter(|key| is_usable(key))
                    .count(),
                subscriptions: live().count() - waiting,
                waiting,
                application,
            })
        };
        applications.into_iter().map(card).collect()
    }
}

fn is_usable(credential: &Credential) -> bool {
    matches!(
        credential.state,
        CredentialState::Scheduled | CredentialState::Active | CredentialState::Rotating
    )
}

async fn all_subscriptions(tx: &mut Tx, application: ApplicationId) -> Result<Vec<Subscription>> {
    let filter = SubscriptionFilter {
        application: Some(application),
        ..SubscriptionFilter::default()
    };
    let page = PageRequest {
        size: PageSize::new(MOST_SUBSCRIPTIONS).unwrap_or(PageSize::DEFAULT),
        after: None,
    };
    Ok(tx.subscriptions().list(&filter, page).await?.items)
}

/// Things that several subscriptions refer to, each read once.
#[derive(Debug, Default)]
struct Known {
    apis: HashMap<ApiId, Api>,
    plans: HashMap<PlanId, Plan>,
    versions: HashMap<ApiId, Vec<ApiVersion>>,
}

impl Known {
    async fn view(
        &mut self,
        control: &Control,
        tx: &mut Tx,
        caller: &Caller,
        subscription: Subscription,
    ) -> Result<SubscriptionView> {
        let api = self.api(tx, subscription.api_id).await?;
        let plan = self.plan(tx, subscription.plan_id).await?;
        let limits = if plan.current.id == subscription.plan_version_id {
            plan.current.limits.clone()
        } else {
            let pinned = tx.plans().version(subscription.plan_version_id).await?;
            pinned.map(|terms| terms.limits).unwrap_or_default()
        };
        let versions = self
            .versions(tx, api.id)
            .await?
            .iter()
            .rev()
            .filter(|version| opens(&plan, version, &subscription))
            .map(|version| GrantedVersion {
                gateway_url: versions::gateway_url(control, caller, &api, &version.label),
                successor: self.label(api.id, successor_of(version)),
                version: version.clone(),
            })
            .collect();
        Ok(SubscriptionView {
            subscription,
            api,
            plan,
            limits,
            versions,
        })
    }

    /// Reads at once what these subscriptions refer to.
    async fn learn(&mut self, tx: &mut Tx, subscriptions: &[&Subscription]) -> Result<()> {
        let apis: HashSet<ApiId> = subscriptions.iter().map(|found| found.api_id).collect();
        let plans: HashSet<PlanId> = subscriptions.iter().map(|found| found.plan_id).collect();
        let apis: Vec<ApiId> = apis.into_iter().collect();
        for api in tx.apis().with_ids(&apis).await? {
            self.versions.entry(api.id).or_default();
            self.apis.insert(api.id, api);
        }
        for version in tx.versions().of_apis(&apis).await? {
            self.versions.entry(version.api_id).or_default().push(version);
        }
        for plan in tx
            .plans()
            .with_ids(&plans.into_iter().collect::<Vec<_>>())
            .await?
        {
            self.plans.insert(plan.id, plan);
        }
        Ok(())
    }

    async fn api(&mut self, tx: &mut Tx, id: ApiId) -> Result<Api> {
        if let Some(api) = self.apis.get(&id) {
            return Ok(api.clone());
        }
        let api = tx.apis().find(id).await?.ok_or(Error::missing("api"))?;
        self.apis.insert(id, api.clone());
        Ok(api)
    }

    async fn plan(&mut self, tx: &mut Tx, id: PlanId) -> Result<Plan> {
        if let Some(plan) = self.plans.get(&id) {
            return Ok(plan.clone());
        }
        let plan = tx.plans().find(id).await?.ok_or(Error::missing("plan"))?;
        self.plans.insert(id, plan.clone());
        Ok(plan)
    }

    /// The versions of an API, oldest first.
    async fn versions(&mut self, tx: &mut Tx, api: ApiId) -> Result<Vec<ApiVersion>> {
        if let Some(versions) = self.versions.get(&api) {
            return Ok(versions.clone());
        }
        let versions = tx.versions().of_api(api).await?;
        self.versions.insert(api, versions.clone());
        Ok(versions)
    }

    fn label(&self, api: ApiId, version: Option<VersionId>) -> Option<VersionLabel> {
        let wanted = version?;
        let versions = self.versions.get(&api)?;
        versions
            .iter()
            .find(|version| version.id == wanted)
            .map(|version| version.label.clone())
    }
}

fn opens(plan: &Plan, version: &ApiVersion, subscription: &Subscription) -> bool {
    let since = version
        .deprecation
        .as_ref()
        .map(|deprecation| deprecation.deprecated_at);
    grants(
        &plan.versions,
        version.id,
        version.state,
        since,
        subscription.created_at,
    )
}

fn successor_of(version: &ApiVersion) -> Option<VersionId> {
    version.deprecation.as_ref()?.successor
}

/// Reading, without parameters and not on its way out, if there is such a one.
pub(crate) fn simplest<O: Borrow<Operation>>(operations: impl IntoIterator<Item = O>) -> Option<O> {
    operations
        .into_iter()
        .filter(|operation| operation.borrow().routable)
        .min_by_key(|operation| {
            let operation = operation.borrow();
            (
                operation.deprecated,
                operation.method != "GET",
                operation.template.matches('{').count(),
                operation.template.len(),
            )
        })
}

/// Names an application wherever something is said about it.
fn named(application: &Application) -> Named {
    Named {
        slug: application.slug.clone(),
        name: application.name.clone(),
    }
}
