//! Repeating a POST without repeating its effect: the answer of the first one
//! is kept, sealed, for 24 hours and given again.

use gatewright_model::time::Timestamp;
use gatewright_store::{IdempotencyKey, StoredAnswer};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};

/// An answer as it went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Its `Location`.
    pub location: Option<String>,
    /// Its `ETag`. Answers that were kept before there was one have none.
    #[serde(default)]
    pub etag: Option<String>,
    /// Its body.
    pub body: String,
}

/// The right to answer under a key. It must be finished or abandoned.
#[derive(Debug)]
pub struct Ticket {
    key: IdempotencyKey,
    place: String,
    since: Timestamp,
}

/// What is known of a key.
#[derive(Debug)]
pub enum Begun {
    /// Nobody used it: go on.
    Fresh(Ticket),
    /// The answer of the first time.
    Replay(KeptAnswer),
    /// The first one is still under way.
    InProgress,
    /// The key was used for something else.
    Mismatch,
}

impl Control {
    /// Takes a key for one request. `request` is its method and path with a space
    /// between, `body_hash` the SHA-256 of its body.
    ///
    /// # Errors
    /// Store errors, [`Error::Internal`] when a kept answer is damaged.
    pub async fn begin_idempotent(
        &self,
        caller: &Caller,
        request: &str,
        key: &str,
        body_hash: [u8; 32],
    ) -> Result<Begun> {
        let now = self.now();
        let principal = caller.user_id.map(|user| user.to_string()).unwrap_or_default();
        let (method, path) = request.split_once(' ').unwrap_or(("", request));
        let (method, path, key) = (method.to_owned(), path.to_owned(), key.to_owned());
        let key = IdempotencyKey {
            tenant: caller.tenant_id,
            principal,
            method,
            path,
            key,
        };
        let place = format!(
            "{}/idempotency/{}/{} {}/{}",
            key.tenant, key.principal, key.method, key.path, key.key
        );
        match self.parts.store.begin_idempotent(&key, body_hash, now).await? {
            StoredAnswer::Fresh => Ok(Begun::Fresh(Ticket {
                key,
                place,
                since: now,
            })),
            StoredAnswer::InProgress => Ok(Begun::InProgress),
            StoredAnswer::Mismatch => Ok(Begun::Mismatch),
            StoredAnswer::Kept(sealed) => {
                let damaged = |_| Error::Internal("a kept answer could not be opened".to_owned());
                let plain = self
                    .parts
                    .master_key
                    .open(&place, &sealed)
                    .map_err(|_| damaged(()))?;
                serde_json::from_slice(&plain)
                    .map(Begun::Replay)
                    .map_err(|_| damaged(()))
            }
        }
    }

    /// Keeps the answer. It may hold a secret that is shown once, so it is sealed.
    ///
    /// # Errors
    /// Store errors.
    pub async fn finish_idempotent(&self, ticket: Ticket, answer: &KeptAnswer) -> Result<()> {
        let plain = serde_json::to_vec(answer).map_err(|error| Error::Internal(error.to_string()))?;
        let sealed = self
            .parts
            .master_key
            .seal(&ticket.place, &plain, self.parts.entropy.as_ref());
        Ok(self
            .parts
            .store
            .finish_idempotent(&ticket.key, ticket.since, answer.status, &sealed)
            .await?)
    }

    /// Gives the key back: nothing happened, so that a retry really retries.
    ///
    /// # Errors
    /// Store errors.
    pub async fn abandon_idempotent(&self, ticket: Ticket) -> Result<()> {
        Ok(self
            .parts
            .store
            .abandon_idempotent(&ticket.key, ticket.since)
            .await?)
    }
}
