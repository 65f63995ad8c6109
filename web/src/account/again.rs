//! Showing once more who one is, without losing the form that was sent.
//!
//! What shows a secret or gives rights away wants a password that was typed
//! within the last five minutes (`security.md` 3.6), and a session may end while
//! somebody types. Either way the answer to the form is a page that asks for the
//! password and carries the form along, sealed. That page is sent to the same
//! address with [`MARK`] as its query; with the right password a new session
//! begins and the form goes on to where it was sent.

use askama::Template;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gatewright_control::sessions::{KeptForm, Opened};
use gatewright_model::secret::SecretText;
use gatewright_webkit::body::{BodyLimit, read_form};
use gatewright_webkit::problem::Problem;
use gatewright_webkit::routes::Access;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderValue, Method, StatusCode};

use crate::account::browser::Browser;
use crate::account::door;
use crate::failure;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

/// The query of an address to which the password is sent.
const MARK: &str = "again";
/// Larger forms are not carried along: only those that hold API descriptions are.
const MOST_BYTES: usize = 64 * 1024;
/// Sealing doubles the bytes of a form, and writing them in hexadecimal does so again.
const MOST_SEALED: usize = 6 * MOST_BYTES;
const URL_ENCODED: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

#[derive(Template)]
#[template(path = "account/again.html")]
struct AgainPage {
    shell: Shell,
    form: FormState,
    action: String,
    /// Somebody is signed in, but has been for a while.
    known: bool,
}

/// Lets a form through whose sender typed the password lately. For who may not
/// send it at all this makes no difference: they are refused further on.
pub(crate) async fn fresh(State(access): State<Access>, request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<Visit>().cloned();
    let Some(visit) = visit.filter(|visit| is_stale(visit, access)) else {
        return next.run(request).await;
    };
    let method = request.method().clone();
    let asked = match kept(&visit, request).await {
        Ok((form, _)) => ask(&visit, &form),
        Err(problem) => Err(problem),
    };
    answer(&visit, &method, asked)
}

fn is_stale(visit: &Visit, access: Access) -> bool {
    let Some(session) = visit.session().filter(|session| !session.fresh) else {
        return false;
    };
    match access {
        Access::Public => false,
        Access::SignedIn => true,
        Access::AnyOf(any) => any
            .iter()
            .any(|permission| session.caller.rights.anywhere(*permission)),
    }
}

/// Whether this is a form whose sender was signed in until a moment ago.
fn is_worth_keeping(visit: &Visit, request: &Request) -> bool {
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(URL_ENCODED.as_bytes()));
    let bytes = request.body().size_hint().upper();
    *request.method() == Method::POST
        && form
        && bytes.is_some_and(|bytes| usize::try_from(bytes).is_ok_and(|bytes| bytes <= MOST_BYTES))
        && visit.session_secret().is_some()
        && !visit.is_fragment()
}

/// Asks who signed out meanwhile, or whose session ended, to sign in; the form waits.
pub(crate) async fn sign_in_first(visit: &Visit, request: Request) -> Response {
    let method = request.method().clone();
    if !is_worth_keeping(visit, &request) {
        return failure::sign_in_first(visit, &method);
    }
    let asked = match kept(visit, request).await {
        Ok((form, _)) => ask(visit, &form),
        Err(problem) => Err(problem),
    };
    answer(visit, &method, asked)
}

/// Runs a form; when it turns out that nobody is signed in any more, it waits.
pub(crate) async fn run(visit: &Visit, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let ended = visit.session().is_none() && is_worth_keeping(visit, &request);
    if !ended {
        return present(visit, &method, next.run(request).await);
    }
    let (form, request) = match kept(visit, request).await {
        Ok(kept) => kept,
        Err(problem) => return failure::present(visit, &method, &problem),
    };
    let response = next.run(request).await;
    let problem = response.extensions().get::<Problem>();
    if problem.is_some_and(|problem| problem.status() == StatusCode::UNAUTHORIZED) {
        return answer(visit, &method, ask(visit, &form));
    }
    present(visit, &method, response)
}

/// Turns the refusal of a handler into a page.
fn present(visit: &Visit, method: &Method, mut response: Response) -> Response {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => {
            failure::log(visit, &problem);
            let allow = response.headers_mut().remove(ALLOW);
            let mut page = failure::present(visit, method, &problem);
            page.headers_mut().extend(allow.map(|methods| (ALLOW, methods)));
            page
        }
        None => response,
    }
}

fn answer(visit: &Visit, method: &Method, page: Result<Page, Problem>) -> Response {
    match page {
        Ok(page) => page.into_response(),
        Err(problem) => {
            failure::log(visit, &problem);
            failure::present(visit, method, &problem)
        }
    }
}

