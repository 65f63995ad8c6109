//! The pages before and around the sign-in, as a browser meets them.

mod address;
mod again;

use gatewright_control::accounts::SentLink;
use gatewright_control::users::NewUser;
use gatewright_model::text::{Email, Name};

use crate::testing::{ADMIN, Reply, TestPortal};

const PASSWORD: &str = "correct horse";
const OTHER: &str = "battery staple";

fn cookie<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
    let mut cookies = reply.headers.get_all("set-cookie").iter();
    cookies.find_map(|cookie| cookie.to_str().ok()?.strip_prefix(name)?.strip_prefix('='))
}

fn path_of(link: &str) -> &str {
    link.strip_prefix("http://portal.test").unwrap()
}

async fn link_for(portal: &TestPortal, email: &str) -> String {
    let admin = portal.admin_caller().await;
    let new = NewUser {
        email: Email::parse(email).unwrap(),
        name: Name::parse("Bo").unwrap(),
        password: None,
    };
    let user = portal.control.users().create(&admin, new).await.unwrap();
    let sent = portal.control.accounts().invite(&admin, user.id).await.unwrap();
    let SentLink::Shown { link, .. } = sent else {
        panic!("there is no mail")
    };
    path_of(link.expose()).to_owned()
}

#[tokio::test]
async fn the_first_run_makes_the_first_administrator_once() {
    let portal = TestPortal::empty().await;
    let visitor = portal.visitor();
    assert_eq!(visitor.get("/sign-in").await.location(), "/setup");
    let closed = visitor.get("/setup?secret=0000").await;
    assert_eq!(closed.status, 404);
    assert!(closed.text.contains("gatewright admin create"), "{}", closed.text);
    let link = portal.control.setup().new_link().await.unwrap().unwrap();
    let path = path_of(link.expose());
    let page = visitor.get(path).await;
    page.shows(&[
        "Set up Gatewright",
        "name=\"secret\"",
        "autocomplete=\"new-password\"",
    ]);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "strict-origin");

    let secret = path.split_once("secret=").unwrap().1;
    let with = |password: &'static str| {
        [
            ("secret", secret),
            ("name", "Ana"),
            ("email", ADMIN),
            ("password", password),
        ]
    };
    let refused = visitor.post("/setup", &with("short")).await;
    refused.refuses(&[
        "Error: ",
        "Password must be 8 to 256 characters long",
        "value=\"Ana\"",
    ]);
    assert!(!refused.text.contains("short"));
    let done = visitor.post("/setup", &with(PASSWORD)).await;
    assert_eq!(done.location(), "/console/apis/new?first=1");
    portal
        .holding(&done)
        .get("/me/settings")
        .await
        .shows(&["Ana", ADMIN]);
    assert_eq!(visitor.get(path).await.location(), "/sign-in");
    assert_eq!(
        visitor.post("/setup", &with(PASSWORD)).await.location(),
        "/sign-in"
    );
}

#[tokio::test]
async fn people_sign_in_and_go_back_to_where_they_were() {
    let portal = TestPortal::new().await;
    let visitor = portal.visitor();
    let page = visitor.get("/sign-in?return_to=/apis%3Fq%3Dpets").await;
    page.shows(&[
        "value=\"/apis?q=pets\"",
        "autocomplete=\"current-password\"",
        "Sign up",
    ]);
    let with = |password: &'static str, back: &'static str| {
        [("email", ADMIN), ("password", password), ("return_to", back)]
    };
    let wrong = visitor.post("/sign-in", &with("wrong horse", "/apis")).await;
    wrong.refuses(&["The address or the password is wrong", ADMIN, "value=\"/apis\""]);
    assert!(!wrong.text.contains("wrong horse"));
    let done = visitor.post("/sign-in", &with(PASSWORD, "/apis?q=pets")).await;
    assert_eq!(done.location(), "/apis?q=pets");
    let set = cookie(&done, "gw_session").unwrap();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"),
        "{set}"
    );
    for evil in [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/sign-out",
        "",
    ] {
        let done = visitor.post("/sign-in", &with(PASSWORD, evil)).await;
        assert_eq!(done.location(), "/console", "{evil}");
    }
    let again = portal.holding(&done);
    assert_eq!(again.get("/sign-in").await.location(), "/console");
    again
        .get("/sign-in?return_to=/console/apis")
        .await
        .shows(&["Sign in again", ADMIN]);
}

