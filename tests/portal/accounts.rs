//! People come in: the first run, sessions on every node, guesses, and mail.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gatewright_testkit::http::{Client, Reply, text};
use gatewright_testkit::server::{ADMIN_EMAIL, ADMIN_PASSWORD, Server, Setup};
use gatewright_testkit::smtp::SmtpSink;
use gatewright_testkit::wait::Standstill;
use http::Method;
use serde_json::json;

use crate::world::World;

const PASSWORD: &str = "battery staple horse";
/// `product.md` and issue 3: a dead cookie is dead in one second on every node.
const AT_ONCE: Duration = Duration::from_secs(1);

both_stores!(
    a_dead_cookie_is_dead_on_every_node,
    a_thousand_guesses_are_a_handful_on_all_nodes_together,
);

fn form(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        let escaped = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        escaped.collect::<String>()
    };
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    pairs.join("&")
}

async fn post(portal: &Client, path: &str, fields: &[(&str, &str)]) -> Reply {
    portal.send(Method::POST, path, form(fields)).await
}

fn browser(base: &str) -> Client {
    Client::new(base)
        .with("content-type", "application/x-www-form-urlencoded")
        .with("sec-fetch-site", "same-origin")
}

fn portal(server: &Server) -> Client {
    browser(server.address("portal"))
}

/// The session cookie of an answer.
fn session(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{reply}");
    let cookie = reply.must_have("set-cookie");
    let cookie = cookie.split(';').next().unwrap_or_default();
    assert!(cookie.starts_with("gw_session="), "{cookie}");
    cookie.to_owned()
}

/// The portals of a world: in a cluster a second process serves it too.
fn portals(world: &World) -> (Vec<Client>, Option<Server>) {
    let second = world.node.as_ref().map(|_| {
        let setup = world.server.setup().another_node("portal");
        let url = world.server.address("portal");
        setup.env("GATEWRIGHT_PORTAL_URL", url).start()
    });
    let mut all = vec![portal(&world.server)];
    all.extend(second.as_ref().map(portal));
    (all, second)
}

async fn add_user(world: &World, email: &str) -> String {
    let user = json!({"email": email, "name": "Bo", "password": PASSWORD});
    text(&world.admin.post("/users", &user).await.expect(201), "id").to_owned()
}

async fn a_dead_cookie_is_dead_on_every_node(world: World) {
    let (portals, _second) = portals(&world);
    let id = add_user(&world, "bo@example.com").await;
    let fields = [("email", "bo@example.com"), ("password", PASSWORD)];
    for end in ["suspend", "sessions"] {
        let cookie = session(&post(&portals[0], "/sign-in", &fields).await);
        for portal in &portals {
            let page = portal.with("cookie", &cookie).get("/me/settings").await;
            assert_eq!(page.status, 200, "{page}");
            assert!(page.text().contains("bo@example.com"));
        }
        let standstill = Standstill::watch();
        match end {
            "suspend" => {
                world
                    .admin
                    .verb(&format!("/users/{id}/suspend"))
                    .await
                    .expect(200);
            }
            _ => {
                let path = format!("/users/{id}/sessions");
                let ended = world.admin.send(Method::DELETE, &path, "").await;
                assert_eq!(ended.status, 204, "{ended}");
            }
        }
        let since = Instant::now();
        for portal in &portals {
            // Nobody who asks later than that is let in.
            let portal = portal.with("cookie", &cookie);
            let mut asked = since.elapsed();
            while portal.get("/me/settings").await.status != 303 {
                let had = asked.saturating_sub(standstill.lost());
                assert!(had < AT_ONCE, "let in {had:?} later");
                tokio::time::sleep(Duration::from_millis(20)).await;
                asked = since.elapsed();
            }
        }
        if end == "suspend" {
            let activate = format!("/users/{id}/activate");
            world.admin.verb(&activate).await.expect(200);
        }
    }
}

async fn a_thousand_guesses_are_a_handful_on_all_nodes_together(world: World) {
    let (portals, _second) = portals(&world);
    add_user(&world, "bo@example.com").await;
    let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
    for round in 0..20 {
        let guesses: Vec<_> = (0..50)
            .map(|at| {
                let portal = portals[at % portals.len()].clone();
                tokio::spawn(async move {
                    let guess = format!("guess {round} {at}");
                    let fields = [("email", "bo@example.com"), ("password", guess.as_str())];
                    post(&portal, "/sign-in", &fields).await.status
                })
            })
            .collect();
        for guess in guesses {
            *answers.entry(guess.await.unwrap()).or_default() += 1;
        }
    }
    // Five are free; each later one needs a wait of at least five seconds before it.
    let tried = answers.get(&422).copied().unwrap_or(0);
    assert!((5..=12).contains(&tried), "{answers:?}");
    // Whom a busy store does not serve at all has tried nothing.
    let others = answers.keys().all(|status| [422, 429, 503].contains(status));
    assert!(others, "{answers:?}");
    for portal in &portals {
        let blocked = right_and_too_early(portal).await;
        assert!(blocked.text().contains("try again in"), "{blocked}");
    }
}

