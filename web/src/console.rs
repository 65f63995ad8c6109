//! The console: for those who offer and oversee APIs.

mod approvals;

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    approvals::routes(pages)
}
