//! One call of an application, with the names of what it reached.

use gatewright_model::api::{Api, ApiVersion, Operation};
use gatewright_model::consumer::{Credential, Subscription};
use gatewright_model::id::{ApplicationId, CallId};
use gatewright_model::plan::Plan;
use gatewright_model::reference::Ref;
use gatewright_store::StoredCall;

use crate::caller::Caller;
use crate::consumer::{ApplicationView, Consumer};
use crate::error::{Error, Result};
use crate::versions;

/// A call with what it reached, as far as that still exists.
#[derive(Debug, Clone)]
pub struct CallView {
    /// The call.
    pub call: StoredCall,
    /// The API.
    pub api: Option<Api>,
    /// The version.
    pub version: Option<ApiVersion>,
    /// The operation, as the version describes it now.
    pub operation: Option<Operation>,
    /// The subscription that let it in, or should have.
    pub subscription: Option<Subscription>,
    /// The plan.
    pub plan: Option<Plan>,
    /// The key.
    pub credential: Option<Credential>,
}

impl Consumer<'_> {
    /// One call of an application.
    ///
    /// # Errors
    /// [`Error::NotFound`], also when another application made it.
    pub async fn call(
        &self,
        caller: &Caller,
        application: &Ref<ApplicationId>,
        id: CallId,
    ) -> Result<(ApplicationView, CallView)> {
        let application = self.application(caller, application).await?;
        let call = self.0.calls().get(caller, id).await?;
        if call.application_id != Some(application.application.id) {
            return Err(Error::missing("call"));
        }
        let mut tx = self.0.read(caller).await?;
        let api = match call.api_id {
            Some(id) => tx.apis().find(id).await?,
            None => None,
        };
        let version = match call.version_id {
            Some(id) => tx.versions().find(id).await?,
            None => None,
        };
        let operation = match (&version, &call.operation) {
            (Some(version), Some(key)) => versions::operations_of(&mut tx, version)
                .await?
                .into_iter()
                .find(|operation| operation.key == *key),
            _ => None,
        };
        let subscription = match call.subscription_id {
            Some(id) => tx.subscriptions().find(id).await?,
            None => None,
        };
        let plan = match call.plan_id {
            Some(id) => tx.plans().find(id).await?,
            None => None,
        };
        let credential = match call.credential_id {
            Some(id) => tx.credentials().find(id).await?,
            None => None,
        };
        let view = CallView {
            call,
            api,
            version,
            operation,
            subscription,
            plan,
            credential,
        };
        Ok((application, view))
    }
}
