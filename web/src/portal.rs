//! The portal: for those who use APIs.

mod help;

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    help::routes(pages)
}
