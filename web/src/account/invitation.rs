//! Accepting an invitation.

use askama::Template;
use axum::extract::{Path, State};
use gatewright_control::Control;
use gatewright_control::accounts::LinkView;
use gatewright_control::passwords::Password;
use gatewright_model::account::LinkPurpose;
use gatewright_model::text::Name;
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

const SIGN_IN: (&str, &str) = ("/sign-in", "Sign in");
const GONE: &str =
    "Invitations work once, for 7 days. If you have no password yet, ask for a new invitation.";

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/invite/{secret}", show)
        .post("/invite/{secret}", accept)
}

#[derive(Template)]
#[template(path = "account/invitation.html")]
struct InvitationPage {
    shell: Shell,
    form: FormState,
    email: String,
    left: String,
    tenant: String,
}

async fn show(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Path(secret): Path<String>,
) -> Result<Page, Problem> {
    let Some((_, link)) = door::open(&visit, LinkPurpose::Invite, secret).await? else {
        return door::link_gone(&visit, GONE, SIGN_IN);
    };
    let name = link.name.as_ref().map_or("", Name::as_str);
    let form = FormState::new([("name", name)]);
    render(&visit, &control, &link, form)
}

async fn accept(
    _: Public,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    Path(secret): Path<String>,
    fields: Fields,
) -> Result<Page, Problem> {
    let Some((secret, link)) = door::open(&visit, LinkPurpose::Invite, secret).await? else {
        return door::link_gone(&visit, GONE, SIGN_IN);
    };
    let mut form = FormState::from_fields(&fields).without("password");
    let name = form.take("name", Name::parse(fields.get("name")));
    let password = form.take("password", Password::parse(fields.raw("password")));
    let (Some(name), Some(password)) = (name, password) else {
        return render(&visit, &control, &link, form);
    };
    let accepted = control
        .accounts()
        .accept_invitation(visit.tenant(), &secret, Some(name), password, &client)
        .await;
    match accepted {
        Ok(opened) => door::come_in(&visit, &opened, door::home(&opened)).await,
        Err(error) if door::is_gone(&error) => door::link_gone(&visit, GONE, SIGN_IN),
        Err(error) => render(&visit, &control, &link, form.refused(error)?),
    }
}

fn render(visit: &Visit, control: &Control, link: &LinkView, form: FormState) -> Result<Page, Problem> {
    let shell = visit.shell("Accept your invitation").with(&form);
    let template = InvitationPage {
        shell,
        form,
        email: link.email.to_string(),
        left: door::time_left(link.expires_at, control.now()),
        tenant: visit.tenant().name.to_string(),
    };
    Page::form(&template, &template.form).map(door::secret)
}
