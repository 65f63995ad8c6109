//! The status listener: is the process alive, may it get traffic, and what
//! does it count. It asks for no credential, hence its own address.

mod figures;
mod store_watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gatewright_coordination::limiter::Limiter;
use gatewright_gateway::metrics::Metrics;
use gatewright_gateway::record::Recorder;
use gatewright_gateway::runtime::Runtime;
use gatewright_telemetry::metrics;
use http::{StatusCode, header};
use serde::Serialize;

pub(crate) use crate::status::store_watch::StoreWatch;

/// What there is to tell about the gateway of this process.
#[derive(Debug, Clone)]
pub(crate) struct GatewayView {
    /// What it decides by.
    pub(crate) runtime: Arc<Runtime>,
    /// What it counts.
    pub(crate) metrics: Arc<Metrics>,
    /// Its limits.
    pub(crate) limiter: Arc<Limiter>,
    /// Its call records.
    pub(crate) recorder: Recorder,
}

/// What there is to tell about this process. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Status(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gateway: Option<GatewayView>,
    store: StoreWatch,
    draining: AtomicBool,
}

#[derive(Debug, Serialize)]
struct Readiness {
    status: &'static str,
    degraded: Vec<&'static str>,
}

impl Status {
    /// A status of a process that starts.
    pub(crate) fn new(gateway: Option<GatewayView>, store: StoreWatch) -> Self {
        Self(Arc::new(Inner {
            gateway,
            store,
            draining: AtomicBool::new(false),
        }))
    }

    /// From now on the process wants no traffic.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// The pages.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(figures))
            .with_state(self.clone())
    }

    fn readiness(&self) -> (StatusCode, Readiness) {
        let has_configuration = match &self.0.gateway {
            Some(gateway) => gateway.runtime.snapshot_seq().is_some(),
            None => self.0.store.was_reached(),
        };
        let (code, status) = if self.0.draining.load(Ordering::Relaxed) {
            (StatusCode::SERVICE_UNAVAILABLE, "draining")
        } else if has_configuration {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "starting")
        };
        let degraded = self.degraded();
        (code, Readiness { status, degraded })
    }

    /// What does not work as it should, although the process serves.
    fn degraded(&self) -> Vec<&'static str> {
        let limits_away = self
            .0
            .gateway
            .as_ref()
            .is_some_and(|gateway| gateway.limiter.stats().authority_away);
        let reasons = [
            (!self.0.store.is_up(), "store_away"),
            (limits_away, "limit_authority_away"),
        ];
        reasons
            .into_iter()
            .filter(|(holds, _)| *holds)
            .map(|(_, reason)| reason)
            .collect()
    }
}

/// Answered by the event loop that also serves the management API.
async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "alive" }))
}

async fn readyz(State(status): State<Status>) -> (StatusCode, Json<Readiness>) {
    let (code, readiness) = status.readiness();
    (code, Json(readiness))
}

async fn figures(State(status): State<Status>) -> Response {
    let mut registry = metrics::registry(env!("CARGO_PKG_VERSION"));
    registry.register_collector(Box::new(figures::Figures::new(
        status.0.gateway.clone(),
        status.0.store.clone(),
    )));
    match metrics::exposition(&registry) {
        Ok(page) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::store_slot::StoreSlot;

    async fn ask(status: &Status, path: &str) -> (u16, String) {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let answer = status.router().oneshot(request).await.unwrap();
        let code = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_process_without_a_store_is_alive_but_not_ready() {
        let status = Status::new(None, StoreWatch::new(StoreSlot::empty()));
        assert_eq!(ask(&status, "/healthz").await.0, 200);
        let (code, body) = ask(&status, "/readyz").await;
        assert_eq!(code, 503);
        assert!(body.contains("starting") && body.contains("store_away"), "{body}");
        status.drain();
        assert!(ask(&status, "/readyz").await.1.contains("draining"));
        let (code, page) = ask(&status, "/metrics").await;
        assert_eq!(code, 200);
        assert!(page.contains("gatewright_store_up 0"), "{page}");
        assert!(page.ends_with("# EOF\n"));
    }
}
