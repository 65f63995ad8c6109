//! Calls that are tried from the page of an operation.

use std::time::Duration;

use gatewright_testkit::http::{Client, Reply, text};
use gatewright_testkit::server::{ADMIN_EMAIL, ADMIN_PASSWORD};
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::json;

use crate::world::{Consumer, SOON, World, items, limit, settles_at};

/// `product.md` 6: records are at most 10 s old.
const AGE: Duration = Duration::from_secs(12);

both_stores!(
    a_try_is_a_call_of_the_subscription,
    an_open_plan_is_tried_without_signing_in
);

async fn a_try_is_a_call_of_the_subscription(world: World) {
    // A late authority lets pass, and is told of it: what passes is exact, and the end comes soon.
    let mut quota = limit("quota", "daily", 3, "1mo");
    quota["on_store_failure"] = json!("open");
    let details = json!({"limits": [quota]});
    let published = world.publish("tried", details).await;
    let consumer = world.consumer(&published).await;
    let portal = signed_in(&world).await;
    let path = "/apis/tried/v/v1/ops/showpetbyid/try";
    let form = format!(
        "p0=a+b&credential={}&headers=X-Mark%3A+one",
        consumer.subscription
    );

    let page = post(&portal, path, &form).await;
    assert_eq!(page.status, 200, "{page}");
    let shown = page.text();
    assert!(shown.contains("status-2") || shown.contains(">200<"), "{shown}");
    let id = request_id(&shown);
    assert!(
        shown.contains(&format!("/me/apps/{}/logs/{id}", consumer.application)),
        "{shown}"
    );

    reaches_the_upstream_alone(&world, &consumer, &shown);
    is_recorded(&world, &consumer, &id).await;

    // The quota is that of the key: two calls are left, and then a page explains the refusal.
    let gateway = world.server.gateway().with("x-api-key", &consumer.secret);
    settles_at(&gateway, "/tried/v1/pets/7", 200).await;
    gateway.get("/tried/v1/pets/7").await.expect(200);
    let refused = eventually(SOON, "the quota is used up", async || {
        let page = post(&portal, path, &form).await.text();
        page.contains("quota_exceeded").then_some(page)
    })
    .await;
    for part in ["daily", "See what is left"] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
}

/// The upstream gets the call and its caller, and nothing that opens anything.
fn reaches_the_upstream_alone(world: &World, consumer: &Consumer, shown: &str) {
    let received = world.echo.received_with("a%20b");
    let [call] = received.as_slice() else {
        panic!("one call: {received:?}");
    };
    assert_eq!(call.target, "/pets/a%20b");
    assert_eq!(call.header("x-mark"), Some("one"));
    assert_eq!(
        call.header("x-subscription-id"),
        Some(consumer.subscription.as_str())
    );
    for name in ["cookie", "x-api-key", "authorization"] {
        assert_eq!(call.header(name), None, "{name} must stay behind");
    }
    let all = format!("{call:?} {shown}");
    assert!(!all.contains("gwc_"), "the token is shown to nobody: {all}");
}

async fn is_recorded(world: &World, consumer: &Consumer, id: &str) {
    let record = eventually(AGE, "the call is recorded", || async {
        let reply = world.admin.get(&format!("/calls/{id}")).await;
        (reply.status == 200).then(|| reply.json())
    })
    .await;
    assert_eq!(text(&record, "source"), "console");
    assert_eq!(text(&record, "subscription_id"), consumer.subscription);
    assert!(record["credential_id"].is_null(), "{record}");
    let list = |source: &str| format!("/calls?application={}&source={source}", consumer.application);
    let tried = items(&world.admin.get(&list("console")).await.expect(200));
    assert_eq!(tried.len(), 1);
    assert!(items(&world.admin.get(&list("sample")).await.expect(200)).is_empty());
}

async fn an_open_plan_is_tried_without_signing_in(world: World) {
    world.publish("opened", json!({"security": "keyless"})).await;
    settles_at(&world.server.gateway(), "/opened/v1/pets", 200).await;
    let portal = visitor(&world);
    let page = post(
        &portal,
        "/apis/opened/v/v1/ops/listpets/try",
        "p0=5&credential=none",
    )
    .await;
    assert_eq!(page.status, 200, "{page}");
    let received = world.echo.received_with("/pets?limit=5");
    let [call] = received.as_slice() else {
        panic!("one call: {received:?}");
    };
    assert_eq!(
        call.header("x-api-key"),
        None,
        "the mark of the portal stays behind"
    );
    let id = request_id(&page.text());
    let record = eventually(AGE, "the call is recorded", || async {
        let reply = world.admin.get(&format!("/calls/{id}")).await;
        (reply.status == 200).then(|| reply.json())
    })
    .await;
    assert_eq!(text(&record, "source"), "console");

    let closed = world.publish("closed", json!({})).await;
    let page = portal.get("/apis/closed/v/v1/ops/listpets").await.text();
    assert!(page.contains("Get access to run this"), "{page}");
    let subscription = world.consumer(&closed).await.subscription;
    let form = format!("p0=5&credential={subscription}");
    let refused = post(&portal, "/apis/closed/v/v1/ops/listpets/try", &form).await;
    assert_eq!(refused.status, 303, "{refused}");
    assert!(refused.must_have("location").contains("/sign-in"), "{refused}");
}

fn visitor(world: &World) -> Client {
    Client::new(world.server.address("portal"))
        .with("sec-fetch-site", "same-origin")
        .with("content-type", "application/x-www-form-urlencoded")
}

/// The portal as the first administrator sees it.
async fn signed_in(world: &World) -> Client {
    let portal = visitor(world);
    let form = format!(
        "email={}&password={ADMIN_PASSWORD}",
        ADMIN_EMAIL.replace('@', "%40")
    );
    let reply = post(&portal, "/sign-in", &form).await;
    assert_eq!(reply.status, 303, "{reply}");
    let cookie = reply.must_have("set-cookie");
    let cookie = cookie.split(';').next().unwrap_or_default();
    assert!(cookie.starts_with("gw_session="), "{cookie}");
    portal.with("cookie", cookie)
}

async fn post(portal: &Client, path: &str, form: &str) -> Reply {
    portal.send(Method::POST, path, form.to_owned()).await
}

fn request_id(page: &str) -> String {
    let start = page
        .find("call_")
        .unwrap_or_else(|| panic!("no request id in {page}"));
    page[start..].chars().take(5 + 26).collect()
}
