//! From one of each to very many: the archive of a large installation.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use gatewright_model::id::EntityId;
use gatewright_model::keys::MasterKey;
use gatewright_model::secret::SecretHasher;
use gatewright_model::snapshot::{ApiPart, PartHash, VersionPart};
use gatewright_model::text::{ContextPath, Slug};
use gatewright_testkit::server::MASTER_KEY;
use serde_json::Value;
use uuid::Uuid;

use super::archive::{Archive, Row, Table, Writer};
use super::seed::{API, APPLICATION, DEVELOPER, PLAN, REVIEWED, TEAM};
use super::traffic;
use crate::workload::{Numbers, Workload};

/// How many APIs share a team, and how many consumers.
const TEAMS: u32 = 1_000;
/// Teams that own APIs.
const PROVIDERS: u32 = 100;
/// Requests that wait for a decision.
const WAITING: u32 = 1_000;
/// Where ids begin, in milliseconds since the epoch.
const FIRST_ID: u64 = 1_760_000_000_000;

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// APIs of ten operations and two plans each.
    pub(super) apis: u32,
    /// Keys, each of an application of its own with a subscription.
    pub(super) keys: u32,
    /// Recorded calls of the last seven days.
    pub(super) calls: u32,
    /// Events of the audit trail.
    pub(super) audit: u32,
}

/// What a made id names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    Api,
    Version,
    Revision,
    Plan,
    PlanVersion,
    ReviewedPlan,
    ReviewedVersion,
    Team,
    User,
    Member,
    Application,
    Subscription,
    Credential,
    Pending,
    Approval,
    Event,
    Call,
    Limit,
}

/// The id with this number; the same in every run.
pub(super) fn made(named: Named, number: u32) -> Uuid {
    made_at(named, number, FIRST_ID + u64::from(number))
}

/// The same, made at a time in milliseconds.
pub(super) fn made_at(named: Named, number: u32, millis: u64) -> Uuid {
    let numbers = Numbers::from((1 << 50) | ((named as u64) << 40) | u64::from(number));
    let mut random = [0; 10];
    let bytes = numbers
        .next()
        .to_le_bytes()
        .into_iter()
        .chain(numbers.next().to_le_bytes());
    for (slot, byte) in random.iter_mut().zip(bytes) {
        *slot = byte;
    }
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// The context path of an API without its slash, which is its slug too.
pub(super) fn slug(api: u32) -> String {
    format!("api-{api:05}")
}

/// What ids of the template become.
type Swap = HashMap<String, String>;

fn copied(row: &Row, swap: &Swap) -> Row {
    let value = |value: &Value| match value.as_str().and_then(|text| swap.get(text)) {
        Some(new) => Value::from(new.as_str()),
        None => value.clone(),
    };
    row.iter().map(value).collect()
}

/// The rows of the template that are multiplied, by the names of their tables.
struct Template<'a> {
    archive: &'a Archive,
    size: Size,
    hasher: SecretHasher,
    ids: Ids,
    /// The number of the last change of the template.
    seq: i64,
}

/// Ids of the template, as they stand in the archive.
struct Ids {
    team: String,
    user: String,
    api: String,
    version: String,
    revision: String,
    document: String,
    /// Each with its current version.
    plans: [(String, String); 2],
    application: String,
    subscription: String,
    pending: String,
    credential: String,
}

impl Ids {
    fn of(archive: &Archive) -> anyhow::Result<Self> {
        let id = |table: &str, column: &str, wanted: &str| -> anyhow::Result<String> {
            let table = archive.table(table)?;
            Ok(table.text(table.one(column, wanted)?, "id").to_owned())
        };
        let api = id("api", "slug", API)?;
        let version = id("api_version", "api_id", &api)?;
        let revision = id("revision", "version_id", &version)?;
        let revisions = archive.table("revision")?;
        let document = revisions
            .text(revisions.one("id", &revision)?, "document_hash")
            .to_owned();
        let plan = |slug: &str| -> anyhow::Result<(String, String)> {
            let plan = id("plan", "slug", slug)?;
            let version = id("plan_version", "plan_id", &plan)?;
            Ok((plan, version))
        };
        let plans = [plan(PLAN)?, plan(REVIEWED)?];
        let application = id("application", "slug", APPLICATION)?;
        Ok(Self {
            team: id("team", "slug", TEAM)?,
            user: id("app_user", "email", DEVELOPER)?,
            subscription: id("subscription", "plan_id", &plans[0].0)?,
            pending: id("subscription", "plan_id", &plans[1].0)?,
            credential: id("credential", "application_id", &application)?,
            api,
            version,
            revision,
            document,
            plans,
            application,
        })
    }
}

