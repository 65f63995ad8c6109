//! What is kept only for a while.

use std::time::Duration;

use gatewright_model::id::TenantId;
use gatewright_store::Scope;

use crate::accounts::throttle::FORGET;
use crate::control::Control;
use crate::error::Result;

/// Requests for accounts are kept so long, decided or not.
const KEEP_SIGN_UPS: Duration = Duration::from_secs(90 * 86_400);

impl Control {
    /// Removes sessions, links, requests for accounts and counts of tries whose time is over.
    ///
    /// # Errors
    /// Store errors.
    pub async fn forget_accounts(&self) -> Result<()> {
        let now = self.now();
        let mut tx = self.parts.store.begin(Scope::System).await?;
        tx.sessions().delete_expired(now).await?;
        tx.account_links().delete_expired(now).await?;
        tx.sign_ups().delete_before(now.minus(KEEP_SIGN_UPS)).await?;
        tx.attempts().delete_before(now.minus(FORGET)).await?;
        tx.commit(now).await?;
        Ok(())
    }

    /// Lets an account be tried again at once: its owner has a new password.
    pub(crate) async fn forget_tries(&self, tenant: TenantId, email: &str) -> Result<()> {
        let key = self.trying_account(tenant, email).key();
        let now = self.now();
        let mut tx = self.parts.store.begin(Scope::System).await?;
        tx.attempts().remove(&key).await?;
        tx.commit(now).await?;
        Ok(())
    }
}
