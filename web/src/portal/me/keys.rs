//! Keys of an application: the list, a new one, its rotation and its end.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::credentials::{CredentialAction, Issued, NewCredential};
use gatewright_control::{Caller, Error, IfMatch};
use gatewright_model::consumer::{Credential, CredentialKind, CredentialState};
use gatewright_model::id::{ApplicationId, CredentialId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::Page as Items;
use gatewright_model::reference::Ref;
use gatewright_model::text::{Name, Remark, Slug};
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{ApplicationsRead, CredentialsWrite};
use gatewright_webkit::problem::Problem;

use super::frame::{Frame, Tab};
use super::reveal;
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PER_PAGE: u16 = 50;
const DAY: Duration = Duration::from_secs(86_400);
/// How long an old key may go on beside its successor.
const GRACES: [(&str, &str, &str); 5] = [
    ("0", "Not at all", "The old key stops at once."),
    ("3600", "One hour", ""),
    ("86400", "24 hours", ""),
    ("604800", "7 days", ""),
    ("2592000", "30 days", ""),
];
const USUAL_GRACE: &str = "86400";

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/me/apps/{application}/keys", list)
        .post_fresh("/me/apps/{application}/keys", create)
        .get("/me/apps/{application}/keys/new", new)
        .get("/me/apps/{application}/keys/{credential}/rotate", ask_rotate)
        .post_fresh("/me/apps/{application}/keys/{credential}/rotate", rotate)
        .get("/me/apps/{application}/keys/{credential}/revoke", ask_revoke)
        .post("/me/apps/{application}/keys/{credential}/revoke", revoke)
        .get("/me/apps/{application}/keys/{credential}/disable", ask_disable)
        .post("/me/apps/{application}/keys/{credential}/disable", disable)
        .post("/me/apps/{application}/keys/{credential}/enable", enable)
}

/// The page that shows the secret of a key that was just made: whoever issues a
/// key for the visitor answers with it. It redirects, and hands the secret to
/// the browser sealed (see [`reveal`]).
pub(crate) fn reveal_after(visit: &Visit, application: &Slug, issued: &Issued) -> Page {
    reveal::hand_over(visit, application, issued)
}

/// What can be done with a key in its state.
struct KeyRow {
    key: Credential,
    rotatable: bool,
    disablable: bool,
    enablable: bool,
    revocable: bool,
}

impl KeyRow {
    fn of(key: Credential, may: bool) -> Self {
        use CredentialState as S;
        Self {
            rotatable: may && key.state == S::Active,
            disablable: may && key.state == S::Active,
            enablable: may && key.state == S::Disabled,
            revocable: may && !matches!(key.state, S::Revoked),
            key,
        }
    }
}

#[derive(Template)]
#[template(path = "portal/me/keys.html")]
struct KeysPage {
    shell: Shell,
    frame: Frame,
    rows: Vec<KeyRow>,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "portal/me/new_key.html")]
struct NewPage {
    shell: Shell,
    frame: Frame,
    form: FormState,
}

