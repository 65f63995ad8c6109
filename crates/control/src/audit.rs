//! Reading the audit trail and proving that nobody changed it.

use gatewright_model::audit::AuditEvent;
use gatewright_model::id::{AuditEventId, UserId};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::time::Timestamp;
use gatewright_store::AuditFilter as StoredFilter;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};

/// Use cases of the audit trail.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'c>(pub(crate) &'c Control);

/// Which events a list shows.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// What was done: `version.publish`.
    pub action: Option<String>,
    /// To which kind of thing.
    pub subject_kind: Option<String>,
    /// To which thing.
    pub subject_id: Option<String>,
    /// By whom.
    pub user: Option<UserId>,
    /// From when.
    pub from: Option<Timestamp>,
    /// Until when.
    pub to: Option<Timestamp>,
}

/// Whether the chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// How many events were checked.
    pub checked: u64,
    /// The number of the first event that is not what it must be.
    pub broken_at: Option<i64>,
}

impl Control {
    /// Use cases of the audit trail.
    #[must_use]
    pub const fn audit(&self) -> Audit<'_> {
        Audit(self)
    }
}

impl Audit<'_> {
    /// Lists events, newest first.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn list(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEvent>> {
        caller.require(Permission::AuditRead)?;
        let mut tx = self.0.read(caller).await?;
        let stored = StoredFilter {
            action: filter.action.clone(),
            subject_kind: filter.subject_kind.clone(),
            subject_id: filter.subject_id.clone(),
            user_id: filter.user,
            from: filter.from,
            to: filter.to,
        };
        Ok(tx.audit_events().list(&stored, page).await?)
    }

    /// One event.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: AuditEventId) -> Result<AuditEvent> {
        caller.require(Permission::AuditRead)?;
        let mut tx = self.0.read(caller).await?;
        tx.audit_events()
            .find(id)
            .await?
            .ok_or(Error::missing("audit event"))
    }

    /// Recomputes the chain of the caller's tenant from its beginning.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub async fn verify(&self, caller: &Caller) -> Result<AuditVerdict> {
        caller.require(Permission::AuditRead)?;
        let mut tx = self.0.read(caller).await?;
        let verdict = tx.audit_events().verify(caller.tenant_id).await?;
        Ok(AuditVerdict {
            checked: verdict.checked,
            broken_at: verdict.broken_at,
        })
    }
}
