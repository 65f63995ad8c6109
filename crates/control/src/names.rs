//! What the things in a list are called. Whoever may see a list may see the
//! names of what stands in it.

use crate::caller::Caller;
use crate::control::Control;
use crate::error::Result;

pub use gatewright_store::{Named, Names, Wanted};

impl Control {
    /// Looks up names within the caller's tenant.
    ///
    /// # Errors
    /// Store errors.
    pub async fn names(&self, caller: &Caller, wanted: &Wanted) -> Result<Names> {
        let mut tx = self.read(caller).await?;
        Ok(tx.names().of(wanted).await?)
    }
}
