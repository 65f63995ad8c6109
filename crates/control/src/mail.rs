//! Mail: what is written to people, and how it waits for its delivery.
//!
//! A letter may hold a link that opens an account, so it is sealed with the
//! master key while it waits in the outbox. The worker opens and delivers it.

pub(crate) mod letters;

use gatewright_model::id::{OutboxId, TenantId};
use gatewright_model::text::Email;
use gatewright_store::{OutboxEntry, OutboxMessage, Tx};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::control::Control;
use crate::error::{Error, Result};

/// The topic of letters in the outbox.
pub const MAIL: &str = "mail";

/// A letter to one address, in plain text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// To whom.
    pub to: Email,
    /// The subject line.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").finish_non_exhaustive()
    }
}

impl Control {
    /// Whether links go to people's addresses; else whoever asks for one gets it shown.
    #[must_use]
    pub const fn sends_mail(&self) -> bool {
        self.sends_mail
    }

    /// Opens a letter that waits for delivery.
    ///
    /// # Errors
    /// [`Error::Internal`] when it was sealed under another key or was changed.
    pub fn open_letter(&self, message: &OutboxMessage) -> Result<Letter> {
        let damaged = |what: &str| Error::Internal(format!("the letter {} {what}", message.id));
        let sealed = message.payload.get("sealed").and_then(|sealed| sealed.as_str());
        let sealed = sealed
            .and_then(|sealed| hex::decode(sealed).ok())
            .ok_or_else(|| damaged("is malformed"))?;
        let plain = self
            .parts
            .master_key
            .open(&place(message.tenant_id, message.id), &sealed)
            .map_err(|_| damaged("cannot be opened with this master key"))?;
        serde_json::from_slice(&plain).map_err(|_| damaged("cannot be read"))
    }

    /// Puts a letter into the outbox, to be delivered once the transaction stands.
    pub(crate) fn post(&self, tx: &mut Tx, tenant: TenantId, letter: &Letter) -> Result<()> {
        let at = self.now();
        let id = self.new_id(at);
        let plain = serde_json::to_vec(letter).map_err(|error| Error::Internal(error.to_string()))?;
        let sealed = self
            .parts
            .master_key
            .seal(&place(tenant, id), &plain, self.parts.entropy.as_ref());
        tx.outbox(OutboxEntry {
            id,
            tenant_id: tenant,
            topic: MAIL.to_owned(),
            payload: json!({ "sealed": hex::encode(sealed) }),
            created_at: at,
        });
        Ok(())
    }
}

fn place(tenant: TenantId, id: OutboxId) -> String {
    format!("{tenant}/outbox/{id}/payload")
}
