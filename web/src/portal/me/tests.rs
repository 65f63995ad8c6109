use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_control::approvals::{ApprovalFilter, Decision};
use gatewright_control::consumer::Matter;
use gatewright_control::limits::{NewLimit, RawLimit};
use gatewright_control::plans::{NewPlan, PlanVersions};
use gatewright_control::subscriptions::NewSubscription;
use gatewright_control::{Caller, IfMatch};
use gatewright_coordination::authority::{Authority, AuthorityAway, LeaseAnswer, LeaseRequest};
use gatewright_model::id::PlanId;
use gatewright_model::page::PageRequest;
use gatewright_model::permission::Role;
use gatewright_model::plan::{ApprovalMode, PlanVerb, Security};
use gatewright_model::reference::Ref;
use gatewright_model::text::{Name, Remark, Slug};
use http::Method;

use crate::testing::{Reply, TestPortal, Visitor};

const APP: &str = "/me/apps/shop-app";

/// Makes the application `shop-app`.
async fn application(visitor: &Visitor<'_>) {
    let fields = [("name", "Shop app"), ("environment", "live"), ("team", "default")];
    let made = visitor.post("/me/apps", &fields).await;
    assert_eq!(made.location(), APP);
}

async fn subscribe(portal: &TestPortal, caller: &Caller, plan_id: PlanId, reason: Option<&str>) -> String {
    let new = NewSubscription {
        plan_id,
        reason: reason.map(|reason| Remark::parse(reason).unwrap()),
    };
    let of = Ref::Slug(Slug::parse("shop-app").unwrap());
    let made = portal.control.subscriptions().request(caller, &of, new).await;
    made.unwrap().id.to_string()
}

async fn manual_plan(portal: &TestPortal, api: gatewright_model::id::ApiId) -> PlanId {
    let admin = portal.admin_caller().await;
    let new = NewPlan {
        name: Name::parse("Standard").unwrap(),
        slug: Slug::parse("standard").unwrap(),
        description: String::new(),
        versions: PlanVersions::All,
        security: Security::ApiKey,
        approval: ApprovalMode::Manual,
        limits: vec![quota_of_a_thousand()],
    };
    let plans = portal.control.plans();
    let plan = plans.create(&admin, &Ref::Id(api), new).await.unwrap();
    let published = plans
        .transition(&admin, plan.id, PlanVerb::Publish, IfMatch::ANY)
        .await;
    published.unwrap().id
}

/// Counters of which 850 are granted, 40 of these not spent yet.
#[derive(Debug)]
struct NearlyUsedUp;

impl Authority for NearlyUsedUp {
    fn lease(&self, batch: Vec<LeaseRequest>) -> BoxFuture<'_, Result<Vec<LeaseAnswer>, AuthorityAway>> {
        let answer = |request: LeaseRequest| {
            assert_eq!(request.want, 0, "a page takes no permits");
            assert!(request.key.partition.as_str().starts_with("sub_"));
            LeaseAnswer {
                lease: request.lease,
                granted: 0,
                remaining: request.spec.amount - 850,
                used: 850,
                outstanding_elsewhere: 40,
                period: 1,
                reset_after: Duration::from_secs(60),
                retry_after: Duration::ZERO,
                usable_for: Duration::ZERO,
                lease_for: Duration::ZERO,
            }
        };
        async move { Ok(batch.into_iter().map(answer).collect()) }.boxed()
    }
}

fn quota_of_a_thousand() -> NewLimit {
    NewLimit::parse(&RawLimit {
        kind: "quota".to_owned(),
        amount: 1_000,
        window: "1d".to_owned(),
        ..RawLimit::default()
    })
    .unwrap()
}

/// The cookie that a redirect to a new key sets, as a browser sends it back.
fn handed_over(reply: &Reply) -> String {
    let cookies = reply.headers.get_all("set-cookie").iter();
    let set = cookies
        .map(|value| value.to_str().unwrap())
        .find(|value| value.starts_with("gw_reveal="))
        .unwrap();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict"),
        "{set}"
    );
    assert!(set.contains(&format!("; Path={APP}/keys/key_")), "{set}");
    set.split(';').next().unwrap().to_owned()
}

