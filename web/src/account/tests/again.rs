//! Showing once more who one is: the form that was sent goes on.

use std::time::Duration;

use gatewright_model::permission::Role;

use super::{OTHER, PASSWORD, cookie};
use crate::testing::{ADMIN, Reply, TestPortal};

const TOKENS: &str = "/console/tokens";
const NEW: [(&str, &str); 3] = [("name", "build server"), ("days", "30"), ("scopes", "apis:read")];
const A_WHILE: Duration = Duration::from_secs(6 * 60);

/// The form that waits in a page.
fn kept(page: &Reply) -> &str {
    let start = page
        .text
        .split_once("name=\"kept\" value=\"")
        .expect("a form waits")
        .1;
    start.split_once('"').unwrap().0
}

#[tokio::test]
async fn a_token_wants_the_password_once_more_and_is_made_then() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    portal.later(A_WHILE);
    let asked = admin.post(TOKENS, &NEW).await;
    assert_eq!(asked.status, 403, "{}", asked.text);
    for text in [
        "Confirm that it is you",
        ADMIN,
        "action=\"/console/tokens?again\"",
        "autocomplete=\"current-password\"",
    ] {
        assert!(asked.text.contains(text), "{text} is missing in {}", asked.text);
    }
    assert!(!asked.text.contains("build server"), "the form is sealed");
    assert_eq!(asked.header("cache-control"), "no-store");

    let again = [TOKENS, "?again"].concat();
    let with = |password| [("email", ADMIN), ("password", password), ("kept", kept(&asked))];
    let wrong = admin.post(&again, &with("wrong horse")).await;
    wrong.refuses(&["The address or the password is wrong", "Confirm that it is you"]);
    assert_eq!(kept(&wrong), kept(&asked));
    assert!(!wrong.text.contains("wrong horse"));
    let done = admin.post(&again, &with(PASSWORD)).await;
    done.shows(&["gwm_", "build server"]);
    assert!(cookie(&done, "gw_session").unwrap().contains("HttpOnly"));

    // The session is a new one: the old cookie is worth nothing, the new one asks for nothing.
    assert_eq!(admin.get("/me").await.status, 303);
    let renewed = portal.holding(&done);
    renewed.post(TOKENS, &NEW).await.shows(&["gwm_"]);
    renewed.get(TOKENS).await.shows(&["build server"]);
}

#[tokio::test]
async fn guessing_there_is_slowed_down_like_signing_in() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    portal.later(A_WHILE);
    let asked = admin.post(TOKENS, &NEW).await;
    let guess = [
        ("email", ADMIN),
        ("password", "wrong horse"),
        ("kept", kept(&asked)),
    ];
    for _ in 0..5 {
        assert_eq!(admin.post("/console/tokens?again", &guess).await.status, 422);
    }
    let blocked = admin.post("/console/tokens?again", &guess).await;
    assert_eq!(blocked.status, 429, "{}", blocked.text);
    assert_eq!(kept(&blocked), kept(&asked));
}

#[tokio::test]
async fn only_the_sender_goes_on_with_a_form_and_only_where_it_was_sent() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let (other, _) = portal.user("olga", Some(Role::Owner)).await;
    portal.later(A_WHILE);
    let asked = admin.post(TOKENS, &NEW).await;
    let olga = "olga@example.com";
    let theirs = [("email", olga), ("password", PASSWORD), ("kept", kept(&asked))];
    let refused = other.post("/console/tokens?again", &theirs).await;
    assert_eq!(refused.location(), "/console");
    let mine = [("email", ADMIN), ("password", PASSWORD), ("kept", kept(&asked))];
    assert_eq!(
        admin.post("/console/users?again", &mine).await.location(),
        "/console"
    );
    let admin = portal.admin().await;
    portal.later(A_WHILE);
    let asked = admin.post(TOKENS, &NEW).await;
    portal.later(Duration::from_secs(3_600));
    let late = [("email", ADMIN), ("password", PASSWORD), ("kept", kept(&asked))];
    let late = admin.post("/console/tokens?again", &late).await;
    assert_eq!(late.location(), "/console");
    let page = portal.holding(&late).get(TOKENS).await;
    assert!(!page.text.contains("build server"), "{}", page.text);
}

#[tokio::test]
async fn a_session_that_ends_does_not_eat_a_form() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    portal.later(Duration::from_secs(13 * 3_600));
    let sent = admin.post("/me/settings", &[("name", "Ana Kay")]).await;
    assert_eq!(sent.status, 403, "{}", sent.text);
    assert!(sent.text.contains("Your session has ended"), "{}", sent.text);
    assert!(!sent.text.contains(ADMIN), "nobody is known any more");
    let back = [("email", ADMIN), ("password", PASSWORD), ("kept", kept(&sent))];
    let done = portal.visitor().post("/me/settings?again", &back).await;
    assert_eq!(done.location(), "/me/settings");
    portal
        .holding(&done)
        .get("/me/settings")
        .await
        .shows(&["Ana Kay"]);
    // The console asks sooner; its forms wait as well.
    let admin = portal.admin().await;
    portal.later(Duration::from_secs(31 * 60));
    let team = [("name", "Night Shift"), ("kind", "consumer")];
    let sent = admin.post("/console/teams", &team).await;
    assert_eq!(sent.status, 403, "{}", sent.text);
    let back = [("email", ADMIN), ("password", PASSWORD), ("kept", kept(&sent))];
    let done = admin.post("/console/teams?again", &back).await;
    assert_eq!(done.location(), "/console/teams/night-shift");
}

#[tokio::test]
async fn who_may_not_is_refused_without_being_asked() {
    let portal = TestPortal::new().await;
    let (support, _) = portal.user("sam", Some(Role::Support)).await;
    portal.later(A_WHILE);
    let refused = support.post("/console/users", &[("name", "Bo")]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains("members:write"), "{}", refused.text);
    // Signing in anew elsewhere is no way around the sealed form.
    let made_up = [("email", ADMIN), ("password", OTHER), ("kept", "00ff")];
    let refused = support.post("/console/users?again", &made_up).await;
    assert_eq!(refused.status, 422);
}
