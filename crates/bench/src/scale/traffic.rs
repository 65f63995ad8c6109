//! Calls of the last week, and what they add up to.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatewright_model::histogram::LatencyHistogram;
use gatewright_model::time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::archive::{Archive, Table, Writer};
use super::fill::{Named, Size, made, made_at};
use crate::workload::Numbers;

/// Over which time calls are spread.
const WEEK: u64 = 7 * 86_400_000;
/// The columns of `call_record`, which a backup leaves out.
const COLUMNS: [&str; 26] = [
    "id",
    "at",
    "tenant_id",
    "api_id",
    "version_id",
    "operation",
    "plan_id",
    "subscription_id",
    "application_id",
    "credential_id",
    "source",
    "node_id",
    "snapshot_seq",
    "method",
    "path",
    "status",
    "refusal",
    "client",
    "user_agent",
    "target",
    "bytes_in",
    "bytes_out",
    "duration_us",
    "upstream_us",
    "trace_id",
    "complete",
];

/// One call, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    at: u64,
    consumer: u32,
    operation: usize,
    status: u16,
    duration: u64,
}

/// What calls are added up by.
type Key = (u64, u32, usize, u16);

/// Now, in milliseconds since the epoch.
pub(super) fn now() -> u64 {
    u64::try_from(SystemClock.now().as_millis()).unwrap_or(0)
}

/// Writes the calls, and their rollups into `rollups`.
pub(super) fn write(archive: &Archive, size: Size, rollups: &Table, out: &mut Writer) -> anyhow::Result<()> {
    let shape = Shape::of(archive, size)?;
    let calls = shape.calls();
    out.table("call_record", &COLUMNS)?;
    for (number, call) in (0..).zip(&calls) {
        out.row(&shape.record(number, *call))?;
    }
    let mut sums: BTreeMap<Key, (u64, LatencyHistogram)> = BTreeMap::new();
    for call in &calls {
        let key = (
            call.at / 60_000 * 60_000,
            call.consumer,
            call.operation,
            call.status,
        );
        let (count, latency) = sums.entry(key).or_default();
        *count += 1;
        latency.record(call.duration);
    }
    out.table(&rollups.name, &rollups.columns)?;
    for (number, (key, (count, latency))) in (0..).zip(&sums) {
        out.row(&shape.rollup(rollups, number, *key, *count, latency)?)?;
    }
    Ok(())
}

/// What all calls have in common.
struct Shape {
    size: Size,
    tenant: String,
    operations: Vec<String>,
}

impl Shape {
    fn of(archive: &Archive, size: Size) -> anyhow::Result<Self> {
        let tenants = archive.table("tenant")?;
        let operations = archive.table("operation")?;
        Ok(Self {
            size,
            tenant: tenants.text(tenants.one("slug", "default")?, "id").to_owned(),
            operations: operations
                .rows
                .iter()
                .map(|row| operations.text(row, "key").to_owned())
                .collect(),
        })
    }

    /// A few consumers call often, most call seldom; most calls are quick.
    fn calls(&self) -> Vec<Call> {
        let numbers = Numbers::from(77);
        let start = now().saturating_sub(WEEK);
        let operations = self.operations.len().max(1) as u64;
        // A number below `bound`, the small ones more often: a power of an even share.
        let uneven = |bound: u64, power: u32| {
            let share = u128::from(numbers.next() >> 48).pow(power);
            u64::try_from((u128::from(bound) * share) >> (16 * power)).unwrap_or(0)
        };
        let one = |_| {
            let status = match numbers.next() % 100 {
                0 => 502,
                1 => 404,
                2..5 => 429,
                _ => 200,
            };
            Call {
                at: start + numbers.next() % WEEK,
                consumer: u32::try_from(uneven(u64::from(self.size.keys), 3)).unwrap_or(0),
                operation: usize::try_from(numbers.next() % operations).unwrap_or(0),
                status,
                duration: 500 + uneven(400_000, 4),
            }
        };
        let mut calls: Vec<Call> = (0..self.size.calls).map(one).collect();
        calls.sort_unstable();
        calls
    }

    fn record(&self, number: u32, call: Call) -> Vec<Value> {
        let api = call.consumer % self.size.apis;
        let id = |named, number| json!(made(named, number).to_string());
        let operation = self.operations.get(call.operation).cloned().unwrap_or_default();
        let path = operation.split(' ').nth(1).unwrap_or("/");
        let refusal = (call.status == 429).then_some("rate_limited");
        let trace = made(Named::Call, number).simple().to_string();
        vec![
            json!(made_at(Named::Call, number, call.at).to_string()),
            json!(call.at),
            json!(self.tenant),
            id(Named::Api, api),
            id(Named::Version, api),
            json!(operation),
            id(Named::Plan, api),
            id(Named::Subscription, call.consumer),
            id(Named::Application, call.consumer),
            id(Named::Credential, call.consumer),
            json!("client"),
            id(Named::Team, 5_000),
            json!(1),
            json!("GET"),
            json!(format!("/{}/v1{path}", super::fill::slug(api))),
            json!(call.status),
            json!(refusal),
            json!("192.0.2.7"),
            json!("example-client/1.0"),
            json!("http://127.0.0.1:9"),
            json!(0),
            json!(200),
            json!(call.duration),
            json!(call.duration / 2),
            json!(trace),
            json!(true),
        ]
    }

    fn rollup(
        &self,
        table: &Table,
        number: u32,
        (minute, consumer, operation, status): Key,
        count: u64,
        latency: &LatencyHistogram,
    ) -> anyhow::Result<Vec<Value>> {
        let api = consumer % self.size.apis;
        let id = |named, number| made(named, number).to_string();
        let digest = made_at(Named::Call, number, minute);
        let digest = [digest.as_bytes().as_slice(), digest.as_bytes().as_slice()].concat();
        let operation = self.operations.get(operation).context("no such operation")?;
        let mut row = vec![Value::Null; table.columns.len()];
        table.set(&mut row, "minute", minute)?;
        table.set(&mut row, "digest", STANDARD.encode(digest))?;
        table.set(&mut row, "tenant_id", self.tenant.clone())?;
        table.set(&mut row, "api_id", id(Named::Api, api))?;
        table.set(&mut row, "version_id", id(Named::Version, api))?;
        table.set(&mut row, "operation", operation.clone())?;
        table.set(&mut row, "plan_id", id(Named::Plan, api))?;
        table.set(&mut row, "subscription_id", id(Named::Subscription, consumer))?;
        table.set(&mut row, "application_id", id(Named::Application, consumer))?;
        table.set(&mut row, "credential_id", id(Named::Credential, consumer))?;
        table.set(&mut row, "status", status)?;
        table.set(&mut row, "source", "client")?;
        table.set(&mut row, "requests", count)?;
        table.set(&mut row, "errors", if status >= 400 { count } else { 0 })?;
        table.set(&mut row, "bytes_in", 0)?;
        table.set(&mut row, "bytes_out", count * 200)?;
        table.set(&mut row, "latency", STANDARD.encode(latency.to_bytes()))?;
        Ok(row)
    }
}
