//! One request for a page: to which tenant's portal it comes, who sends it, and
//! with which choices. It is worked out once, before the page is looked for.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use gatewright_control::reader::Reader;
use gatewright_control::sessions::{Opened, Person, SessionView};
use gatewright_control::{Caller, Error};
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::Tenant;
use gatewright_webkit::entity_tag;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::request_id::RequestId;
use http::header::{AUTHORIZATION, HOST, IF_NONE_MATCH, SET_COOKIE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::account::again;
use crate::app::App;
use crate::failure::early::{self, Stranger};
use crate::page::Page;
use crate::shell::Shell;
use crate::{assets, cookies, failure, security, tenant_path};

const HX_REQUEST: HeaderName = HeaderName::from_static("hx-request");
const HX_HISTORY: HeaderName = HeaderName::from_static("hx-history-restore-request");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Pages that a portal which demands a sign-in shows all the same.
const ALWAYS_OPEN: [&str; 9] = [
    "/sign-in",
    "/sign-up",
    "/forgot",
    "/reset/",
    "/verify/",
    "/invite/",
    "/setup",
    "/help",
    "/me/settings/theme",
];

/// What is known about a request. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Visit(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    app: App,
    base: String,
    path: String,
    query: String,
    tenant: Tenant,
    session: Option<SessionView>,
    session_cookie: String,
    secret: Option<SecretText>,
    theme: &'static str,
    density: &'static str,
    toast: Option<String>,
    fragment: bool,
    request_id: Option<String>,
    referer_path: Option<String>,
    known: HeaderMap,
}

impl Visit {
    /// What stands before every link: empty, or `/t/acme`.
    pub(crate) fn base(&self) -> &str {
        &self.0.base
    }

    /// The path within the tenant's pages.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    /// The query as it was sent, without its question mark.
    pub(crate) fn query(&self) -> &str {
        &self.0.query
    }

    /// Who is signed in, for use cases.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.0.session.as_ref().map(|session| &session.caller)
    }

    /// Who reads the catalogue.
    pub(crate) fn reader(&self) -> Reader {
        self.caller()
            .cloned()
            .map_or_else(|| Reader::visitor(self.0.tenant.id), Reader::signed_in)
    }

    /// The tenant.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    /// Who is signed in, for people.
    pub(crate) fn person(&self) -> Option<&Person> {
        self.0.session.as_ref().map(|session| &session.person)
    }

    /// The session.
    pub(crate) fn session(&self) -> Option<&SessionView> {
        self.0.session.as_ref()
    }

    /// The secret of the session, to end it.
    pub(crate) fn session_secret(&self) -> Option<&SecretText> {
        self.0.secret.as_ref()
    }

    /// The name of the session cookie of this tenant.
    pub(crate) fn session_cookie(&self) -> &str {
        &self.0.session_cookie
    }

    /// Whether the permission is held anywhere in the tenant.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.caller()
            .is_some_and(|caller| caller.rights.anywhere(permission))
    }

    /// Whether only a part of the page is wanted, to be put into the one that is shown.
    pub(crate) fn is_fragment(&self) -> bool {
        self.0.fragment
    }

    /// The id of the request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The colours that were chosen: `light`, `dark`, or empty for the system's.
    pub(crate) fn theme(&self) -> &'static str {
        self.0.theme
    }

    /// The density of tables that was chosen.
    pub(crate) fn density(&self) -> &'static str {
        self.0.density
    }

    /// What the page before this one had to say.
    pub(crate) fn toast(&self) -> Option<&str> {
        self.0.toast.as_deref()
    }

    /// The page of ours on which the form stood that was sent.
    pub(crate) fn referer_path(&self) -> Option<&str> {
        self.0.referer_path.as_deref()
    }

    /// Whether the browser says that it has what this tag stands for.
    pub(crate) fn knows(&self, tag: &HeaderValue) -> bool {
        entity_tag::is_known(&self.0.known, tag)
    }

    /// What all handlers can reach.
    pub(crate) fn app(&self) -> &App {
        &self.0.app
    }

    /// What stands around the content of a page.
    pub(crate) fn shell(&self, title: impl Into<String>) -> Shell {
        Shell::new(self, title.into())
    }

    /// A way to another page of this tenant.
    pub(crate) fn redirect(&self, path: &str) -> Page {
        Page::see_other(&[self.base(), path].concat())
    }

    /// The same visit once somebody has signed in, with the query of the form that goes on.
    pub(crate) fn signed_in(&self, opened: &Opened, query: &str) -> Self {
        Self(Arc::new(Inner {
            session: Some(opened.view.clone()),
            secret: Some(opened.secret.clone()),
            query: query.to_owned(),
            ..self.0.as_ref().clone()
        }))
    }

    /// Leaves with a request what its handler asks for.
    pub(crate) fn enter(&self, extensions: &mut Extensions) {
        extensions.insert(self.clone());
        if let Some(caller) = self.caller() {
            extensions.insert(caller.clone());
        }
    }

    /// The same, with something to say there.
    pub(crate) fn redirect_with(&self, path: &str, toast: impl AsRef<str>) -> Page {
        self.redirect(path)
            .header(SET_COOKIE, cookies::toast(self.0.app.secure(), toast.as_ref()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| Problem::internal("a page was reached around the layer that receives visits"))
    }
}