/// The right password while wrong ones have to wait. The wait may end just
/// before it comes; then it is made again.
async fn right_and_too_early(portal: &Client) -> Reply {
    let sign_in = async |password: &str| {
        let fields = [("email", "bo@example.com"), ("password", password)];
        post(portal, "/sign-in", &fields).await
    };
    for _ in 0..5 {
        while sign_in("guess").await.status != 429 {}
        let reply = sign_in(PASSWORD).await;
        if reply.status == 429 {
            return reply;
        }
        assert!(matches!(reply.status, 303 | 503), "{reply}");
    }
    panic!("the right password never had to wait");
}

#[tokio::test]
async fn the_first_run_begins_with_the_link_in_the_log() {
    let setup = Setup::embedded()
        .without_env("GATEWRIGHT_ADMIN_EMAIL")
        .without_env("GATEWRIGHT_ADMIN_PASSWORD");
    let starting = setup.spawn();
    let link = starting.first_run();
    let (base, _) = link.split_once("/setup?").unwrap();
    let portal = browser(base);
    let path = link.strip_prefix(base).unwrap();
    assert_eq!(portal.get("/setup").await.status, 404);
    assert_eq!(portal.get(path).await.status, 200);
    let secret = path.split_once("secret=").unwrap().1;
    let fields = [
        ("secret", secret),
        ("name", "Ana"),
        ("email", ADMIN_EMAIL),
        ("password", ADMIN_PASSWORD),
    ];
    let done = post(&portal, "/setup", &fields).await;
    let cookie = session(&done);
    assert_eq!(done.must_have("location"), "/console/apis/new?first=1");
    let Ok(server) = starting.settle() else {
        panic!("the server is ready once there is an administrator")
    };
    let page = portal.with("cookie", &cookie).get("/me/settings").await;
    assert_eq!(page.status, 200, "{page}");
    assert_eq!(portal.get(path).await.must_have("location"), "/sign-in");
    assert!(!server.log().contains(ADMIN_PASSWORD));
}

#[tokio::test]
async fn a_password_is_reset_by_mail_that_comes_through_in_the_end() {
    let sink = SmtpSink::start().await;
    sink.refuse_next(1);
    let setup = Setup::embedded()
        .env("GATEWRIGHT_SMTP_URL", sink.url())
        .env("GATEWRIGHT_MAIL_FROM", "Shop <no-reply@shop.example>");
    let world = World::from_server(setup.start());
    let portal = portal(&world.server);
    let asked = post(&portal, "/forgot", &[("email", ADMIN_EMAIL)]).await;
    assert_eq!(asked.status, 200, "{asked}");
    let stranger = post(&portal, "/forgot", &[("email", "nobody@example.com")]).await;
    assert_eq!(stranger.status, 200, "{stranger}");

    let letter = sink.letter_to(ADMIN_EMAIL, 0).await;
    assert_eq!(letter.from, "no-reply@shop.example");
    assert!(letter.header("From").unwrap().contains("Shop"));
    assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    let link = letter.link("/reset/").unwrap();
    let base = world.server.address("portal");
    let path = link.strip_prefix(base).unwrap();
    let page = portal.get(path).await;
    assert_eq!(page.status, 200, "{page}");
    assert_eq!(page.must_have("cache-control"), "no-store");
    let done = post(&portal, path, &[("password", PASSWORD)]).await;
    assert_eq!(done.must_have("location"), "/sign-in");
    let told = sink.letter_to(ADMIN_EMAIL, 1).await;
    assert!(told.text().contains("was just changed"), "{}", told.text());
    let fields = [("email", ADMIN_EMAIL), ("password", PASSWORD)];
    session(&post(&portal, "/sign-in", &fields).await);
    assert_eq!(portal.get(path).await.status, 410);

    assert!(sink.received().iter().all(|letter| letter.to == [ADMIN_EMAIL]));
    let secret = path.rsplit('/').next().unwrap();
    assert!(!world.server.log().contains(secret), "the log holds no link");
}

#[tokio::test]
async fn an_invitation_by_mail_makes_an_account() {
    let sink = SmtpSink::start().await;
    let setup = Setup::embedded()
        .env("GATEWRIGHT_SMTP_URL", sink.url())
        .env("GATEWRIGHT_MAIL_FROM", "no-reply@shop.example");
    let world = World::from_server(setup.start());
    let portal = portal(&world.server);
    let user = json!({"email": "bo@example.com", "name": "Bo"});
    let user = world.admin.post("/users", &user).await.expect(201);
    assert_eq!(user["state"], "invited");
    let id = text(&user, "id");
    let sent = world.admin.verb(&format!("/users/{id}/invite")).await.expect(200);
    assert!(sent["mailed"] == true && sent["link"].is_null(), "{sent}");
    let letter = sink.letter_to("bo@example.com", 0).await;
    let link = letter.link("/invite/").unwrap();
    let path = link.strip_prefix(world.server.address("portal")).unwrap();
    let accepted = post(&portal, path, &[("name", "Bo Lee"), ("password", PASSWORD)]).await;
    session(&accepted);
    let user = world.admin.get(&format!("/users/{id}")).await.expect(200);
    assert_eq!((text(&user, "state"), text(&user, "name")), ("active", "Bo Lee"));
    let again = world.admin.verb(&format!("/users/{id}/invite")).await;
    assert_eq!(again.status, 409, "{again}");
    assert_eq!(text(&again.json(), "code"), "has_password");
}
