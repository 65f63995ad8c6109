//! The publisher's way from a description to the end of a version, as a browser goes it.

use axum::body::Body;
use gatewright_control::IfMatch;
use gatewright_control::applications::NewApplication;
use gatewright_control::subscriptions::NewSubscription;
use gatewright_control::teams::NewTeam;
use gatewright_control::users::NewMembership;
use gatewright_model::consumer::Environment;
use gatewright_model::permission::Role;
use gatewright_model::plan::PlanVerb;
use gatewright_model::reference::Ref;
use gatewright_model::tenancy::TeamKind;
use gatewright_model::text::{Email, Name, Slug};
use http::Method;

use crate::testing::{DOCUMENT, Reply, TestPortal, Visitor};

const SHOP: &str = "/console/apis/pets";
const V1: &str = "/console/apis/pets/versions/v1";

async fn upload(visitor: &Visitor<'_>, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut body = String::new();
    for (name, value) in fields {
        let file = if *name == "file" {
            "; filename=\"shop.json\""
        } else {
            ""
        };
        body.push_str(&format!(
            "--X\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str("--X--\r\n");
    let headers = [
        ("content-type", "multipart/form-data; boundary=X"),
        ("sec-fetch-site", "same-origin"),
    ];
    visitor.send(Method::POST, path, &headers, Body::from(body)).await
}

#[tokio::test]
async fn from_a_file_to_a_published_version() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    admin
        .get("/console/apis")
        .await
        .shows(&["No API yet", "Import API"]);
    let checked = upload(
        &admin,
        "/console/apis/new",
        &[("file", DOCUMENT), ("visibility", "public"), ("action", "check")],
    )
    .await;
    checked.shows(&[
        "It can be imported",
        "http://gw.test/pets/v1",
        "getPet",
        "Create draft",
    ]);
    assert!(
        admin.get("/console/apis").await.text.contains("No API yet"),
        "a check writes nothing"
    );
    let created = upload(
        &admin,
        "/console/apis/new",
        &[
            ("document", DOCUMENT),
            ("visibility", "public"),
            ("action", "create"),
        ],
    )
    .await;
    assert_eq!(created.location(), SHOP);
    admin
        .get(SHOP)
        .await
        .shows(&["Set the upstream", "Add a plan", "Before it can be published"]);
    let step = admin.post(&format!("{V1}/move"), &[("verb", "publish")]).await;
    step.refuses(&["upstream"]);
    give_an_upstream(&admin).await;
    open_a_plan(&admin).await;
    let published = admin.post(&format!("{V1}/move"), &[("verb", "publish")]).await;
    assert_eq!(published.location(), V1);
    admin.get(V1).await.shows(&["published", "Deprecate", "One pet"]);
    admin
        .get("/console/apis?state=published&sort=name&q=pe")
        .await
        .shows(&["Pets"]);
    admin
        .get("/console/apis?state=retired")
        .await
        .shows(&["Nothing matches"]);
}

async fn give_an_upstream(admin: &Visitor<'_>) {
    let upstream = [
        ("targets.0.url", ""),
        ("targets.1.url", "http://127.0.0.1:9/base"),
        ("algorithm", "round_robin"),
        ("timeouts.connect_ms", "5000"),
        ("timeouts.response_ms", "60000"),
        ("timeouts.idle_ms", "60000"),
    ];
    let set = admin.post(&format!("{V1}/upstream"), &upstream).await;
    assert_eq!(set.location(), V1);
    admin
        .get(&format!("{V1}/upstream"))
        .await
        .shows(&["http://127.0.0.1:9/base"]);
}

async fn open_a_plan(admin: &Visitor<'_>) {
    let plan = [
        ("name", "Free"),
        ("security", "api_key"),
        ("approval", "auto"),
        ("coverage", "all"),
        ("limits.1.amount", "60"),
        ("limits.1.kind", "rate"),
        ("limits.1.window", "1m"),
    ];
    let plan = admin.post(&format!("{SHOP}/plans/new"), &plan).await;
    let plan = plan.location().to_owned();
    admin.get(&plan).await.shows(&["60 calls a minute", "draft"]);
    admin
        .post(&format!("{plan}/move"), &[("verb", "publish")])
        .await
        .location();
}

#[tokio::test]
async fn a_broken_description_stays_in_the_form_with_its_findings() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let broken = r#"{"openapi":"3.0.3","info":{"title":"</textarea><script>x</script>"}}"#;
    let refused = upload(
        &admin,
        "/console/apis/new",
        &[("file", broken), ("visibility", "public"), ("action", "create")],
    )
    .await;
    refused.refuses(&["It cannot be imported", "paths_missing", "Error:"]);
    assert!(!refused.text.contains("</textarea><script>"));
    let nothing = upload(&admin, "/console/apis/new", &[("visibility", "public")]).await;
    nothing.refuses(&["Give an API description"]);
    let large = format!("{DOCUMENT}{}", " ".repeat(3_000_000));
    let large = upload(
        &admin,
        "/console/apis/new",
        &[("file", &large), ("visibility", "public"), ("action", "check")],
    )
    .await;
    large.shows(&["It can be imported", "The description is kept: 3.0 MB"]);
    portal.draft("pets").await;
    let taken = upload(
        &admin,
        "/console/apis/new",
        &[
            ("document", DOCUMENT),
            ("slug", "pets"),
            ("visibility", "public"),
            ("action", "check"),
        ],
    )
    .await;
    taken.refuses(&["Short name is taken already"]);
}

#[tokio::test]
async fn a_new_description_shows_what_it_changes_before_it_holds() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    portal.published("pets").await;
    let other = DOCUMENT
        .replace("/pets/{id}", "/animals/{id}")
        .replace("getPet", "getAnimal");
    let path = format!("{V1}/import");
    let checked = upload(&admin, &path, &[("document", &other), ("action", "check")]).await;
    checked.shows(&[
        "1 added, 0 changed, 1 removed",
        "GET /animals/{id}",
        "in use",
        "1 breaking, 0 risky, 1 additive, 0 docs",
        "GET /pets/{id} is gone",
        "operation_removed",
    ]);
    assert!(admin.get(V1).await.text.contains("/pets/"));
    let imported = upload(&admin, &path, &[("document", &other), ("action", "import")]).await;
    assert_eq!(imported.location(), V1);
    admin.get(V1).await.shows(&["Description 2 imported"]);
    // The same once more is no news.
    let again = upload(&admin, &path, &[("document", &other), ("action", "import")]).await;
    assert_eq!(again.location(), V1);
    assert!(!admin.get(V1).await.text.contains("Description 3"));
}

