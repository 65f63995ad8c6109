//! How people come to their accounts: sessions that they hold, accounts that
//! they ask for, and the links with one-time secrets that they are sent.

use std::net::IpAddr;

use crate::id::{SessionId, SignUpId, TenantId, UserId};
use crate::secret::SecretHash;
use crate::text::{Email, Name};
use crate::time::Timestamp;
use crate::words;

words! {
    /// How far somebody's wish to have an account has come.
    SignUpState {
        /// Somebody has to decide.
        Waiting = "waiting",
        /// There is an account now.
        Approved = "approved",
        /// There will be none.
        Rejected = "rejected",
    }
}

words! {
    /// What a link with a one-time secret is for.
    LinkPurpose {
        /// Lets an invited person choose a password.
        Invite = "invite",
        /// Lets a person choose a new password.
        Reset = "reset",
        /// Proves that an address belongs to who asks for an account.
        Verify = "verify",
    }
}

/// A session of a signed-in person. Its cookie holds the secret; the store holds the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, for lists; it opens nothing.
    pub id: SessionId,
    /// What is looked up.
    pub hash: SecretHash,
    /// The person's tenant.
    pub tenant_id: TenantId,
    /// The person.
    pub user_id: UserId,
    /// The person's epoch when the session began; a later epoch ends it.
    pub auth_epoch: i64,
    /// The browser, in its own words, for the list of sessions.
    pub client: String,
    /// Where it began, when that is known.
    pub address: Option<IpAddr>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used; written at most once a minute.
    pub last_seen_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Until when it opens the console, which asks for the password again sooner.
    pub console_until: Timestamp,
}

/// Somebody's wish to have an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignUp {
    /// Its id.
    pub id: SignUpId,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// The address of the account.
    pub email: Email,
    /// Whether it was shown that the address is theirs.
    pub email_verified: bool,
    /// How they want to be called.
    pub name: Name,
    /// How far it has come.
    pub state: SignUpState,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// When that was.
    pub decided_at: Option<Timestamp>,
    /// The account that was made.
    pub user_id: Option<UserId>,
    /// When they asked.
    pub created_at: Timestamp,
}

/// A link with a secret that works once. The store holds the hash of the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountLink {
    /// What is looked up.
    pub hash: SecretHash,
    /// In which tenant.
    pub tenant_id: TenantId,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The account, where there is one already.
    pub user_id: Option<UserId>,
    /// The address it is about.
    pub email: Email,
    /// How they want to be called, where there is no account yet.
    pub name: Option<Name>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Timestamp,
}