async fn get_with(visitor: &Visitor<'_>, path: &str, cookie: &str) -> Reply {
    visitor
        .send(Method::GET, path, &[("cookie", cookie)], Body::empty())
        .await
}

#[tokio::test]
async fn from_nothing_to_a_key_that_is_shown_once() {
    let portal = TestPortal::new().await;
    let (api, plan) = portal.published("pets").await;
    let (dev, caller) = portal.user("dev", Some(Role::Developer)).await;
    dev.get("/me")
        .await
        .shows(&["To your first call", "New application"]);
    dev.get("/me/apps").await.shows(&["No application yet"]);
    application(&dev).await;
    dev.get(APP).await.shows(&["Get access to an API", "Shop app"]);
    subscribe(&portal, &caller, plan.id, None).await;
    dev.get(APP)
        .await
        .shows(&[api.api.name.as_str(), "http://gw.test/<wbr>pets/<wbr>v1"]);

    let made = dev.post(&format!("{APP}/keys"), &[("name", "server")]).await;
    let (page, cookie) = (made.location().to_owned(), handed_over(&made));
    assert!(page.ends_with("/created"), "{page}");
    let shown = get_with(&dev, &page, &cookie).await;
    shown.shows(&[
        "gw_live_",
        "curl -H",
        "http://gw.test/pets/v1/pets/{id}",
        "/ops/getpet",
        "I have stored it",
    ]);
    assert_eq!(shown.header("cache-control"), "no-store");
    let env = get_with(&dev, &format!("{page}/env"), &cookie).await;
    env.shows(&["API_KEY=gw_live_", "PETS_URL=http://gw.test/pets/v1"]);

    // Neither without the cookie nor in another session, though both may see the application.
    dev.get(&page)
        .await
        .shows(&["cannot be shown again", "Rotate it"]);
    let admin = portal.admin().await;
    let other = get_with(&admin, &page, &cookie).await;
    other.shows(&["cannot be shown again"]);
    assert!(!other.text.contains("X-API-Key"));

    let stored = dev.post(&page.replace("/created", "/stored"), &[]).await;
    assert_eq!(stored.location(), APP);
    let taken = stored.headers.get_all("set-cookie").iter().any(|cookie| {
        let cookie = cookie.to_str().unwrap();
        cookie.starts_with("gw_reveal=;") && cookie.contains("Max-Age=0")
    });
    assert!(taken);
}

#[tokio::test]
async fn keys_are_rotated_switched_and_revoked() {
    let portal = TestPortal::new().await;
    let (dev, _) = portal.user("dev", Some(Role::Developer)).await;
    application(&dev).await;
    let keys = format!("{APP}/keys");
    dev.post(&keys, &[("expires_at", "2001-01-01")]).await.refuses(&[
        "There is a problem",
        "must lie in the future",
        "2001-01-01",
    ]);
    dev.post(&keys, &[("expires_at", "soon")])
        .await
        .refuses(&["must be a day such as"]);
    let made = dev.post(&keys, &[("name", "server")]).await;
    let key = made.location().strip_suffix("/created").unwrap().to_owned();

    dev.post(&format!("{key}/disable"), &[]).await.location();
    dev.get(&keys).await.shows(&["disabled", "Switch on"]);
    dev.post(&format!("{key}/enable"), &[]).await.location();
    dev.get(&format!("{key}/rotate")).await.shows(&["30 days"]);
    let rotated = dev
        .post(&format!("{key}/rotate"), &[("grace_seconds", "3600")])
        .await;
    let (page, cookie) = (rotated.location().to_owned(), handed_over(&rotated));
    get_with(&dev, &page, &cookie)
        .await
        .shows(&["The old key", "works until"]);
    dev.get(&keys).await.shows(&["rotating", "active"]);
    dev.post(&format!("{key}/rotate"), &[("grace_seconds", "3600")])
        .await
        .refuses(&["There is a problem"]);
    dev.post(&format!("{key}/revoke"), &[("reason", "leaked")])
        .await
        .location();
    dev.get(&keys).await.shows(&["revoked", "leaked"]);
}

