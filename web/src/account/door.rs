//! What the pages before the sign-in share: where they lead, the cookie of a
//! new session, the headers of pages that hold a secret, and links that do not
//! work any more.

use askama::Template;
use gatewright_control::Error;
use gatewright_control::accounts::LinkView;
use gatewright_control::sessions::Opened;
use gatewright_model::account::LinkPurpose;
use gatewright_model::secret::SecretText;
use gatewright_model::time::Timestamp;
use gatewright_webkit::permit::Demand;
use gatewright_webkit::problem::Problem;
use http::header::{CACHE_CONTROL, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderValue, StatusCode};

use crate::console::permit::Console;
use crate::cookies;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "account/link_gone.html")]
struct LinkGone {
    shell: Shell,
    advice: &'static str,
    href: &'static str,
    label: &'static str,
}

/// A page with a secret in its address or in its text: nobody keeps it, and
/// its address goes nowhere. Forms still say from which portal they come, which
/// `no-referrer` would forbid.
pub(super) fn secret(page: Page) -> Page {
    page.header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(REFERRER_POLICY, HeaderValue::from_static("strict-origin"))
}

/// The page for a link that was used or is too old.
pub(super) fn link_gone(
    visit: &Visit,
    advice: &'static str,
    (href, label): (&'static str, &'static str),
) -> Result<Page, Problem> {
    let page = Page::html(&LinkGone {
        shell: visit.shell("This link does not work any more"),
        advice,
        href,
        label,
    })?;
    Ok(secret(page.status(StatusCode::GONE)))
}

/// Hands the cookie of a new session over and leads to a page of this tenant.
pub(super) async fn come_in(visit: &Visit, opened: &Opened, path: &str) -> Result<Page, Problem> {
    let cookie = take_over(visit, opened).await?;
    Ok(visit.redirect(path).header(SET_COOKIE, cookie))
}

/// Ends the session that was, if any, and gives the cookie of the new one: the
/// id of a session is never taken over into the next.
pub(super) async fn take_over(visit: &Visit, opened: &Opened) -> Result<HeaderValue, Problem> {
    if let Some(old) = visit.session_secret() {
        visit.app().control.sessions().sign_out(old).await?;
    }
    let lasts = opened.expires_at.since(visit.app().control.now());
    Ok(cookies::set(
        visit.app().secure(),
        visit.session_cookie(),
        opened.secret.expose(),
        i64::try_from(lasts.as_secs()).ok(),
    ))
}

/// Where somebody goes who has just come in and came from nowhere.
pub(super) fn home(opened: &Opened) -> &'static str {
    let rights = &opened.view.caller.rights;
    let console = Console::ANY_OF.iter();
    if console.copied().any(|permission| rights.anywhere(permission)) {
        "/console"
    } else {
        "/me"
    }
}

/// A place of this portal to go back to. Anything else is no place.
pub(super) fn local(path: &str) -> Option<&str> {
    let inside = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2_000
        && !path
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '\\')
        && path.is_ascii();
    let leads_out = ["/sign-out", "/sign-in", "/sign-up"];
    (inside && !leads_out.iter().any(|out| path.starts_with(out))).then_some(path)
}

/// The one-time secret in a path with what its link is about. `None` when it does not work.
pub(super) async fn open(
    visit: &Visit,
    purpose: LinkPurpose,
    secret: String,
) -> Result<Option<(SecretText, LinkView)>, Problem> {
    let secret = SecretText::new(secret);
    let accounts = visit.app().control.accounts();
    let link = accounts.link(visit.tenant(), purpose, &secret).await?;
    Ok(link.map(|link| (secret, link)))
}

/// Whether a use case says that the link does not work.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(
        error,
        Error::Guard {
            code: "link_invalid",
            ..
        }
    )
}

/// How long a link still works, in words.
pub(super) fn time_left(expires_at: Timestamp, now: Timestamp) -> String {
    let minutes = expires_at.since(now).as_secs().div_ceil(60);
    match minutes {
        0..=1 => "1 minute".to_owned(),
        2..=119 => format!("{minutes} minutes"),
        120..=2879 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_of_this_portal_are_gone_back_to() {
        for path in ["/", "/me/apps?x=1", "/apis/pets#top"] {
            assert_eq!(local(path), Some(path));
        }
        for path in [
            "",
            "apis",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/sign-out",
            "/a\r\nb",
            "/ä",
        ] {
            assert_eq!(local(path), None, "{path}");
        }
    }
}
