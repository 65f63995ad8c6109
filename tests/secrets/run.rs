//! The whole run: every slot gets its secret, people and programs do what they
//! do, and then everything is searched.

use gatewright_testkit::http::{Client, Reply, text};
use gatewright_testkit::server::{ADMIN_EMAIL, Setup};
use gatewright_testkit::smtp::SmtpSink;
use gatewright_testkit::wait::eventually;
use http::Method;
use serde_json::json;

use super::canaries::{Canaries, unpacked};
use super::crawl;
use super::dump::{self, Stolen};
use crate::stores;
use crate::world::{World, settles, settles_at};

const ADMIN_PASSWORD: &str = "canary-of-the-first-administrator";
const MASTER_KEY: &str = "Q2FuYXJ5IG9mIHRoZSBtYXN0ZXIga2V5IDEyMzQ1NjE=";
const SMTP_PASSWORD: &str = "canary-of-the-mail-server";
const DATABASE_PASSWORD: &str = "canary-of-the-database";
const REDIS_PASSWORD: &str = "canary-of-redis-requirepass";
const ROLES: [&str; 6] = [
    "owner",
    "publisher",
    "approver",
    "developer",
    "support",
    "auditor",
];
/// Stands in names that everybody may read: the search is worth nothing where it does not find it.
const SEEN: &str = "Plainly visible";

/// One run: its servers, what must not be found, and what was seen.
struct Run {
    world: World,
    sink: SmtpSink,
    canaries: Canaries,
    key: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t24_no_secret_is_told_shown_or_kept_on_sqlite() {
    let sink = SmtpSink::start().await;
    let world = World::from_server(configured(Setup::embedded(), &sink).start());
    let mut run = Run::new(world, sink);
    run.everything().await;
    // The directory lives as long as somebody knows it.
    let setup = run.world.server.setup().clone();
    let folder = setup.data_dir();
    let Run {
        world, mut canaries, ..
    } = run;
    ended(world, &mut canaries).await;
    canaries.search_files("the data directory", folder, &["archive.gwb"]);
    let rows = dump::of_sqlite(folder);
    assert!(
        rows.contains(SEEN) && rows.contains("INSERT INTO credential"),
        "the dump has rows"
    );
    canaries.search("a dump of SQLite", rows.as_bytes());
    for (place, said) in Stolen::sqlite(folder).tried() {
        canaries.search(place, said.as_bytes());
    }
    canaries.nothing_found("on SQLite");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t24_no_secret_is_told_shown_or_kept_on_postgres() {
    let (Some(database), Some(redis)) = (stores::database(), stores::own_redis()) else {
        return;
    };
    let sink = SmtpSink::start().await;
    // The test's Postgres trusts everybody: it takes any password.
    let with_password = database
        .url
        .replacen("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"), 1);
    assert_ne!(with_password, database.url);
    assert_eq!(
        redis.ask(&["CONFIG", "SET", "requirepass", REDIS_PASSWORD]),
        "+OK"
    );
    let with_redis = redis.url().replacen("://", &format!("://:{REDIS_PASSWORD}@"), 1);
    let setup = configured(Setup::cluster(&with_password, &with_redis), &sink);
    let mut world = World::from_server(setup.start());
    world.node = Some(setup.another_node("gateway").start());
    let mut run = Run::new(world, sink);
    run.canaries
        .add("the password of the database", DATABASE_PASSWORD);
    run.canaries.add("the password of Redis", REDIS_PASSWORD);
    run.everything().await;
    let folders: Vec<_> = run
        .servers()
        .iter()
        .map(|server| server.setup().clone())
        .collect();
    let Run {
        world, mut canaries, ..
    } = run;
    ended(world, &mut canaries).await;
    for setup in &folders {
        canaries.search_files("a data directory", setup.data_dir(), &["archive.gwb"]);
    }
    let rows = dump::of_postgres(&database.url);
    assert!(
        rows.contains(SEEN) && rows.contains("INSERT INTO public.credential"),
        "the dump has rows"
    );
    canaries.search("a dump of Postgres", rows.as_bytes());
    for (place, said) in Stolen::postgres(&rows).tried() {
        canaries.search(place, said.as_bytes());
    }
    canaries.nothing_found("on Postgres and Redis");
}

fn configured(setup: Setup, sink: &SmtpSink) -> Setup {
    let mail = format!("smtp://mailer:{SMTP_PASSWORD}@{}", sink.address());
    setup
        .env("GATEWRIGHT_ADMIN_PASSWORD", ADMIN_PASSWORD)
        .env("GATEWRIGHT_MASTER_KEY", MASTER_KEY)
        .env("GATEWRIGHT_SMTP_URL", mail)
        .env("GATEWRIGHT_MAIL_FROM", "no-reply@shop.example")
        .env("GATEWRIGHT_LOG_LEVEL", "trace")
        .env("GATEWRIGHT_LOG_FORMAT", "json")
}

/// Ends the processes; their last words are searched too.
async fn ended(world: World, canaries: &mut Canaries) {
    let World { server, node, .. } = world;
    for server in std::iter::once(server).chain(node) {
        let exit = server.stop();
        assert_eq!(exit.code, 0, "{}", exit.stderr);
        assert!(exit.stderr.contains("\"level\":\"debug\"") || exit.stderr.contains("\"level\":\"DEBUG\""));
        canaries.search("a log", exit.stderr.as_bytes());
    }
}

fn browser(base: &str) -> Client {
    Client::new(base)
        .with("content-type", "application/x-www-form-urlencoded")
        .with("sec-fetch-site", "same-origin")
}

impl Run {
    fn new(world: World, sink: SmtpSink) -> Self {
        let mut canaries = Canaries::default();
        canaries.add("the password of the first administrator", ADMIN_PASSWORD);
        canaries.add("the master key", MASTER_KEY);
        canaries.add("the bytes of the master key", "Canary of the master key 1234561");
        canaries.add("the password of the mail server", SMTP_PASSWORD);
        let token = world.server.setup().token();
        canaries.add("a management token of the command line", &token);
        let mut world = world;
        world.admin = world.server.management().bearer(&token);
        Self {
            world,
            sink,
            canaries,
            key: String::new(),
        }
    }

