//! What time alone brings about: sunsets, expiries, ends of grace. Each run
//! takes what is due, in small transactions, and checks again inside of each,
//! so that two workers never do a thing twice.

use gatewright_model::api::VersionState;
use gatewright_model::audit::AuditSource;
use gatewright_model::consumer::{CredentialState, CredentialVerb, SubscriptionState, SubscriptionVerb};
use gatewright_model::id::{CredentialId, SubscriptionId, TenantId, VersionId};
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_store::Tx;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lifecycle::{self, Transition};
use crate::{credentials, subscriptions};

/// How many things one run takes of each kind.
const BATCH: u16 = 100;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// Versions that reached their sunset.
    pub versions: usize,
    /// Subscriptions that ended.
    pub subscriptions: usize,
    /// Credentials that started or ended.
    pub credentials: usize,
}

impl Due {
    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Control {
    /// Does what is due at this time.
    ///
    /// # Errors
    /// The first error; what was done before it stays done.
    pub async fn run_due(&self) -> Result<Due> {
        let now = self.now();
        let mut tx = self.read_system().await?;
        let versions = tx.versions().due_sunset(now, BATCH).await?;
        let mut subscriptions = tx.subscriptions().due_end(now, BATCH).await?;
        subscriptions.extend(tx.subscriptions().due_closing(now, BATCH).await?);
        let credentials = tx.credentials().due(now, BATCH).await?;
        drop(tx);
        let mut done = Due::default();
        for version in versions {
            done.versions += usize::from(self.retire_due(version.tenant_id, version.id, now).await?);
        }
        for due in subscriptions {
            done.subscriptions += usize::from(self.end_due(due.tenant_id, due.id, now).await?);
        }
        for due in credentials {
            done.credentials += usize::from(self.step_due(due.tenant_id, due.id, now).await?);
        }
        Ok(done)
    }

    async fn begin_as_system(&self, tenant: TenantId) -> Result<(Tx, Caller)> {
        let mut tx = self.read_system().await?;
        let slug = tx
            .tenants()
            .find(tenant)
            .await?
            .ok_or(Error::missing("tenant"))?
            .slug;
        drop(tx);
        let caller = Caller::system(tenant, slug, AuditSource::System);
        Ok((self.begin(&caller).await?, caller))
    }

    async fn retire_due(&self, tenant: TenantId, id: VersionId, now: Timestamp) -> Result<bool> {
        let (mut tx, caller) = self.begin_as_system(tenant).await?;
        let Some(version) = tx.versions().find(id).await? else {
            return Ok(false);
        };
        let passed = version
            .deprecation
            .as_ref()
            .is_some_and(|end| end.sunset_at <= now);
        if version.state != VersionState::Deprecated || !passed {
            return Ok(false);
        }
        let api = tx
            .apis()
            .lock(version.api_id)
            .await?
            .ok_or(Error::missing("api"))?;
        lifecycle::apply(self, &mut tx, &caller, &api, version, Transition::Retire).await?;
        self.commit(tx, now).await?;
        Ok(true)
    }

    async fn end_due(&self, tenant: TenantId, id: SubscriptionId, now: Timestamp) -> Result<bool> {
        let (mut tx, caller) = self.begin_as_system(tenant).await?;
        let Some(subscription) = tx.subscriptions().find(id).await? else {
            return Ok(false);
        };
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let (verb, reason) = match subscription.state {
            SubscriptionState::Closing if passed(subscription.closing_at) => {
                (SubscriptionVerb::Close, "its closing date came")
            }
            SubscriptionState::Active if passed(subscription.ends_at) => {
                (SubscriptionVerb::Expire, "its term ended")
            }
            _ => return Ok(false),
        };
        subscriptions::end(
            self,
            &mut tx,
            &caller,
            subscription,
            verb,
            Remark::parse(reason).ok(),
        )
        .await?;
        self.commit(tx, now).await?;
        Ok(true)
    }

    async fn step_due(&self, tenant: TenantId, id: CredentialId, now: Timestamp) -> Result<bool> {
        let (mut tx, caller) = self.begin_as_system(tenant).await?;
        let Some(credential) = tx.credentials().find(id).await? else {
            return Ok(false);
        };
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let (verb, reason) = match credential.state {
            CredentialState::Rotating if passed(credential.grace_until) => {
                (CredentialVerb::Revoke, Some("its grace ended"))
            }
            CredentialState::Active if passed(credential.expires_at) => (CredentialVerb::Expire, None),
            CredentialState::Scheduled if passed(credential.not_before) => (CredentialVerb::Start, None),
            _ => return Ok(false),
        };
        let reason = reason.and_then(|reason| Remark::parse(reason).ok());
        credentials::step(self, &mut tx, &caller, credential, verb, reason).await?;
        self.commit(tx, now).await?;
        Ok(true)
    }
}
