//! The letters. They name nothing that a stranger typed, so that nobody sends
//! their own words to others' mailboxes through us, and no address but the
//! portal's.

use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::Tenant;
use gatewright_model::text::Email;

use crate::mail::Letter;

const UNASKED: &str = "If you did not ask for this, you can ignore this mail: nothing happens.";

/// Asks who signs up to show that the address is theirs.
pub(crate) fn verify(tenant: &Tenant, to: Email, link: &SecretText) -> Letter {
    letter(
        to,
        format!("Confirm your address for {}", tenant.name),
        &[
            &format!(
                "Somebody asked for an account at {} with this address.",
                tenant.name
            ),
            "Open this link to confirm it and to choose a password:",
            link.expose(),
            "The link works once, within 24 hours.",
            UNASKED,
        ],
    )
}

/// Tells who signs up again that there is an account.
pub(crate) fn known_already(tenant: &Tenant, to: Email, sign_in: &str, forgot: &str) -> Letter {
    letter(
        to,
        format!("Your account at {}", tenant.name),
        &[
            &format!(
                "Somebody asked for an account at {} with this address, which has one already.",
                tenant.name
            ),
            &format!("Sign in: {sign_in}"),
            &format!("Choose a new password: {forgot}"),
            UNASKED,
        ],
    )
}

/// Invites somebody whom an administrator added.
pub(crate) fn invite(tenant: &Tenant, to: Email, link: &SecretText) -> Letter {
    letter(
        to,
        format!("You are invited to {}", tenant.name),
        &[
            &format!("An administrator of {} made an account for you.", tenant.name),
            "Open this link to choose a password and to sign in:",
            link.expose(),
            "The link works once, within 7 days.",
        ],
    )
}

/// Lets somebody choose a new password.
pub(crate) fn reset(tenant: &Tenant, to: Email, link: &SecretText) -> Letter {
    letter(
        to,
        format!("Choose a new password for {}", tenant.name),
        &[
            &format!(
                "Somebody asked for a new password for your account at {}.",
                tenant.name
            ),
            "Open this link to choose one:",
            link.expose(),
            "The link works once, within one hour.",
            UNASKED,
        ],
    )
}

/// Tells somebody that the password was changed, in case it was not them.
pub(crate) fn password_changed(tenant: &Tenant, to: Email, forgot: &str) -> Letter {
    letter(
        to,
        format!("Your password at {} was changed", tenant.name),
        &[
            &format!(
                "The password of your account at {} was just changed. Everybody who was signed in with it was signed out.",
                tenant.name
            ),
            "If that was not you, choose a new password now and tell your administrator:",
            forgot,
        ],
    )
}

/// Asks who wants another address to show that it is theirs.
pub(crate) fn confirm_address(tenant: &Tenant, to: Email, link: &SecretText) -> Letter {
    letter(
        to,
        format!("Confirm your new address for {}", tenant.name),
        &[
            &format!(
                "Somebody asked to use this address for their account at {}.",
                tenant.name
            ),
            "Open this link to confirm it:",
            link.expose(),
            "The link works once, within 24 hours.",
            UNASKED,
        ],
    )
}

/// Tells the old address that there may soon be another one, in case it was not them.
pub(crate) fn address_asked(tenant: &Tenant, to: Email, settings: &str) -> Letter {
    letter(
        to,
        format!("Another address for your account at {}", tenant.name),
        &[
            &format!(
                "Somebody who is signed in to your account at {} asked for another address. It changes once the new address is confirmed.",
                tenant.name
            ),
            "If that was not you, change your password now, which stops it, and tell your administrator:",
            settings,
        ],
    )
}

/// Tells both addresses that the account has another one.
pub(crate) fn address_changed(tenant: &Tenant, to: Email) -> Letter {
    letter(
        to,
        format!("The address of your account at {} was changed", tenant.name),
        &[
            &format!(
                "Your account at {} has another address now. It is the one to sign in with, and mail goes there.",
                tenant.name
            ),
            "If that was not you, tell your administrator at once.",
        ],
    )
}

/// Tells an administrator that somebody waits for an account.
pub(crate) fn sign_up_waits(tenant: &Tenant, to: Email, people: &str) -> Letter {
    letter(
        to,
        format!("Somebody waits for an account at {}", tenant.name),
        &[
            &format!(
                "Somebody confirmed their address and asks for an account at {}.",
                tenant.name
            ),
            "Look at the request and decide it here:",
            people,
        ],
    )
}

/// Tells somebody that the account is there.
pub(crate) fn approved(tenant: &Tenant, to: Email, sign_in: &str) -> Letter {
    letter(
        to,
        format!("Your account at {} is ready", tenant.name),
        &[
            &format!("Your request for an account at {} was approved.", tenant.name),
            &format!("Sign in: {sign_in}"),
        ],
    )
}

/// Tells somebody that there will be no account.
pub(crate) fn rejected(tenant: &Tenant, to: Email) -> Letter {
    letter(
        to,
        format!("Your request for an account at {}", tenant.name),
        &[&format!(
            "Your request for an account at {} was not approved.",
            tenant.name
        )],
    )
}

fn letter(to: Email, subject: String, paragraphs: &[&str]) -> Letter {
    let mut text = paragraphs.join("\n\n");
    text.push('\n');
    Letter { to, subject, text }
}
