//! The first run: the first administrator, made by who can read the log.

use askama::Template;
use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::accounts::NewAdmin;
use gatewright_control::passwords::Password;
use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;
use http::StatusCode;

use crate::account::browser::Browser;
use crate::account::door;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// The first API is made next.
const NEXT: &str = "/console/apis/new?first=1";

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/setup", show).post("/setup", create)
}

#[derive(Template)]
#[template(path = "account/setup.html")]
struct SetupPage {
    shell: Shell,
    form: FormState,
}

#[derive(Template)]
#[template(path = "account/setup_closed.html")]
struct ClosedPage {
    shell: Shell,
}

async fn show(_: Public, visit: Visit, State(control): State<Control>) -> Result<Page, Problem> {
    let mut pairs = url::form_urlencoded::parse(visit.query().as_bytes());
    let secret = pairs.find(|(name, _)| name == "secret");
    let secret = secret.map_or_else(String::new, |(_, value)| value.into_owned());
    if let Some(elsewhere) = elsewhere(&visit, &control).await? {
        return Ok(elsewhere);
    }
    if !control.setup().is_open(&SecretText::new(secret.clone())).await? {
        return closed(&visit);
    }
    render(&visit, FormState::new([("secret", secret)]))
}

async fn create(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    fields: Fields,
) -> Result<Page, Problem> {
    if let Some(elsewhere) = elsewhere(&visit, &control).await? {
        return Ok(elsewhere);
    }
    let secret = SecretText::new(fields.get("secret").to_owned());
    if !control.setup().is_open(&secret).await? {
        return closed(&visit);
    }
    let mut form = FormState::from_fields(&fields).without("password");
    let name = form.take("name", Name::parse(fields.get("name")));
    let email = form.take("email", Email::parse(fields.get("email")));
    let password = form.take("password", Password::parse(fields.raw("password")));
    let (Some(name), Some(email), Some(password)) = (name, email, password) else {
        return render(&visit, form);
    };
    let new = NewAdmin {
        name,
        email,
        password,
    };
    match control.setup().complete(&secret, new, &client).await {
        Ok(opened) => door::come_in(&visit, &opened, NEXT).await,
        Err(error) => render(&visit, form.refused(error)?),
    }
}

/// The first run is over, or belongs to the default tenant.
async fn elsewhere(visit: &Visit, control: &Control) -> Result<Option<Page>, Problem> {
    if !visit.base().is_empty() {
        return Err(Problem::not_found("page"));
    }
    if control.has_admin().await? {
        return Ok(Some(visit.redirect("/sign-in")));
    }
    Ok(None)
}

fn render(visit: &Visit, form: FormState) -> Result<Page, Problem> {
    let shell = visit.shell("Set up Gatewright").with(&form);
    let template = SetupPage { shell, form };
    Page::form(&template, &template.form).map(door::secret)
}

fn closed(visit: &Visit) -> Result<Page, Problem> {
    let page = Page::html(&ClosedPage {
        shell: visit.shell("Set up Gatewright"),
    })?;
    Ok(door::secret(page.status(StatusCode::NOT_FOUND)))
}
