//! Getting access to an API, on one page: a plan, an application, a note. Where
//! nobody has to agree, the next page shows the key.

use askama::Template;
use axum::extract::State;
use gatewright_control::applications::ApplicationFilter;
use gatewright_control::catalog::{
    AccessGranted, AccessRequest, AccessWay, CatalogApi, ForApplication, OwnSubscription,
};
use gatewright_control::{Caller, Error};
use gatewright_model::consumer::{Application, ApplicationState, Environment, SubscriptionState};
use gatewright_model::id::{ApiId, PlanId};
use gatewright_model::invalid::Invalid;
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::Team;
use gatewright_model::text::{Name, Remark};
use gatewright_webkit::authorized::SignedIn;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::me;
use super::words::PlanCard;
use crate::app::App;
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

/// The choice of an application that does not exist yet.
const NEW: &str = "new";
/// What a first application is called until somebody has a better name.
const FIRST_NAME: &str = "My first app";

pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get("/apis/{api}/access", ask)
        .post_fresh("/apis/{api}/access", request)
}

#[derive(Template)]
#[template(path = "portal/access.html")]
struct AccessPage {
    shell: Shell,
    form: FormState,
    slug: String,
    api: String,
    owner: String,
    contact: Option<String>,
    plans: Vec<PlanCard>,
    keyless: bool,
    own: Vec<OwnSubscription>,
    applications: Vec<(String, String)>,
    teams: Vec<(String, String)>,
    may_create: bool,
    manual: bool,
    reference: String,
}

/// What stands on the page beside the form.
struct Choices {
    seen: CatalogApi,
    applications: Vec<Application>,
    teams: Vec<Team>,
}

impl Choices {
    async fn load(app: &App, visit: &Visit, caller: &Caller, api: &Ref<ApiId>) -> Result<Self, Problem> {
        let seen = app.control.catalog().get(&visit.reader(), api).await?;
        let active = ApplicationFilter {
            state: Some(ApplicationState::Active),
            ..ApplicationFilter::default()
        };
        let all = PageRequest {
            size: PageSize::new(PageSize::MAX).unwrap_or(PageSize::DEFAULT),
            after: None,
        };
        let applications = if visit.may(Permission::ApplicationsRead) {
            let page = app.control.applications().list(caller, &active, all).await?;
            let asks = |application: &Application| {
                let team = application.team_id;
                caller.rights.in_team(Permission::SubscriptionsRequest, team)
            };
            page.items.into_iter().filter(asks).collect()
        } else {
            Vec::new()
        };
        let teams = if visit.may(Permission::ApplicationsWrite) {
            app.control.consumer().teams_to_create_in(caller).await?
        } else {
            Vec::new()
        };
        Ok(Self {
            seen,
            applications,
            teams,
        })
    }

    /// The form as it is shown first: one click away from being sent.
    fn first_form(&self, chosen: Option<&str>) -> FormState {
        let keyed = || {
            self.seen
                .plans
                .iter()
                .filter(|plan| plan.way != AccessWay::Keyless)
        };
        let named = keyed().find(|open| Some(open.plan.slug.as_str()) == chosen);
        let at_once = || keyed().find(|open| open.way == AccessWay::Auto);
        let plan = named.or_else(at_once).or_else(|| keyed().next());
        let application = self
            .without_access()
            .map_or(NEW, |application| application.slug.as_str());
        let team = self.teams.first().map_or("", |team| team.slug.as_str());
        FormState::new([
            (
                "plan",
                plan.map_or_else(String::new, |open| open.plan.id.to_string()),
            ),
            ("application", application.to_owned()),
            ("name", FIRST_NAME.to_owned()),
            ("team", team.to_owned()),
        ])
    }

    /// The newest application that has no access to this API yet.
    fn without_access(&self) -> Option<&Application> {
        let has = |application: &&Application| {
            let mut own = self.seen.subscriptions.iter();
            own.any(|own| {
                own.subscription.state.is_live() && own.subscription.application_id == application.id
            })
        };
        self.applications.iter().find(|application| !has(application))
    }

