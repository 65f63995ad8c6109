use std::net::SocketAddr;

use gatewright_control::applications::NewApplication;
use gatewright_control::subscriptions::NewSubscription;
use gatewright_model::consumer::Environment;
use gatewright_model::permission::Role;
use gatewright_model::reference::Ref;
use gatewright_model::text::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::testing::TestPortal;

/// A gateway that gives this answer to every call and tells what it was asked.
struct FakeGateway {
    address: SocketAddr,
    asked: tokio::sync::mpsc::UnboundedReceiver<String>,
}

impl FakeGateway {
    async fn answering(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0_u8; 16 * 1024];
                let read = stream.read(&mut head).await.unwrap();
                sender
                    .send(String::from_utf8_lossy(&head[..read]).into_owned())
                    .unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { address, asked }
    }
}

const TRY: &str = "/apis/pets/v/v1/ops/getpet/try";

/// A published API with a subscription of the administrator's, in front of a gateway.
async fn subscribed(gateway: SocketAddr) -> (TestPortal, String) {
    let portal = TestPortal::new().await.beside(gateway);
    let (_, plan) = portal.published("pets").await;
    let admin = portal.admin_caller().await;
    let application = NewApplication {
        name: Name::parse("Front").unwrap(),
        slug: None,
        team: None,
        environment: Environment::Live,
    };
    let application = portal
        .control
        .applications()
        .create(&admin, application)
        .await
        .unwrap();
    let wanted = NewSubscription {
        plan_id: plan.id,
        reason: None,
    };
    let subscription = portal
        .control
        .subscriptions()
        .request(&admin, &Ref::Id(application.id), wanted)
        .await
        .unwrap();
    (portal, subscription.id.to_string())
}

#[tokio::test]
async fn a_call_goes_to_the_gateway_and_its_answer_is_shown() {
    let mut gateway = FakeGateway::answering(concat!(
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n",
        "x-request-id: call_00000000000000000000000007\r\n",
        "x-evil: <img src=x onerror=alert(1)>\r\ncontent-length: 33\r\nconnection: close\r\n\r\n",
        "{\"a\":\"<script>alert(1)</script>\"}",
    ))
    .await;
    let (portal, subscription) = subscribed(gateway.address).await;
    let admin = portal.admin().await;
    let form = [("p0", "a b"), ("credential", subscription.as_str())];
    let page = admin.post(TRY, &form).await;
    page.shows(&[
        "404",
        "Not Found",
        "call_00000000000000000000000007",
        "<!doctype html>",
    ]);
    page.shows(&["$API_KEY", "does not describe this status"]);
    assert!(!page.text.contains("<script>alert") && !page.text.contains("<img src=x"));
    let asked = gateway.asked.recv().await.unwrap().to_lowercase();
    assert!(
        asked.starts_with("get /pets/v1/pets/a%20b http/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("host: gw.test\r\n") && asked.contains("x-api-key: gwc_"),
        "{asked}"
    );
    assert!(!asked.contains("cookie"), "{asked}");
    assert!(!page.text.contains("gwc_"));

    let fragment = admin.post_fragment(TRY, &form).await;
    fragment.shows(&["id=\"try\"", "404"]);
    assert!(!fragment.text.contains("<!doctype"));
}

#[tokio::test]
async fn what_is_typed_wrongly_is_said_and_nothing_is_sent() {
    let mut gateway = FakeGateway::answering("").await;
    let (portal, subscription) = subscribed(gateway.address).await;
    let admin = portal.admin().await;
    let form = [
        ("p0", ".."),
        ("headers", "X-Forwarded-For: 1.2.3.4"),
        ("key", "s3cret key"),
        ("credential", subscription.as_str()),
    ];
    let slash = [("p0", "a/b"), ("credential", subscription.as_str())];
    let refused = admin.post(TRY, &slash).await;
    refused.refuses(&[
        "cannot have a slash in it: the gateway refuses encoded slashes",
        "value=\"a/b\"",
    ]);
    let refused = admin.post(TRY, &form).await;
    refused.refuses(&[
        "cannot be",
        "cannot be set here",
        "A key has no spaces",
        "1.2.3.4",
    ]);
    assert!(!refused.text.contains("s3cret"));
    assert!(gateway.asked.try_recv().is_err());
}

#[tokio::test]
async fn a_visitor_cannot_use_the_subscription_of_somebody() {
    let mut gateway = FakeGateway::answering("").await;
    let (portal, subscription) = subscribed(gateway.address).await;
    let form = [("p0", "1"), ("credential", subscription.as_str())];
    let visitor = portal.visitor().post(TRY, &form).await;
    assert!(visitor.location().starts_with("/sign-in"));
    let (stranger, _) = portal.user("stranger", Some(Role::Support)).await;
    assert_eq!(stranger.post(TRY, &form).await.status, 403);
    assert!(gateway.asked.try_recv().is_err());
}

#[tokio::test]
async fn thirty_tries_a_minute_are_enough() {
    let mut gateway = FakeGateway::answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (portal, subscription) = subscribed(gateway.address).await;
    let admin = portal.admin().await;
    let form = [("p0", "1"), ("credential", subscription.as_str())];
    for _ in 0..30 {
        assert_eq!(admin.post(TRY, &form).await.status, 200);
        gateway.asked.recv().await.unwrap();
    }
    let refused = admin.post(TRY, &form).await;
    assert_eq!(refused.status, 429);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert!(refused.text.contains("30 calls a minute"), "{}", refused.text);
    // Another process counts the same tries.
    let portal = portal.restarted().beside(gateway.address);
    let refused = portal.admin().await.post(TRY, &form).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert!(gateway.asked.try_recv().is_err());
}

#[tokio::test]
async fn a_gateway_that_is_away_is_named_as_the_cause() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let (portal, subscription) = subscribed(closed).await;
    let form = [("p0", "1"), ("credential", subscription.as_str())];
    let page = portal.admin().await.post(TRY, &form).await;
    page.shows(&["No answer", "did not accept a connection", "curl "]);
    let back = portal.visitor().get(TRY).await;
    assert_eq!(back.location(), "/apis/pets/v/v1/ops/getpet#try");
}

