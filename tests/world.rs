//! What a test is given: a running Gatewright, its administrator, an upstream
//! that records, and the steps that every scenario begins with.

use std::time::{Duration, Instant};

use gatewright_testkit::echo::Echo;
use gatewright_testkit::http::{Client, Reply, text};
use gatewright_testkit::redis::Redis;
use gatewright_testkit::server::{Server, Setup};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::documents;
use crate::stores::{self, Database};

/// How long anything may take on a machine that has much else to do. What the
/// product promises to do in a time is measured by the tests that are about it.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A running Gatewright.
pub(crate) struct World {
    /// The process with every role.
    pub(crate) server: Server,
    /// The second process with the gateway role, on Postgres and Redis.
    pub(crate) node: Option<Server>,
    /// The management API as the first administrator sees it.
    pub(crate) admin: Client,
    /// The upstream.
    pub(crate) echo: Echo,
    pub(crate) _stores: Option<(Database, Redis)>,
}

/// An API with one version and one plan, both published.
pub(crate) struct Published {
    pub(crate) api: String,
    pub(crate) slug: String,
    pub(crate) version: String,
    pub(crate) plan: String,
}

/// An application with a key.
pub(crate) struct Consumer {
    pub(crate) application: String,
    pub(crate) subscription: String,
    pub(crate) credential: String,
    pub(crate) secret: String,
}

impl World {
    /// SQLite alone, in one process.
    pub(crate) fn embedded() -> Self {
        Self::from_server(Setup::embedded().start())
    }

    /// Postgres, Redis, and the gateway in a process of its own; nothing where there is no Postgres or Redis.
    pub(crate) fn cluster() -> Option<Self> {
        Self::cluster_with(|setup| setup)
    }

    /// The same with more settings.
    pub(crate) fn cluster_with(adapt: impl Fn(Setup) -> Setup) -> Option<Self> {
        let (database, redis) = (stores::database()?, stores::own_redis()?);
        let setup = adapt(Setup::cluster(&database.url, &redis.url()));
        let mut world = Self::from_server(setup.start());
        world.node = Some(setup.another_node("gateway").start());
        world._stores = Some((database, redis));
        Some(world)
    }

    /// A server that is running already.
    pub(crate) fn from_server(server: Server) -> Self {
        let admin = server.management().bearer(&server.setup().token());
        Self {
            server,
            node: None,
            admin,
            echo: Echo::start(),
            _stores: None,
        }
    }

    /// The gateway that consumers call: the second process where there is one.
    pub(crate) fn gateway(&self) -> Client {
        self.node.as_ref().unwrap_or(&self.server).gateway()
    }

    /// Every gateway.
    pub(crate) fn gateways(&self) -> Vec<Client> {
        std::iter::once(&self.server)
            .chain(&self.node)
            .map(Server::gateway)
            .collect()
    }

    /// Stops everything and starts it again on the same stores.
    pub(crate) fn restart(self) -> Self {
        let Self {
            server,
            node,
            admin: _,
            echo,
            _stores,
        } = self;
        let setup = server.setup().clone();
        let node_setup = node.as_ref().map(|node| node.setup().clone());
        for running in std::iter::once(server).chain(node) {
            let exit = running.stop();
            assert_eq!(exit.code, 0, "a drained server ends with 0:\n{}", exit.stderr);
        }
        let server = setup.start();
        let node = node_setup.map(|setup| setup.start());
        let admin = server.management().bearer(&setup.token());
        Self {
            server,
            node,
            admin,
            echo,
            _stores,
        }
    }

    /// Imports the pet shop with the echo as its upstream, as a draft.
    pub(crate) async fn import(&self, slug: &str) -> Value {
        self.import_to(&self.echo.url(), slug).await
    }

    /// Imports the pet shop with another upstream.
    pub(crate) async fn import_to(&self, upstream: &str, slug: &str) -> Value {
        let body = json!({
            "document": documents::pets(),
            "name": format!("Pets of {slug}"),
            "slug": slug,
            "context_path": format!("/{slug}"),
            "upstream_url": upstream,
        });
        self.admin.post("/apis/import", &body).await.expect(201)
    }

