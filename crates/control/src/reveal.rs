//! Showing a fresh key again for a few minutes to the one who made it: it
//! travels sealed with the browser of its maker and opens only within the
//! session that made it. Nothing of it is kept in the store, which holds the
//! hash alone.

use std::time::Duration;

use gatewright_model::id::{CredentialId, SessionId, TenantId};
use gatewright_model::secret::SecretText;
use gatewright_model::time::Timestamp;
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::credentials::{Credentials, Issued};
use crate::error::Result;

/// So long a fresh key can be shown again.
pub const REVEAL_FOR: Duration = Duration::from_secs(10 * 60);

impl Credentials<'_> {
    /// Seals the secret of a fresh key for the session that made it. The text
    /// is hexadecimal.
    #[must_use]
    pub fn seal_for_reveal(&self, caller: &Caller, session: SessionId, issued: &Issued) -> String {
        let until = self.0.now().plus(REVEAL_FOR);
        let content = json!({ "secret": issued.secret.expose(), "until": until.as_millis() });
        let place = place(caller.tenant_id, session, issued.credential.id);
        let parts = &self.0.parts;
        let content = SecretText::new(content.to_string());
        hex::encode(
            parts
                .master_key
                .seal(&place, content.expose().as_bytes(), parts.entropy.as_ref()),
        )
    }

    /// Opens what [`Credentials::seal_for_reveal`] made. `None` once its time is
    /// over, in another session, and for another key.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when the key is not one of the caller's teams.
    pub async fn reveal(
        &self,
        caller: &Caller,
        session: SessionId,
        id: CredentialId,
        sealed: &str,
    ) -> Result<Option<SecretText>> {
        let credential = self.get(caller, id).await?;
        let place = place(caller.tenant_id, session, id);
        let opened = hex::decode(sealed)
            .ok()
            .and_then(|sealed| self.0.parts.master_key.open(&place, &sealed).ok())
            .and_then(|content| String::from_utf8(content).ok())
            .map(SecretText::new);
        let secret = opened.and_then(|content| unpack(&content, self.0.now()));
        Ok(secret.filter(|secret| self.0.hasher.hash(secret.expose()) == credential.hash))
    }
}

fn unpack(content: &SecretText, now: Timestamp) -> Option<SecretText> {
    let content: Value = serde_json::from_str(content.expose()).ok()?;
    let until = content.get("until")?.as_i64()?;
    let secret = content.get("secret")?.as_str()?;
    (now < Timestamp::from_millis(until)).then(|| SecretText::new(secret.to_owned()))
}

fn place(tenant: TenantId, session: SessionId, credential: CredentialId) -> String {
    format!("reveal/{tenant}/{session}/{credential}")
}
