//! The router over a real store in a fresh directory.

mod conventions;
mod description;
mod flow;
mod permissions;
mod rules;
mod walls;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use gatewright_control::Control;
use gatewright_control::control::{Parts, PublicUrls};
use gatewright_control::fetch::Fetcher;
use gatewright_control::passwords::Password;
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::address::AddressPolicy;
use gatewright_model::keys::MasterKey;
use gatewright_model::text::{Email, Name, Slug};
use gatewright_model::time::{Clock, SystemClock, SystemEntropy};
use gatewright_store::{Database, Store, StoreSettings};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{ManagementSettings, router};

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body of a success with this status.
    pub(crate) fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status.as_u16(), "{}", self.text);
        self.json()
    }

    /// Status and code of a problem.
    pub(crate) fn refusal(&self) -> (u16, String) {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let body = self.json();
        assert_eq!(body["status"], self.status);
        assert_eq!(body["instance"], self.header("x-request-id"));
        assert_eq!(
            body["type"],
            format!("urn:gatewright:problem:{}", body["code"].as_str().unwrap())
        );
        (self.status, body["code"].as_str().unwrap().to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The API with its first admin.
pub(crate) struct Fixture {
    pub(crate) control: Control,
    router: Router,
    pub(crate) admin: String,
    _dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(ManagementSettings::default()).await
    }

    pub(crate) async fn with(settings: ManagementSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SystemEntropy);
        let database = Database::sqlite_in(dir.path());
        let store = Store::open(StoreSettings {
            database,
            entropy: entropy.clone(),
        })
        .await
        .unwrap();
        store.migrate(SystemClock.now()).await.unwrap();
        let control = Control::new(Parts {
            store,
            notices: Notices::in_process(Loudness::Heard),
            clock: Arc::new(SystemClock),
            entropy: entropy.clone(),
            master_key: MasterKey::generate(entropy.as_ref()),
            fetcher: Fetcher::new(AddressPolicy::default()),
            urls: PublicUrls::new(
                &"http://gw.test".parse().unwrap(),
                &"http://portal.test".parse().unwrap(),
            ),
            own_listeners: Vec::new(),
            local_gateway: None,
        });
        control.prepare().await.unwrap().unwrap();
        let email = Email::parse("admin@example.com").unwrap();
        control
            .create_admin(email.clone(), Password::parse("correct horse").unwrap())
            .await
            .unwrap();
        let tenant = Slug::parse("default").unwrap();
        let name = Name::parse("test").unwrap();
        let token = control
            .create_token_for(&tenant, &email, name, Vec::new(), None)
            .await
            .unwrap();
        let router = router(control.clone(), settings);
        Self {
            control,
            router,
            admin: token.expose().to_owned(),
            _dir: dir,
        }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }

    /// Sends a request with a token, headers and a JSON body.
    pub(crate) async fn call(
        &self,
        token: &str,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        request = request.header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(&self.admin, Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(&self.admin, Method::POST, path, &[], Some(body)).await
    }

    /// A verb without a body.
    pub(crate) async fn verb(&self, path: &str) -> Reply {
        self.call(&self.admin, Method::POST, path, &[], None).await
    }

    /// An imported API with one operation and an upstream.
    pub(crate) async fn import(&self, slug: &str) -> Value {
        let body = json!({
            "document": document(slug),
            "slug": slug,
            "context_path": format!("/{slug}"),
            "upstream_url": "http://127.0.0.1:9/base",
        });
        self.post("/apis/import", body).await.expect(StatusCode::CREATED)
    }
}

/// A small OpenAPI document.
pub(crate) fn document(title: &str) -> Value {
    json!({
        "openapi": "3.0.3",
        "info": {"title": title, "version": "1"},
        "paths": {"/pets/{id}": {"get": {"operationId": "getPet", "responses": {"200": {"description": "ok"}}}}}
    })
}