#[tokio::test]
async fn an_upstream_that_another_tab_has_changed_is_not_overwritten_unasked() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    portal.draft("pets").await;
    let path = format!("{V1}/upstream");
    let seen = |page: &Reply| {
        let (_, rest) = page.text.split_once("name=\"row_version\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let before = seen(&admin.get(&path).await);
    let form = |url: &'static str, seen: &str| {
        [
            ("targets.0.url", url.to_owned()),
            ("algorithm", "round_robin".to_owned()),
            ("timeouts.connect_ms", "5000".to_owned()),
            ("timeouts.response_ms", "60000".to_owned()),
            ("timeouts.idle_ms", "60000".to_owned()),
            ("row_version", seen.to_owned()),
        ]
    };
    let send = async |form: [(&str, String); 6]| {
        let fields: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        admin.post(&path, &fields).await
    };
    send(form("http://127.0.0.1:9/first", &before)).await.location();
    let late = send(form("http://127.0.0.1:9/second", &before)).await;
    late.comes_late(&["http://127.0.0.1:9/second"]);
    admin.get(&path).await.shows(&["http://127.0.0.1:9/first"]);
    send(form("http://127.0.0.1:9/second", &seen(&late)))
        .await
        .location();
    admin.get(&path).await.shows(&["http://127.0.0.1:9/second"]);
}

