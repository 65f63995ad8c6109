//! What the demo made up, remembered so that exactly that can be taken out again.

use gatewright_model::consumer::{ApplicationState, ApplicationVerb};
use gatewright_model::id::{ApiId, ApplicationId, EntityId};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::snapshot::PartKind;
use gatewright_store::{MetaKey, Scope};
use serde_json::json;

use crate::apis::owned;
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;

/// Use cases of made-up content.
#[derive(Debug, Clone, Copy)]
pub struct Samples<'c>(pub(crate) &'c Control);

/// What was made up.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Made {
    /// APIs.
    pub apis: Vec<ApiId>,
    /// Applications.
    pub applications: Vec<ApplicationId>,
    /// Whether usage was made up too.
    pub usage: bool,
}

impl Control {
    /// Use cases of made-up content.
    #[must_use]
    pub const fn samples(&self) -> Samples<'_> {
        Samples(self)
    }
}

impl Samples<'_> {
    /// What was made up so far.
    ///
    /// # Errors
    /// Store errors; [`Error::Internal`] when the record cannot be read.
    pub async fn made(&self) -> Result<Made> {
        let mut tx = self.0.read_system().await?;
        match tx.meta().get(MetaKey::DemoContent).await? {
            Some(text) => serde_json::from_str(&text)
                .map_err(|error| Error::Internal(format!("the record of the demo cannot be read: {error}"))),
            None => Ok(Made::default()),
        }
    }

    /// Remembers what was made up so far.
    ///
    /// # Errors
    /// Store errors.
    pub async fn remember(&self, made: &Made) -> Result<()> {
        let mut tx = self.0.parts.store.begin(Scope::System).await?;
        if *made == Made::default() {
            tx.meta().remove(MetaKey::DemoContent).await?;
        } else {
            let text = json!(made).to_string();
            tx.meta().set(MetaKey::DemoContent, &text).await?;
        }
        self.0.commit(tx, self.0.now()).await
    }

    /// Takes out what was made up, and nothing else: APIs go with all that
    /// hangs on them, applications are archived, so that what others see in
    /// their history still has a name. Says what was taken out.
    ///
    /// # Errors
    /// Store errors; what was taken out before stays out, and the rest is
    /// still remembered.
    pub async fn remove(&self, caller: &Caller) -> Result<Made> {
        let made = self.made().await?;
        for id in &made.applications {
            self.archive(caller, *id).await?;
        }
        for id in &made.apis {
            self.remove_api(caller, *id).await?;
        }
        if made.usage {
            self.0.parts.store.forget_samples(caller.tenant_id).await?;
        }
        self.remember(&Made::default()).await?;
        Ok(made)
    }

    async fn archive(&self, caller: &Caller, id: ApplicationId) -> Result<()> {
        let applications = self.0.applications();
        match applications.get(caller, &Ref::Id(id)).await {
            Ok(application) if application.state != ApplicationState::Archived => {
                let (id, verb) = (Ref::Id(id), ApplicationVerb::Archive);
                applications
                    .transition(caller, &id, verb, None, IfMatch::ANY)
                    .await
                    .map(drop)
            }
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn remove_api(&self, caller: &Caller, id: ApiId) -> Result<()> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = match owned(&mut tx, caller, &Ref::Id(id), Permission::ApisWrite).await {
            Ok(api) => api,
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for version in tx.versions().of_api(id).await? {
            tx.put_part(PartKind::Version, version.id.uuid(), None);
        }
        tx.put_part(PartKind::Api, id.uuid(), None);
        tx.apis().delete_with_history(id).await?;
        let details = json!({ "slug": api.slug, "sample": true });
        tx.audit(entry(caller, now, "api.delete", "api", id, details));
        self.0.commit(tx, now).await
    }
}
