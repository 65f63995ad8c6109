//! Whose key is this? A key from a log line or a leak is found by its
//! beginning; what lies behind that is neither needed nor kept.

use askama::Template;
use axum::extract::State;
use gatewright_control::credentials::CredentialAction;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::{Caller, IfMatch};
use gatewright_model::consumer::{Credential, CredentialState};
use gatewright_model::id::CredentialId;
use gatewright_model::permission::Permission;
use gatewright_model::text::Remark;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{TenantRead, TenantWrite};
use gatewright_webkit::problem::Problem;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/keys";
/// The kind's prefix and four characters: less names too many keys.
const SHORTEST: usize = 12;

/// The pages of keys.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, search)
        .post("/console/keys/find", find)
        .get("/console/keys/{credential}", one)
        .post("/console/keys/{credential}/revoke", revoke)
        .post("/console/keys/{credential}/disable", disable)
        .post("/console/keys/{credential}/enable", enable)
}

#[derive(Template)]
#[template(path = "console/keys/search.html")]
struct Search {
    shell: Shell,
    form: FormState,
    asked: bool,
    found: Vec<Credential>,
    names: Names,
}

#[derive(Template)]
#[template(path = "console/keys/key.html")]
struct Key {
    shell: Shell,
    form: FormState,
    key: Credential,
    names: Names,
    sees_calls: bool,
    may_change: bool,
}

/// The beginning of a key as it may stand in an address: never more of it.
fn prefix(text: &str) -> String {
    text.trim().chars().take(SHORTEST).collect()
}

async fn search(
    caller: Authorized<TenantRead>,
    visit: Visit,
    State(app): State<App>,
) -> Result<Page, Problem> {
    let asked = url::form_urlencoded::parse(visit.query().as_bytes())
        .find(|(name, _)| name == "q")
        .map(|(_, value)| prefix(&value))
        .unwrap_or_default();
    let mut form = FormState::new([("key", asked.as_str())]);
    let mut found = Vec::new();
    if !asked.is_empty() {
        match app.control.credentials().find_by_prefix(&caller, &asked).await {
            Ok(keys) => found = keys,
            Err(error) => form.absorb(error)?,
        }
    }
    let shell = visit
        .shell("Keys")
        .crumb("Console", "/console")
        .last_crumb("Keys");
    let template = Search {
        names: names(&app, &caller, &found).await?,
        shell: shell.with(&form),
        asked: !asked.is_empty() && form.is_ok(),
        form,
        found,
    };
    Page::html(&template)
}

/// A posted key stays out of addresses, histories and logs: only its beginning goes on.
async fn find(_: Authorized<TenantRead>, visit: Visit, fields: Fields) -> Page {
    let prefix = prefix(fields.get("key"));
    let encoded = utf8_percent_encode(&prefix, NON_ALPHANUMERIC);
    visit.redirect(&format!("{PATH}?q={encoded}"))
}

async fn one(
    caller: Authorized<TenantRead>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<CredentialId>,
) -> Result<Page, Problem> {
    show(&app, &visit, &caller, id, FormState::default()).await
}

async fn revoke(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<CredentialId>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let Some(reason) = form.take("reason", Remark::parse(fields.get("reason"))) else {
        return show(&app, &visit, &caller, id, form).await;
    };
    let action = CredentialAction::Revoke { reason: Some(reason) };
    act(&app, &visit, &caller, id, (action, "Revoked for good."), form).await
}

async fn disable(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<CredentialId>,
) -> Result<Page, Problem> {
    let step = (CredentialAction::Disable, "Disabled.");
    act(&app, &visit, &caller, id, step, FormState::default()).await
}

async fn enable(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    At(id): At<CredentialId>,
) -> Result<Page, Problem> {
    let step = (CredentialAction::Enable, "It works again.");
    act(&app, &visit, &caller, id, step, FormState::default()).await
}

async fn act(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: CredentialId,
    (action, done): (CredentialAction, &str),
    form: FormState,
) -> Result<Page, Problem> {
    let credentials = app.control.credentials();
    match credentials.transition(caller, id, action, IfMatch::ANY).await {
        Ok(_) => Ok(visit.redirect_with(&format!("{PATH}/{id}"), done)),
        Err(error) => show(app, visit, caller, id, form.refused(error)?).await,
    }
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    id: CredentialId,
    form: FormState,
) -> Result<Page, Problem> {
    let key = app.control.credentials().get(caller, id).await?;
    let names = names(app, caller, std::slice::from_ref(&key)).await?;
    let title = format!("Key {}…{}", key.hint.prefix, key.hint.last4);
    let shell = visit
        .shell(title.clone())
        .crumb("Console", "/console")
        .crumb("Keys", PATH)
        .last_crumb(title);
    let template = Key {
        sees_calls: visit.may(Permission::CallsRead),
        shell: shell.with(&form),
        form,
        may_change: caller.rights.anywhere(Permission::CredentialsWrite)
            && key.state != CredentialState::Revoked,
        names,
        key,
    };
    Page::form(&template, &template.form)
}

async fn names(app: &App, caller: &Caller, keys: &[Credential]) -> Result<Names, Problem> {
    let wanted = Wanted {
        applications: keys.iter().map(|key| key.application_id).collect(),
        users: keys.iter().filter_map(|key| key.created_by).collect(),
        credentials: keys.iter().filter_map(|key| key.replaced_by).collect(),
        ..Wanted::default()
    };
    Ok(app.control.names(caller, &wanted).await?)
}

#[cfg(test)]
mod tests {
    use gatewright_control::credentials::NewCredential;
    use gatewright_model::consumer::CredentialKind;
    use gatewright_model::reference::Ref;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn a_leaked_key_is_found_by_its_beginning_and_revoked() {
        let portal = TestPortal::new().await;
        let caller = portal.admin_caller().await;
        let application = portal.application("Till").await;
        let new = NewCredential {
            kind: CredentialKind::ApiKey,
            name: None,
            not_before: None,
            expires_at: None,
        };
        let credentials = portal.control.credentials();
        let issued = credentials
            .issue(&caller, &Ref::Id(application.id), new)
            .await
            .unwrap();
        let admin = portal.admin().await;
        let secret = issued.secret.expose();
        let found = admin.post("/console/keys/find", &[("key", secret)]).await;
        assert!(!found.location().contains(&secret[13..]), "{}", found.location());
        let page = admin.get(found.location()).await;
        page.shows(&["Till", &issued.credential.hint.last4]);
        assert!(!page.text.contains(secret));
        admin
            .get("/console/keys?q=gw_l")
            .await
            .shows(&["first 12 characters"]);
        admin
            .get("/console/keys?q=gw_live_zzzz")
            .await
            .shows(&["No key begins like this"]);
        let path = format!("{PATH}/{}", issued.credential.id);
        admin.post(&format!("{path}/disable"), &[]).await.location();
        admin.get(&path).await.shows(&["disabled", "Enable"]);
        admin
            .post(&format!("{path}/revoke"), &[])
            .await
            .refuses(&["Enter a reason"]);
        admin
            .post(&format!("{path}/revoke"), &[("reason", "leaked")])
            .await
            .location();
        admin.get(&path).await.shows(&["revoked", "leaked"]);
    }
}
