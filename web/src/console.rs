//! The console: for those who offer and oversee APIs.

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    pages
}
