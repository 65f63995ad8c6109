//! Showing a fresh key. The secret exists nowhere but with its maker: the store
//! has its hash. So that the page can be opened again for ten minutes (a
//! reload, the back button, the download), the secret travels in a cookie that
//! scripts cannot read, that is sent to the pages of this one key alone, and
//! whose content is sealed with a key of the installation and opens only in the
//! session that made it. No row has to be cleaned up, and every node can serve
//! the page. "I have stored it" takes the cookie away.

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::consumer::FirstCall;
use gatewright_control::credentials::Issued;
use gatewright_control::reveal::REVEAL_FOR;
use gatewright_model::consumer::Credential;
use gatewright_model::id::{ApplicationId, CredentialId};
use gatewright_model::reference::Ref;
use gatewright_model::secret::SecretText;
use gatewright_model::text::Slug;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::CredentialsWrite;
use gatewright_webkit::problem::Problem;
use http::header::{CONTENT_DISPOSITION, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::frame::{Frame, Tab, unkept};
use super::keys;
use crate::app::App;
use crate::cookies;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const COOKIE: &str = "gw_reveal";
const CREATED: &str = "/me/apps/{application}/keys/{credential}/created";

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(CREATED, created)
        .get("/me/apps/{application}/keys/{credential}/created/env", download)
        .post("/me/apps/{application}/keys/{credential}/stored", stored)
}

#[derive(Template)]
#[template(path = "portal/me/created_key.html")]
struct CreatedPage {
    shell: Shell,
    frame: Frame,
    key: Credential,
    secret: Option<SecretText>,
    replaced: Option<Credential>,
    first_call: Option<FirstCall>,
    curl: String,
}

/// Sends the visitor to the page of the new key with its secret sealed in a cookie.
pub(super) fn hand_over(visit: &Visit, application: &Slug, issued: &Issued) -> Page {
    let path = key_path(application, issued.credential.id);
    let page = visit.redirect(&[path.as_str(), "/created"].concat());
    let (Some(caller), Some(session)) = (visit.caller(), visit.session()) else {
        return page;
    };
    let credentials = visit.app().control.credentials();
    let sealed = credentials.seal_for_reveal(caller, session.id, issued);
    unkept(page.header(SET_COOKIE, cookie(visit, &path, &sealed, REVEAL_FOR.as_secs())))
}

/// The page of a fresh key.
async fn created(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
    headers: HeaderMap,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = keys::find(&app, &caller, &frame, id).await?;
    let secret = open(&app, &visit, &caller, id, &headers).await?;
    let consumer = app.control.consumer();
    let first_call = match &secret {
        Some(_) => consumer.first_call(&caller, &frame.reference()).await?,
        None => None,
    };
    let curl = match (&secret, &first_call) {
        (Some(secret), Some(call)) => curl(secret, call),
        _ => String::new(),
    };
    let title = if secret.is_some() { "Your new key" } else { "Key" };
    let template = CreatedPage {
        shell: frame.shell_below(&visit, title),
        replaced: app.control.credentials().replaced_by(&caller, id).await?,
        frame,
        key,
        secret,
        first_call,
        curl,
    };
    Page::html(&template).map(unkept)
}

/// The key as the lines of an environment file.
async fn download(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
    headers: HeaderMap,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    keys::find(&app, &caller, &frame, id).await?;
    let Some(secret) = open(&app, &visit, &caller, id, &headers).await? else {
        return Ok(visit.redirect(&[&key_path(&frame.application.slug, id), "/created"].concat()));
    };
    let mut text = format!("API_KEY={}\n", secret.expose());
    for view in app
        .control
        .consumer()
        .subscriptions(&caller, &frame.reference())
        .await?
    {
        if let (true, Some(granted)) = (view.subscription.state.is_live(), view.versions.first()) {
            let name = view.api.slug.as_str().to_uppercase().replace('-', "_");
            text.push_str(&format!("{name}_URL={}\n", granted.gateway_url));
        }
    }
    let name = format!("attachment; filename=\"{}.env\"", frame.application.slug);
    let name = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    let page = Page::bytes("text/plain; charset=utf-8", text).header(CONTENT_DISPOSITION, name);
    Ok(unkept(page))
}

/// Forgets the secret.
async fn stored(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let path = key_path(&frame.application.slug, id);
    let page = visit.redirect_with(&frame.path(), "Good. The key cannot be shown again.");
    Ok(page.header(SET_COOKIE, cookie(&visit, &path, "", 0)))
}

async fn open(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: CredentialId,
    headers: &HeaderMap,
) -> Result<Option<SecretText>, Problem> {
    let (Some(session), Some(sealed)) = (visit.session(), cookies::read(headers, COOKIE)) else {
        return Ok(None);
    };
    let credentials = app.control.credentials();
    Ok(credentials.reveal(caller, session.id, id, &sealed).await?)
}

fn key_path(application: &Slug, id: CredentialId) -> String {
    format!("/me/apps/{application}/keys/{id}")
}

/// A cookie for the pages of one key.
fn cookie(visit: &Visit, path: &str, value: &str, seconds: u64) -> HeaderValue {
    let secure = if visit.app().secure() { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE}={value}; Path={}{path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        visit.base()
    );
    // Slugs, ids and hexadecimal digits always make a header value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// The call in one line for a shell.
fn curl(secret: &SecretText, call: &FirstCall) -> String {
    let method = match call.operation.method.as_str() {
        "GET" => String::new(),
        method => format!("-X {method} "),
    };
    let url = call.url.replace('\'', "%27");
    format!("curl {method}-H 'X-API-Key: {}' '{url}'", secret.expose())
}
