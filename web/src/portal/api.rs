//! The page of one API: what it does, which version to use, how to get in.

use askama::Template;
use axum::extract::State;
use gatewright_control::catalog::{AccessWay, CatalogApi, CatalogVersion, Figures, OwnSubscription};
use gatewright_model::api::VersionState;
use gatewright_model::consumer::SubscriptionState;
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::{Slug, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_openapi::docs::samples::Call;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::{At, PathPart};
use gatewright_webkit::problem::Problem;
use jiff::tz::TimeZone;

use super::first_call::{self, KeyIn};
use super::words::{self, PlanCard};
use crate::app::App;
use crate::markdown::SafeHtml;
use crate::page::Page;
use crate::pages::Pages;
use crate::shell::Shell;
use crate::visit::Visit;

const MARKDOWN: &str = "text/markdown; charset=utf-8";

pub(super) fn routes(pages: Pages) -> Pages {
    pages.get("/apis/{api}", show).get("/apis/{api}/figures", figures)
}

/// The last part of the address: an API, or its page as Markdown when it ends in `.md`.
#[derive(Debug)]
struct Named {
    api: Ref<ApiId>,
    twin: bool,
}

impl PathPart for Named {
    const NAME: &'static str = "api";
    const KIND: &'static str = "api";

    fn read(text: &str) -> Option<Self> {
        // No slug and no id holds a dot.
        let (name, twin) = text
            .strip_suffix(".md")
            .map_or((text, false), |name| (name, true));
        let api = name.parse().ok()?;
        Some(Self { api, twin })
    }
}

/// What a reader can do next.
enum Next {
    /// This application of the reader has access.
    OpenKey(Slug),
    /// There is a plan to ask for.
    GetAccess,
    /// Nobody asks for a key.
    CallIt,
    /// There is no plan: the owner can be asked.
    AskOwner,
}

/// A version in the table.
struct Row {
    label: VersionLabel,
    state: VersionState,
    operations: u32,
    published_at: Option<Timestamp>,
    sunset_at: Option<Timestamp>,
    successor: Option<VersionLabel>,
    url: String,
    readable: bool,
}

/// A version that ends, in one sentence.
struct Ending {
    text: String,
    successor: Option<Successor>,
}

/// The version to read about instead.
struct Successor {
    href: String,
    label: String,
}

#[derive(Template)]
#[template(path = "portal/api.html")]
struct ApiPage {
    shell: Shell,
    slug: String,
    name: String,
    opening: String,
    about: SafeHtml,
    kind: &'static str,
    audience: Option<&'static str>,
    team: String,
    contact: Option<String>,
    current: Row,
    rows: Vec<Row>,
    plans: Vec<PlanCard>,
    keyed: bool,
    next: Next,
    own: Vec<OwnSubscription>,
    ending: Option<Ending>,
    curl: String,
}

#[derive(Template)]
#[template(path = "portal/api_twin.md", escape = "none")]
struct Twin<'a> {
    portal: &'a str,
    base: &'a str,
    seen: &'a CatalogApi,
    plans: Vec<PlanCard>,
    kind: &'static str,
}

#[derive(Template)]
#[template(path = "portal/api_figures.html")]
struct FiguresPage {
    shell: Shell,
    figures: Option<Told>,
}

#[derive(Template)]
#[template(path = "portal/api_figures.html", block = "figures")]
struct FiguresPart {
    figures: Option<Told>,
}

/// Figures in words.
struct Told {
    answered: String,
    requests: u64,
    sample: u64,
    p95_ms: Option<f64>,
}

impl Told {
    fn of(figures: &Figures) -> Self {
        // Rounded down: one fault in a million calls is not none.
        let hundredths = (figures.answered * 10_000.0).floor() / 100.0;
        Self {
            answered: format!("{hundredths} %"),
            requests: figures.requests,
            sample: figures.sample,
            p95_ms: figures.p95_ms,
        }
    }
}

async fn show(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(named): At<Named>,
) -> Result<Page, Problem> {
    let seen = app.control.catalog().get(&visit.reader(), &named.api).await?;
    let Some(current) = seen.current().map(row) else {
        return Err(Problem::not_found("api"));
    };
    if named.twin {
        return twin(&visit, &app, &seen);
    }
    let call = example(&visit, &app, &named.api, &current).await?;
    Ok(Page::html(&page(&visit, &seen, current, call.as_ref()))?.revalidated(&visit))
}

