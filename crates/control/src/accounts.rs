//! Accounts: how people get one, and how they get back into it.
//!
//! Whoever may invite people makes links; everybody else asks for them. With
//! mail a link goes to the address it is about and is shown to nobody; without
//! mail it is shown once to the administrator who made it.
//!
//! Nothing here tells a stranger whether an address has an account, except a
//! sign-up that is open to everybody and has no mail to answer by.

mod address;
mod cleanup;
mod invitations;
mod links;
mod passwords;
mod people;
mod setup;
mod sign_ups;
#[cfg(test)]
mod tests;
pub(crate) mod throttle;

use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::{DEFAULT_TENANT, Tenant};
use gatewright_model::time::Timestamp;

use crate::control::Control;

pub use links::LinkView;
pub use setup::{NewAdmin, Setup};
pub use sign_ups::{NewSignUp, SignedUp};

/// Use cases of accounts.
#[derive(Debug, Clone, Copy)]
pub struct Accounts<'c>(pub(crate) &'c Control);

/// Where a link with a one-time secret went.
#[derive(Debug, Clone)]
pub enum SentLink {
    /// To the address it is about.
    Mailed {
        /// When it stops working by itself.
        expires_at: Timestamp,
    },
    /// To whoever asked: there is no mail. It is shown once.
    Shown {
        /// The link.
        link: SecretText,
        /// When it stops working by itself.
        expires_at: Timestamp,
    },
}

impl SentLink {
    /// When the link stops working by itself.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        match self {
            Self::Mailed { expires_at } | Self::Shown { expires_at, .. } => *expires_at,
        }
    }

    /// The link, where it has to be handed over by hand.
    #[must_use]
    pub const fn link(&self) -> Option<&SecretText> {
        match self {
            Self::Mailed { .. } => None,
            Self::Shown { link, .. } => Some(link),
        }
    }
}

impl Control {
    /// Use cases of accounts.
    #[must_use]
    pub const fn accounts(&self) -> Accounts<'_> {
        Accounts(self)
    }

    /// The public address of a page of a tenant's portal.
    pub(crate) fn page_address(&self, tenant: &Tenant, path: &str) -> String {
        let portal = &self.urls().portal;
        let slug = tenant.slug.as_str();
        if slug == DEFAULT_TENANT {
            [portal, path].concat()
        } else {
            [portal, "/t/", slug, path].concat()
        }
    }
}
