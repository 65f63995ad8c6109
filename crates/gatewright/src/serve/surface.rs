//! A listener's pages before and after there is something to serve them from:
//! until the store has been reached every request is answered 503.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use gatewright_webkit::problem::Problem;
use tower::ServiceExt;

/// A router that comes later. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surface(Arc<OnceLock<Router>>);

impl Surface {
    /// Puts the real router in. A second one is ignored: surfaces are opened once.
    pub(crate) fn open(&self, router: Router) {
        if self.0.set(router).is_err() {
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
        match self.0.get() {
            Some(router) => match router.clone().oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None => Problem::unavailable().into_response(),
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
