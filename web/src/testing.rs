//! The pages over a real store in a fresh directory, for the tests beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use gatewright_control::applications::NewApplication;
use gatewright_control::control::{Parts, PublicUrls};
use gatewright_control::fetch::Fetcher;
use gatewright_control::import::{ImportRequest, ImportSource};
use gatewright_control::lifecycle::Transition;
use gatewright_control::mail::MAIL;
use gatewright_control::passwords::Password;
use gatewright_control::plans::{NewPlan, PlanVersions};
use gatewright_control::sessions::Client;
use gatewright_control::users::{NewMembership, NewUser};
use gatewright_control::views::ApiView;
use gatewright_control::{Caller, Control, IfMatch};
use gatewright_coordination::notice::{Loudness, Notices};
use gatewright_model::address::AddressPolicy;
use gatewright_model::api::Visibility;
use gatewright_model::consumer::{Application, Environment};
use gatewright_model::keys::MasterKey;
use gatewright_model::permission::Role;
use gatewright_model::plan::{ApprovalMode, Plan, PlanVerb, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::secret::SecretText;
use gatewright_model::text::{ContextPath, Email, Name, Slug, VersionLabel};
use gatewright_model::time::{Clock, SystemClock, SystemEntropy, Timestamp};
use gatewright_store::{Database, Scope, Store, StoreSettings, Topics};
use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::{WebSettings, router};

pub(crate) const ADMIN: &str = "admin@example.com";
/// A document with one operation, `getPet`.
pub(crate) const DOCUMENT: &str = r#"{"openapi":"3.0.3","info":{"title":"Pets","version":"1"},"paths":{"/pets/{id}":{"get":{"operationId":"getPet","summary":"One pet","tags":["pets"],"parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}}],"responses":{"200":{"description":"A pet"}}}}}}"#;
const PASSWORD: &str = "correct horse";

/// The time of this machine, turned forward by hand.
#[derive(Debug, Default)]
struct Turned(AtomicU64);

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        SystemClock
            .now()
            .plus(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where a redirect leads.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.header("location")
    }

    /// Fails unless the page was shown and has all of these texts.
    pub(crate) fn shows(&self, texts: &[&str]) -> &Self {
        assert_eq!(self.status, 200, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is missing in {}", self.text);
        }
        self
    }

    /// Fails unless the form was refused and says all of these.
    pub(crate) fn refuses(&self, texts: &[&str]) -> &Self {
        assert_eq!(self.status, 422, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is missing in {}", self.text);
        }
        self
    }

    /// Fails unless somebody else was faster and the page says so, with all of these.
    pub(crate) fn comes_late(&self, texts: &[&str]) {
        assert_eq!(self.status, 409, "{}", self.text);
        for text in texts.iter().chain(&["Somebody else changed this"]) {
            assert!(self.text.contains(text), "{text:?} is missing in {}", self.text);
        }
    }
}

/// A portal with its first administrator.
pub(crate) struct TestPortal {
    pub(crate) control: Control,
    router: Router,
    clock: Arc<Turned>,
    store: Store,
    master_key: MasterKey,
    _dir: tempfile::TempDir,
}

/// Somebody who is signed in, or a visitor.
pub(crate) struct Visitor<'p> {
    portal: &'p TestPortal,
    cookie: Option<String>,
}

impl TestPortal {
    pub(crate) async fn new() -> Self {
        let portal = Self::empty().await;
        portal
            .control
            .create_admin(Email::parse(ADMIN).unwrap(), Password::parse(PASSWORD).unwrap())
            .await
            .unwrap();
        portal
    }

    /// The same for an installation that sends mail.
    pub(crate) fn mailing(self) -> Self {
        let control = self.control.sending_mail();
        Self {
            router: router(control.clone(), WebSettings::default()),
            control,
            ..self
        }
    }