#[tokio::test]
async fn deprecating_shows_first_what_consumers_see() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let (_, plan) = portal.published("pets").await;
    let caller = portal.admin_caller().await;
    let new = NewApplication {
        name: Name::parse("Garden blog").unwrap(),
        slug: None,
        team: None,
        environment: Environment::Live,
    };
    let application = portal.control.applications().create(&caller, new).await.unwrap();
    let new = NewSubscription {
        plan_id: plan.id,
        reason: None,
    };
    let of = Ref::Id(application.id);
    portal
        .control
        .subscriptions()
        .request(&caller, &of, new)
        .await
        .unwrap();
    let copy = [("label", "v2"), ("start", "copy"), ("copy_from", "v1")];
    let path = format!("{SHOP}/versions/new");
    admin.get(&path).await.shows(&["value=\"v2\""]);
    assert_eq!(
        upload(&admin, &path, &copy).await.location(),
        "/console/apis/pets/versions/v2"
    );
    admin
        .post("/console/apis/pets/versions/v2/move", &[("verb", "publish")])
        .await
        .location();

    let path = format!("{V1}/deprecate");
    admin.get(&path).await.shows(&["Garden blog", "v2 (published)"]);
    let soon = [("sunset_at", "2020-01-01"), ("action", "preview")];
    admin.post(&path, &soon).await.refuses(&["Error:"]);
    let wanted = |action| {
        [
            ("sunset_at", "2099-01-31"),
            ("successor", "v2"),
            ("message", "Prices have a currency."),
            ("action", action),
        ]
    };
    let preview = admin.post(&path, &wanted("preview")).await;
    preview.shows(&["What consumers see", "Move to v2", "Sunset: Sat, 31 Jan 2099"]);
    admin.get(V1).await.shows(&["published"]);
    assert_eq!(admin.post(&path, &wanted("deprecate")).await.location(), V1);
    admin.get(V1).await.shows(&["Its end is announced", "Retire"]);
    let retire = admin.get(&format!("{V1}/move?verb=retire")).await;
    retire.shows(&["Garden blog", "410"]);
    admin
        .get(&format!("{SHOP}/subscribers"))
        .await
        .shows(&["Garden blog", "Free"]);
}

#[tokio::test]
async fn what_is_dangerous_asks_first() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let (_, plan) = portal.published("pets").await;
    let block = format!("{V1}/move");
    admin
        .post(&block, &[("verb", "block"), ("reason", "")])
        .await
        .refuses(&["Reason"]);
    let blocked = admin
        .post(&block, &[("verb", "block"), ("reason", "leaks")])
        .await;
    assert_eq!(blocked.location(), V1);
    admin.get(SHOP).await.shows(&["leaks", "Unblock"]);

    let of_plan = format!("{SHOP}/plans/{}", plan.id);
    let early = admin.post(&format!("{of_plan}/move"), &[("verb", "close")]).await;
    early.refuses(&["This plan is published now, so you cannot close it"]);
    portal
        .control
        .plans()
        .transition(
            &portal.admin_caller().await,
            plan.id,
            PlanVerb::Deprecate,
            IfMatch::ANY,
        )
        .await
        .unwrap();
    admin
        .get(&format!("{of_plan}/close"))
        .await
        .shows(&["Whose access ends"]);

    let delete = format!("{SHOP}/delete");
    admin
        .post(&delete, &[("confirm", "cats")])
        .await
        .refuses(&["Type pets"]);
    admin
        .post(&delete, &[("confirm", "pets")])
        .await
        .refuses(&["keeps its history"]);
    portal.draft("cats").await;
    let deleted = admin
        .post("/console/apis/cats/delete", &[("confirm", "cats")])
        .await;
    assert_eq!(deleted.location(), "/console/apis");
    assert_eq!(admin.get("/console/apis/cats").await.status, 404);
}

#[tokio::test]
async fn the_first_run_ends_with_a_key() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let page = admin.get("/console/apis/new?first=1").await;
    page.shows(&["Administrator"]);
    assert!(!page.text.contains("sample"), "no gateway runs here");
    let imported = upload(
        &admin,
        "/console/apis/new",
        &[
            ("document", DOCUMENT),
            ("first", "1"),
            ("visibility", "public"),
            ("action", "create"),
        ],
    )
    .await;
    assert_eq!(imported.location(), "/console/apis/pets/first");
    let review = admin.get("/console/apis/pets/first").await;
    review.shows(&["60 calls a minute", "My first app", "Upstream"]);
    let path = "/console/apis/pets/first";
    admin
        .post(path, &[("upstream_url", "nowhere")])
        .await
        .refuses(&["absolute"]);
    let done = admin.post(path, &[("upstream_url", "http://127.0.0.1:9/")]).await;
    assert!(
        done.location().starts_with("/me/apps/my-first-app/keys/"),
        "{}",
        done.location()
    );
    let again = admin.post(path, &[]).await;
    assert!(again.location().starts_with("/me/apps/my-first-app/keys/"));
}

