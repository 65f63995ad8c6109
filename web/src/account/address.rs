//! The link that was sent to the new address of an account. Opening it changes
//! nothing yet: programs that look through mail open links too.

use askama::Template;
use gatewright_control::Control;
use gatewright_control::accounts::LinkView;
use gatewright_control::sessions::Client;
use gatewright_model::secret::SecretText;
use gatewright_webkit::problem::Problem;

use crate::account::door;
use crate::form::FormState;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

const AGAIN: (&str, &str) = ("/me/settings", "Open your settings");
const GONE: &str = "Links that confirm an address work once, for 24 hours, and until the password changes.";

#[derive(Template)]
#[template(path = "account/address.html")]
struct AddressPage {
    shell: Shell,
    form: FormState,
    email: String,
}

/// Asks whether the account is to have this address.
pub(super) fn ask(visit: &Visit, link: &LinkView) -> Result<Page, Problem> {
    render(visit, link.email.to_string(), FormState::default())
}

/// Gives the account its new address.
pub(super) async fn confirm(
    visit: &Visit,
    control: &Control,
    secret: &SecretText,
    link: LinkView,
    client: &Client,
) -> Result<Page, Problem> {
    let changed = control
        .accounts()
        .confirm_address(visit.tenant(), secret, client)
        .await;
    match changed {
        Ok(user) => {
            let path = if visit.session().is_some() {
                AGAIN.0
            } else {
                "/sign-in"
            };
            Ok(visit.redirect_with(path, format!("Your address is {} now.", user.email)))
        }
        Err(error) if door::is_gone(&error) => door::link_gone(visit, GONE, AGAIN),
        Err(error) => render(
            visit,
            link.email.to_string(),
            FormState::default().refused(error)?,
        ),
    }
}

fn render(visit: &Visit, email: String, form: FormState) -> Result<Page, Problem> {
    let template = AddressPage {
        shell: visit.shell("Confirm your new address").with(&form),
        form,
        email,
    };
    Page::form(&template, &template.form).map(door::secret)
}
