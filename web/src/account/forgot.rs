//! A forgotten password: asking for a link, and using it.

use askama::Template;
use axum::extract::{Path, State};
use gatewright_control::Control;
use gatewright_control::passwords::Password;
use gatewright_model::account::LinkPurpose;
use gatewright_model::text::Email;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use crate::account::browser::Browser;
use crate::account::door;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const AGAIN: (&str, &str) = ("/forgot", "Get a new link");
const GONE: &str = "Links to a new password work once, and only for a while.";

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/forgot", show)
        .post("/forgot", send)
        .get("/reset/{secret}", show_reset)
        .post("/reset/{secret}", reset)
}

#[derive(Template)]
#[template(path = "account/forgot.html")]
struct ForgotPage {
    shell: Shell,
    form: FormState,
    by_mail: bool,
    sent: bool,
}

#[derive(Template)]
#[template(path = "account/reset.html")]
struct ResetPage {
    shell: Shell,
    form: FormState,
    email: String,
    left: String,
}

async fn show(_: Public, visit: Visit, State(control): State<Control>) -> Result<Page, Problem> {
    render(&visit, &control, FormState::default(), false)
}

async fn send(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let Some(email) = form.take("email", Email::parse(fields.get("email"))) else {
        return render(&visit, &control, form, false);
    };
    match control.accounts().forgot(visit.tenant(), email, &client).await {
        Ok(()) => render(&visit, &control, form, true),
        Err(error) => render(&visit, &control, form.refused(error)?, false),
    }
}

async fn show_reset(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Path(secret): Path<String>,
) -> Result<Page, Problem> {
    let Some((_, link)) = door::open(&visit, LinkPurpose::Reset, secret).await? else {
        return door::link_gone(&visit, GONE, AGAIN);
    };
    let left = door::time_left(link.expires_at, control.now());
    render_reset(&visit, link.email.as_str(), left, FormState::default())
}

async fn reset(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    Path(secret): Path<String>,
    fields: Fields,
) -> Result<Page, Problem> {
    let Some((secret, link)) = door::open(&visit, LinkPurpose::Reset, secret).await? else {
        return door::link_gone(&visit, GONE, AGAIN);
    };
    let left = door::time_left(link.expires_at, control.now());
    let email = link.email.as_str();
    let mut form = FormState::default();
    let Some(password) = form.take("password", Password::parse(fields.raw("password"))) else {
        return render_reset(&visit, email, left, form);
    };
    match control
        .accounts()
        .reset(visit.tenant(), &secret, password, &client)
        .await
    {
        Ok(_) => Ok(visit.redirect_with("/sign-in", "Your password is changed. Sign in with the new one.")),
        Err(error) if door::is_gone(&error) => door::link_gone(&visit, GONE, AGAIN),
        Err(error) => render_reset(&visit, email, left, form.refused(error)?),
    }
}

fn render(visit: &Visit, control: &Control, form: FormState, sent: bool) -> Result<Page, Problem> {
    let shell = visit
        .shell(if sent {
            "Check your mail"
        } else {
            "Forgot your password?"
        })
        .with(&form);
    let template = ForgotPage {
        shell,
        form,
        by_mail: control.sends_mail(),
        sent,
    };
    Page::form(&template, &template.form)
}

fn render_reset(visit: &Visit, email: &str, left: String, form: FormState) -> Result<Page, Problem> {
    let shell = visit.shell("Choose a new password").with(&form);
    let template = ResetPage {
        shell,
        form,
        email: email.to_owned(),
        left,
    };
    Page::form(&template, &template.form).map(door::secret)
}
