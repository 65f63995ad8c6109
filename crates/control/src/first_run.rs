//! From a draft to a first call in one step: what a publisher would do by hand
//! on five pages, for the first run of an installation.

use gatewright_model::api::VersionState;
use gatewright_model::consumer::{
    Application, ApplicationState, CredentialKind, Environment, Subscription, SubscriptionState,
};
use gatewright_model::id::ApiId;
use gatewright_model::page::PageRequest;
use gatewright_model::plan::{ApprovalMode, Plan, PlanState, PlanVerb, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Name, Slug};

use crate::applications::{ApplicationFilter, NewApplication};
use crate::caller::Caller;
use crate::control::Control;
use crate::credentials::{Issued, NewCredential};
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::lifecycle::Transition;
use crate::limits::{NewLimit, RawLimit};
use crate::plans::{NewPlan, PlanVersions};
use crate::subscriptions::{NewSubscription, SubscriptionFilter};

/// The name of the application that the first run makes.
pub const FIRST_APPLICATION: &str = "My first app";

/// Use cases of the first run after the first import.
#[derive(Debug, Clone, Copy)]
pub struct FirstRun<'c>(&'c Control);

/// Everything that a first call needs.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// The application.
    pub application: Application,
    /// Its subscription.
    pub subscription: Subscription,
    /// Its key, which is shown only here.
    pub issued: Issued,
}

impl Control {
    /// Use cases of the first run after the first import.
    #[must_use]
    pub const fn first_run(&self) -> FirstRun<'_> {
        FirstRun(self)
    }
}

impl FirstRun<'_> {
    /// Publishes a version with a free plan, and makes an application with a
    /// subscription and a key. Each step is a use case of its own and looks
    /// first, so that what broke off halfway is gone on with.
    ///
    /// # Errors
    /// Those of the steps: [`Error::Guard`] when the version lacks something.
    pub async fn prepare(&self, caller: &Caller, api: &Ref<ApiId>, version: &VersionRef) -> Result<Prepared> {
        let plan = self.plan(caller, api).await?;
        let versions = self.0.versions();
        let state = versions.get(caller, api, version).await?.version.state;
        if state != VersionState::Published {
            versions
                .transition(caller, api, version, Transition::Publish, IfMatch::ANY)
                .await?;
        }
        let application = self.application(caller).await?;
        let subscription = self.subscription(caller, &application, &plan).await?;
        let new = NewCredential {
            kind: CredentialKind::ApiKey,
            name: None,
            not_before: None,
            expires_at: None,
        };
        let of = Ref::Id(application.id);
        let issued = self.0.credentials().issue(caller, &of, new).await?;
        Ok(Prepared {
            plan,
            application,
            subscription,
            issued,
        })
    }

    /// An open plan that grants at once, or a new one.
    async fn plan(&self, caller: &Caller, api: &Ref<ApiId>) -> Result<Plan> {
        let plans = self.0.plans();
        let known = plans.list(caller, api, PageRequest::default()).await?;
        let at_once = |plan: &Plan| {
            plan.approval == ApprovalMode::Auto
                && plan.security == Security::ApiKey
                && matches!(plan.state, PlanState::Draft | PlanState::Published)
        };
        let plan = match known.items.into_iter().find(at_once) {
            Some(plan) => plan,
            None => plans.create(caller, api, free_plan()?).await?,
        };
        if plan.state == PlanState::Published {
            return Ok(plan);
        }
        plans
            .transition(caller, plan.id, PlanVerb::Publish, IfMatch::ANY)
            .await
    }

    async fn application(&self, caller: &Caller) -> Result<Application> {
        let applications = self.0.applications();
        let filter = ApplicationFilter {
            q: Some(FIRST_APPLICATION.to_owned()),
            state: Some(ApplicationState::Active),
            ..ApplicationFilter::default()
        };
        let known = applications.list(caller, &filter, PageRequest::default()).await?;
        let ours = |application: &Application| application.name.as_str() == FIRST_APPLICATION;
        if let Some(application) = known.items.into_iter().find(ours) {
            return Ok(application);
        }
        let new = NewApplication {
            name: Name::parse(FIRST_APPLICATION).map_err(|invalid| Error::field("/name", invalid))?,
            slug: None,
            team: None,
            environment: Environment::Live,
        };
        applications.create(caller, new).await
    }

    async fn subscription(
        &self,
        caller: &Caller,
        application: &Application,
        plan: &Plan,
    ) -> Result<Subscription> {
        let subscriptions = self.0.subscriptions();
        let of = Ref::Id(application.id);
        let filter = SubscriptionFilter {
            application: Some(of.clone()),
            plan: Some(plan.id),
            state: Some(SubscriptionState::Active),
            ..SubscriptionFilter::default()
        };
        let known = subscriptions
            .list(caller, &filter, PageRequest::default())
            .await?;
        if let Some(subscription) = known.items.into_iter().next() {
            return Ok(subscription);
        }
        let new = NewSubscription {
            plan_id: plan.id,
            reason: None,
        };
        subscriptions.request(caller, &of, new).await
    }
}

fn free_plan() -> Result<NewPlan> {
    Ok(NewPlan {
        name: Name::parse("Free").map_err(|invalid| Error::field("/name", invalid))?,
        slug: Slug::parse("free").map_err(|invalid| Error::field("/slug", invalid))?,
        description: String::new(),
        versions: PlanVersions::All,
        security: Security::ApiKey,
        approval: ApprovalMode::Auto,
        limits: free_limits()?,
    })
}

/// The limits of the plan that is made, so that a page can say them before.
///
/// # Errors
/// A fault of ours.
pub fn free_limits() -> Result<Vec<NewLimit>> {
    let limit = |name: &str, kind: &str, amount, window: &str| {
        let raw = RawLimit {
            name: Some(name.to_owned()),
            kind: kind.to_owned(),
            amount,
            window: window.to_owned(),
            ..RawLimit::default()
        };
        NewLimit::parse(&raw).map_err(Error::Invalid)
    };
    Ok(vec![
        limit("per-minute", "rate", 60, "1m")?,
        limit("daily", "quota", 1_000, "1d")?,
    ])
}