/// A call of the version that is shown first; none while it cannot be read.
async fn example(visit: &Visit, app: &App, api: &Ref<ApiId>, current: &Row) -> Result<Option<Call>, Problem> {
    if !current.readable {
        return Ok(None);
    }
    let version = VersionRef::Label(current.label.clone());
    let docs = app.control.docs();
    Ok(docs.simplest_call(&visit.reader(), api, &version).await?)
}

fn twin(visit: &Visit, app: &App, seen: &CatalogApi) -> Result<Page, Problem> {
    let twin = Twin {
        portal: &app.control.urls().portal,
        base: visit.base(),
        kind: words::kind(seen.api.kind),
        plans: seen.plans.iter().map(PlanCard::of).collect(),
        seen,
    };
    let text = twin
        .render()
        .map_err(|error| Problem::internal(format!("a template failed: {error}")))?;
    Ok(Page::text(MARKDOWN, text).revalidated(visit))
}

fn page(visit: &Visit, seen: &CatalogApi, current: Row, call: Option<&Call>) -> ApiPage {
    let name = seen.api.name.to_string();
    let description = seen.api.description.trim();
    let opening = words::opening(description);
    let keyed = seen.plans.iter().any(|plan| plan.way != AccessWay::Keyless);
    let key = if keyed || seen.plans.is_empty() {
        KeyIn::Header
    } else {
        KeyIn::Nowhere
    };
    ApiPage {
        shell: visit
            .shell(name.clone())
            .crumb("APIs", "/apis")
            .last_crumb(name.clone())
            .twin(&format!("/apis/{}.md", seen.api.slug)),
        // A description of one paragraph is the lead already.
        about: if description == opening {
            SafeHtml::default()
        } else {
            SafeHtml::below(description, 2)
        },
        opening,
        kind: words::kind(seen.api.kind),
        audience: words::audience(seen.api.visibility),
        team: seen.team.name.to_string(),
        contact: seen.team.contact.as_ref().map(ToString::to_string),
        rows: seen.versions.iter().map(row).collect(),
        keyed,
        next: next(seen),
        own: seen
            .subscriptions
            .iter()
            .filter(|own| is_told(own))
            .cloned()
            .collect(),
        ending: ending(visit, seen, &current),
        curl: first_call::curl(call, &current.url, key),
        plans: seen.plans.iter().map(PlanCard::of).collect(),
        slug: seen.api.slug.to_string(),
        current,
        name,
    }
}

fn row(shown: &CatalogVersion) -> Row {
    let version = &shown.version;
    Row {
        label: version.label.clone(),
        state: version.state,
        operations: shown
            .revision
            .as_ref()
            .map_or(0, |revision| revision.operation_count),
        published_at: version.published_at,
        sunset_at: version.deprecation.as_ref().map(|end| end.sunset_at),
        successor: shown.successor.clone(),
        url: shown.gateway_url.clone(),
        readable: version.state != VersionState::Retired,
    }
}

/// What works, and what is waited for; what was refused or ended stands with
/// the application.
const fn is_told(own: &OwnSubscription) -> bool {
    own.subscription.state.is_live()
}

fn next(seen: &CatalogApi) -> Next {
    let works = |own: &&OwnSubscription| {
        matches!(
            own.subscription.state,
            SubscriptionState::Active | SubscriptionState::Closing
        )
    };
    if let Some(own) = seen.subscriptions.iter().find(works) {
        return Next::OpenKey(own.application.slug.clone());
    }
    if seen.plans.iter().any(|plan| plan.way != AccessWay::Keyless) {
        Next::GetAccess
    } else if seen.plans.is_empty() {
        Next::AskOwner
    } else {
        Next::CallIt
    }
}

fn ending(visit: &Visit, seen: &CatalogApi, current: &Row) -> Option<Ending> {
    let first = seen.current()?;
    let end = first
        .version
        .deprecation
        .as_ref()
        .filter(|_| first.version.state == VersionState::Deprecated)?;
    let day = end
        .sunset_at
        .to_jiff()
        .to_zoned(TimeZone::UTC)
        .strftime("%-d %B %Y");
    let mut text = format!("Version {} stops on {day}.", current.label);
    if let Some(message) = &end.message {
        text.push(' ');
        text.push_str(message.as_str());
    }
    Some(Ending {
        text,
        successor: first.successor.as_ref().map(|next| Successor {
            href: format!("{}/apis/{}/v/{next}/reference", visit.base(), seen.api.slug),
            label: format!("Read about {next}"),
        }),
    })
}

