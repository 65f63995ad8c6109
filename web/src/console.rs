//! The console: for those who offer and oversee APIs.

mod analytics;
mod apis;
mod approvals;
mod apps;
mod audit;
mod keys;
mod logs;
mod roles;
mod subscriptions;
mod teams;
mod tokens;

use crate::pages::Pages;

/// Every group of pages, one line each.
const GROUPS: &[fn(Pages) -> Pages] = &[
    approvals::routes,
    apis::routes,
    apps::routes,
    subscriptions::routes,
    keys::routes,
    analytics::routes,
    logs::routes,
    roles::routes,
    teams::routes,
    tokens::routes,
    audit::routes,
];

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    GROUPS.iter().fold(pages, |pages, group| group(pages))
}
