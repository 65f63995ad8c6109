//! The portal: for those who use APIs.

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    pages
}
