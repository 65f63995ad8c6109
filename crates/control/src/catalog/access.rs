//! The way in, as one step: an application if there is none yet, the
//! subscription, and where that is active at once a first key. All of it
//! happens, or nothing does.

use gatewright_model::api::Api;
use gatewright_model::consumer::{
    Application, CredentialKind, CredentialState, Environment, Subscription, SubscriptionState,
};
use gatewright_model::id::{ApiId, ApplicationId, PlanId, TeamId};
use gatewright_model::invalid::Invalid;
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::text::{Name, Remark};
use gatewright_store::Tx;

use crate::applications::{self, NewApplication};
use crate::caller::Caller;
use crate::catalog::{Catalog, sight};
use crate::credentials::{self, Issued, NewCredential};
use crate::error::{Error, Result};
use crate::reader::Reader;
use crate::subscriptions::{self, NewSubscription};

/// Which application gets in.
#[derive(Debug, Clone)]
pub enum ForApplication {
    /// One that is there.
    Existing(Ref<ApplicationId>),
    /// One that is made for it.
    New {
        /// As people read it.
        name: Name,
        /// Which kind of keys it gets.
        environment: Environment,
        /// Who owns it.
        team: Ref<TeamId>,
    },
}

/// A wish to use an API.
#[derive(Debug, Clone)]
pub struct AccessRequest {
    /// Under which plan.
    pub plan: PlanId,
    /// Who gets in.
    pub application: ForApplication,
    /// For the approver.
    pub note: Option<Remark>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct AccessGranted {
    /// Who got in, or waits.
    pub application: Application,
    /// Active, or pending.
    pub subscription: Subscription,
    /// The first key; `None` while a decision is waited for, and where the
    /// application has a key already, which now opens this API too.
    pub issued: Option<Issued>,
}

impl Catalog<'_> {
    /// Asks for access to an API.
    ///
    /// # Errors
    /// As for making applications, subscriptions and keys; fields are named
    /// `plan`, `application`, `name`, `team`.
    pub async fn request_access(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        wish: AccessRequest,
    ) -> Result<AccessGranted> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = sight::visible_api(&mut tx, &Reader::signed_in(caller.clone()), api).await?;
        check_plan(&mut tx, &api, wish.plan).await?;
        let application = self.application(&mut tx, caller, wish.application).await?;
        let new = NewSubscription {
            plan_id: wish.plan,
            reason: wish.note,
        };
        let subscription = subscriptions::ask(self.0, &mut tx, caller, &application, new).await?;
        let issued = match subscription.state {
            SubscriptionState::Active => self.first_key(&mut tx, caller, &application).await?,
            _ => None,
        };
        self.0.commit(tx, now).await?;
        Ok(AccessGranted {
            application,
            subscription,
            issued,
        })
    }

    async fn application(&self, tx: &mut Tx, caller: &Caller, wanted: ForApplication) -> Result<Application> {
        match wanted {
            ForApplication::Existing(application) => {
                let found =
                    applications::find(tx, caller, &application, Permission::SubscriptionsRequest).await;
                found.map_err(|error| match error {
                    Error::NotFound { .. } => {
                        let rule = "must be one of your applications";
                        Error::field("/application", Invalid::new("unknown_application", rule))
                    }
                    other => other,
                })
            }
            ForApplication::New {
                name,
                environment,
                team,
            } => {
                let new = NewApplication {
                    name,
                    slug: None,
                    team: Some(team),
                    environment,
                };
                let made = applications::insert(self.0, tx, caller, new).await?;
                caller.require_in(Permission::SubscriptionsRequest, made.team_id)?;
                Ok(made)
            }
        }
    }

    /// A key for an application that has none that works.
    async fn first_key(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        application: &Application,
    ) -> Result<Option<Issued>> {
        let known = tx.credentials().of_application(application.id).await?;
        let works = known
            .iter()
            .any(|credential| credential.state == CredentialState::Active);
        let may = caller
            .rights
            .in_team(Permission::CredentialsWrite, application.team_id);
        if works || !may {
            return Ok(None);
        }
        let new = NewCredential {
            kind: CredentialKind::ApiKey,
            name: None,
            not_before: None,
            expires_at: None,
        };
        credentials::insert(self.0, tx, caller, application, new)
            .await
            .map(Some)
    }
}

async fn check_plan(tx: &mut Tx, api: &Api, plan: PlanId) -> Result<()> {
    match tx.plans().find(plan).await? {
        Some(plan) if plan.api_id == api.id => Ok(()),
        _ => {
            let rule = "must be one of the plans of this API";
            Err(Error::field("/plan", Invalid::new("unknown_plan", rule)))
        }
    }
}
