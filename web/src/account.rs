//! Coming in: first run, sign-in, sign-up, passwords, sessions.

mod address;
pub(crate) mod again;
pub(crate) mod browser;
mod door;
mod forgot;
mod invitation;
mod settings;
mod setup;
mod sign_in;
mod sign_up;
#[cfg(test)]
mod tests;

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    let groups: [fn(Pages) -> Pages; 6] = [
        setup::routes,
        sign_in::routes,
        sign_up::routes,
        forgot::routes,
        invitation::routes,
        settings::routes,
    ];
    groups.into_iter().fold(pages, |pages, add| add(pages))
}