/// Takes the form out of a request, and gives the same request back.
async fn kept(visit: &Visit, request: Request) -> Result<(String, Request), Problem> {
    let (parts, body) = request.into_parts();
    let mut copy = Request::new(body);
    *copy.headers_mut() = parts.headers.clone();
    copy.extensions_mut().insert(BodyLimit(MOST_BYTES));
    let body = read_form(copy).await?;
    let text = std::str::from_utf8(&body)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "invalid_form", "the form is not text"))?;
    let form = KeptForm {
        user: visit.person().map(|person| person.id),
        path: visit.path().to_owned(),
        query: visit.query().to_owned(),
        body: text.to_owned(),
    };
    let sessions = visit.app().control.sessions();
    let sealed = sessions.seal_form(visit.tenant().id, form)?;
    Ok((sealed, Request::from_parts(parts, Body::from(body))))
}

/// The page that asks for the password.
fn ask(visit: &Visit, sealed: &str) -> Result<Page, Problem> {
    let email = visit.person().map_or("", |person| person.email.as_str());
    let form = FormState::new([("email", email), ("kept", sealed)]);
    Ok(show(visit, form)?.status(StatusCode::FORBIDDEN))
}

fn show(visit: &Visit, form: FormState) -> Result<Page, Problem> {
    let known = visit.session().is_some();
    let title = if known {
        "Confirm that it is you"
    } else {
        "Sign in again"
    };
    let template = AgainPage {
        shell: visit.shell(title).with(&form),
        form,
        action: [visit.base(), visit.path(), "?", MARK].concat(),
        known,
    };
    let page = Page::form(&template, &template.form)?;
    Ok(page.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// Whether a password comes for a form that waits.
pub(crate) fn is_confirmation(visit: &Visit, method: &Method) -> bool {
    *method == Method::POST && visit.query() == MARK
}

/// Signs in and lets the form go on that waited.
pub(crate) async fn resume(visit: &Visit, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    match confirm(visit, request).await {
        Ok(Confirmed::Go(visit, request, cookie)) => {
            let mut response = run(&visit, *request, next).await;
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Ok(Confirmed::Answer(page)) => page.into_response(),
        Err(problem) => answer(visit, &method, Err(problem)),
    }
}

/// What becomes of a password that came for a form.
enum Confirmed {
    /// It was right: the form goes on within the new session.
    Go(Visit, Box<Request>, HeaderValue),
    /// It was wrong, or there is no form to go on with.
    Answer(Page),
}

async fn confirm(visit: &Visit, request: Request) -> Result<Confirmed, Problem> {
    let (mut parts, body) = request.into_parts();
    let Browser(client) = Browser::from_request_parts(&mut parts, visit.app()).await?;
    let mut sent = Request::from_parts(parts.clone(), body);
    sent.extensions_mut().insert(BodyLimit(MOST_SEALED));
    let fields = Fields::from_request(sent, &()).await?;
    let password = SecretText::new(fields.raw("password").to_owned());
    let sessions = visit.app().control.sessions();
    let signed_in = sessions
        .sign_in(visit.tenant(), fields.get("email"), password, client)
        .await;
    let opened = match signed_in {
        Ok(opened) => opened,
        Err(error) => {
            let form = FormState::from_fields(&fields).without("password");
            return Ok(Confirmed::Answer(show(visit, form.refused(error)?)?));
        }
    };
    let form = sessions.open_form(visit.tenant().id, fields.get("kept"));
    let theirs = |form: &KeptForm| form.user.is_none_or(|user| user == opened.view.person.id);
    let here = |form: &KeptForm| form.path == visit.path();
    match form.filter(|form| theirs(form) && here(form)) {
        Some(form) => go_on(visit, parts, &opened, form).await,
        None => give_up(visit, &opened).await.map(Confirmed::Answer),
    }
}

async fn go_on(
    visit: &Visit,
    mut parts: http::request::Parts,
    opened: &Opened,
    form: KeptForm,
) -> Result<Confirmed, Problem> {
    let cookie = door::take_over(visit, opened).await?;
    let uri = match form.query.as_str() {
        "" => form.path,
        query => [&form.path, "?", query].concat(),
    };
    parts.uri = uri.parse().map_err(|_| Problem::not_found("page"))?;
    parts.headers.insert(CONTENT_TYPE, URL_ENCODED);
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(form.body.len()));
    let visit = visit.signed_in(opened, &form.query);
    visit.enter(&mut parts.extensions);
    let request = Box::new(Request::from_parts(parts, Body::from(form.body)));
    Ok(Confirmed::Go(visit, request, cookie))
}

/// The form waited too long, or somebody else signed in than had sent it.
async fn give_up(visit: &Visit, opened: &Opened) -> Result<Page, Problem> {
    let page = visit.redirect_with(
        door::home(opened),
        "You are signed in. What you had sent could not be kept: send it again.",
    );
    Ok(page.header(SET_COOKIE, door::take_over(visit, opened).await?))
}