    fn servers(&self) -> Vec<&gatewright_testkit::server::Server> {
        std::iter::once(&self.world.server)
            .chain(&self.world.node)
            .collect()
    }

    fn portal(&self) -> Client {
        browser(self.world.server.address("portal"))
    }

    /// Searches an answer that must not repeat what it was told.
    fn search(&mut self, reply: &Reply) {
        // Not the line that names what the test itself asked for.
        let answer = format!("{:?}\n{}", reply.headers, reply.text());
        self.canaries.search("an answer", answer.as_bytes());
    }

    async fn everything(&mut self) {
        self.consumers().await;
        self.tokens().await;
        self.programs_err().await;
        let sessions = self.people().await;
        self.calls().await;
        self.the_upstream_got_no_key();
        self.recorded().await;
        self.look_around(sessions).await;
        self.backup();
    }

    /// Keys: issued, repeated, rotated and revoked.
    async fn consumers(&mut self) {
        let published = self.world.publish("kept-secret", json!({})).await;
        let consumer = self.world.consumer(&published).await;
        self.canaries.add("an API key", &consumer.secret);
        let path = format!("/applications/{}/credentials", consumer.application);
        let body = json!({"kind": "api_key", "name": SEEN});
        let once = self.world.admin.with("idempotency-key", "canary-1");
        let made = once.post(&path, &body).await.expect(201);
        let again = once.post(&path, &body).await;
        assert_eq!(again.must_have("idempotent-replayed"), "true");
        assert_eq!(again.expect(201)["secret"], made["secret"]);
        self.canaries
            .add("an API key whose answer is kept", text(&made, "secret"));
        let id = text(&made, "id");
        let rotated = self
            .world
            .admin
            .post(
                &format!("/credentials/{id}/rotate"),
                &json!({"grace_seconds": 600}),
            )
            .await
            .expect(200);
        assert!(!text(&rotated, "secret").is_empty(), "{rotated}");
        self.canaries.add("a rotated API key", text(&rotated, "secret"));
        let (lost, secret) = self.world.credential(&consumer.application).await;
        self.canaries.add("a revoked API key", &secret);
        self.world
            .admin
            .verb(&format!("/credentials/{lost}/revoke"))
            .await
            .expect(200);
        self.key = consumer.secret;
    }