    fn page(self, visit: &Visit, form: FormState) -> AccessPage {
        let api = self.seen.api.name.to_string();
        let slug = self.seen.api.slug.to_string();
        let version = self.seen.current().map(|shown| shown.version.label.to_string());
        let shell = visit
            .shell(format!("Get access to {api}"))
            .crumb("APIs", "/apis")
            .crumb(api.clone(), &format!("/apis/{slug}"))
            .last_crumb("Get access");
        let may_create = !self.teams.is_empty();
        let mut applications: Vec<_> = self
            .applications
            .iter()
            .map(|application| (application.slug.to_string(), application.name.to_string()))
            .collect();
        if may_create {
            applications.push((NEW.to_owned(), "A new application".to_owned()));
        }
        let opens = |way| self.seen.plans.iter().any(|plan| plan.way == way);
        let keyed = self
            .seen
            .plans
            .iter()
            .filter(|plan| plan.way != AccessWay::Keyless);
        AccessPage {
            reference: format!("/apis/{slug}/v/{}/reference", version.unwrap_or_default()),
            owner: self.seen.team.name.to_string(),
            contact: self.seen.team.contact.as_ref().map(ToString::to_string),
            manual: opens(AccessWay::Manual),
            keyless: opens(AccessWay::Keyless),
            plans: keyed.map(PlanCard::of).collect(),
            own: self
                .seen
                .subscriptions
                .into_iter()
                .filter(|own| own.subscription.state.is_live())
                .collect(),
            teams: self
                .teams
                .iter()
                .map(|team| (team.slug.to_string(), team.name.to_string()))
                .collect(),
            shell: shell.with(&form),
            form,
            slug,
            api,
            applications,
            may_create,
        }
    }
}

async fn ask(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let choices = Choices::load(&app, &visit, &caller, &api).await?;
    let form = choices.first_form(Listing::of(&visit).some("plan"));
    let template = choices.page(&visit, form);
    Page::form(&template, &template.form)
}

async fn request(
    SignedIn(caller): SignedIn,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    if let Some(wish) = read(&mut form, &fields) {
        match app.control.catalog().request_access(&caller, &api, wish).await {
            Ok(granted) => return Ok(answer(&visit, &granted)),
            Err(Error::Duplicate {
                code: "subscription_exists",
                existing,
                ..
            }) => {
                let application = fields.get("application");
                let path = format!("/me/apps/{application}/subscriptions/{existing}");
                return Ok(visit.redirect_with(&path, "You asked for this already: here it is."));
            }
            Err(error) => form.absorb(error)?,
        }
    }
    let choices = Choices::load(&app, &visit, &caller, &api).await?;
    let template = choices.page(&visit, form);
    Page::form(&template, &template.form)
}

fn read(form: &mut FormState, fields: &Fields) -> Option<AccessRequest> {
    let unknown = |_| Invalid::new("unknown_plan", "must be one of the plans on this page");
    let plan = form.take("plan", fields.get("plan").parse::<PlanId>().map_err(unknown));
    let application = match fields.get("application") {
        NEW => {
            let name = form.take("name", Name::parse(fields.some("name").unwrap_or(FIRST_NAME)));
            let team = form.take("team", fields.get("team").parse());
            let environment = match fields.some("environment") {
                Some(word) => form.take("environment", word.parse::<Environment>()),
                None => Some(Environment::Live),
            };
            name.zip(team)
                .zip(environment)
                .map(|((name, team), environment)| ForApplication::New {
                    name,
                    environment,
                    team,
                })
        }
        existing => form
            .take("application", existing.parse())
            .map(ForApplication::Existing),
    };
    let note = match fields.some("reason") {
        Some(text) => form.take("reason", Remark::parse(text)).map(Some),
        None => Some(None),
    };
    Some(AccessRequest {
        plan: plan?,
        application: application?,
        note: note?,
    })
}

fn answer(visit: &Visit, granted: &AccessGranted) -> Page {
    let application = &granted.application.slug;
    if let Some(issued) = &granted.issued {
        return me::keys::reveal_after(visit, application, issued);
    }
    if granted.subscription.state == SubscriptionState::Active {
        let path = format!("/me/apps/{application}/keys");
        return visit.redirect_with(&path, "Access granted. The keys of this application open it now.");
    }
    let path = format!("/me/apps/{application}/subscriptions/{}", granted.subscription.id);
    visit.redirect_with(&path, "Request sent. You see the answer here.")
}