#[tokio::test]
async fn guessing_is_slowed_down_in_words() {
    let portal = TestPortal::new().await;
    let visitor = portal.visitor();
    let guess = [("email", ADMIN), ("password", "wrong horse")];
    for _ in 0..5 {
        assert_eq!(visitor.post("/sign-in", &guess).await.status, 422);
    }
    let blocked = visitor
        .post("/sign-in", &[("email", ADMIN), ("password", PASSWORD)])
        .await;
    assert_eq!(blocked.status, 429, "{}", blocked.text);
    let wait: u64 = blocked.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    assert!(
        blocked.text.contains("Too many attempts: try again in "),
        "{}",
        blocked.text
    );
}

#[tokio::test]
async fn a_session_ends_with_its_cookie() {
    let portal = TestPortal::new().await;
    let signed_in = portal
        .visitor()
        .post("/sign-in", &[("email", ADMIN), ("password", PASSWORD)])
        .await;
    let visitor = portal.holding(&signed_in);
    visitor.get("/me/settings").await.shows(&["this one"]);
    // A new sign-in has a new id, and the old one is worth nothing.
    let second = visitor
        .post("/sign-in", &[("email", ADMIN), ("password", PASSWORD)])
        .await;
    assert_ne!(cookie(&second, "gw_session"), cookie(&signed_in, "gw_session"));
    let refused = visitor.get("/me/settings").await;
    assert_eq!(refused.location(), "/sign-in?return_to=/me/settings");
    let visitor = portal.holding(&second);
    let out = visitor.post("/sign-out", &[]).await;
    assert_eq!(out.location(), "/");
    assert!(cookie(&out, "gw_session").unwrap().contains("Max-Age=0"));
    assert_eq!(visitor.get("/me/settings").await.status, 303);
}

#[tokio::test]
async fn a_sign_up_without_mail_waits_for_somebody() {
    let portal = TestPortal::new().await;
    let visitor = portal.visitor();
    visitor
        .get("/sign-up")
        .await
        .shows(&["approves new accounts", "name=\"password\""]);
    let refused = visitor
        .post("/sign-up", &[("name", ""), ("email", "bo"), ("password", "x")])
        .await;
    refused.refuses(&[
        "Enter your name",
        "E-mail address must be an e-mail address",
        "Password must be",
    ]);
    let asked = [("name", "Bo"), ("email", "bo@example.com"), ("password", OTHER)];
    visitor
        .post("/sign-up", &asked)
        .await
        .shows(&["Your request is waiting"]);
    let sign_in = visitor
        .post("/sign-in", &[("email", "bo@example.com"), ("password", OTHER)])
        .await;
    assert_eq!(sign_in.status, 422);
    let admin = portal.admin_caller().await;
    let accounts = portal.control.accounts();
    let waiting = accounts.sign_ups(&admin, None, Default::default()).await.unwrap();
    accounts.approve(&admin, waiting.items[0].id).await.unwrap();
    let sign_in = visitor
        .post("/sign-in", &[("email", "bo@example.com"), ("password", OTHER)])
        .await;
    assert_eq!(sign_in.location(), "/me");
    visitor
        .get("/forgot")
        .await
        .shows(&["Ask an administrator for a link"]);
}

