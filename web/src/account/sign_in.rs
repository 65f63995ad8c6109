//! Signing in and out.

use askama::Template;
use axum::extract::State;
use gatewright_control::Control;
use gatewright_model::secret::SecretText;
use gatewright_model::tenancy::SignUpMode;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;
use http::header::SET_COOKIE;

use crate::account::browser::Browser;
use crate::account::door;
use crate::cookies;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/sign-in", show)
        .post("/sign-in", sign_in)
        .post("/sign-out", sign_out)
}

#[derive(Template)]
#[template(path = "account/sign_in.html")]
struct SignInPage {
    shell: Shell,
    form: FormState,
    again: bool,
    sign_up: bool,
    tenant: String,
}

async fn show(_: Public, visit: Visit, State(control): State<Control>) -> Result<Page, Problem> {
    if !control.has_admin().await? {
        return Ok(visit.redirect("/setup"));
    }
    let query = query(visit.query());
    let back = door::local(&query);
    // Whoever is signed in and was sent here has to prove it once more.
    if let (Some(session), None) = (visit.session(), back) {
        let console = session.console && crate::nav::has_console(&visit);
        return Ok(visit.redirect(if console { "/console" } else { "/me" }));
    }
    let email = visit.person().map_or("", |person| person.email.as_str());
    let form = FormState::new([("email", email), ("return_to", back.unwrap_or(""))]);
    render(&visit, form)
}

/// Where the visitor wanted to go.
fn query(query: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "return_to")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

async fn sign_in(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    fields: Fields,
) -> Result<Page, Problem> {
    let password = SecretText::new(fields.raw("password").to_owned());
    let signed_in = control
        .sessions()
        .sign_in(visit.tenant(), fields.get("email"), password, client)
        .await;
    match signed_in {
        Ok(opened) => {
            let back = door::local(fields.get("return_to"));
            door::come_in(&visit, &opened, back.unwrap_or(door::home(&opened))).await
        }
        Err(error) => {
            let mut form = FormState::from_fields(&fields).without("password");
            form.absorb(error)?;
            render(&visit, form)
        }
    }
}

fn render(visit: &Visit, form: FormState) -> Result<Page, Problem> {
    let shell = visit.shell("Sign in").with(&form);
    let template = SignInPage {
        shell,
        form,
        again: visit.session().is_some(),
        sign_up: visit.tenant().settings.sign_up != SignUpMode::Off,
        tenant: visit.tenant().name.to_string(),
    };
    Page::form(&template, &template.form)
}

async fn sign_out(_: Public, visit: Visit, State(control): State<Control>) -> Result<Page, Problem> {
    if let Some(secret) = visit.session_secret() {
        control.sessions().sign_out(secret).await?;
    }
    let gone = cookies::remove(visit.app().secure(), visit.session_cookie());
    Ok(visit
        .redirect_with("/", "You are signed out.")
        .header(SET_COOKIE, gone))
}