    async fn tokens(&mut self) {
        let body = json!({"name": SEEN, "scopes": []});
        let made = self.world.admin.post("/tokens", &body).await.expect(201);
        let secret = ["secret", "token"].iter().find_map(|name| made[*name].as_str());
        self.canaries.add(
            "a management token of the API",
            secret.unwrap_or_else(|| panic!("no secret in {made}")),
        );
    }

    /// Programs that send secrets to where they do not belong.
    async fn programs_err(&mut self) {
        let admin = self.world.admin.clone();
        let wrong = "canary-of-a-refused-user";
        self.canaries
            .add("a password that was refused with its user", wrong);
        let user = json!({"email": "no address", "name": "Bo", "password": wrong});
        let reply = admin.post("/users", &user).await;
        assert_eq!(reply.status, 422, "{reply}");
        self.search(&reply);
        let short = json!({"email": "short@example.com", "name": "Bo", "password": wrong, "unknown": wrong});
        let reply = admin.post("/users", &short).await;
        assert!((400..500).contains(&reply.status), "{reply}");
        self.search(&reply);
        let reply = admin
            .json()
            .send(
                Method::POST,
                "/users",
                format!("{{\"password\": \"{wrong}\", oops"),
            )
            .await;
        assert_eq!(reply.status, 400, "{reply}");
        self.search(&reply);

        let upstream = "canary-of-an-upstream-url";
        self.canaries.add("a password in an upstream's URL", upstream);
        let target = format!("https://user:{upstream}@api.example.com/");
        let settings = json!({"targets": [{"url": target}]});
        let reply = admin
            .put("/apis/kept-secret/versions/v1/upstream", &settings)
            .await;
        assert_eq!(reply.status, 422, "{reply}");
        self.search(&reply);
        let import = json!({"url": format!("https://user:{upstream}@192.0.2.1/openapi.json")});
        let reply = admin.post("/apis/import", &import).await;
        assert!((400..500).contains(&reply.status), "{reply}");
        self.search(&reply);

        let token = "gwm_CanaryOfAnUnknownToken0123456789abcdef";
        self.canaries.add("an unknown management token", token);
        let reply = self.world.server.management().bearer(token).get("/apis").await;
        assert_eq!(reply.status, 401, "{reply}");
        self.search(&reply);
        let reply = self
            .world
            .server
            .management()
            .get(&format!("/apis?token={token}"))
            .await;
        assert_eq!(reply.status, 401, "{reply}");
        self.search(&reply);
    }

    /// One person for each role; gives their sessions.
    async fn people(&mut self) -> Vec<(String, Client)> {
        let mut sessions = vec![("a visitor".to_owned(), self.portal())];
        sessions.push(
            self.sign_in("an administrator", ADMIN_EMAIL, ADMIN_PASSWORD)
                .await,
        );
        for role in ROLES {
            let (email, password) = (
                format!("{role}@example.com"),
                format!("canary-password-of-{role}"),
            );
            self.canaries.add(&format!("the password of a {role}"), &password);
            let user = json!({"email": email, "name": format!("{SEEN} {role}"), "password": password});
            self.world.admin.post("/users", &user).await.expect(201);
            let member = json!({"user": email, "role": role});
            self.world.admin.post("/members", &member).await.expect(201);
            sessions.push(self.sign_in(&format!("a {role}"), &email, &password).await);
        }
        self.strangers().await;
        self.links().await;
        sessions
    }

