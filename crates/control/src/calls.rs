//! Single calls: a list, and one of them explained.

use gatewright_model::id::{ApiId, ApplicationId, CallId, CredentialId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use gatewright_store::CallFilter as StoredFilter;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::usage::traffic_view;
use crate::{apis, applications};

pub use gatewright_store::StoredCall;

/// Use cases of call records.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'c>(pub(crate) &'c Control);

/// Which calls a list shows.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// To which API.
    pub api: Option<Ref<ApiId>>,
    /// Of which application.
    pub application: Option<Ref<ApplicationId>>,
    /// With which credential.
    pub credential: Option<CredentialId>,
    /// With which status.
    pub status: Option<u16>,
    /// From where.
    pub source: Option<CallSource>,
    /// From when.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
}

impl Control {
    /// Use cases of call records.
    #[must_use]
    pub const fn calls(&self) -> Calls<'_> {
        Calls(self)
    }
}

impl Calls<'_> {
    /// Lists calls, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &CallFilter,
        page: PageRequest,
    ) -> Result<Page<StoredCall>> {
        caller.require_anywhere(Permission::CallsRead)?;
        let mut tx = self.0.read(caller).await?;
        let api = match &filter.api {
            Some(api) => Some(apis::visible(&mut tx, caller, api).await?.id),
            None => None,
        };
        let application = match (&filter.application, filter.credential) {
            (Some(application), _) => Some(
                applications::find(&mut tx, caller, application, Permission::CallsRead)
                    .await?
                    .id,
            ),
            // Calls are found by the application to which the key belongs.
            (None, Some(key)) => tx.credentials().find(key).await?.map(|key| key.application_id),
            (None, None) => None,
        };
        let view = traffic_view(&mut tx, caller, Permission::CallsRead).await?;
        drop(tx);
        let stored = StoredFilter {
            api,
            version: None,
            application,
            credential: filter.credential,
            status: filter.status,
            source: filter.source,
            from: filter.from,
            to: filter.to,
            view,
        };
        Ok(self.0.parts.store.calls(caller.tenant_id, &stored, page).await?)
    }

    /// One call.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: CallId) -> Result<StoredCall> {
        caller.require_anywhere(Permission::CallsRead)?;
        let view = traffic_view(&mut self.0.read(caller).await?, caller, Permission::CallsRead).await?;
        let call = self
            .0
            .parts
            .store
            .call(caller.tenant_id, id, view.as_ref())
            .await?;
        call.ok_or(Error::missing("call"))
    }
}
