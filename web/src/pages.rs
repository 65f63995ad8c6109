//! The list of pages of an area: path, handler, and by the handler's first
//! argument who may see it.

use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use gatewright_webkit::routes::{Arguments, Routes};
use gatewright_webkit::rules::Bounds;
use http::Method;

use crate::account::again;
use crate::app::{App, WebSettings};

/// Pages under construction.
#[derive(Debug)]
pub(crate) struct Pages {
    routes: Routes<App>,
    requests: Bounds,
    imports: Bounds,
}

impl Pages {
    pub(crate) fn new(settings: &WebSettings) -> Self {
        Self {
            routes: Routes::default(),
            requests: settings.requests,
            imports: settings.imports,
        }
    }

    /// A page.
    pub(crate) fn get<H, T>(mut self, path: &str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: Arguments + 'static,
    {
        self.routes = self.routes.on(Method::GET, path, handler, self.requests);
        self
    }

    /// What a form does.
    pub(crate) fn post<H, T>(mut self, path: &str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: Arguments + 'static,
    {
        self.routes = self.routes.on(Method::POST, path, handler, self.requests);
        self
    }

    /// What a form does that shows a secret or gives rights away: who sends it
    /// has typed the password lately, or does so now.
    pub(crate) fn post_fresh<H, T>(mut self, path: &str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: Arguments + 'static,
    {
        let handler = handler.layer(from_fn_with_state(T::ACCESS, again::fresh));
        self.routes = self.routes.on(Method::POST, path, handler, self.requests);
        self
    }

    /// What a form does that carries an API description.
    pub(crate) fn post_document<H, T>(mut self, path: &str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: Arguments + 'static,
    {
        self.routes = self.routes.on(Method::POST, path, handler, self.imports);
        self
    }

    pub(crate) fn into_routes(self) -> Routes<App> {
        self.routes
    }
}
