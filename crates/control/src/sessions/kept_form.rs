//! A form that waits while its sender shows once more who they are: it travels
//! sealed with the sender's own browser. Nothing of it is kept in the store.

use std::time::Duration;

use gatewright_model::id::{TenantId, UserId};
use gatewright_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sessions::Sessions;

/// So long a form waits.
const WAITS: Duration = Duration::from_secs(3_600);

/// A form as it was sent. It may hold secrets, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptForm {
    /// Whose it is; `None` where the session had ended already.
    pub user: Option<UserId>,
    /// The page that it was sent to.
    pub path: String,
    /// The query of that address, without its question mark.
    pub query: String,
    /// The encoded fields.
    pub body: String,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    until: i64,
    form: KeptForm,
}

impl Sessions<'_> {
    /// Seals a form for an hour. The text is hexadecimal.
    ///
    /// # Errors
    /// [`Error::Internal`] when it cannot be written down.
    pub fn seal_form(&self, tenant: TenantId, form: KeptForm) -> Result<String> {
        let until = self.0.now().plus(WAITS).as_millis();
        let plain = serde_json::to_vec(&Sealed { until, form })
            .map_err(|error| Error::Internal(error.to_string()))?;
        let parts = &self.0.parts;
        let sealed = parts
            .master_key
            .seal(&place(tenant), &plain, parts.entropy.as_ref());
        Ok(hex::encode(sealed))
    }

    /// Opens what [`Sessions::seal_form`] made. `None` once its time is over, in
    /// another tenant, and for what was not sealed here.
    #[must_use]
    pub fn open_form(&self, tenant: TenantId, sealed: &str) -> Option<KeptForm> {
        let sealed = hex::decode(sealed).ok()?;
        let plain = self.0.parts.master_key.open(&place(tenant), &sealed).ok()?;
        let opened: Sealed = serde_json::from_slice(&plain).ok()?;
        (self.0.now() < Timestamp::from_millis(opened.until)).then_some(opened.form)
    }
}

fn place(tenant: TenantId) -> String {
    format!("form/{tenant}")
}