#[cfg(test)]
mod tests {
    use gatewright_control::IfMatch;
    use gatewright_control::plans::PlanPatch;
    use gatewright_model::permission::Role;
    use gatewright_model::plan::ApprovalMode;

    use crate::testing::TestPortal;

    const PATH: &str = "/apis/petstore/access";

    #[tokio::test]
    async fn two_clicks_lead_from_the_api_to_a_key() {
        let portal = TestPortal::new().await;
        let (_, plan) = portal.published("petstore").await;
        let (developer, _) = portal.user("dev", Some(Role::Developer)).await;
        assert_eq!(
            portal.visitor().get(PATH).await.location(),
            "/sign-in?return_to=/apis/petstore/access"
        );
        developer
            .get(PATH)
            .await
            .shows(&["My first app", "Free", "Key at once", "Request access"]);
        let plan = plan.id.to_string();
        let form = [
            ("plan", plan.as_str()),
            ("application", "new"),
            ("name", "My first app"),
            ("team", "default"),
        ];
        let made = developer.post(PATH, &form).await;
        let (keys, created) = ("/me/apps/my-first-app/keys/key_", "/created");
        assert!(made.location().starts_with(keys), "{}", made.location());
        assert!(made.location().ends_with(created), "{}", made.location());
        developer
            .get("/apis/petstore")
            .await
            .shows(&["Open my key", "/me/apps/my-first-app/keys"]);
        let again = [("plan", plan.as_str()), ("application", "my-first-app")];
        let existing = developer.post(PATH, &again).await;
        assert!(
            existing
                .location()
                .starts_with("/me/apps/my-first-app/subscriptions/sub_"),
            "{}",
            existing.location()
        );
    }

    #[tokio::test]
    async fn a_refused_form_keeps_what_was_typed_and_makes_nothing() {
        let portal = TestPortal::new().await;
        let (_, plan) = portal.published("petstore").await;
        let (developer, caller) = portal.user("dev", Some(Role::Developer)).await;
        let refused = developer
            .post(
                PATH,
                &[
                    ("application", "new"),
                    ("name", "two\nlines"),
                    ("team", "default"),
                    ("environment", "none"),
                ],
            )
            .await;
        refused.refuses(&[
            "There is a problem",
            "Choose a plan",
            "application must be",
            "Environment must be",
        ]);
        let id = plan.id.to_string();
        let nobodys = [("plan", id.as_str()), ("application", "nobodys")];
        developer
            .post(PATH, &nobodys)
            .await
            .refuses(&["must be one of your applications"]);
        let applications = portal.control.applications();
        let filter = gatewright_control::applications::ApplicationFilter::default();
        let all = applications
            .list(&caller, &filter, Default::default())
            .await
            .unwrap();
        assert!(all.items.is_empty());
    }

    #[tokio::test]
    async fn a_plan_with_approval_waits_for_its_answer() {
        let portal = TestPortal::new().await;
        let (_, plan) = portal.published("petstore").await;
        let admin = portal.admin_caller().await;
        let manual = PlanPatch {
            approval: Some(ApprovalMode::Manual),
            ..PlanPatch::default()
        };
        let plans = portal.control.plans();
        plans.update(&admin, plan.id, manual, IfMatch::ANY).await.unwrap();
        let (developer, _) = portal.user("dev", Some(Role::Developer)).await;
        let id = plan.id.to_string();
        let form = [
            ("plan", id.as_str()),
            ("application", "new"),
            ("name", "Shop"),
            ("team", "default"),
            ("reason", "We sell pets."),
        ];
        let asked = developer.post(PATH, &form).await;
        assert!(asked.location().starts_with("/me/apps/shop/subscriptions/sub_"));
        developer
            .get("/apis/petstore")
            .await
            .shows(&["pending", "Get access"]);
    }

    #[tokio::test]
    async fn who_may_not_ask_is_told_so() {
        let portal = TestPortal::new().await;
        portal.published("petstore").await;
        let (nobody, _) = portal.user("nobody", None).await;
        let seen = nobody.get(PATH).await;
        seen.shows(&["You cannot ask for access yet"]);
        assert!(!seen.text.contains("Request access"));
    }
}