    async fn sign_in(&mut self, who: &str, email: &str, password: &str) -> (String, Client) {
        let portal = self.portal();
        let fields = format!("email={}&password={password}", email.replace('@', "%40"));
        let reply = portal.send(Method::POST, "/sign-in", fields).await;
        assert_eq!(reply.status, 303, "{reply}");
        let cookie = reply
            .must_have("set-cookie")
            .split(';')
            .next()
            .unwrap_or_default();
        let (_, secret) = cookie.split_once('=').unwrap();
        self.canaries.add(&format!("the session of {who}"), secret);
        (who.to_owned(), portal.with("cookie", cookie))
    }

    /// People who are refused, and what they typed.
    async fn strangers(&mut self) {
        let guess = "canary-of-a-wrong-guess";
        self.canaries.add("a wrong password", guess);
        let portal = self.portal();
        for form in [
            format!("email=owner%40example.com&password={guess}"),
            format!("email=nobody%40example.com&password={guess}"),
        ] {
            let reply = portal.send(Method::POST, "/sign-in", form).await;
            assert_eq!(reply.status, 422, "{reply}");
            self.search(&reply);
        }
        let form = format!("name=&email=stranger&password={guess}");
        let reply = portal.send(Method::POST, "/sign-up", form).await;
        assert_eq!(reply.status, 422, "{reply}");
        self.search(&reply);
        let cookie = "CanaryOfAnUnknownSession0123456789";
        self.canaries.add("an unknown session", cookie);
        let reply = portal
            .with("cookie", &format!("gw_session={cookie}"))
            .get("/me")
            .await;
        self.search(&reply);
    }

    /// Links in letters: a new password, an invitation, a confirmation.
    async fn links(&mut self) {
        let portal = self.portal();
        let asked = portal
            .send(Method::POST, "/forgot", "email=owner%40example.com")
            .await;
        assert_eq!(asked.status, 200, "{asked}");
        let letter = self.sink.letter_to("owner@example.com", 0).await;
        self.link("a link to a new password", &letter.link("/reset/").unwrap())
            .await;

        let user = json!({"email": "guest@example.com", "name": "Guest"});
        let user = self.world.admin.post("/users", &user).await.expect(201);
        let invited = self
            .world
            .admin
            .verb(&format!("/users/{}/invite", text(&user, "id")))
            .await;
        invited.expect(200);
        let letter = self.sink.letter_to("guest@example.com", 0).await;
        self.link("an invitation", &letter.link("/invite/").unwrap())
            .await;

        let form = "name=New&email=new%40example.com&password=canary-of-a-newcomer";
        self.canaries.add("a newcomer's password", "canary-of-a-newcomer");
        let asked = portal.send(Method::POST, "/sign-up", form).await;
        assert!(asked.status < 400, "{asked}");
        self.search(&asked);
        let letter = self.sink.letter_to("new@example.com", 0).await;
        self.link("a confirmation", &letter.link("/verify/").unwrap())
            .await;
    }

    /// The secret of a link; its page is opened, as its reader does.
    async fn link(&mut self, slot: &str, link: &str) {
        let secret = link.rsplit('/').next().unwrap();
        let path = link.strip_prefix(self.world.server.address("portal")).unwrap();
        let page = self.portal().get(path).await;
        assert_eq!(page.status, 200, "{page}");
        self.canaries.add(slot, secret);
    }