#[derive(Template)]
#[template(path = "portal/me/rotate_key.html")]
struct RotatePage {
    shell: Shell,
    frame: Frame,
    key: Credential,
    form: FormState,
    graces: [(&'static str, &'static str, &'static str); 5],
}

#[derive(Template)]
#[template(path = "portal/me/end_key.html")]
struct EndPage {
    shell: Shell,
    frame: Frame,
    key: Credential,
    form: FormState,
    disable: bool,
}

async fn list(
    caller: Authorized<ApplicationsRead>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let list = Listing::of(&visit);
    let Items { items, next } = app
        .control
        .credentials()
        .list(&caller, &frame.reference(), list.page(PER_PAGE))
        .await?;
    let template = KeysPage {
        shell: frame.shell(&visit),
        rows: items
            .into_iter()
            .map(|key| KeyRow::of(key, frame.can.keys))
            .collect(),
        first: list.is_continued().then(|| list.first()),
        next: list.next(next.as_ref()),
        frame,
    };
    Page::html(&template)
}

async fn new(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    show_new(&visit, frame, FormState::default())
}

async fn create(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At(application): At<Ref<ApplicationId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let mut form = FormState::from_fields(&fields);
    let Some(new) = read(&mut form, &fields) else {
        return show_new(&visit, frame, form);
    };
    let issued = app
        .control
        .credentials()
        .issue(&caller, &frame.reference(), new)
        .await;
    match issued {
        Ok(issued) => Ok(reveal_after(&visit, &frame.application.slug, &issued)),
        Err(error) => show_new(&visit, frame, form.refused(error)?),
    }
}

fn show_new(visit: &Visit, frame: Frame, form: FormState) -> Result<Page, Problem> {
    let shell = frame.shell_below(visit, "New key");
    let template = NewPage {
        shell: shell.with(&form),
        frame,
        form,
    };
    Page::form(&template, &template.form)
}

fn read(form: &mut FormState, fields: &Fields) -> Option<NewCredential> {
    let name = match fields.some("name") {
        Some(name) => form.take("name", Name::parse(name)).map(Some),
        None => Some(None),
    };
    let start = read_day(form, fields, "not_before");
    let end = read_day(form, fields, "expires_at");
    Some(NewCredential {
        kind: CredentialKind::ApiKey,
        name: name?,
        not_before: start?,
        // The day that is named still counts.
        expires_at: end?.map(|day| day.plus(DAY)),
    })
}

/// Reads a day as browsers send it: its first moment, in UTC.
fn read_day(form: &mut FormState, fields: &Fields, name: &str) -> Option<Option<Timestamp>> {
    let Some(text) = fields.some(name) else {
        return Some(None);
    };
    let day = format!("{text}T00:00:00Z")
        .parse::<Timestamp>()
        .map_err(|_| Invalid::new("invalid_day", "must be a day such as 2027-01-31"));
    form.take(name, day).map(Some)
}

/// A key of this very application.
pub(super) async fn find(
    app: &App,
    caller: &Caller,
    frame: &Frame,
    id: CredentialId,
) -> Result<Credential, Problem> {
    let key = app.control.credentials().get(caller, id).await?;
    if key.application_id == frame.application.id {
        Ok(key)
    } else {
        Err(Error::missing("key").into())
    }
}

async fn ask_rotate(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = find(&app, &caller, &frame, id).await?;
    show_rotate(
        &visit,
        frame,
        key,
        FormState::new([("grace_seconds", USUAL_GRACE)]),
    )
}

async fn rotate(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = find(&app, &caller, &frame, id).await?;
    let mut form = FormState::from_fields(&fields);
    let grace = fields
        .get("grace_seconds")
        .parse::<u64>()
        .map_err(|_| Invalid::new("invalid_grace", "must be one of the choices"));
    let Some(grace) = form.take("grace_seconds", grace) else {
        return show_rotate(&visit, frame, key, form);
    };
    let rotated = app
        .control
        .credentials()
        .rotate(&caller, id, Duration::from_secs(grace), IfMatch::ANY)
        .await;
    match rotated {
        Ok(issued) => Ok(reveal_after(&visit, &frame.application.slug, &issued)),
        Err(error) => show_rotate(&visit, frame, key, form.refused(error)?),
    }
}

fn show_rotate(visit: &Visit, frame: Frame, key: Credential, form: FormState) -> Result<Page, Problem> {
    let shell = frame.shell_below(visit, "Rotate key");
    let template = RotatePage {
        shell: shell.with(&form),
        frame,
        key,
        form,
        graces: GRACES,
    };
    Page::form(&template, &template.form)
}

async fn ask_revoke(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = find(&app, &caller, &frame, id).await?;
    show_end(&visit, frame, key, FormState::default(), false)
}

async fn revoke(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
    fields: Fields,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = find(&app, &caller, &frame, id).await?;
    let mut form = FormState::from_fields(&fields);
    let reason = match fields.some("reason") {
        Some(reason) => form.take("reason", Remark::parse(reason)),
        None => None,
    };
    if !form.is_ok() {
        return show_end(&visit, frame, key, form, false);
    }
    let action = CredentialAction::Revoke { reason };
    match move_key(&app, &caller, id, action).await {
        Ok(()) => Ok(visit.redirect_with(&frame.tab_path(), "Key revoked. It opens nothing any more.")),
        Err(error) => show_end(&visit, frame, key, form.refused(error)?, false),
    }
}

async fn ask_disable(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = find(&app, &caller, &frame, id).await?;
    show_end(&visit, frame, key, FormState::default(), true)
}

async fn disable(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    let key = find(&app, &caller, &frame, id).await?;
    let form = FormState::default();
    match move_key(&app, &caller, id, CredentialAction::Disable).await {
        Ok(()) => Ok(visit.redirect_with(&frame.tab_path(), "Key switched off. You can switch it on again.")),
        Err(error) => show_end(&visit, frame, key, form.refused(error)?, true),
    }
}

async fn enable(
    caller: Authorized<CredentialsWrite>,
    visit: Visit,
    State(app): State<App>,
    At((application, id)): At<(Ref<ApplicationId>, CredentialId)>,
) -> Result<Page, Problem> {
    let frame = Frame::load(&app, &visit, &caller, &application, Tab::Keys).await?;
    find(&app, &caller, &frame, id).await?;
    move_key(&app, &caller, id, CredentialAction::Enable).await?;
    Ok(visit.redirect_with(&frame.tab_path(), "Key switched on."))
}

async fn move_key(
    app: &App,
    caller: &Caller,
    id: CredentialId,
    action: CredentialAction,
) -> Result<(), Error> {
    app.control
        .credentials()
        .transition(caller, id, action, IfMatch::ANY)
        .await
        .map(|_| ())
}

fn show_end(
    visit: &Visit,
    frame: Frame,
    key: Credential,
    form: FormState,
    disable: bool,
) -> Result<Page, Problem> {
    let title = if disable { "Switch key off" } else { "Revoke key" };
    let shell = frame.shell_below(visit, title);
    let template = EndPage {
        shell: shell.with(&form),
        frame,
        key,
        form,
        disable,
    };
    Page::form(&template, &template.form)
}
