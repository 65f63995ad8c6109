//! Every application of the tenant, for those who oversee their use.

use askama::Template;
use axum::extract::State;
use gatewright_control::applications::ApplicationFilter;
use gatewright_control::names::{Names, Wanted};
use gatewright_control::subscriptions::SubscriptionFilter;
use gatewright_control::{Caller, IfMatch};
use gatewright_model::consumer::{Application, ApplicationState, ApplicationVerb, Credential, Subscription};
use gatewright_model::id::ApplicationId;
use gatewright_model::page::PageRequest;
use gatewright_model::permission::Permission;
use gatewright_model::reference::Ref;
use gatewright_model::text::Remark;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::path::At;
use gatewright_webkit::permit::{TenantRead, TenantWrite};
use gatewright_webkit::problem::Problem;

use crate::app::App;
use crate::chart::{Spark, Tone};
use crate::fields::Fields;
use crate::form::FormState;
use crate::listing::Listing;
use crate::page::Page;
use crate::pages::Pages;
use crate::range::{Range, Span};
use crate::shell::Shell;
use crate::traffic::Traffic;
use crate::visit::Visit;

const PATH: &str = "/console/apps";
const PER_PAGE: u16 = 50;

/// The pages of applications.
pub(super) fn routes(pages: Pages) -> Pages {
    pages
        .get(PATH, list)
        .get("/console/apps/{application}", one)
        .post("/console/apps/{application}/suspend", suspend)
        .post("/console/apps/{application}/activate", activate)
        .post("/console/apps/{application}/archive", archive)
}

#[derive(Template)]
#[template(path = "console/apps/list.html")]
struct List {
    shell: Shell,
    list: Listing,
    items: Vec<Application>,
    names: Names,
    first: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "console/apps/app.html")]
struct One {
    shell: Shell,
    form: FormState,
    application: Application,
    team: String,
    subscriptions: Vec<Subscription>,
    credentials: Vec<Credential>,
    names: Names,
    traffic: Option<Traffic>,
    spark: Option<Spark>,
    may_change: bool,
}

async fn list(caller: Authorized<TenantRead>, visit: Visit, State(app): State<App>) -> Result<Page, Problem> {
    let mut list = Listing::of(&visit);
    let filter = ApplicationFilter {
        q: list.some("q").map(str::to_owned),
        team: None,
        state: list.take::<ApplicationState>("state"),
    };
    let page = app
        .control
        .applications()
        .list(&caller, &filter, list.page(PER_PAGE))
        .await?;
    let wanted = Wanted {
        teams: page.items.iter().map(|application| application.team_id).collect(),
        ..Wanted::default()
    };
    let template = List {
        shell: visit
            .shell("Applications")
            .crumb("Console", "/console")
            .last_crumb("Applications"),
        names: app.control.names(&caller, &wanted).await?,
        first: list.is_continued().then(|| list.first()),
        next: list.next(page.next.as_ref()),
        items: page.items,
        list,
    };
    Page::html(&template)
}

async fn one(
    caller: Authorized<TenantRead>,
    visit: Visit,
    State(app): State<App>,
    At(reference): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    show(&app, &visit, &caller, &reference, FormState::default()).await
}

async fn suspend(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    At(reference): At<Ref<ApplicationId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let Some(reason) = form.take("reason", Remark::parse(fields.get("reason"))) else {
        return show(&app, &visit, &caller, &reference, form).await;
    };
    let step = Step {
        verb: ApplicationVerb::Suspend,
        reason: Some(reason),
        done: "Suspended: its keys are refused from now on.",
    };
    step.take(&app, &visit, &caller, &reference, form).await
}

async fn activate(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    At(reference): At<Ref<ApplicationId>>,
) -> Result<Page, Problem> {
    let step = Step {
        verb: ApplicationVerb::Activate,
        reason: None,
        done: "Active again.",
    };
    step.take(&app, &visit, &caller, &reference, FormState::default())
        .await
}

async fn archive(
    caller: Authorized<TenantWrite>,
    visit: Visit,
    State(app): State<App>,
    At(reference): At<Ref<ApplicationId>>,
    fields: Fields,
) -> Result<Page, Problem> {
    let mut form = FormState::from_fields(&fields);
    let application = app.control.applications().get(&caller, &reference).await?;
    if fields.get("confirm") != application.slug.as_str() {
        form.fail_field("confirm", "Type the short name exactly as it is shown");
        return show(&app, &visit, &caller, &reference, form).await;
    }
    let step = Step {
        verb: ApplicationVerb::Archive,
        reason: None,
        done: "Archived: its subscriptions are closed.",
    };
    step.take(&app, &visit, &caller, &reference, form).await
}

struct Step {
    verb: ApplicationVerb,
    reason: Option<Remark>,
    done: &'static str,
}

