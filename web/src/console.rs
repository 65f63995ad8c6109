//! The console: for those who offer and oversee APIs.

mod analytics;
mod apis;
mod approvals;
mod apps;
mod audit;
mod gateways;
mod home;
mod keys;
mod logs;
pub(crate) mod permit;
mod roles;
mod settings;
mod subscriptions;
mod system;
mod teams;
mod tokens;
mod users;

use crate::pages::Pages;

/// Every group of pages, one line each.
const GROUPS: &[fn(Pages) -> Pages] = &[
    home::routes,
    approvals::routes,
    apis::routes,
    apps::routes,
    subscriptions::routes,
    keys::routes,
    analytics::routes,
    logs::routes,
    roles::routes,
    teams::routes,
    users::routes,
    tokens::routes,
    audit::routes,
    system::routes,
    settings::routes,
    gateways::routes,
];

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    GROUPS.iter().fold(pages, |pages, group| group(pages))
}
