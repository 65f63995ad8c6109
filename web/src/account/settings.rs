//! One's own settings: profile, password, colours, sessions.

use askama::Template;
use axum::extract::State;
use gatewright_control::passwords::Password;
use gatewright_control::sessions::SessionRow;
use gatewright_control::users::UserPatch;
use gatewright_control::{Caller, Control, IfMatch};
use gatewright_model::id::SessionId;
use gatewright_model::secret::SecretText;
use gatewright_model::text::{Email, Name};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::{Public, SignedIn};
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, SET_COOKIE};

use crate::account::browser::Browser;
use crate::account::{browser, door};
use crate::cookies;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const HOME: &str = "/me/settings";
const A_YEAR: i64 = 365 * 86_400;

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/settings", show)
        .post("/me/settings", rename)
        .post("/me/settings/password", change_password)
        .post_fresh("/me/settings/email", change_email)
        .post("/me/settings/theme", choose_theme)
        .post("/me/settings/sessions/revoke", end_others)
        .post("/me/settings/sessions/{session}/revoke", end_one)
}

#[derive(Template)]
#[template(path = "account/settings.html")]
struct SettingsPage {
    shell: Shell,
    profile: FormState,
    password: FormState,
    email: FormState,
    theme: FormState,
    address: String,
    by_mail: bool,
    sessions: Vec<SessionLine>,
}

/// A session as the list shows it.
struct SessionLine {
    id: SessionId,
    browser: String,
    client: String,
    address: String,
    created_at: Timestamp,
    last_seen_at: Timestamp,
    current: bool,
}

async fn show(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(control): State<Control>,
) -> Result<Page, Problem> {
    let forms = Forms::default();
    forms.render(&visit, &control, &caller).await
}

async fn rename(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(control): State<Control>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    if let (Some(name), Some(id)) = (form.take("name", Name::parse(fields.get("name"))), caller.user_id) {
        let patch = UserPatch {
            name: Some(name),
            verb: None,
        };
        match control.users().update(&caller, id, patch, IfMatch::ANY).await {
            Ok(_) => return Ok(visit.redirect_with(HOME, "Your name is saved.")),
            Err(error) => form.absorb(error)?,
        }
    }
    let forms = Forms {
        profile: Some(form),
        ..Forms::default()
    };
    forms.render(&visit, &control, &caller).await
}

/// Asks for another address: it is changed by the link that goes there.
async fn change_email(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(control): State<Control>,
    Browser(client): Browser,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    if let Some(to) = form.take("email", Email::parse(fields.get("email"))) {
        let asked = control.accounts().ask_for_address(&caller, to, &client).await;
        match asked {
            Ok(_) => {
                let toast = "Open the link that we sent to the new address: it works for 24 hours.";
                return Ok(visit.redirect_with(HOME, toast));
            }
            Err(error) => form.absorb(error)?,
        }
    }
    let forms = Forms {
        email: Some(form),
        ..Forms::default()
    };
    forms.render(&visit, &control, &caller).await
}

async fn change_password(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(control): State<Control>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::default();
    if let Some(new) = form.take("new_password", Password::parse(fields.raw("new_password"))) {
        let current = visit.session().map(|session| session.id);
        let old = SecretText::new(fields.raw("current_password").to_owned());
        let changed = control
            .accounts()
            .change_password(&caller, current, old, new)
            .await;
        match changed {
            Ok(()) => {
                let toast = "Your password is changed. Every other session was ended.";
                return Ok(visit.redirect_with(HOME, toast));
            }
            Err(error) => form.absorb(error)?,
        }
    }
    let forms = Forms {
        password: Some(form),
        ..Forms::default()
    };
    forms.render(&visit, &control, &caller).await
}

async fn choose_theme(_: Public, visit: Visit, fields: Fields) -> Result<Page, Problem> {
    let secure = visit.app().secure();
    let cookie = match fields.get("theme") {
        theme @ ("light" | "dark") => cookies::set(secure, cookies::THEME, theme, Some(A_YEAR)),
        _ => cookies::remove(secure, cookies::THEME),
    };
    let back = visit.referer_path().unwrap_or("/");
    let back = back.strip_prefix(visit.base()).unwrap_or(back);
    let back = door::local(back).unwrap_or("/");
    Ok(visit.redirect(back).header(SET_COOKIE, cookie))
}

async fn end_others(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(control): State<Control>,
) -> Result<Page, Problem> {
    let Some(session) = visit.session() else {
        return Ok(visit.redirect(HOME));
    };
    let ended = control.sessions().revoke_others(&caller, session.id).await?;
    let toast = match ended {
        0 => "You were signed in nowhere else.".to_owned(),
        1 => "One other session was ended.".to_owned(),
        ended => format!("{ended} other sessions were ended."),
    };
    Ok(visit.redirect_with(HOME, toast))
}

async fn end_one(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(control): State<Control>,
    At(session): At<SessionId>,
) -> Result<Page, Problem> {
    let own = control.sessions().list(&caller).await?;
    if !own.iter().any(|row| row.id == session) {
        return Err(Problem::not_found("session"));
    }
    control.sessions().revoke(&caller, session).await?;
    Ok(visit.redirect_with(HOME, "That session was ended."))
}

/// The forms of the page; one of them may have been refused.
#[derive(Default)]
struct Forms {
    profile: Option<FormState>,
    password: Option<FormState>,
    email: Option<FormState>,
}

impl Forms {
    async fn render(self, visit: &Visit, control: &Control, caller: &Caller) -> Result<Page, Problem> {
        let person = visit.person();
        let name = person.map_or("", |person| person.name.as_str());
        let current = visit.session().map(|session| session.id);
        let sessions = control.sessions().list(caller).await?;
        let theme = match visit.theme() {
            "" => "system",
            chosen => chosen,
        };
        let profile = self.profile.unwrap_or_else(|| FormState::new([("name", name)]));
        let password = self.password.unwrap_or_default();
        let email = self.email.unwrap_or_default();
        let shell = visit
            .shell("Settings")
            .crumb("My work", "/me")
            .last_crumb("Settings");
        let template = SettingsPage {
            shell: [&profile, &password, &email].into_iter().fold(shell, Shell::with),
            profile,
            password,
            email,
            theme: FormState::new([("theme", theme)]),
            address: person.map_or_else(String::new, |person| person.email.to_string()),
            by_mail: control.sends_mail(),
            sessions: sessions.into_iter().map(|row| line(row, current)).collect(),
        };
        let page = Page::forms(
            &template,
            &[&template.profile, &template.password, &template.email],
        )?;
        Ok(page.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
    }
}

fn line(row: SessionRow, current: Option<SessionId>) -> SessionLine {
    SessionLine {
        id: row.id,
        browser: browser::in_words(&row.client),
        client: row.client,
        address: row
            .address
            .map_or_else(String::new, |address| address.to_string()),
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        current: Some(row.id) == current,
    }
}
