//! The portal: for those who use APIs.

mod access;
mod api;
mod apis;
mod docs;
mod first_call;
mod help;
mod home;
pub(crate) mod me;
mod search;
pub(crate) mod try_it;
mod words;

use crate::pages::Pages;

/// The pages of this area.
pub(crate) fn routes(pages: Pages) -> Pages {
    let pages = me::routes(pages);
    let pages = apis::routes(home::routes(search::routes(pages)));
    let pages = access::routes(api::routes(pages));
    docs::routes(try_it::routes(help::routes(pages)))
}