/// Receives a request: serves static files, finds tenant and session, checks
/// where unsafe requests come from, and turns refusals into pages.
pub(crate) async fn receive(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let stranger = Stranger::of(&request);
    let secure = app.secure();
    let mut response = if request.uri().path().starts_with(assets::PREFIX) {
        app.assets.answer(request.uri().path(), request.headers())
    } else {
        match arrive(&app, &mut request).await {
            Ok(visit) => enter(&visit, request, next).await,
            Err(problem) => early::without_visit(&app.assets, &stranger, &problem),
        }
    };
    security::harden(response.headers_mut(), secure);
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    if let Ok(timing) = HeaderValue::from_str(&format!("app;dur={milliseconds:.2}")) {
        response.headers_mut().insert(SERVER_TIMING, timing);
    }
    response
}

async fn enter(visit: &Visit, mut request: Request, next: Next) -> Response {
    request.headers_mut().remove(AUTHORIZATION);
    if let Err(problem) = security::same_origin(
        request.method(),
        request.headers(),
        &visit.app().control.urls().portal,
    ) {
        return failure::present(visit, request.method(), &problem);
    }
    let method = request.method().clone();
    let mut response = if again::is_confirmation(visit, &method) {
        again::resume(visit, request, next).await
    } else if must_sign_in(visit) {
        again::sign_in_first(visit, request).await
    } else {
        visit.enter(request.extensions_mut());
        again::run(visit, request, next).await
    };
    if visit.toast().is_some() && method == Method::GET && !visit.is_fragment() {
        cookies::clear_toast(visit.app().secure(), response.headers_mut());
    }
    response
}

fn must_sign_in(visit: &Visit) -> bool {
    // A session lives shorter in the console than in the portal.
    let in_console = visit.path() == "/console" || visit.path().starts_with("/console/");
    if in_console && visit.session().is_some_and(|session| !session.console) {
        return true;
    }
    let open = ALWAYS_OPEN.iter().any(|open| visit.path().starts_with(open));
    !visit.tenant().settings.public_portal && visit.session().is_none() && !open
}

async fn arrive(app: &App, request: &mut Request) -> Result<Visit, Problem> {
    let original = request.uri().clone();
    let place = tenant_path::split(original.path());
    let headers = request.headers();
    let host = host_of(headers);
    let tenant = app
        .control
        .tenant_of_portal(place.tenant, host)
        .await?
        .ok_or(Error::missing("tenant"))?;
    let request_id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.as_str().to_owned());
    let session_cookie = cookies::session_name(app.secure(), place.tenant);
    let secret = cookies::read(headers, &session_cookie).map(SecretText::new);
    let session = match &secret {
        Some(secret) => app
            .control
            .sessions()
            .authenticate(secret, request_id.clone())
            .await?
            .filter(|session| session.tenant.id == tenant.id),
        None => None,
    };
    let visit = Visit(Arc::new(Inner {
        app: app.clone(),
        base: tenant_path::base(place.tenant),
        path: place.path.to_owned(),
        query: original.query().unwrap_or("").to_owned(),
        tenant,
        session,
        session_cookie,
        secret,
        theme: theme_of(cookies::read(headers, cookies::THEME).as_deref()),
        density: one_of(cookies::read(headers, cookies::DENSITY).as_deref(), &["compact"]),
        toast: cookies::read_toast(headers),
        fragment: is_fragment(headers),
        request_id,
        referer_path: referer_path(headers, app),
        known: conditions(headers),
    }));
    if place.tenant.is_some() {
        *request.uri_mut() = within(&original, place.path)?;
    }
    Ok(visit)
}

fn within(original: &Uri, path: &str) -> Result<Uri, Problem> {
    let text = original
        .query()
        .map_or_else(|| path.to_owned(), |query| [path, "?", query].concat());
    let mut parts = original.clone().into_parts();
    let path = PathAndQuery::try_from(text).map_err(|_| Problem::not_found("page"))?;
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|_| Problem::not_found("page"))
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(HOST)?.to_str().ok()?;
    Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
}

/// Whether only a part of a page is wanted.
pub(crate) fn is_fragment(headers: &HeaderMap) -> bool {
    is_true(headers, &HX_REQUEST) && !is_true(headers, &HX_HISTORY)
}

/// The colours that a cookie chooses; empty for the system's.
pub(crate) fn theme_of(cookie: Option<&str>) -> &'static str {
    one_of(cookie, &["light", "dark"])
}

fn is_true(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get(name).is_some_and(|value| value == "true")
}

fn one_of(value: Option<&str>, known: &[&'static str]) -> &'static str {
    known
        .iter()
        .find(|known| Some(**known) == value)
        .copied()
        .unwrap_or("")
}

/// The fields that name what the browser has already.
fn conditions(headers: &HeaderMap) -> HeaderMap {
    let named = headers.get_all(IF_NONE_MATCH).iter();
    named.map(|value| (IF_NONE_MATCH, value.clone())).collect()
}

fn referer_path(headers: &HeaderMap, app: &App) -> Option<String> {
    let referer = headers.get(http::header::REFERER)?.to_str().ok()?;
    let referer = url::Url::parse(referer).ok()?;
    let portal = url::Url::parse(&app.control.urls().portal).ok()?;
    (referer.origin() == portal.origin()).then(|| referer.path().to_owned())
}