    /// Calls through the gateway, with secrets wherever callers put them.
    async fn calls(&mut self) {
        let (query, body, header) = (
            "canary-of-a-query-string",
            "canary-of-a-request-body",
            "canary-of-a-header",
        );
        self.canaries.add("a query string", query);
        self.canaries.add("a body", body);
        self.canaries.add("a header", header);
        let unknown = "gw_live_CanaryOfAnUnknownApiKey0123456789abcd12";
        self.canaries.add("an unknown API key", unknown);
        for gateway in self.world.gateways() {
            let keyed = gateway.with("x-api-key", &self.key);
            settles_at(&keyed, "/kept-secret/v1/pets", 200).await;
            let secret = keyed
                .with("cookie", &format!("theirs={header}"))
                .with("x-signature", header);
            secret
                .get(&format!("/kept-secret/v1/pets?password={query}"))
                .await
                .expect(200);
            secret
                .post("/kept-secret/v1/pets", &json!({"password": body}))
                .await
                .expect(200);
            gateway
                .bearer(&self.key)
                .get("/kept-secret/v1/pets")
                .await
                .expect(200);
            let failing = secret
                .get(&format!("/kept-secret/v1/pets?echo_status=503&password={query}"))
                .await;
            assert_eq!(failing.status, 503);
            for client in [gateway.with("x-api-key", unknown), gateway.bearer(unknown)] {
                let refused = client
                    .get(&format!("/kept-secret/v1/pets?password={query}"))
                    .await;
                assert_eq!(refused.status, 401, "{refused}");
                self.search(&refused);
            }
            let lost = keyed
                .get(&format!("/kept-secret/v1/no-such-thing?password={query}"))
                .await;
            assert_eq!(lost.status, 404, "{lost}");
            self.search(&lost);
        }
    }

    /// Waits until those calls are explained, so that their pages are searched.
    async fn recorded(&self) {
        let id = eventually(
            std::time::Duration::from_secs(30),
            "calls are recorded",
            || async {
                let calls = self
                    .world
                    .admin
                    .get("/calls?status=503&limit=1")
                    .await
                    .expect(200);
                calls["items"][0]["id"].as_str().map(str::to_owned)
            },
        )
        .await;
        settles(&self.world.admin, &format!("/calls/{id}"), |reply| {
            reply.status == 200
        })
        .await;
    }

    /// What opens our doors does not go to the upstream.
    fn the_upstream_got_no_key(&self) {
        for request in self.world.echo.received() {
            for (name, value) in &request.headers {
                assert!(!value.contains(&self.key), "the upstream got the key in {name}");
            }
        }
    }

    /// Every page as everybody, every resource, every figure, every export.
    async fn look_around(&mut self, sessions: Vec<(String, Client)>) {
        let mut pages = 0;
        for (who, portal) in &sessions {
            let (read, all) = crawl::pages(portal, who, &mut self.canaries).await;
            pages += read;
            if who == "an administrator" {
                assert!(all.contains(SEEN), "the pages show what they may");
                assert!(read > 60, "{read} pages");
            }
        }
        let (admin, canaries) = (self.world.admin.clone(), &mut self.canaries);
        let (read, all) = crawl::resources(&admin, "an administrator", canaries).await;
        assert!(all.contains(SEEN) && read > 40, "{read} resources");
        for (who, portal) in &sessions {
            for path in ["/console/audit.csv", "/console/analytics.csv"] {
                let export = portal.get(path).await;
                canaries.search(&format!("{path} as {who}"), export.body.as_ref());
            }
        }
        let metrics: Vec<Client> = self.servers().iter().map(|server| server.status()).collect();
        for status in metrics {
            for path in ["/metrics", "/readyz", "/healthz"] {
                let reply = status.get(path).await;
                reply.expect(200);
                self.canaries.search(path, reply.text().as_bytes());
            }
        }
        println!(
            "FIGURE: T24 {pages} pages as {} kinds of people, {read} resources, {} secrets",
            sessions.len(),
            self.canaries.count()
        );
    }

    fn backup(&mut self) {
        let setup = self.world.server.setup();
        let archive = setup.data_dir().join("archive.gwb");
        let exit = setup.command(&["backup", archive.to_str().unwrap()]);
        assert_eq!(exit.code, 0, "{}", exit.stderr);
        let said = format!("{}{}", exit.stdout, exit.stderr);
        self.canaries.search("what backup says", said.as_bytes());
        let rows = unpacked(&archive);
        assert!(
            String::from_utf8_lossy(&rows).contains(SEEN),
            "the archive has rows"
        );
        self.canaries.search("a backup", &rows);
    }
}