/// The pair that a browser sends back of a cookie that was set.
fn kept(reply: &crate::testing::Reply) -> Option<String> {
    let cookies = reply.headers.get_all("set-cookie").iter();
    let mut texts = cookies.map(|cookie| cookie.to_str().unwrap());
    let cookie = texts.find(|text| text.starts_with("gw_try="))?;
    assert!(
        cookie.contains("; Path=/apis/pets/v/v1/ops/getpet; HttpOnly"),
        "{cookie}"
    );
    assert!(cookie.len() < 4_096 && !cookie.contains("Max-Age"), "{cookie}");
    Some(cookie.split(';').next().unwrap().to_owned())
}

#[tokio::test]
async fn nobody_calls_as_another_team_without_having_chosen_it() {
    const PAGE: &str = "/apis/pets/v/v1/ops/getpet";
    let gateway = FakeGateway::answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (portal, subscription) = subscribed(gateway.address).await;
    let own = portal.admin().await.get(PAGE).await;
    own.shows(&[&format!("name=\"credential\" value=\"{subscription}\"")]);
    // Somebody with a right in the whole tenant and in no team.
    let (owner, _) = portal.user("omar", Some(Role::Owner)).await;
    let page = owner.get(PAGE).await;
    page.shows(&[
        "<option value=\"none\" selected>Choose a subscription of another team",
        &format!("<option value=\"{subscription}\">"),
    ]);
    let refused = owner.post(TRY, &[("p0", "1"), ("credential", "none")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let chosen = owner
        .post(TRY, &[("p0", "1"), ("credential", subscription.as_str())])
        .await;
    assert_eq!(chosen.status, 200, "{}", chosen.text);
}

#[tokio::test]
async fn what_was_sent_last_fills_the_form_for_the_same_session() {
    const PAGE: &str = "/apis/pets/v/v1/ops/getpet";
    let gateway = FakeGateway::answering("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (portal, subscription) = subscribed(gateway.address).await;
    let admin = portal.admin().await;
    let form = [
        ("p0", "rex & co"),
        ("headers", "X-Mark: sesame"),
        ("key", "gw_live_mine"),
        ("credential", subscription.as_str()),
    ];
    let refused = admin
        .post(TRY, &[("p0", ".."), ("credential", &subscription)])
        .await;
    assert_eq!(kept(&refused), None, "what is refused is not kept");
    let sent = admin.post(TRY, &form).await;
    let cookie = kept(&sent).expect("it is kept");
    for secret in ["rex", "sesame", "mine"] {
        assert!(!cookie.contains(secret), "{cookie}");
    }
    let page = admin.with_cookie(&cookie).get(PAGE).await;
    page.shows(&[
        "value=\"rex &#38; co\"",
        "Filled with what you sent last",
        subscription.as_str(),
    ]);
    assert!(!page.text.contains("sesame") && !page.text.contains("gw_live_mine"));
    let fresh = admin
        .with_cookie(&cookie)
        .get(&format!("{PAGE}?inputs=examples"))
        .await;
    assert!(!fresh.text.contains("rex"), "{}", fresh.text);
    // Neither whoever signs in next nor a visitor can open it.
    let (other, _) = portal.user("other", Some(Role::Developer)).await;
    for reader in [
        other.with_cookie(&cookie),
        portal.visitor().with_cookie(&cookie),
        admin.with_cookie("gw_try=x"),
    ] {
        let page = reader.get(PAGE).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("rex"), "{}", page.text);
    }
}