    /// Lets time pass.
    pub(crate) fn later(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    /// The same in a process whose gateway listens here.
    pub(crate) fn beside(self, gateway: std::net::SocketAddr) -> Self {
        let settings = WebSettings {
            local_gateway: Some(gateway),
            ..WebSettings::default()
        };
        Self {
            router: router(self.control.clone(), settings),
            ..self
        }
    }

    /// Another process over the same store.
    pub(crate) fn restarted(self) -> Self {
        let control = control_over(self.store.clone(), &self.master_key, self.clock.clone());
        Self {
            router: router(control.clone(), WebSettings::default()),
            control,
            ..self
        }
    }

    /// A portal without any administrator.
    pub(crate) async fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SystemEntropy);
        let clock = Arc::new(Turned::default());
        let store = Store::open(StoreSettings {
            database: Database::sqlite_in(dir.path()),
            entropy: entropy.clone(),
        })
        .await
        .unwrap();
        store.migrate(SystemClock.now()).await.unwrap();
        let master_key = MasterKey::generate(entropy.as_ref());
        let control = control_over(store.clone(), &master_key, clock.clone());
        control.prepare().await.unwrap().unwrap();
        let router = router(control.clone(), WebSettings::default());
        Self {
            control,
            router,
            clock,
            store,
            master_key,
            _dir: dir,
        }
    }

    /// Whoever holds the session that an answer began.
    pub(crate) fn holding(&self, reply: &Reply) -> Visitor<'_> {
        let cookies = reply.headers.get_all("set-cookie").iter();
        let mut pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let session = pairs.find(|pair| pair.starts_with("gw_session="));
        Visitor {
            portal: self,
            cookie: Some(session.expect("a session began").to_owned()),
        }
    }

    /// Somebody who has not signed in.
    pub(crate) fn visitor(&self) -> Visitor<'_> {
        Visitor {
            portal: self,
            cookie: None,
        }
    }

    /// The administrator, signed in.
    pub(crate) async fn admin(&self) -> Visitor<'_> {
        self.signed_in(ADMIN).await.0
    }

    /// The administrator as use cases know them.
    pub(crate) async fn admin_caller(&self) -> Caller {
        self.signed_in(ADMIN).await.1
    }

    /// A new user with one role in the whole tenant, or without any, signed in.
    pub(crate) async fn user(&self, name: &str, role: Option<Role>) -> (Visitor<'_>, Caller) {
        let admin = self.admin_caller().await;
        let email = Email::parse(&format!("{name}@example.com")).unwrap();
        let new = NewUser {
            email: email.clone(),
            name: Name::parse(name).unwrap(),
            password: Some(Password::parse(PASSWORD).unwrap()),
        };
        self.control.users().create(&admin, new).await.unwrap();
        if let Some(role) = role {
            let membership = NewMembership {
                user: email.clone().into(),
                role,
                team: None,
            };
            self.control.users().add_member(&admin, membership).await.unwrap();
        }
        self.signed_in(email.as_str()).await
    }

    /// Somebody as use cases know them.
    pub(crate) async fn caller(&self, email: &str) -> Caller {
        self.signed_in(email).await.1
    }

    async fn signed_in(&self, email: &str) -> (Visitor<'_>, Caller) {
        let tenant = self.control.tenant_of_portal(None, None).await.unwrap().unwrap();
        let password = SecretText::new(PASSWORD.to_owned());
        let opened = self
            .control
            .sessions()
            .sign_in(&tenant, email, password, Client::default())
            .await
            .unwrap();
        let visitor = Visitor {
            portal: self,
            cookie: Some(format!("gw_session={}", opened.secret.expose())),
        };
        (visitor, opened.view.caller)
    }

    /// The path of the link in the newest letter to an address.
    pub(crate) async fn mailed_path(&self, to: &str) -> String {
        let now = self.control.now();
        let mut tx = self.control.store().begin(Scope::System).await.unwrap();
        let outbox = tx.outbox_messages();
        let waiting = outbox.claim(Topics::Only(MAIL), now, now, 50).await.unwrap();
        let mut letters = waiting
            .iter()
            .map(|message| self.control.open_letter(message).unwrap());
        let letter = letters.rfind(|letter| letter.to.as_str() == to);
        let text = letter.unwrap_or_else(|| panic!("no letter to {to}")).text;
        let start = text.split_once("http://portal.test").expect("a link").1;
        start.split_whitespace().next().unwrap().to_owned()
    }

    /// An API of this name with the published version `v1` and the plan `free`,
    /// which everybody may subscribe to at once.
    pub(crate) async fn published(&self, slug: &str) -> (ApiView, Plan) {
        let admin = self.admin_caller().await;
        let api = self.draft(slug).await;
        let of = Ref::Id(api.api.id);
        let plan = NewPlan {
            name: Name::parse("Free").unwrap(),
            slug: Slug::parse("free").unwrap(),
            description: String::new(),
            versions: PlanVersions::All,
            security: Security::ApiKey,
            approval: ApprovalMode::Auto,
            limits: Vec::new(),
        };
        let plans = self.control.plans();
        let plan = plans.create(&admin, &of, plan).await.unwrap();
        let plan = plans
            .transition(&admin, plan.id, PlanVerb::Publish, IfMatch::ANY)
            .await
            .unwrap();
        let version = VersionRef::Label(VersionLabel::parse("v1").unwrap());
        self.control
            .versions()
            .transition(&admin, &of, &version, Transition::Publish, IfMatch::ANY)
            .await
            .unwrap();
        (self.control.apis().get(&admin, &of).await.unwrap(), plan)
    }

    /// A live application of this name in the default team.
    pub(crate) async fn application(&self, name: &str) -> Application {
        let admin = self.admin_caller().await;
        let new = NewApplication {
            name: Name::parse(name).unwrap(),
            slug: None,
            team: None,
            environment: Environment::Live,
        };
        self.control.applications().create(&admin, new).await.unwrap()
    }

    /// An API of this name with the draft `v1`; its document has one operation.
    pub(crate) async fn draft(&self, slug: &str) -> ApiView {
        let request = ImportRequest {
            source: ImportSource::Text(DOCUMENT.to_owned().into()),
            name: None,
            slug: Some(Slug::parse(slug).unwrap()),
            context_path: Some(ContextPath::parse(&format!("/{slug}")).unwrap()),
            upstream_url: Some("http://127.0.0.1:9/base".parse().unwrap()),
            team: None,
            visibility: Visibility::Public,
            visible_to: Vec::new(),
            dry_run: false,
        };
        let admin = self.admin_caller().await;
        self.control.import_api(&admin, request).await.unwrap().api
    }
}