#[tokio::test]
async fn a_rejected_request_can_be_made_again_with_its_note() {
    let portal = TestPortal::new().await;
    let (api, _) = portal.published("pets").await;
    let plan = manual_plan(&portal, api.api.id).await;
    let (dev, caller) = portal.user("dev", Some(Role::Developer)).await;
    application(&dev).await;
    let id = subscribe(&portal, &caller, plan, Some("for the new shop")).await;
    let page = format!("{APP}/subscriptions/{id}");
    dev.get(&page).await.shows(&[
        "Waits for a decision",
        "for the new shop",
        "Take the request back",
    ]);
    dev.get("/me").await.shows(&["waits for a decision"]);

    let admin = portal.admin_caller().await;
    let approvals = portal.control.approvals();
    let open = approvals
        .list(&admin, &ApprovalFilter::default(), PageRequest::default())
        .await
        .unwrap();
    let comment = Remark::parse("which shop?").unwrap();
    approvals
        .decide(
            &admin,
            open.items[0].id,
            Decision::Reject { comment },
            IfMatch::ANY,
        )
        .await
        .unwrap();
    dev.get(&page)
        .await
        .shows(&["Rejected", "which shop?", "Ask again", "for the new shop"]);
    dev.get("/me").await.shows(&["was rejected", "which shop?"]);

    let long = "x".repeat(2_001);
    dev.post(&format!("{page}/again"), &[("reason", &long)])
        .await
        .refuses(&["There is a problem"]);
    let asked = dev
        .post(&format!("{page}/again"), &[("reason", "the second shop")])
        .await;
    let second = asked.location().to_owned();
    assert_ne!(second, page);
    dev.get(&second).await.shows(&["the second shop"]);
    dev.post(&format!("{second}/withdraw"), &[]).await.location();
    dev.get(&second).await.shows(&["Request taken back"]);
    dev.post(&format!("{second}/withdraw"), &[])
        .await
        .refuses(&["There is a problem"]);
}

#[tokio::test]
async fn a_subscription_is_paused_and_closed() {
    let portal = TestPortal::new().await;
    let (_, plan) = portal.published("pets").await;
    let (dev, caller) = portal.user("dev", Some(Role::Developer)).await;
    application(&dev).await;
    let id = subscribe(&portal, &caller, plan.id, None).await;
    let page = format!("{APP}/subscriptions/{id}");
    dev.post(&format!("{page}/pause"), &[]).await.location();
    dev.get(&page).await.shows(&["You paused it", "Let it go on"]);
    dev.post(&format!("{page}/unpause"), &[]).await.location();
    dev.get(&format!("{page}/close"))
        .await
        .shows(&["Close the access of Shop app?", "In 30 days"]);
    dev.post(&format!("{page}/close"), &[("when", "later")])
        .await
        .location();
    dev.get(&page).await.shows(&["Is about to close"]);
    dev.post(&format!("{page}/close"), &[("when", "now")])
        .await
        .location();
    dev.get(&format!("{APP}/subscriptions"))
        .await
        .shows(&["Over", "closed"]);
}

