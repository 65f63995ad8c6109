//! The console: for those who offer and oversee APIs.

mod approvals;
mod apps;
mod audit;
mod keys;
mod subscriptions;

use crate::pages::Pages;

/// Every group of pages, one line each.
const GROUPS: &[fn(Pages) -> Pages] = &[
    approvals::routes,
    apps::routes,
    subscriptions::routes,
    keys::routes,
    audit::routes,
];

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    GROUPS.iter().fold(pages, |pages, group| group(pages))
}
