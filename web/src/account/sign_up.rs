//! Asking for an account, and confirming the address it is for.

use askama::Template;
use axum::extract::{Path, State};
use gatewright_control::Control;
use gatewright_control::accounts::{NewSignUp, SignedUp};
use gatewright_control::passwords::Password;
use gatewright_model::account::LinkPurpose;
use gatewright_model::tenancy::SignUpMode;
use gatewright_model::text::{Email, Name};
use gatewright_webkit::authorized::Public;
use gatewright_webkit::problem::Problem;

use crate::account::browser::Browser;
use crate::account::{address, door};
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const AGAIN: (&str, &str) = ("/sign-up", "Sign up again");
const GONE: &str = "Links that confirm an address work once, for 24 hours.";

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/sign-up", show)
        .post("/sign-up", sign_up)
        .get("/verify/{secret}", show_verify)
        .post("/verify/{secret}", verify)
}

#[derive(Template)]
#[template(path = "account/sign_up.html")]
struct SignUpPage {
    shell: Shell,
    form: FormState,
    /// Nobody can sign up.
    off: bool,
    /// Somebody has to agree.
    approval: bool,
    /// The address is confirmed first, and the password is chosen after that.
    by_mail: bool,
    tenant: String,
}

#[derive(Template)]
#[template(path = "account/signed_up.html")]
struct SignedUpPage {
    shell: Shell,
    heading: &'static str,
    text: &'static str,
    icon: &'static str,
}

#[derive(Template)]
#[template(path = "account/verify.html")]
struct VerifyPage {
    shell: Shell,
    form: FormState,
    email: String,
    approval: bool,
}

async fn show(_: Public, visit: Visit, State(control): State<Control>) -> Result<Page, Problem> {
    if visit.session().is_some() {
        return Ok(visit.redirect("/me"));
    }
    render(&visit, &control, FormState::default())
}

async fn sign_up(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields).without("password");
    let name = form.take("name", Name::parse(fields.get("name")));
    let email = form.take("email", Email::parse(fields.get("email")));
    let password = if control.sends_mail() {
        Some(None)
    } else {
        form.take("password", Password::parse(fields.raw("password")))
            .map(Some)
    };
    let (Some(name), Some(email), Some(password)) = (name, email, password) else {
        return render(&visit, &control, form);
    };
    let new = NewSignUp {
        name,
        email,
        password,
    };
    match control.accounts().sign_up(visit.tenant(), new, &client).await {
        Ok(signed_up) => next_step(&visit, signed_up).await,
        Err(error) => render(&visit, &control, form.refused(error)?),
    }
}

async fn show_verify(_: Public, visit: Visit, Path(secret): Path<String>) -> Result<Page, Problem> {
    match door::open(&visit, LinkPurpose::Verify, secret).await? {
        Some((_, link)) if link.user.is_some() => address::ask(&visit, &link),
        Some((_, link)) => render_verify(&visit, link.email.as_str(), FormState::default()),
        None => door::link_gone(&visit, GONE, AGAIN),
    }
}

async fn verify(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    Path(secret): Path<String>,
    fields: Fields,
) -> Result<Page, Problem> {
    let Some((secret, link)) = door::open(&visit, LinkPurpose::Verify, secret).await? else {
        return door::link_gone(&visit, GONE, AGAIN);
    };
    if link.user.is_some() {
        return address::confirm(&visit, &control, &secret, link, &client).await;
    }
    let mut form = FormState::default();
    let Some(password) = form.take("password", Password::parse(fields.raw("password"))) else {
        return render_verify(&visit, link.email.as_str(), form);
    };
    let finished = control
        .accounts()
        .finish_sign_up(visit.tenant(), &secret, password, &client)
        .await;
    match finished {
        Ok(signed_up) => next_step(&visit, signed_up).await,
        Err(error) if door::is_gone(&error) => door::link_gone(&visit, GONE, AGAIN),
        Err(error) => render_verify(&visit, link.email.as_str(), form.refused(error)?),
    }
}

async fn next_step(visit: &Visit, signed_up: SignedUp) -> Result<Page, Problem> {
    let (heading, text, icon) = match signed_up {
        SignedUp::In(opened) => {
            return door::come_in(visit, &opened, door::home(&opened)).await;
        }
        SignedUp::CheckMail => (
            "Check your mail",
            "We sent a message to your address. Open the link in it to go on; it works for 24 hours. If nothing arrives, look into the spam folder.",
            "mail",
        ),
        SignedUp::Waiting => (
            "Your request is waiting",
            "An administrator has to approve your account. After that you can sign in with your address and your password.",
            "hourglass",
        ),
    };
    Page::html(&SignedUpPage {
        shell: visit.shell(heading),
        heading,
        text,
        icon,
    })
}

fn render(visit: &Visit, control: &Control, form: FormState) -> Result<Page, Problem> {
    let shell = visit.shell("Sign up").with(&form);
    let mode = visit.tenant().settings.sign_up;
    let template = SignUpPage {
        shell,
        form,
        off: mode == SignUpMode::Off,
        approval: mode == SignUpMode::Approval,
        by_mail: control.sends_mail(),
        tenant: visit.tenant().name.to_string(),
    };
    Page::form(&template, &template.form)
}

fn render_verify(visit: &Visit, email: &str, form: FormState) -> Result<Page, Problem> {
    let shell = visit.shell("Choose a password").with(&form);
    let template = VerifyPage {
        shell,
        form,
        email: email.to_owned(),
        approval: visit.tenant().settings.sign_up == SignUpMode::Approval,
    };
    Page::form(&template, &template.form).map(door::secret)
}