impl Step {
    async fn take(
        self,
        app: &App,
        visit: &Visit,
        caller: &Caller,
        reference: &Ref<ApplicationId>,
        form: FormState,
    ) -> Result<Page, Problem> {
        let applications = app.control.applications();
        match applications
            .transition(caller, reference, self.verb, self.reason, IfMatch::ANY)
            .await
        {
            Ok(application) => Ok(visit.redirect_with(&format!("{PATH}/{}", application.slug), self.done)),
            Err(error) => show(app, visit, caller, reference, form.refused(error)?).await,
        }
    }
}

async fn show(
    app: &App,
    visit: &Visit,
    caller: &Caller,
    reference: &Ref<ApplicationId>,
    form: FormState,
) -> Result<Page, Problem> {
    let application = app.control.applications().get(caller, reference).await?;
    let of = Ref::Id(application.id);
    let filter = SubscriptionFilter {
        application: Some(of.clone()),
        ..SubscriptionFilter::default()
    };
    let page = PageRequest::default();
    let subscriptions = app
        .control
        .subscriptions()
        .list(caller, &filter, page)
        .await?
        .items;
    let credentials = app.control.credentials().list(caller, &of, page).await?.items;
    let names = app
        .control
        .names(caller, &wanted(&application, &subscriptions))
        .await?;
    let traffic = week(app, caller, of).await;
    let shell = visit
        .shell(application.name.to_string())
        .crumb("Console", "/console")
        .crumb("Applications", PATH)
        .last_crumb(application.name.to_string());
    let template = One {
        shell: shell.with(&form),
        form,
        team: names
            .teams
            .get(&application.team_id)
            .map_or_else(String::new, |team| team.name.to_string()),
        spark: traffic
            .as_ref()
            .filter(|traffic| !traffic.is_empty())
            .map(|traffic| Spark::new(&traffic.by_bucket, Tone::Accent)),
        may_change: caller
            .rights
            .in_team(Permission::ApplicationsWrite, application.team_id),
        application,
        subscriptions,
        credentials,
        names,
        traffic,
    };
    Page::form(&template, &template.form)
}

fn wanted(application: &Application, subscriptions: &[Subscription]) -> Wanted {
    Wanted {
        apis: subscriptions
            .iter()
            .map(|subscription| subscription.api_id)
            .collect(),
        plans: subscriptions
            .iter()
            .map(|subscription| subscription.plan_id)
            .collect(),
        teams: vec![application.team_id],
        ..Wanted::default()
    }
}

/// The calls of the last week; nothing for who may not see usage.
async fn week(app: &App, caller: &Caller, application: Ref<ApplicationId>) -> Option<Traffic> {
    let range = Range::last(Span::Week, app.control.now());
    let mut query = range.query();
    query.application = Some(application);
    let rows = app.control.usage().query(caller, &query).await.ok()?;
    Some(Traffic::of(&range, &rows))
}

#[cfg(test)]
mod tests {
    use gatewright_control::applications::NewApplication;
    use gatewright_model::consumer::Environment;
    use gatewright_model::permission::Role;
    use gatewright_model::text::Name;

    use super::*;
    use crate::testing::TestPortal;

    #[tokio::test]
    async fn an_application_is_suspended_with_a_reason_and_archived_by_its_name() {
        let portal = TestPortal::new().await;
        let admin = portal.admin().await;
        admin.get(PATH).await.shows(&["No application yet"]);
        let caller = portal.admin_caller().await;
        let new = NewApplication {
            name: Name::parse("Till").unwrap(),
            slug: None,
            team: None,
            environment: Environment::Live,
        };
        portal.control.applications().create(&caller, new).await.unwrap();
        admin
            .get("/console/apps?q=til&state=active")
            .await
            .shows(&["Till"]);
        admin
            .get("/console/apps?q=none")
            .await
            .shows(&["Nothing matches"]);
        let path = "/console/apps/till";
        admin.get(path).await.shows(&["No subscription", "No key"]);
        admin
            .post(&format!("{path}/suspend"), &[("reason", " ")])
            .await
            .refuses(&["Enter a reason"]);
        let (support, _) = portal.user("sam", Some(Role::Support)).await;
        support.get(path).await.shows(&["Till"]);
        let denied = support.post(&format!("{path}/suspend"), &[("reason", "x")]).await;
        assert_eq!(denied.status, 403);
        admin
            .post(&format!("{path}/suspend"), &[("reason", "abuse")])
            .await
            .location();
        admin.get(path).await.shows(&["suspended"]);
        admin.post(&format!("{path}/activate"), &[]).await.location();
        admin
            .post(&format!("{path}/archive"), &[("confirm", "tilt")])
            .await
            .refuses(&["exactly as it is shown"]);
        admin
            .post(&format!("{path}/archive"), &[("confirm", "till")])
            .await
            .location();
        admin.get(path).await.shows(&["archived"]);
        assert_eq!(admin.get("/console/apps/none").await.status, 404);
    }
}