#[tokio::test]
async fn figures_calls_people_and_settings_of_an_application() {
    let portal = TestPortal::new().await;
    let (dev, _) = portal.user("dev", Some(Role::Developer)).await;
    application(&dev).await;
    dev.get(&format!("{APP}/usage?range=7d&split=version"))
        .await
        .shows(&["No calls in this time"]);
    let csv = dev.get(&format!("{APP}/usage.csv?range=1h")).await;
    assert_eq!(
        (csv.status, csv.header("content-type")),
        (200, "text/csv; charset=utf-8")
    );
    assert!(csv.text.starts_with("\"bucket\""), "{}", csv.text);
    dev.get(&format!("{APP}/logs?status=abc"))
        .await
        .shows(&["cannot be used for status", "No calls yet"]);
    dev.get(&format!("{APP}/members"))
        .await
        .shows(&["An owner of this tenant can add people"]);
    dev.post(&format!("{APP}/settings"), &[("name", "")])
        .await
        .refuses(&["Enter a name"]);
    let late = [("name", "Late"), ("row_version", "0")];
    let late = dev.post(&format!("{APP}/settings"), &late).await;
    late.comes_late(&["value=\"Late\""]);
    dev.post(&format!("{APP}/settings"), &[("name", "Shop two")])
        .await
        .location();
    dev.post(&format!("{APP}/archive"), &[("confirm", "wrong")])
        .await
        .refuses(&["There is a problem"]);
    dev.post(&format!("{APP}/archive"), &[("confirm", "shop-app")])
        .await
        .location();
    dev.get(&format!("{APP}/settings")).await.shows(&["Bring back"]);
    dev.post(&format!("{APP}/activate"), &[]).await.location();
    dev.get(APP).await.shows(&["Shop two", "active"]);
}

#[tokio::test]
async fn an_owner_lets_people_in() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    application(&admin).await;
    let members = format!("{APP}/members");
    admin.get(&members).await.shows(&["Invite somebody"]);
    admin
        .post(&members, &[("email", "no address")])
        .await
        .refuses(&["There is a problem", "no address"]);
    let invited = admin
        .post(&members, &[("email", "new@example.com"), ("name", "New One")])
        .await;
    invited.shows(&["/invite/", "New One"]);
    assert_eq!(invited.header("cache-control"), "no-store");
    admin
        .post(&members, &[("email", "new@example.com")])
        .await
        .refuses(&["in the team already"]);
}

#[tokio::test]
async fn others_neither_see_nor_touch_an_application() {
    let portal = TestPortal::new().await;
    let (dev, _) = portal.user("dev", Some(Role::Developer)).await;
    application(&dev).await;
    let (nobody, _) = portal.user("nobody", None).await;
    nobody.get("/me").await.shows(&["You are not in a team yet"]);
    nobody.get("/me/apps").await.shows(&["Nothing here for you yet"]);
    let refused = nobody.get(APP).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("applications:read"));
    let (reader, _) = portal.user("reader", Some(Role::Auditor)).await;
    reader.get(APP).await.shows(&["Shop app"]);
    assert_eq!(reader.post(&format!("{APP}/keys"), &[]).await.status, 403);
    let visitor = portal.visitor().get("/me").await;
    assert_eq!(visitor.location(), "/sign-in?return_to=/me");
}

#[tokio::test]
async fn what_is_left_is_told_before_it_is_used_up() {
    let portal = TestPortal::new().await;
    let (api, _) = portal.published("pets").await;
    let plan = manual_plan(&portal, api.api.id).await;
    let (dev, caller) = portal.user("dev", Some(Role::Developer)).await;
    application(&dev).await;
    let id = subscribe(&portal, &caller, plan, None).await;
    // Nobody keeps counters here: the page says what the limit is, and no more.
    dev.get(&format!("{APP}/subscriptions/{id}"))
        .await
        .shows(&["1,000 calls a day"]);

    let admin = portal.admin_caller().await;
    let approvals = portal.control.approvals();
    let open = approvals
        .list(&admin, &ApprovalFilter::default(), PageRequest::default())
        .await
        .unwrap();
    let decision = Decision::Approve { comment: None };
    approvals
        .decide(&admin, open.items[0].id, decision, IfMatch::ANY)
        .await
        .unwrap();
    let control = portal.control.clone().asking(Arc::new(NearlyUsedUp));
    let standing = control
        .subscriptions()
        .standing(&caller, id.parse().unwrap())
        .await
        .unwrap();
    let counter = standing[0].counter.unwrap();
    assert_eq!(
        (counter.used, counter.remaining, standing[0].whole()),
        (810, 190, 1_000)
    );
    let home = control.consumer().home(&caller).await.unwrap();
    let told = home.matters.iter().any(|matter| {
        matches!(
            matter,
            Matter::QuotaHigh {
                used: 810,
                amount: 1_000,
                ..
            }
        )
    });
    assert!(told, "{:?}", home.matters);
}
