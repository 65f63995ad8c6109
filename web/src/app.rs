//! What every handler can reach.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use gatewright_control::Control;
use gatewright_model::time::{SystemClock, SystemEntropy};
use gatewright_webkit::body::BodyLimit;
use gatewright_webkit::request_id::RequestIds;
use gatewright_webkit::rules::Bounds;

use crate::assets::Assets;
use crate::sample::SampleService;

/// What the composition root knows and the pages need.
#[derive(Debug, Clone)]
pub struct WebSettings {
    /// Where the gateway of this process is reached without leaving the
    /// machine; `None` when another process runs it.
    pub local_gateway: Option<std::net::SocketAddr>,
    /// The public address of the management API, for people to copy.
    pub management_url: String,
    /// Runs the service behind the sample API; `None` where no gateway could reach it.
    pub sample: Option<Arc<dyn SampleService>>,
    /// Makes the ids of requests.
    pub request_ids: RequestIds,
    /// The bounds of an ordinary request.
    pub requests: Bounds,
    /// The bounds of a request that carries an API description.
    pub imports: Bounds,
}

impl Default for WebSettings {
    fn default() -> Self {
        let bounds = |seconds, body| Bounds {
            timeout: Duration::from_secs(seconds),
            body: BodyLimit(body),
        };
        Self {
            local_gateway: None,
            sample: None,
            management_url: "http://127.0.0.1:8001".to_owned(),
            request_ids: RequestIds::new(Arc::new(SystemClock), Arc::new(SystemEntropy)),
            requests: bounds(60, 1024 * 1024),
            imports: bounds(120, 32 * 1024 * 1024),
        }
    }
}

/// The state of the router. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct App {
    /// The use cases.
    pub(crate) control: Control,
    /// What the composition root said.
    pub(crate) settings: Arc<WebSettings>,
    /// The static files.
    pub(crate) assets: Arc<Assets>,
}

impl App {
    /// Whether browsers reach the portal by https.
    pub(crate) fn secure(&self) -> bool {
        self.control.urls().portal.starts_with("https://")
    }
}

impl FromRef<App> for Control {
    fn from_ref(app: &App) -> Self {
        app.control.clone()
    }
}