#[tokio::test]
async fn with_mail_the_answers_say_nothing_about_accounts() {
    let portal = TestPortal::new().await.mailing();
    let visitor = portal.visitor();
    let page = visitor.get("/sign-up").await;
    page.shows(&["We send a link to this address"]);
    assert!(!page.text.contains("name=\"password\""));
    let mut answers = Vec::new();
    for email in [ADMIN, "bo@example.com"] {
        let signed_up = visitor
            .post("/sign-up", &[("name", "Bo"), ("email", email)])
            .await;
        signed_up.shows(&["Check your mail"]);
        let forgot = visitor.post("/forgot", &[("email", email)]).await;
        forgot.shows(&["If there is an account for"]);
        answers.push((signed_up.text, forgot.text.replace(email, "")));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn an_invitation_works_once() {
    let portal = TestPortal::new().await;
    let visitor = portal.visitor();
    let path = link_for(&portal, "bo@example.com").await;
    let page = visitor.get(&path).await;
    page.shows(&["bo@example.com", "value=\"Bo\"", "7 days"]);
    assert_eq!(page.header("cache-control"), "no-store");
    visitor
        .post(&path, &[("name", "Bo"), ("password", "password")])
        .await
        .refuses(&["Password must not be one of the most common"]);
    let accepted = visitor
        .post(&path, &[("name", "Bo Lee"), ("password", OTHER)])
        .await;
    assert_eq!(accepted.location(), "/me");
    portal
        .holding(&accepted)
        .get("/me/settings")
        .await
        .shows(&["Bo Lee"]);
    for gone in [
        visitor.get(&path).await,
        visitor.post(&path, &[("password", OTHER)]).await,
    ] {
        assert_eq!(gone.status, 410);
        assert!(gone.text.contains("This link does not work any more"));
    }
    assert_eq!(visitor.get("/reset/nothing").await.status, 410);
    assert_eq!(visitor.get("/verify/nothing").await.status, 410);
}

#[tokio::test]
async fn a_new_password_by_a_link_ends_every_session() {
    let portal = TestPortal::new().await;
    let (bo, caller) = portal.user("bo", None).await;
    let admin = portal.admin_caller().await;
    let sent = portal
        .control
        .accounts()
        .reset_link(&admin, caller.user_id.unwrap())
        .await
        .unwrap();
    let link = sent.link().unwrap().expose().to_owned();
    let path = path_of(&link);
    let visitor = portal.visitor();
    visitor
        .get(path)
        .await
        .shows(&["bo@example.com", "24 hours more"]);
    let done = visitor.post(path, &[("password", OTHER)]).await;
    assert_eq!(done.location(), "/sign-in");
    assert_eq!(bo.get("/me/settings").await.status, 303);
    let sign_in = visitor
        .post("/sign-in", &[("email", "bo@example.com"), ("password", OTHER)])
        .await;
    assert_eq!(sign_in.location(), "/me");
}

#[tokio::test]
async fn settings_are_changed_and_sessions_ended() {
    let portal = TestPortal::new().await;
    let admin = portal.admin().await;
    let other = portal.admin().await;
    let (stranger, _) = portal.user("bo", None).await;
    assert_eq!(
        admin.post("/me/settings", &[("name", " Ana ")]).await.location(),
        "/me/settings"
    );
    admin
        .get("/me/settings")
        .await
        .shows(&["value=\"Ana\"", "Sign out everywhere else"]);
    admin
        .post("/me/settings", &[("name", "")])
        .await
        .refuses(&["Enter a name"]);
    let wrong = [("current_password", "wrong horse"), ("new_password", OTHER)];
    admin
        .post("/me/settings/password", &wrong)
        .await
        .refuses(&["The current password is wrong"]);
    let right = [("current_password", PASSWORD), ("new_password", OTHER)];
    assert_eq!(
        admin.post("/me/settings/password", &right).await.location(),
        "/me/settings"
    );
    assert_eq!(other.get("/me/settings").await.status, 303);
    let page = admin.get("/me/settings").await;
    page.shows(&["this one"]);
    assert!(!page.text.contains("Sign out everywhere else"));

    let second = portal
        .visitor()
        .post("/sign-in", &[("email", ADMIN), ("password", OTHER)])
        .await;
    let second = portal.holding(&second);
    let page = admin.get("/me/settings").await;
    let end = page
        .text
        .split("action=\"")
        .find(|part| part.contains("/sessions/ses_"))
        .unwrap();
    let end = end.split('"').next().unwrap();
    assert_eq!(stranger.post(end, &[]).await.status, 404);
    assert_eq!(admin.post(end, &[]).await.location(), "/me/settings");
    assert_eq!(second.get("/me/settings").await.status, 303);
    assert_eq!(
        admin.post("/me/settings/sessions/revoke", &[]).await.location(),
        "/me/settings"
    );
}

#[tokio::test]
async fn colours_are_a_choice_without_an_account() {
    let portal = TestPortal::new().await;
    let visitor = portal.visitor();
    let dark = visitor.post("/me/settings/theme", &[("theme", "dark")]).await;
    assert_eq!(dark.location(), "/");
    assert!(cookie(&dark, "gw_theme").unwrap().starts_with("dark;"));
    let system = visitor.post("/me/settings/theme", &[("theme", "system")]).await;
    assert!(cookie(&system, "gw_theme").unwrap().contains("Max-Age=0"));
}
