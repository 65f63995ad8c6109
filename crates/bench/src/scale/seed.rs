//! A small installation, made through the product's own doors: one of each
//! kind, to be multiplied.

use std::path::Path;

use anyhow::{Context, bail};
use gatewright_testkit::http::{Client, text};
use gatewright_testkit::server::{MASTER_KEY, Setup};
use serde_json::{Value, json};

use super::archive::Archive;
use crate::workload::{BURST, LABEL, QUOTA, RATE, TEMPLATES};

/// The API that is multiplied.
pub(super) const API: &str = "base";
/// The team that is multiplied.
pub(super) const TEAM: &str = "base-team";
/// The application that is multiplied.
pub(super) const APPLICATION: &str = "base-app";
/// The plan that opens it at once.
pub(super) const PLAN: &str = "standard";
/// The plan that somebody has to open it by.
pub(super) const REVIEWED: &str = "reviewed";
/// A developer of [`TEAM`].
pub(super) const DEVELOPER: &str = "developer@example.com";
/// A publisher of [`TEAM`].
pub(super) const PUBLISHER: &str = "publisher@example.com";
/// The password of both.
pub(super) const PASSWORD: &str = "battery staple horse";
/// Where calls of every API go, before a part of the run says otherwise.
const UPSTREAM: &str = "http://127.0.0.1:9";

/// A store under the master key that all filled stores share.
pub(super) fn embedded(binary: &Path) -> Setup {
    Setup::embedded()
        .program(binary)
        .env("GATEWRIGHT_MASTER_KEY", MASTER_KEY)
}

/// Makes the installation and reads its archive.
pub(super) async fn base(binary: &Path, dir: &Path) -> anyhow::Result<Archive> {
    let setup = embedded(binary);
    let server = setup.start();
    let admin = server.management().bearer(&setup.token());
    people(&admin).await;
    provider(&admin).await;
    consumer(&admin).await;
    server.stop();
    let file = dir.join("base.archive");
    let path = file.to_str().context("the path is not UTF-8")?;
    let exit = setup.command(&["backup", path]);
    if exit.code != 0 {
        bail!("backup: {}", exit.stderr);
    }
    Archive::read(&file)
}

async fn people(admin: &Client) {
    let team = json!({"name": "Base team", "slug": TEAM, "kind": "both"});
    admin.post("/teams", &team).await.expect(201);
    for (email, role) in [(DEVELOPER, "developer"), (PUBLISHER, "publisher")] {
        let user = json!({"email": email, "name": "Bo Base", "password": PASSWORD});
        admin.post("/users", &user).await.expect(201);
        let member = json!({"user": email, "role": role});
        admin
            .post(&format!("/teams/{TEAM}/members"), &member)
            .await
            .expect(201);
    }
}

async fn provider(admin: &Client) {
    let import = json!({
        "document": document(), "name": "Base", "slug": API, "context_path": format!("/{API}"),
        "upstream_url": UPSTREAM, "team": TEAM,
    });
    admin.post("/apis/import", &import).await.expect(201);
    for (slug, approval) in [(PLAN, "auto"), (REVIEWED, "manual")] {
        let plan = json!({
            "name": slug, "slug": slug, "security": "api_key", "approval": approval, "limits": [
                {"name": "second", "kind": "rate", "unit": "requests", "amount": RATE, "window": "1s",
                 "burst": BURST, "partition": "subscription"},
                {"name": "daily", "kind": "quota", "unit": "requests", "amount": QUOTA, "window": "1d",
                 "partition": "subscription"},
            ],
        });
        let plan = admin.post(&format!("/apis/{API}/plans"), &plan).await.expect(201);
        let id = text(&plan, "id");
        admin.verb(&format!("/plans/{id}/publish")).await.expect(200);
    }
    let publish = format!("/apis/{API}/versions/{LABEL}/publish");
    admin.verb(&publish).await.expect(200);
}

async fn consumer(admin: &Client) {
    let application = json!({"name": "Base", "slug": APPLICATION, "environment": "live", "team": TEAM});
    let application = admin.post("/applications", &application).await.expect(201);
    let id = text(&application, "id");
    let plans = admin.get(&format!("/apis/{API}/plans")).await.expect(200);
    for plan in plans.get("items").and_then(Value::as_array).into_iter().flatten() {
        let wish = json!({"plan_id": text(plan, "id"), "reason": "for the benchmark"});
        let path = format!("/applications/{id}/subscriptions");
        admin.post(&path, &wish).await.expect(201);
    }
    let key = json!({"kind": "api_key", "name": "main"});
    let path = format!("/applications/{id}/credentials");
    admin.post(&path, &key).await.expect(201);
}

/// Ten operations with parameters, tags and schemas.
fn document() -> Value {
    let mut paths = serde_json::Map::new();
    for template in TEMPLATES {
        let parameters: Vec<Value> = template
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let tag = template.split('/').nth(1).unwrap_or_default();
        let get = json!({
            "tags": [tag], "summary": format!("Reads {}", template.replace(['{', '}'], "")),
            "parameters": parameters,
            "responses": {"200": {"description": "What was asked for.", "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Item"}}}}},
        });
        paths.insert(template.to_owned(), json!({"get": get}));
    }
    json!({
        "openapi": "3.0.3",
        "info": {"title": "Base", "version": "1", "description": "Items, orders and what belongs to them."},
        "servers": [{"url": UPSTREAM}],
        "paths": paths,
        "components": {"schemas": {
            "Item": {"type": "object", "required": ["id"], "properties": {
                "id": {"type": "string"}, "name": {"type": "string"}, "price": {"type": "number"},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}}},
            "Part": {"type": "object", "properties": {"id": {"type": "string"}, "weight": {"type": "integer"}}},
        }},
    })
}