    /// Adds a plan and publishes it; `details` win over the defaults (API key, automatic, no limits).
    pub(crate) async fn plan(&self, api: &str, slug: &str, details: Value) -> String {
        let mut plan = json!({
            "name": slug, "slug": slug, "security": "api_key", "approval": "auto", "limits": [],
        });
        for (key, value) in details.as_object().unwrap() {
            plan[key] = value.clone();
        }
        let plan = self
            .admin
            .post(&format!("/apis/{api}/plans"), &plan)
            .await
            .expect(201);
        assert_eq!(text(&plan, "state"), "draft");
        let id = text(&plan, "id").to_owned();
        let plan = self.admin.verb(&format!("/plans/{id}/publish")).await.expect(200);
        assert_eq!(text(&plan, "state"), "published");
        id
    }

    /// An API at `/{slug}`, with version `v1` and plan `standard` published.
    pub(crate) async fn publish(&self, slug: &str, details: Value) -> Published {
        self.publish_to(&self.echo.url(), slug, details).await
    }

    /// The same with another upstream.
    pub(crate) async fn publish_to(&self, upstream: &str, slug: &str, details: Value) -> Published {
        let imported = self.import_to(upstream, slug).await;
        let api = text(&imported["api"], "id").to_owned();
        let plan = self.plan(&api, "standard", details).await;
        let version = self
            .admin
            .verb(&format!("/apis/{api}/versions/v1/publish"))
            .await
            .expect(200);
        assert_eq!(text(&version, "state"), "published");
        Published {
            api,
            slug: slug.to_owned(),
            version: text(&version, "id").to_owned(),
            plan,
        }
    }

    /// A new application.
    pub(crate) async fn application(&self, name: &str, environment: &str) -> String {
        let body = json!({"name": name, "environment": environment});
        let application = self.admin.post("/applications", &body).await.expect(201);
        assert_eq!(text(&application, "state"), "active");
        text(&application, "id").to_owned()
    }

    /// Asks for a subscription.
    pub(crate) async fn subscribe(&self, application: &str, plan: &str) -> Value {
        let body = json!({"plan_id": plan, "reason": "for the tests"});
        self.admin
            .post(&format!("/applications/{application}/subscriptions"), &body)
            .await
            .expect(201)
    }

    /// A new API key: its id and its secret.
    pub(crate) async fn credential(&self, application: &str) -> (String, String) {
        let path = format!("/applications/{application}/credentials");
        let credential = self
            .admin
            .post(&path, &json!({"kind": "api_key", "name": "main"}))
            .await
            .expect(201);
        (
            text(&credential, "id").to_owned(),
            text(&credential, "secret").to_owned(),
        )
    }

    /// An application with an active subscription and a key that works at every gateway.
    pub(crate) async fn consumer(&self, published: &Published) -> Consumer {
        let application = self.application("Shop front", "live").await;
        let subscription = self.subscribe(&application, &published.plan).await;
        assert_eq!(text(&subscription, "state"), "active", "{subscription}");
        let (credential, secret) = self.credential(&application).await;
        self.all_nodes_follow(&published.slug).await;
        Consumer {
            application,
            subscription: text(&subscription, "id").to_owned(),
            credential,
            secret,
        }
    }

    /// Waits until every gateway has applied all changes that were answered so
    /// far, without a call that counts: changes are applied in their order, so
    /// whoever knows the newest key knows everything before it. The process
    /// that answered a change waits for its own gateway, but not for ever.
    pub(crate) async fn all_nodes_follow(&self, slug: &str) {
        let application = self.application("Newest", "test").await;
        let (_, secret) = self.credential(&application).await;
        for gateway in self.gateways() {
            let gateway = gateway.with("x-api-key", &secret);
            settles(&gateway, &format!("/{slug}/v1/pets"), |reply| {
                code(reply) == "subscription_missing"
            })
            .await;
        }
    }

    /// The key of a new application that may call version `label`.
    pub(crate) async fn consumer_of(&self, published: &Published, label: &str) -> String {
        let application = self.application("Latecomer", "live").await;
        self.subscribe(&application, &published.plan).await;
        let (_, secret) = self.credential(&application).await;
        let gateway = self.gateway().with("x-api-key", &secret);
        settles_at(&gateway, &format!("/{}/{label}/pets", published.slug), 200).await;
        secret
    }

