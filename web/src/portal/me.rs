//! The consumer's own pages: what needs attention, applications with their
//! keys, subscriptions, usage and calls, and the people who share them.

mod apps;
mod frame;
mod home;
pub(crate) mod keys;
mod logs;
mod members;
mod reveal;
mod settings;
mod subscriptions;
#[cfg(test)]
mod tests;
mod usage;

use crate::pages::Pages;

/// The pages of this group.
pub(super) fn routes(pages: Pages) -> Pages {
    let pages = home::routes(pages);
    let pages = apps::routes(pages);
    let pages = reveal::routes(keys::routes(pages));
    let pages = usage::routes(subscriptions::routes(pages));
    settings::routes(members::routes(logs::routes(pages)))
}