/// The use cases of one process.
fn control_over(store: Store, master_key: &MasterKey, clock: Arc<Turned>) -> Control {
    Control::new(Parts {
        store,
        notices: Notices::in_process(Loudness::Heard),
        clock,
        entropy: Arc::new(SystemEntropy),
        master_key: master_key.clone(),
        fetcher: Fetcher::new(AddressPolicy::default()),
        urls: PublicUrls::new(
            &"http://gw.test".parse().unwrap(),
            &"http://portal.test".parse().unwrap(),
        ),
        own_listeners: Vec::new(),
        local_gateway: None,
    })
}

impl Visitor<'_> {
    /// The same with a cookie more.
    pub(crate) fn with_cookie(&self, pair: &str) -> Self {
        let own = self.cookie.iter().map(String::as_str);
        Self {
            portal: self.portal,
            cookie: Some(own.chain([pair]).collect::<Vec<_>>().join("; ")),
        }
    }

    /// Opens a page.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    /// Asks for a part of a page, as htmx does.
    pub(crate) async fn fragment(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[("hx-request", "true")], Body::empty())
            .await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send(Method::POST, path, &headers, Body::from(body)).await
    }

    /// Sends a form for a part of a page, as htmx does.
    pub(crate) async fn post_fragment(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-site", "same-origin"),
            ("hx-request", "true"),
        ];
        self.send(Method::POST, path, &headers, Body::from(body)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(body).unwrap();
        let response = self.portal.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        }
    }
}

#[tokio::test]
async fn visitors_are_led_to_the_sign_in_and_back() {
    let portal = TestPortal::new().await;
    let refused = portal.visitor().post("/sign-in", &[]).await;
    assert_ne!(refused.status, 403, "{}", refused.text);
    let cross = portal
        .visitor()
        .send(
            Method::POST,
            "/sign-in",
            &[("sec-fetch-site", "cross-site")],
            Body::empty(),
        )
        .await;
    assert_eq!(cross.status, 403, "{}", cross.text);
    let missing = portal.visitor().get("/no-such-page").await;
    assert_eq!(missing.status, 404);
    assert!(missing.text.contains("This page does not exist"));
    assert!(
        missing
            .header("content-security-policy")
            .starts_with("default-src 'none'")
    );
}
