//! Every component in every state, on one page.

use crate::pages::Pages;

/// The gallery.
pub(crate) fn routes(pages: Pages) -> Pages {
    pages
}
