//! What a tenant's administrators choose.

use askama::Template;
use axum::extract::State;
use gatewright_control::IfMatch;
use gatewright_control::tenants::TenantPatch;
use gatewright_model::invalid::Invalid;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::{SignUpMode, Tenant};
use gatewright_model::text::Name;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::TenantWrite;
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const PATH: &str = "/console/settings";

/// The page of settings.
pub(super) fn routes(pages: Pages) -> Pages {
    pages.get(PATH, settings).post(PATH, save)
}

#[derive(Template)]
#[template(path = "console/settings/settings.html")]
struct Settings {
    shell: Shell,
    form: FormState,
    slug: String,
}

async fn settings(_: Authorized<TenantWrite>, visit: Visit) -> Result<Page, Problem> {
    let form = of(visit.tenant());
    show(&visit, form)
}

fn of(tenant: &Tenant) -> FormState {
    let settings = &tenant.settings;
    let mut form = FormState::new([
        ("name", tenant.name.to_string()),
        ("sign_up", settings.sign_up.to_string()),
        ("min_deprecation_days", settings.min_deprecation_days.to_string()),
    ]);
    for (name, on) in [
        ("public_portal", settings.public_portal),
        ("review_required", settings.review_required),
        ("two_person_rule", settings.two_person_rule),
    ] {
        if on {
            form = form.set(name, "on");
        }
    }
    form
}

fn show(visit: &Visit, form: FormState) -> Result<Page, Problem> {
    let shell = visit
        .shell("Settings")
        .crumb("Console", "/console")
        .last_crumb("Settings");
    let template = Settings {
        shell: shell.with(&form),
        form,
        slug: visit.tenant().slug.to_string(),
    };
    Page::form(&template, &template.form)
}

async fn save(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let name = form.take("name", Name::parse(fields.get("name")));
    let sign_up = form.take("sign_up", fields.get("sign_up").parse::<SignUpMode>());
    let days = fields
        .get("min_deprecation_days")
        .parse()
        .map_err(|_| Invalid::new("invalid_days", "must be a whole number of days, 0 or more"));
    let days = form.take("min_deprecation_days", days);
    let (Some(name), Some(sign_up), Some(days)) = (name, sign_up, days) else {
        return show(&visit, form);
    };
    let mut settings = visit.tenant().settings.clone();
    settings.sign_up = sign_up;
    settings.min_deprecation_days = days;
    settings.public_portal = fields.has("public_portal");
    settings.review_required = fields.has("review_required");
    settings.two_person_rule = fields.has("two_person_rule");
    let patch = TenantPatch {
        name: Some(name),
        settings: Some(settings),
    };
    let tenant = Ref::Id(visit.tenant().id);
    match app
        .control
        .tenants()
        .update(&caller, &tenant, patch, IfMatch::ANY)
        .await
    {
        Ok(_) => Ok(visit.redirect_with(PATH, "Saved.")),
        Err(error) => show(&visit, form.refused(error)?),
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn a_closed_portal_asks_for_a_sign_in() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&["Default"]);
        let wrong = [("name", ""), ("sign_up", "x"), ("min_deprecation_days", "-1")];
        admin.post(PATH, &wrong).await.refuses(&[
            "Enter a name",
            "Who may make an account must",
            "whole number of days",
        ]);
        assert_eq!(portal.visitor().get("/apis").await.status, 200);
        let closed = [
            ("name", "Shop"),
            ("sign_up", "off"),
            ("min_deprecation_days", "30"),
        ];
        assert_eq!(admin.post(PATH, &closed).await.location(), PATH);
        admin.get(PATH).await.shows(&["Shop"]);
        let led = portal.visitor().get("/apis").await;
        assert_eq!(led.location(), "/sign-in?return_to=/apis");
        portal.visitor().get("/help").await.shows(&["Get a key and call"]);
        let (publisher, _) = portal.user("pia", Some(Role::Publisher)).await;
        assert_eq!(publisher.get(PATH).await.status, 403);
    }
}
