//! Who reads the catalogue and the documents: somebody who is signed in, or a
//! visitor of a tenant's portal.

use gatewright_model::id::{TeamId, TenantId};
use gatewright_store::{Scope, Tx};

use crate::caller::Caller;
use crate::control::Control;
use crate::error::Result;

/// A reader of one tenant's catalogue.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The tenant whose portal is read.
    pub tenant_id: TenantId,
    /// Who reads; `None` for a visitor.
    pub caller: Option<Caller>,
}

impl Reader {
    /// Somebody who has not signed in.
    #[must_use]
    pub const fn visitor(tenant_id: TenantId) -> Self {
        Self {
            tenant_id,
            caller: None,
        }
    }

    /// Somebody who has.
    #[must_use]
    pub fn signed_in(caller: Caller) -> Self {
        Self {
            tenant_id: caller.tenant_id,
            caller: Some(caller),
        }
    }

    /// The teams in which the reader holds any right at all.
    #[must_use]
    pub fn teams(&self) -> Vec<TeamId> {
        self.caller
            .as_ref()
            .map(|caller| caller.rights.teams())
            .unwrap_or_default()
    }
}

impl Control {
    pub(crate) async fn read_as(&self, reader: &Reader) -> Result<Tx> {
        Ok(self.parts.store.read(Scope::Tenant(reader.tenant_id)).await?)
    }
}