    /// The open approval of a subscription.
    pub(crate) async fn approval_of(&self, subscription: &str) -> String {
        let open = all_items(&self.admin, "/approvals?state=open").await;
        let mine = open
            .iter()
            .find(|approval| approval.to_string().contains(subscription));
        let approval = mine.unwrap_or_else(|| panic!("no approval of {subscription} in {open:?}"));
        assert_eq!(text(approval, "state"), "open");
        text(approval, "id").to_owned()
    }
}

/// One server for all tests that leave nothing behind that others would see; it ends with the test process.
pub(crate) async fn shared() -> &'static World {
    static SHARED: OnceCell<World> = OnceCell::const_new();
    SHARED.get_or_init(|| async { World::embedded() }).await
}

/// Repeats a GET until its answer is as wanted, as long as a change may take.
pub(crate) async fn settles(client: &Client, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
    settles_within(SOON, client, path, wanted).await
}

/// Repeats a GET until its answer is as wanted.
pub(crate) async fn settles_within(
    within: Duration,
    client: &Client,
    path: &str,
    wanted: impl Fn(&Reply) -> bool,
) -> Reply {
    let deadline = Instant::now() + within;
    loop {
        let reply = client.get(path).await;
        if wanted(&reply) {
            return reply;
        }
        assert!(
            Instant::now() < deadline,
            "not within {within:?}; the last answer: {reply}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Repeats a GET until it answers with this status.
pub(crate) async fn settles_at(client: &Client, path: &str, status: u16) -> Reply {
    settles(client, path, |reply| reply.status == status).await
}

/// A GET that its limits have decided about. When the machine stands still,
/// their authority answers too late; a closed limit then says so and counts nothing.
pub(crate) async fn decided(client: &Client, path: &str) -> Reply {
    settles(client, path, |reply| code(reply) != "limit_unavailable").await
}

/// Repeats what is measured until it took no longer than `bar`, at most a few
/// times; gives the best time. Whatever else this machine does only adds to it.
pub(crate) async fn best_of_a_few(
    bar: Duration,
    mut measured: impl AsyncFnMut(usize) -> Duration,
) -> Duration {
    let mut best = Duration::MAX;
    for round in 0..5 {
        best = best.min(measured(round).await);
        if best <= bar {
            break;
        }
    }
    best
}

/// The `code` of a problem; empty when there is none.
pub(crate) fn code(reply: &Reply) -> String {
    text(&reply.json(), "code").to_owned()
}

/// The items of a list.
pub(crate) fn items(list: &Value) -> Vec<Value> {
    list["items"]
        .as_array()
        .unwrap_or_else(|| panic!("no items in {list}"))
        .clone()
}

/// All pages of a list.
pub(crate) async fn all_items(client: &Client, path: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut page = client.get(path).await.expect(200);
    loop {
        all.extend(items(&page));
        let Some(cursor) = page["next_cursor"].as_str() else {
            return all;
        };
        let separator = if path.contains('?') { '&' } else { '?' };
        page = client
            .get(&format!("{path}{separator}cursor={cursor}"))
            .await
            .expect(200);
    }
}

/// A limit on requests. A quota is exact whatever this machine does: no day ends
/// while a test runs, and without its authority it admits nobody (see [`decided`]).
pub(crate) fn limit(kind: &str, name: &str, amount: u64, window: &str) -> Value {
    let mut limit = json!({
        "name": name, "kind": kind, "unit": "requests", "amount": amount, "window": window,
        "partition": "subscription",
    });
    if kind == "quota" {
        limit["on_store_failure"] = json!("closed");
        limit["zone"] = json!(zone_in_the_middle_of_its_day());
    }
    limit
}

fn zone_in_the_middle_of_its_day() -> String {
    let hour = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() / 3_600 % 24;
    match hour {
        6..=17 => "UTC".to_owned(),
        // The sign is what a clock there is behind.
        18.. => format!("Etc/GMT+{}", hour - 12),
        _ => format!("Etc/GMT-{}", 12 - hour),
    }
}

/// A time in RFC 3339, so many days from now.
pub(crate) fn days_from_now(days: u64) -> String {
    let seconds = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + days * 86_400;
    jiff::Timestamp::from_second(seconds.try_into().unwrap())
        .unwrap()
        .to_string()
}