#[tokio::test]
async fn others_see_no_more_than_they_may() {
    let portal = TestPortal::new().await;
    portal.published("pets").await;
    let (developer, _) = portal.user("dev", Some(Role::Developer)).await;
    let (nobody, _) = portal.user("nobody", None).await;
    let page = developer.get(SHOP).await;
    assert!(
        !page.text.contains("/console/apis/pets/settings"),
        "{}",
        page.text
    );
    assert_eq!(developer.get("/console/apis/new").await.status, 403);
    let step = developer
        .post(&format!("{V1}/move"), &[("verb", "publish")])
        .await;
    assert_eq!(step.status, 403);
    assert_eq!(nobody.get("/console/apis").await.status, 403);
    assert!(
        portal
            .visitor()
            .get("/console/apis")
            .await
            .location()
            .starts_with("/sign-in?return_to=")
    );
    let (auditor, _) = portal.user("audit", Some(Role::Auditor)).await;
    auditor.get(SHOP).await.shows(&["Pets"]);
    assert_eq!(auditor.get(&format!("{SHOP}/settings")).await.status, 403);
}

/// Somebody who uses APIs in a new team of this name.
async fn member_of<'p>(portal: &'p TestPortal, team: &str) -> Visitor<'p> {
    let admin = portal.admin_caller().await;
    let (visitor, _) = portal.user(team, None).await;
    let new = NewTeam {
        slug: Slug::parse(team).unwrap(),
        name: Name::parse(team).unwrap(),
        kind: TeamKind::Both,
        contact: None,
    };
    let team = portal.control.teams().create(&admin, new).await.unwrap();
    let membership = NewMembership {
        user: Email::parse(&format!("{}@example.com", team.slug))
            .unwrap()
            .into(),
        role: Role::Developer,
        team: Some(Ref::Id(team.id)),
    };
    portal
        .control
        .users()
        .add_member(&admin, membership)
        .await
        .unwrap();
    visitor
}

async fn nobody_finds_pets(outsiders: [&Visitor<'_>; 2]) {
    let mut walked = 0;
    for entry in crate::routes_with_access() {
        // Two addresses lead on to a page before anything is looked up.
        let leads_on = entry.path.ends_with("/v/{version}")
            || entry.path.ends_with("/try") && entry.method == Method::GET;
        if !entry.path.starts_with("/apis/{api}") || leads_on {
            continue;
        }
        let path = entry
            .path
            .replace("{api}", "pets")
            .replace("{version}", "v1")
            .replace("{operation}", "getpet");
        let path = path.replace(['{', '}'], "");
        for outsider in outsiders {
            let reply = if entry.method == Method::GET {
                outsider.get(&path).await
            } else {
                outsider.post(&path, &[]).await
            };
            let to_sign_in = reply.status == 303 && reply.header("location").starts_with("/sign-in");
            assert!(
                reply.status == 404 || to_sign_in,
                "{} {path}: {}",
                entry.method,
                reply.status
            );
        }
        walked += 1;
    }
    assert!(walked > 15, "only {walked} routes were walked");
}

#[tokio::test]
async fn an_api_is_for_the_teams_that_its_settings_name() {
    let portal = TestPortal::new().await;
    portal.published("pets").await;
    let (mobile, others) = (
        member_of(&portal, "mobile").await,
        member_of(&portal, "others").await,
    );
    let admin = portal.admin().await;
    let path = format!("{SHOP}/settings");
    let settings = |teams: &'static str| {
        [
            ("name", "Pets"),
            ("visibility", "teams"),
            ("visible_to", teams),
            ("context_path", "/pets"),
        ]
    };
    admin
        .post(&path, &settings(" "))
        .await
        .refuses(&["Name at least one team"]);
    admin
        .post(&path, &settings("mobile nobody"))
        .await
        .refuses(&["There is no team nobody", "mobile nobody"]);
    admin.post(&path, &settings("mobile")).await.location();
    admin.get(&path).await.shows(&["value=\"mobile\""]);
    admin.get(SHOP).await.shows(&["<bdi>mobile</bdi>"]);

    nobody_finds_pets([&others, &portal.visitor()]).await;
    for list in ["/apis", "/search?q=one+pet", "/llms.txt", "/"] {
        let seen = others.get(list).await;
        assert!(!seen.text.contains("/apis/pets"), "{list}: {}", seen.text);
        mobile.get(list).await.shows(&["/apis/pets"]);
    }
    for page in ["/apis/pets", "/apis/pets/v/v1/openapi.json", "/apis/pets/access"] {
        assert_eq!(mobile.get(page).await.status, 200, "{page}");
    }
}
