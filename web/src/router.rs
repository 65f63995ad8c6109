//! The router of the pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::from_fn_with_state;
use gatewright_control::Control;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::request_id::identify;
use gatewright_webkit::routes::Entry;
use gatewright_webkit::rules::{no_such_method, no_such_path, of_panic};
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::{App, WebSettings};
use crate::assets::Assets;
use crate::failure::early::{self, Stranger};
use crate::pages::Pages;
use crate::visit::receive;
use crate::{account, assets, console, gallery, portal, security};

/// The portal and the console as a router.
pub fn router(control: Control, settings: WebSettings) -> Router {
    let ids = settings.request_ids.clone();
    let pages = all(Pages::new(&settings));
    let app = App {
        control,
        settings: Arc::new(settings),
        assets: Arc::new(Assets::load()),
    };
    let inner = pages
        .into_routes()
        .into_router(app.clone())
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(of_panic));
    // Visits are received before a route is looked for: the tenant's prefix is
    // taken off the path there.
    let received = from_fn_with_state(app, receive).layer(inner);
    Router::new()
        .fallback_service(received)
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(ids, identify))
}

/// What the listener of the pages answers until the store has been reached.
pub fn before_the_store() -> Router {
    let assets = Arc::new(Assets::load());
    let pages = Router::new().fallback(move |request: Request| {
        let assets = Arc::clone(&assets);
        async move {
            let mut response = if request.uri().path().starts_with(assets::PREFIX) {
                assets.answer(request.uri().path(), request.headers())
            } else {
                early::without_visit(&assets, &Stranger::of(&request), &Problem::unavailable())
            };
            security::harden(response.headers_mut(), false);
            response
        }
    });
    pages.layer(from_fn_with_state(WebSettings::default().request_ids, identify))
}

/// Every route with the one who may see it, in the order of the lists.
#[must_use]
pub fn routes_with_access() -> Vec<Entry> {
    all(Pages::new(&WebSettings::default()))
        .into_routes()
        .entries()
        .to_vec()
}

fn all(pages: Pages) -> Pages {
    gallery::routes(console::routes(portal::routes(account::routes(pages))))
}

#[cfg(test)]
mod permissions;
