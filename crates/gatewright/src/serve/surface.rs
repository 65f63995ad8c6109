//! A listener's pages before and after there is something to serve them from:
//! until the store has been reached every request is answered 503.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use gatewright_webkit::problem::Problem;
use tower::ServiceExt;

/// A router that comes later. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    open: Arc<OnceLock<Router>>,
    before: Router,
}

impl Default for Surface {
    fn default() -> Self {
        Self::new(Router::new().fallback(|| async { Problem::unavailable() }))
    }
}

impl Surface {
    /// A surface that answers by `before` until it is open.
    pub(crate) fn new(before: Router) -> Self {
        Self {
            open: Arc::default(),
            before,
        }
    }

    /// Puts the real router in. A second one is ignored: surfaces are opened once.
    pub(crate) fn open(&self, router: Router) {
        if self.open.set(router).is_err() {
            tracing::debug!("the surface is open already");
        }
    }

    /// What the listener serves.
    pub(crate) fn router(&self) -> Router {
        let surface = self.clone();
        Router::new().fallback(move |request: Request| {
            let surface = surface.clone();
            async move { surface.answer(request).await }
        })
    }

    async fn answer(&self, request: Request) -> Response {
        let router = self.open.get().unwrap_or(&self.before);
        match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::header;

    use super::*;

    #[tokio::test]
    async fn a_surface_answers_503_until_it_is_open() {
        let surface = Surface::default();
        let app = surface.router();
        let request = || Request::builder().uri("/here").body(Body::empty()).unwrap();
        let before = app.clone().oneshot(request()).await.unwrap();
        assert_eq!(before.status(), 503);
        assert_eq!(before.headers()[header::CONTENT_TYPE], "application/problem+json");
        surface.open(Router::new().route("/here", get(|| async { "hello" })));
        assert_eq!(app.clone().oneshot(request()).await.unwrap().status(), 200);
        let other = Request::builder().uri("/elsewhere").body(Body::empty()).unwrap();
        assert_eq!(app.oneshot(other).await.unwrap().status(), 404);
    }
}