async fn figures(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At(api): At<Ref<ApiId>>,
) -> Result<Page, Problem> {
    let reader = visit.reader();
    let figures = app.control.catalog().figures(&reader, &api).await?;
    let figures = figures.as_ref().map(Told::of);
    if visit.is_fragment() {
        return Page::html(&FiguresPart { figures });
    }
    let seen = app.control.catalog().get(&reader, &api).await?;
    let shell = visit
        .shell(format!("Reliability of {}", seen.api.name))
        .crumb("APIs", "/apis")
        .crumb(seen.api.name.to_string(), &format!("/apis/{}", seen.api.slug))
        .last_crumb("Reliability");
    Page::html(&FiguresPage { shell, figures })
}

#[cfg(test)]
mod tests {
    use gatewright_control::IfMatch;
    use gatewright_control::apis::ApiPatch;
    use gatewright_control::lifecycle::Transition;
    use gatewright_model::api::Visibility;
    use gatewright_model::permission::Role;
    use gatewright_model::reference::{Ref, VersionRef};
    use gatewright_model::text::VersionLabel;

    use crate::testing::TestPortal;

    #[tokio::test]
    async fn the_page_leads_to_the_reference_and_to_access() {
        let portal = TestPortal::new().await;
        portal.published("petstore").await;
        let seen = portal.visitor().get("/apis/petstore").await;
        seen.shows(&[
            "href=\"/apis/petstore/access\"",
            "/apis/petstore/v/v1/reference",
            "http://gw.test/petstore/v1",
            "http://gw.test/petstore/v1/pets",
            "X-API-Key: $API_KEY",
            "Free",
        ]);
        let twin = portal.visitor().get("/apis/petstore.md").await;
        twin.shows(&["# Pets", "http://gw.test/petstore/v1", "Free"]);
        assert_eq!(twin.header("content-type"), "text/markdown; charset=utf-8");
        let figures = portal.visitor().fragment("/apis/petstore/figures").await;
        figures.shows(&["No calls"]);
    }

    #[tokio::test]
    async fn readers_see_what_is_meant_for_them() {
        let portal = TestPortal::new().await;
        let (api, _) = portal.published("petstore").await;
        portal.draft("draft").await;
        let (developer, _) = portal.user("dev", None).await;
        assert_eq!(developer.get("/apis/draft").await.status, 404);
        portal.admin().await.get("/apis/draft").await.shows(&["draft"]);
        let admin = portal.admin_caller().await;
        let narrowed = |visibility| ApiPatch {
            visibility: Some(visibility),
            ..ApiPatch::default()
        };
        let apis = portal.control.apis();
        let of = Ref::Id(api.api.id);
        apis.update(&admin, &of, narrowed(Visibility::Tenant), IfMatch::ANY)
            .await
            .unwrap();
        assert_eq!(portal.visitor().get("/apis/petstore").await.status, 404);
        developer
            .get("/apis/petstore")
            .await
            .shows(&["For those who sign in"]);
        apis.update(&admin, &of, narrowed(Visibility::Private), IfMatch::ANY)
            .await
            .unwrap();
        assert_eq!(developer.get("/apis/petstore").await.status, 404);
        let list = developer.get("/apis").await;
        list.shows(&["No API is open to you"]);
        let (owner, _) = portal.user("owner", Some(Role::Publisher)).await;
        owner.get("/apis/petstore").await.shows(&["For its owners"]);
    }

    #[tokio::test]
    async fn a_version_that_ends_names_its_end_and_then_is_gone() {
        let portal = TestPortal::new().await;
        let (api, _) = portal.published("petstore").await;
        let admin = portal.admin_caller().await;
        let of = Ref::Id(api.api.id);
        let version = VersionRef::Label(VersionLabel::parse("v1").unwrap());
        let end = Transition::Deprecate {
            sunset_at: portal
                .control
                .now()
                .plus(std::time::Duration::from_secs(86_400 * 90)),
            successor: None,
            message: None,
        };
        let versions = portal.control.versions();
        versions
            .transition(&admin, &of, &version, end, IfMatch::ANY)
            .await
            .unwrap();
        let seen = portal.visitor().get("/apis/petstore").await;
        seen.shows(&["Version v1 stops on", "deprecated"]);
        versions
            .transition(&admin, &of, &version, Transition::Retire, IfMatch::ANY)
            .await
            .unwrap();
        let gone = portal.visitor().get("/apis/petstore").await;
        assert_eq!(gone.status, 410, "{}", gone.text);
        assert!(gone.text.contains("was retired"), "{}", gone.text);
    }
}
