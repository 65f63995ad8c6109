//! One API as a reader sees it: its versions, the plans that are open to the
//! reader, and what the reader's applications have already.

use std::collections::HashMap;

use gatewright_model::api::{Api, ApiVersion, Revision, VersionState};
use gatewright_model::consumer::Subscription;
use gatewright_model::id::{ApiId, RevisionId, VersionId};
use gatewright_model::limit::Limit;
use gatewright_model::plan::{Plan, PlanState};
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::Team;
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_store::{Named, Tx, Wanted};

use crate::catalog::shelf::rank;
use crate::catalog::sight::{self, Sight, sight};
use crate::catalog::{AccessWay, Catalog};
use crate::consumer::own_teams;
use crate::error::{Error, Result};
use crate::reader::Reader;
use crate::versions;

/// How many of the reader's own subscriptions are shown.
const MOST_OWN: u16 = 20;

/// One API as a reader sees it.
#[derive(Debug, Clone)]
pub struct CatalogApi {
    /// The API.
    pub api: Api,
    /// Who owns it.
    pub team: Team,
    /// At least one; the one to use first.
    pub versions: Vec<CatalogVersion>,
    /// Plans that can be asked for now, in the order in which they were made.
    pub plans: Vec<OpenPlan>,
    /// What the reader's applications have, newest first.
    pub subscriptions: Vec<OwnSubscription>,
    /// Whether the reader sees what the owning team has not published.
    pub insider: bool,
}

/// A version as a reader sees it.
#[derive(Debug, Clone)]
pub struct CatalogVersion {
    /// The version.
    pub version: ApiVersion,
    /// Where it is called.
    pub gateway_url: String,
    /// Its live document.
    pub revision: Option<Revision>,
    /// The label of what replaces it.
    pub successor: Option<VersionLabel>,
}

/// A plan that can be asked for.
#[derive(Debug, Clone)]
pub struct OpenPlan {
    /// The plan.
    pub plan: Plan,
    /// How it lets callers in.
    pub way: AccessWay,
    /// Its limits as sentences.
    pub limits: Vec<String>,
    /// The versions that it opens to a new subscription.
    pub versions: Vec<VersionLabel>,
}

/// A subscription of one of the reader's applications.
#[derive(Debug, Clone)]
pub struct OwnSubscription {
    /// The subscription.
    pub subscription: Subscription,
    /// Who holds it.
    pub application: Named,
    /// Under which plan.
    pub plan: Named,
    /// To which API.
    pub api: Named,
}

impl CatalogApi {
    /// The version to use.
    #[must_use]
    pub fn current(&self) -> Option<&CatalogVersion> {
        self.versions.first()
    }

    /// The version with this id.
    #[must_use]
    pub fn version(&self, id: VersionId) -> Option<&CatalogVersion> {
        self.versions.iter().find(|shown| shown.version.id == id)
    }
}

