//! The router of the management API and its description.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use gatewright_control::Control;
use gatewright_model::time::{SystemClock, SystemEntropy};
use gatewright_webkit::body::json_response;
use gatewright_webkit::request_id::{RequestIds, identify};
use gatewright_webkit::routes::Entry;
use gatewright_webkit::rules::{Bounds, no_such_method, no_such_path, of_panic};
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::path::Paths;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, InfoBuilder, License, OpenApiBuilder};

use crate::operation::{Api, BEARER, bounds};
use crate::routes;
use crate::schema::Schemas;

/// Where the API stands.
pub(crate) const PREFIX: &str = "/api/v1";

/// What an operator or a test may want to be different.
#[derive(Debug, Clone)]
pub struct ManagementSettings {
    /// The bounds of an ordinary request.
    pub requests: Bounds,
    /// The bounds of a request that carries an API description.
    pub imports: Bounds,
    /// Makes the ids of requests.
    pub request_ids: RequestIds,
}

impl Default for ManagementSettings {
    fn default() -> Self {
        Self {
            requests: bounds(60, 1024 * 1024),
            imports: bounds(120, 32 * 1024 * 1024),
            request_ids: RequestIds::new(Arc::new(SystemClock), Arc::new(SystemEntropy)),
        }
    }
}

/// The management API as a router. `/api/v1/openapi.json` describes it.
pub fn router(control: Control, settings: ManagementSettings) -> Router {
    let ids = settings.request_ids.clone();
    let api = routes::all(Api::new(settings));
    let (routes, description) = (api.routes, describe(api.paths, api.schemas));
    let description: Arc<str> = description.into();
    routes
        .into_router(control)
        .route(
            &[PREFIX, "/openapi.json"].concat(),
            get(move || async move { json_response(StatusCode::OK, description.as_bytes().to_vec()) }),
        )
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_path)
        .layer(CatchPanicLayer::custom(of_panic))
        .layer(from_fn_with_state(ids, identify))
}

/// The description of the management API: OpenAPI 3.1 as JSON, pretty-printed,
/// the same text at every call.
#[must_use]
pub fn openapi() -> String {
    let api = routes::all(Api::new(ManagementSettings::default()));
    describe(api.paths, api.schemas)
}

/// Every route with the one who may call it, in the order of the list.
#[must_use]
pub fn routes_with_access() -> Vec<Entry> {
    routes::all(Api::new(ManagementSettings::default()))
        .routes
        .entries()
        .to_vec()
}

fn describe(paths: Paths, schemas: Schemas) -> String {
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let info = InfoBuilder::new()
        .title("Gatewright management API")
        .version("1")
        .description(Some(
            "Tenants, teams, APIs and their versions, plans, subscriptions, keys, usage and audit.",
        ))
        .license(Some(license));
    let mut components = Components::new();
    components.schemas = schemas.schemas;
    components.responses = schemas.refusals;
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("gwm_…")
        .description(Some(
            "A management token. The scopes of an operation are permissions.",
        ));
    components.add_security_scheme(BEARER, SecurityScheme::Http(token.build()));
    let document = OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components))
        .build();
    // Maps with text keys and plain values: this has no way to fail.
    document.to_pretty_json().unwrap_or_default()
}
