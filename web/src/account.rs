//! Coming in: first run, sign-in, sign-up, passwords, sessions.

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    pages
}