impl Catalog<'_> {
    /// One API.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Retired`] when nothing of it is on show any
    /// longer, with what replaces it; [`Error::SignInNeeded`].
    pub async fn get(&self, reader: &Reader, api: &Ref<ApiId>) -> Result<CatalogApi> {
        let mut tx = self.0.read_as(reader).await?;
        let api = sight::visible_api(&mut tx, reader, api).await?;
        let insider = reader.is_insider(api.team_id);
        let all = tx.versions().of_api(api.id).await?;
        let versions = self.versions(&mut tx, reader, &api, &all).await?;
        let shown = |state| sight(state, insider) == Sight::Shown;
        if !versions.iter().any(|version| shown(version.version.state)) {
            return Err(gone(&mut tx, reader, &api, &all).await?);
        }
        let team = tx.teams().find(api.team_id).await?;
        Ok(CatalogApi {
            team: team.ok_or(Error::missing("team"))?,
            plans: open_plans(&mut tx, &api, &all).await?,
            subscriptions: own(&mut tx, reader, Some(api.id), MOST_OWN).await?,
            versions,
            insider,
            api,
        })
    }

    /// The newest subscriptions of the reader's applications, to any API.
    ///
    /// # Errors
    /// Store errors.
    pub async fn recent(&self, reader: &Reader, most: u16) -> Result<Vec<OwnSubscription>> {
        let mut tx = self.0.read_as(reader).await?;
        own(&mut tx, reader, None, most).await
    }

    /// What is on show and what ended, the more useful first.
    async fn versions(
        &self,
        tx: &mut Tx,
        reader: &Reader,
        api: &Api,
        all: &[ApiVersion],
    ) -> Result<Vec<CatalogVersion>> {
        let insider = reader.is_insider(api.team_id);
        let mut seen: Vec<&ApiVersion> = all
            .iter()
            .filter(|version| sight(version.state, insider) != Sight::Hidden)
            .collect();
        seen.sort_by_key(|version| (rank(version.state), std::cmp::Reverse(version.published_at)));
        let ids: Vec<RevisionId> = seen.iter().filter_map(|version| version.revision_id).collect();
        let mut revisions = tx.catalog().revisions(&ids).await?;
        let tenant = self.tenant_slug(tx, reader).await?;
        let label = |id: VersionId| {
            let next = seen.iter().find(|version| version.id == id);
            next.map(|version| version.label.clone())
        };
        let versions = seen.iter().map(|version| CatalogVersion {
            gateway_url: versions::gateway_url_in(self.0, &tenant, api, &version.label),
            revision: version.revision_id.and_then(|id| revisions.remove(&id)),
            successor: version
                .deprecation
                .as_ref()
                .and_then(|end| end.successor)
                .and_then(label),
            version: (*version).clone(),
        });
        Ok(versions.collect())
    }

    async fn tenant_slug(&self, tx: &mut Tx, reader: &Reader) -> Result<Slug> {
        match &reader.caller {
            Some(caller) => Ok(caller.tenant_slug.clone()),
            None => {
                let tenant = tx.tenants().find(reader.tenant_id).await?;
                Ok(tenant.ok_or(Error::missing("tenant"))?.slug)
            }
        }
    }
}

/// Nothing of the API is on show: it ended, or it was never there.
async fn gone(tx: &mut Tx, reader: &Reader, api: &Api, all: &[ApiVersion]) -> Result<Error> {
    let ended = all
        .iter()
        .filter(|version| version.state == VersionState::Retired)
        .max_by_key(|version| version.retired_at);
    match ended {
        Some(version) => sight::retired(tx, reader, api, version).await,
        None => Ok(Error::missing("api")),
    }
}

async fn open_plans(tx: &mut Tx, api: &Api, all: &[ApiVersion]) -> Result<Vec<OpenPlan>> {
    let plans = tx.plans().of_api(api.id).await?;
    let published = plans
        .into_iter()
        .filter(|plan| plan.state == PlanState::Published);
    let open = published.filter_map(|plan| {
        let versions: Vec<VersionLabel> = all
            .iter()
            .filter(|version| version.state.is_open() && plan.versions.includes(version.id))
            .map(|version| version.label.clone())
            .collect();
        (!versions.is_empty()).then(|| OpenPlan {
            way: AccessWay::of(plan.security, plan.approval),
            limits: plan.current.limits.iter().map(Limit::in_words).collect(),
            versions,
            plan,
        })
    });
    Ok(open.collect())
}

async fn own(tx: &mut Tx, reader: &Reader, api: Option<ApiId>, most: u16) -> Result<Vec<OwnSubscription>> {
    let Some(caller) = &reader.caller else {
        return Ok(Vec::new());
    };
    let teams = own_teams(caller);
    let subscriptions = tx.catalog().subscriptions(api, teams.as_deref(), most).await?;
    let wanted = Wanted {
        applications: subscriptions.iter().map(|own| own.application_id).collect(),
        plans: subscriptions.iter().map(|own| own.plan_id).collect(),
        apis: subscriptions.iter().map(|own| own.api_id).collect(),
        ..Wanted::default()
    };
    let names = tx.names().of(&wanted).await?;
    let named = subscriptions.into_iter().filter_map(|subscription| {
        Some(OwnSubscription {
            application: take(&names.applications, &subscription.application_id)?,
            plan: take(&names.plans, &subscription.plan_id)?,
            api: take(&names.apis, &subscription.api_id)?,
            subscription,
        })
    });
    Ok(named.collect())
}

fn take<I: Eq + std::hash::Hash>(names: &HashMap<I, Named>, id: &I) -> Option<Named> {
    names.get(id).cloned()
}