/// Writes the archive of an installation of this size.
pub(super) fn write(archive: &Archive, size: Size, path: &Path) -> anyhow::Result<()> {
    let head = archive.table("change_head")?;
    let first = head.rows.first().context("the template has no changes")?;
    let seq = first
        .get(head.place("seq")?)
        .and_then(Value::as_i64)
        .context("no number of changes")?;
    let key = MasterKey::from_base64(MASTER_KEY).map_err(|invalid| anyhow::anyhow!("{invalid:?}"))?;
    let template = Template {
        archive,
        size,
        hasher: key.secret_hasher(),
        ids: Ids::of(archive)?,
        seq,
    };
    let mut out = Writer::begin(path, &archive.header)?;
    for table in &archive.tables {
        template.table(table, &mut out)?;
    }
    out.finish()
}

impl Template<'_> {
    /// The number of the configuration that all copies are in.
    const fn snapshot_seq(&self) -> i64 {
        self.seq + 1
    }

    fn change_seq(&self, consumer: u32, which: i64) -> i64 {
        self.seq + 2 + i64::from(consumer) * 4 + which
    }

    fn audit_seq(&self, event: u32) -> i64 {
        self.change_seq(self.size.keys, 0) + i64::from(event)
    }

    fn table(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        if table.name == "usage_rollup" {
            return traffic::write(self.archive, self.size, table, out);
        }
        out.table(&table.name, &table.columns)?;
        for row in &table.rows {
            let mut row = row.clone();
            if table.name == "change_head" {
                table.set(&mut row, "seq", self.audit_seq(self.size.audit))?;
            }
            out.row(&row)?;
        }
        match table.name.as_str() {
            "team" => self.teams(table, out),
            "app_user" | "membership" => self.people(table, out),
            "api" | "document" | "document_part" | "api_version" | "revision" | "operation" | "upstream"
            | "upstream_target" | "plan" | "plan_version" | "plan_limit" => self.providers(table, out),
            "application" | "subscription" | "credential" | "approval" => self.consumers(table, out),
            "audit_event" => self.events(table, out),
            "snapshot_part" | "snapshot_entry" | "config_snapshot" => self.snapshot(table, out),
            _ => Ok(()),
        }
    }

    /// The id of a team; the first is the template itself.
    fn team(&self, number: u32) -> String {
        match number {
            0 => self.ids.team.clone(),
            number => made(Named::Team, number).to_string(),
        }
    }

    fn teams(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        for number in 1..TEAMS {
            let mut row = table.one("id", &self.ids.team)?.clone();
            table.set(&mut row, "id", self.team(number))?;
            table.set(&mut row, "slug", format!("team-{number:04}"))?;
            table.set(&mut row, "name", format!("Team {number}"))?;
            out.row(&row)?;
        }
        Ok(())
    }

    fn people(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        for number in 1..TEAMS {
            let swap = Swap::from([
                (self.ids.user.clone(), made(Named::User, number).to_string()),
                (self.ids.team.clone(), self.team(number)),
            ]);
            let column = if table.name == "app_user" { "id" } else { "user_id" };
            let mut row = copied(table.one(column, &self.ids.user)?, &swap);
            if table.name == "app_user" {
                table.set(&mut row, "email", format!("person-{number:04}@example.com"))?;
                table.set(&mut row, "name", format!("Person {number}"))?;
            } else {
                table.set(&mut row, "id", made(Named::Member, number).to_string())?;
            }
            out.row(&row)?;
        }
        Ok(())
    }

    fn provider_swap(&self, api: u32) -> Swap {
        let ids = &self.ids;
        let [(plan, plan_version), (reviewed, reviewed_version)] = &ids.plans;
        let uuid = |named| made(named, api).to_string();
        Swap::from([
            (ids.api.clone(), uuid(Named::Api)),
            (ids.version.clone(), uuid(Named::Version)),
            (ids.revision.clone(), uuid(Named::Revision)),
            (plan.clone(), uuid(Named::Plan)),
            (plan_version.clone(), uuid(Named::PlanVersion)),
            (reviewed.clone(), uuid(Named::ReviewedPlan)),
            (reviewed_version.clone(), uuid(Named::ReviewedVersion)),
            (
                ids.document.clone(),
                format!("{:0>64}", made(Named::Revision, api).simple()),
            ),
            (ids.team.clone(), self.team(api % PROVIDERS)),
        ])
    }

    fn providers(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        let ids = &self.ids;
        let [(plan, plan_version), (reviewed, reviewed_version)] = &ids.plans;
        let (column, keys): (&str, Vec<&str>) = match table.name.as_str() {
            "api" => ("id", vec![&ids.api]),
            "document" => ("hash", vec![&ids.document]),
            "document_part" => ("document_hash", vec![&ids.document]),
            "api_version" => ("id", vec![&ids.version]),
            "revision" => ("id", vec![&ids.revision]),
            "operation" => ("revision_id", vec![&ids.revision]),
            "plan" => ("id", vec![plan, reviewed]),
            "plan_version" => ("id", vec![plan_version, reviewed_version]),
            "plan_limit" => ("plan_version_id", vec![plan_version, reviewed_version]),
            _ => ("version_id", vec![&ids.version]),
        };
        let rows: Vec<&Row> = keys.iter().flat_map(|key| table.of(column, key)).collect();
        for api in 0..self.size.apis {
            let swap = self.provider_swap(api);
            for (place, row) in (0_u32..).zip(&rows) {
                let mut row = copied(row, &swap);
                match table.name.as_str() {
                    "api" => {
                        table.set(&mut row, "slug", slug(api))?;
                        table.set(&mut row, "context_path", format!("/{}", slug(api)))?;
                        table.set(&mut row, "name", name(api))?;
                    }
                    "plan_limit" => {
                        table.set(&mut row, "id", made(Named::Limit, api * 4 + place).to_string())?;
                    }
                    _ => {}
                }
                out.row(&row)?;
            }
        }
        Ok(())
    }

    fn consumer_swap(&self, consumer: u32) -> Swap {
        let ids = &self.ids;
        let mut swap = self.provider_swap(consumer % self.size.apis);
        let uuid = |named| made(named, consumer).to_string();
        swap.extend([
            (ids.application.clone(), uuid(Named::Application)),
            (ids.subscription.clone(), uuid(Named::Subscription)),
            (ids.pending.clone(), uuid(Named::Pending)),
            (ids.credential.clone(), uuid(Named::Credential)),
            (ids.team.clone(), self.team(consumer % TEAMS)),
        ]);
        swap
    }

    fn consumers(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        let ids = &self.ids;
        for consumer in 0..self.size.keys {
            let swap = self.consumer_swap(consumer);
            let waits = consumer < WAITING;
            match table.name.as_str() {
                "application" => {
                    let mut row = copied(table.one("id", &ids.application)?, &swap);
                    table.set(&mut row, "slug", format!("app-{consumer:07}"))?;
                    table.set(&mut row, "name", format!("Application {consumer}"))?;
                    table.set(&mut row, "change_seq", self.change_seq(consumer, 0))?;
                    out.row(&row)?;
                }
                "subscription" => {
                    let mut row = copied(table.one("id", &ids.subscription)?, &swap);
                    table.set(&mut row, "change_seq", self.change_seq(consumer, 1))?;
                    out.row(&row)?;
                    if waits {
                        let mut row = copied(table.one("id", &ids.pending)?, &swap);
                        table.set(&mut row, "change_seq", self.change_seq(consumer, 2))?;
                        out.row(&row)?;
                    }
                }
                "credential" => {
                    let key = Workload::key(consumer);
                    let text = key.expose();
                    let mut row = copied(table.one("id", &ids.credential)?, &swap);
                    let hash = STANDARD.encode(self.hasher.hash(text).0);
                    table.set(&mut row, "hash", hash)?;
                    let hint = text.get(text.len().saturating_sub(4)..).unwrap_or_default();
                    table.set(&mut row, "hint_last4", hint)?;
                    table.set(&mut row, "change_seq", self.change_seq(consumer, 3))?;
                    out.row(&row)?;
                }
                _ if waits => {
                    let mut row = copied(table.one("subscription_id", &ids.pending)?, &swap);
                    table.set(&mut row, "id", made(Named::Approval, consumer).to_string())?;
                    // A provider's team decides.
                    let team = self.team(consumer % self.size.apis % PROVIDERS);
                    table.set(&mut row, "team_id", team)?;
                    out.row(&row)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Events like those of the template; their hashes are made up.
    fn events(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        let last = table.rows.last().context("the template has no audit trail")?;
        let mut before = table.text(last, "hash").to_owned();
        let start = traffic::now().saturating_sub(30 * 86_400_000);
        for (event, row) in (0..self.size.audit).zip(table.rows.iter().cycle()) {
            let at = start + u64::from(event) * 30 * 86_400_000 / u64::from(self.size.audit);
            let id = made_at(Named::Event, event, at);
            let hash = STANDARD.encode([id.as_bytes().as_slice(), id.as_bytes().as_slice()].concat());
            let mut row = row.clone();
            table.set(&mut row, "id", id.to_string())?;
            table.set(&mut row, "seq", self.audit_seq(event))?;
            table.set(&mut row, "position", 0)?;
            table.set(&mut row, "at", at)?;
            table.set(&mut row, "prev_hash", before)?;
            table.set(&mut row, "hash", hash.clone())?;
            before = hash;
            out.row(&row)?;
        }
        Ok(())
    }

    fn snapshot(&self, table: &Table, out: &mut Writer) -> anyhow::Result<()> {
        if table.name == "config_snapshot" {
            let mut row = table
                .rows
                .last()
                .context("the template has no configuration")?
                .clone();
            table.set(&mut row, "seq", self.snapshot_seq())?;
            table.set(&mut row, "changed", 2 * self.size.apis)?;
            return out.row(&row);
        }
        let (api, version) = self.parts()?;
        for number in 0..self.size.apis {
            let parts = [
                ("api", made(Named::Api, number), self.api_part(&api, number)?),
                (
                    "version",
                    made(Named::Version, number),
                    self.version_part(&version, number)?,
                ),
            ];
            for (kind, key, body) in parts {
                let hash = STANDARD.encode(PartHash::of(&body).0);
                let mut row: Row = vec![Value::Null; table.columns.len()];
                table.set(&mut row, "kind", kind)?;
                table.set(&mut row, "hash", hash)?;
                if table.name == "snapshot_part" {
                    table.set(&mut row, "body", STANDARD.encode(packed(&body)?))?;
                } else {
                    table.set(&mut row, "key", key.to_string())?;
                    table.set(&mut row, "seq", self.snapshot_seq())?;
                }
                out.row(&row)?;
            }
        }
        Ok(())
    }

    /// What gateways get of the template's API and of its version.
    fn parts(&self) -> anyhow::Result<(ApiPart, VersionPart)> {
        let entries = self.archive.table("snapshot_entry")?;
        let parts = self.archive.table("snapshot_part")?;
        let body = |id: &str| -> anyhow::Result<Vec<u8>> {
            let current = entries
                .of("key", id)
                .last()
                .context("the template is not published")?;
            let part = parts.one("hash", entries.text(current, "hash"))?;
            let packed = STANDARD.decode(parts.text(part, "body"))?;
            let mut body = Vec::new();
            std::io::Read::read_to_end(&mut GzDecoder::new(packed.as_slice()), &mut body)?;
            Ok(body)
        };
        let api = serde_json::from_slice(&body(&self.ids.api)?)?;
        Ok((api, serde_json::from_slice(&body(&self.ids.version)?)?))
    }

    fn api_part(&self, template: &ApiPart, number: u32) -> anyhow::Result<Vec<u8>> {
        let mut part = template.clone();
        part.id = EntityId::from_uuid(made(Named::Api, number));
        part.slug = Slug::parse(&slug(number))?;
        part.context_path = ContextPath::parse(&format!("/{}", slug(number)))?;
        for plan in &mut part.plans {
            let (id, version, mut place) = if plan.slug.as_str() == PLAN {
                (Named::Plan, Named::PlanVersion, 0)
            } else {
                (Named::ReviewedPlan, Named::ReviewedVersion, 2)
            };
            plan.id = EntityId::from_uuid(made(id, number));
            for limits in &mut plan.limits {
                limits.id = EntityId::from_uuid(made(version, number));
                for limit in &mut limits.limits {
                    limit.id = EntityId::from_uuid(made(Named::Limit, number * 4 + place));
                    place += 1;
                }
            }
        }
        Ok(serde_json::to_vec(&part)?)
    }

    fn version_part(&self, template: &VersionPart, number: u32) -> anyhow::Result<Vec<u8>> {
        let mut part = template.clone();
        part.id = EntityId::from_uuid(made(Named::Version, number));
        part.api_id = EntityId::from_uuid(made(Named::Api, number));
        Ok(serde_json::to_vec(&part)?)
    }
}

fn packed(body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, body)?;
    Ok(encoder.finish()?)
}

/// A name that searches tell from others.
fn name(api: u32) -> String {
    const GOODS: [&str; 10] = [
        "Orders", "Payments", "Weather", "Maps", "Invoices", "Identity", "Search", "Shipping", "Messages",
        "Stock",
    ];
    let goods = GOODS.get(api as usize % GOODS.len()).copied().unwrap_or_default();
    format!("{goods} {api}")
}
