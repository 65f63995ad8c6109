//! Management tokens of whoever is signed in: for programs and scripts that
//! speak to the management API in their name.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use gatewright_control::Caller;
use gatewright_control::tokens::NewToken;
use gatewright_model::id::TokenId;
use gatewright_model::invalid::Invalid;
use gatewright_model::permission::Permission;
use gatewright_model::secret::SecretText;
use gatewright_model::state::Word;
use gatewright_model::tenancy::ManagementToken;
use gatewright_model::text::Name;
use gatewright_model::time::Timestamp;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::TokensWrite;
use gatewright_webkit::problem::Problem;
use http::HeaderValue;
use http::header::CACHE_CONTROL;

use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/tokens";
const PER_PAGE: u16 = 50;
const DAY: Duration = Duration::from_secs(86_400);
/// For how many days a token may work; nothing for ever.
const LIVES: [(&str, &str); 4] = [
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "A year"),
    ("", "For ever"),
];

/// The pages of tokens.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, list)
        .get("/console/tokens/new", new)
        .post_fresh(PATH, create)
        .post("/console/tokens/{token}/revoke", revoke)
}

#[derive(Template)]
#[template(path = "console/tokens/list.html")]
struct List {
    shell: Shell,
    items: Vec<ManagementToken>,
    now: Timestamp,
    first: Option<String>,
    next: Option<String>,
}

impl List {
    fn is_expired(&self, token: &ManagementToken) -> bool {
        token.expires_at.is_some_and(|at| at <= self.now)
    }
}

#[derive(Template)]
#[template(path = "console/tokens/new.html")]
struct New {
    shell: Shell,
    form: FormState,
    scopes: Vec<(Permission, &'static str)>,
    lives: [(&'static str, &'static str); 4],
}

#[derive(Template)]
#[template(path = "console/tokens/created.html")]
struct Created {
    shell: Shell,
    secret: SecretText,
    name: Name,
    curl: String,
}

fn shell(visit: &Visit, title: &str) -> Shell {
    visit
        .shell(title)
        .crumb("Console", "/console")
        .crumb("Tokens", PATH)
        .last_crumb(title)
}

async fn list(
    caller: Authorized<TokensWrite>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let list = Listing::of(&visit);
    let page = app.control.tokens().list(&caller, list.page(PER_PAGE)).await?;
    Page::html(&List {
        shell: visit
            .shell("Tokens")
            .crumb("Console", "/console")
            .last_crumb("Tokens"),
        now: app.control.now(),
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        items: page.items,
    })
}

async fn new(caller: Authorized<TokensWrite>, visit: Visit) -> Result<Page, Problem> {
    ask(&visit, &caller, FormState::new([("days", "90")]))
}

fn ask(visit: &Visit, caller: &Caller, form: FormState) -> Result<Page, Problem> {
    let shell = shell(visit, "New token");
    let template = New {
        shell: shell.with(&form),
        form,
        scopes: caller
            .rights
            .all()
            .iter()
            .map(|permission| (permission, permission.meaning()))
            .collect(),
        lives: LIVES,
    };
    Page::form(&template, &template.form)
}

async fn create(
    caller: Authorized<TokensWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let name = form.take("name", Name::parse(fields.get("name")));
    let mut scopes = Vec::new();
    for word in fields.all("scopes") {
        scopes.extend(form.take("scopes", word.parse::<Permission>()));
    }
    let days = match fields.get("days") {
        "" => Ok(None),
        text => LIVES
            .iter()
            .find(|(days, _)| *days == text)
            .and_then(|(days, _)| days.parse().ok())
            .map(Some)
            .ok_or_else(|| Invalid::new("invalid_days", "must be one of the choices")),
    };
    let days: Option<Option<u32>> = form.take("days", days);
    let (Some(name), Some(days), true) = (name, days, form.is_ok()) else {
        return ask(&visit, &caller, form);
    };
    let new = NewToken {
        name,
        scopes,
        expires_at: days.map(|days| app.control.now().plus(DAY * days)),
    };
    match app.control.tokens().create(&caller, new).await {
        Ok(issued) => reveal(&visit, &app, issued.token, issued.secret),
        Err(error) => ask(&visit, &caller, form.refused(error)?),
    }
}

/// The secret is part of this one answer and of nothing that is kept.
fn reveal(visit: &Visit, app: &App, token: ManagementToken, secret: SecretText) -> Result<Page, Problem> {
    let curl = format!(
        "curl -H \"Authorization: Bearer $GATEWRIGHT_TOKEN\" {}/api/v1/whoami",
        app.settings.management_url
    );
    let page = Page::html(&Created {
        shell: shell(visit, "Your new token"),
        secret,
        name: token.name,
        curl,
    })?;
    Ok(page.header(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

async fn revoke(
    caller: Authorized<TokensWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<TokenId>,
) -> Result<Page, Problem> {
    let token = app.control.tokens().revoke(&caller, id).await?;
    Ok(visit.redirect_with(PATH, format!("{} was revoked.", token.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn a_token_is_made_shown_once_and_revoked() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin
            .get("/console/tokens/new")
            .await
            .shows(&["apis:read", "90 days"]);
        admin
            .post(PATH, &[("name", ""), ("days", "90")])
            .await
            .refuses(&["Enter a name"]);
        admin
            .post(PATH, &[("name", "ci"), ("days", "7"), ("scopes", "none:such")])
            .await
            .refuses(&["Lifetime must be one of", "What it may do must"]);
        let created = admin
            .post(PATH, &[("name", "ci"), ("days", "30"), ("scopes", "apis:read")])
            .await;
        created.shows(&["gwm_", "/api/v1/whoami"]);
        let secret = &created.text[created.text.find("gwm_").unwrap()..][..42];
        let list = admin.get(PATH).await;
        list.shows(&["ci", "apis:read"]);
        assert!(!list.text.contains(secret));
        let id = list.text.split("/console/tokens/tok_").nth(1).unwrap();
        let path = format!("{PATH}/tok_{}/revoke", &id[..26]);
        assert_eq!(admin.post(&path, &[]).await.location(), PATH);
        admin.get(PATH).await.shows(&["revoked"]);
    }
}
