//! Writing traffic: one batch of a gateway is one transaction, and a batch
//! that arrives twice counts once.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use gatewright_model::id::{ApiId, ApplicationId, TeamId, TenantId};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallRecord, CallSource, RollupKey, RollupValue};
use sea_query::{Expr, ExprTrait, OnConflict, Query, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::call::{StoredCall, TrafficView};
use crate::column::Column;
use crate::conn::{Access, Scope};
use crate::dialect::{self, Work};
use crate::error::StoreError;
use crate::row::{is, is_in};
use crate::store::Store;
use crate::tx::{Tx, insert_into};
use crate::usage::{TABLE as ROLLUP, add, value_of};

const ROLLUP_COLUMNS: &[&str] = &[
    "minute",
    "digest",
    "tenant_id",
    "api_id",
    "version_id",
    "operation",
    "plan_id",
    "subscription_id",
    "application_id",
    "credential_id",
    "status",
    "source",
    "requests",
    "errors",
    "bytes_in",
    "bytes_out",
    "latency",
];
const DAY_MS: i64 = 86_400_000;
/// Rollups that one statement reads or writes: 17 values each stay below every bound.
const CHUNK: usize = 500;

impl Store {
    /// Writes a batch: its calls, and its rollups added to what is there.
    /// A batch whose id was written before changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; nothing was written then.
    pub async fn write_traffic(
        &self,
        batch: Uuid,
        calls: &[CallRecord],
        rollups: &[(RollupKey, RollupValue)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        let days: BTreeSet<i64> = calls
            .iter()
            .map(|call| call.at.as_millis().div_euclid(DAY_MS))
            .collect();
        for day in days {
            dialect::add_call_day(&mut tx.conn, day).await?;
        }
        if !first_time(&mut tx, batch, now).await? {
            return tx.rollback().await;
        }
        let stored: Vec<StoredCall> = calls.iter().map(StoredCall::from).collect();
        tx.insert_all(&stored).await?;
        if !rollups.is_empty() {
            // Two gateways that add to the same rows at once would each lose the other's figures.
            dialect::serialise(&mut tx.conn, Work::Rollups).await?;
            for chunk in rollups.chunks(CHUNK) {
                add_rollups(&mut tx, chunk).await?;
                tx.unfold(&minutes(chunk)).await?;
            }
        }
        tx.conn.commit().await
    }

    /// Makes room for the calls of today and tomorrow; the worker does it ahead of time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn prepare_traffic(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        let today = now.as_millis().div_euclid(DAY_MS);
        for day in [today, today + 1] {
            dialect::add_call_day(&mut tx.conn, day).await?;
        }
        tx.conn.commit().await
    }

    /// Forgets a bounded number of calls, rollups and batch ids that are older
    /// than they are kept; says how many, so that the caller goes on while it is not zero.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_traffic(
        &self,
        now: Timestamp,
        calls: Duration,
        rollups: Duration,
    ) -> Result<u64, StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        let mut gone = dialect::drop_calls_before(&mut tx.conn, now.minus(calls)).await?;
        gone += forget(&mut tx, ROLLUP, "minute", now.minus(rollups)).await?;
        gone += tx.forget_sums(now.minus(rollups)).await?;
        gone += forget(
            &mut tx,
            "traffic_batch",
            "written_at",
            now.minus(Duration::from_secs(86_400)),
        )
        .await?;
        tx.conn.commit().await?;
        Ok(gone)
    }

    /// Forgets the made-up usage of a tenant: everything whose source is `sample`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_samples(&self, tenant: TenantId) -> Result<(), StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        // They were added up with the others, and are not to be once more meanwhile.
        dialect::serialise(&mut tx.conn, Work::Rollups).await?;
        tx.unfold_all().await?;
        for table in [ROLLUP, "call_record"] {
            let mut delete = Query::delete();
            delete
                .from_table(table)
                .and_where(is("tenant_id", &tenant))
                .and_where(is("source", &CallSource::Sample));
            tx.conn.execute(&delete).await?;
        }
        tx.conn.commit().await
    }
}

impl Tx {
    /// What of the tenant's traffic the members of these teams see: the calls
    /// of their applications, and the calls to their APIs.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn traffic_view(&mut self, teams: &[TeamId]) -> Result<TrafficView, StoreError> {
        let applications = self.ids_of_teams("application", teams).await?;
        let apis = self.ids_of_teams("api", teams).await?;
        let wrap = |ids: Vec<Uuid>| ids.into_iter();
        Ok(TrafficView {
            applications: wrap(applications)
                .map(gatewright_model::id::EntityId::from_uuid)
                .collect::<Vec<ApplicationId>>(),
            apis: wrap(apis)
                .map(gatewright_model::id::EntityId::from_uuid)
                .collect::<Vec<ApiId>>(),
        })
    }

    async fn ids_of_teams(&mut self, table: &'static str, teams: &[TeamId]) -> Result<Vec<Uuid>, StoreError> {
        let mut select = Query::select();
        select
            .column("id")
            .from(table)
            .and_where(is_in("team_id", teams))
            .and_where_option(self.scope().tenant().map(|tenant| is("tenant_id", &tenant)));
        let rows = self.conn.fetch_all(&select).await?;
        rows.iter().map(|row| row.take(table, "id")).collect()
    }
}

async fn first_time(tx: &mut Tx, batch: Uuid, now: Timestamp) -> Result<bool, StoreError> {
    let mut insert = Query::insert();
    insert
        .into_table("traffic_batch")
        .columns(["id", "written_at"])
        .values_panic([Expr::val(batch.value()), Expr::val(now.value())])
        .on_conflict(OnConflict::column("id").do_nothing().to_owned());
    Ok(tx.conn.execute(&insert).await? > 0)
}

async fn add_rollups(tx: &mut Tx, rollups: &[(RollupKey, RollupValue)]) -> Result<(), StoreError> {
    let mut sums: HashMap<[u8; 32], (&RollupKey, RollupValue)> = HashMap::new();
    for (key, value) in rollups {
        let entry = sums
            .entry(digest(key))
            .or_insert_with(|| (key, RollupValue::default()));
        add(&mut entry.1, value);
    }
    let digests: Vec<[u8; 32]> = sums.keys().copied().collect();
    let mut select = Query::select();
    select
        .columns(["digest", "requests", "errors", "bytes_in", "bytes_out", "latency"])
        .from(ROLLUP)
        .and_where(is_in("minute", &minutes(rollups)))
        .and_where(is_in("digest", &digests));
    for row in tx.conn.fetch_all(&select).await? {
        let known: [u8; 32] = row.take(ROLLUP, "digest")?;
        if let Some((_, sum)) = sums.get_mut(&known) {
            add(sum, &value_of(&row)?);
        }
    }
    let rows = sums
        .iter()
        .map(|(digest, (key, value))| row_values(*digest, key, value));
    let mut insert = insert_into(ROLLUP, ROLLUP_COLUMNS, rows);
    insert.on_conflict(
        OnConflict::columns(["minute", "digest"])
            .update_columns(["requests", "errors", "bytes_in", "bytes_out", "latency"])
            .to_owned(),
    );
    tx.conn.execute(&insert).await.map(drop)
}

fn minutes(rollups: &[(RollupKey, RollupValue)]) -> Vec<Timestamp> {
    let minutes: BTreeSet<Timestamp> = rollups.iter().map(|(key, _)| key.minute).collect();
    minutes.into_iter().collect()
}

fn row_values(digest: [u8; 32], key: &RollupKey, value: &RollupValue) -> Vec<Value> {
    let subject = &key.subject;
    vec![
        key.minute.value(),
        digest.value(),
        key.tenant_id.value(),
        subject.api_id.value(),
        subject.version_id.value(),
        subject.operation.value(),
        subject.plan_id.value(),
        subject.subscription_id.value(),
        subject.application_id.value(),
        subject.credential_id.value(),
        key.status.value(),
        key.source.value(),
        value.requests.value(),
        value.errors.value(),
        value.bytes_in.value(),
        value.bytes_out.value(),
        value.latency.value(),
    ]
}

/// The identity of a rollup: NULLs are equal here, which no unique index says of them.
fn digest(key: &RollupKey) -> [u8; 32] {
    let subject = &key.subject;
    let ids = [
        Some(gatewright_model::id::EntityId::uuid(key.tenant_id)),
        subject.api_id.map(gatewright_model::id::EntityId::uuid),
        subject.version_id.map(gatewright_model::id::EntityId::uuid),
        subject.plan_id.map(gatewright_model::id::EntityId::uuid),
        subject.subscription_id.map(gatewright_model::id::EntityId::uuid),
        subject.application_id.map(gatewright_model::id::EntityId::uuid),
        subject.credential_id.map(gatewright_model::id::EntityId::uuid),
    ];
    let mut digest = Sha256::new();
    for id in ids {
        digest.update(id.unwrap_or(Uuid::nil()).as_bytes());
    }
    digest.update(key.minute.as_millis().to_be_bytes());
    digest.update(key.status.to_be_bytes());
    digest.update(key.source.to_string().as_bytes());
    digest.update([0]);
    digest.update(subject.operation.as_deref().unwrap_or("").as_bytes());
    digest.finalize().into()
}

async fn forget(
    tx: &mut Tx,
    table: &'static str,
    column: &'static str,
    before: Timestamp,
) -> Result<u64, StoreError> {
    let mut delete = Query::delete();
    delete
        .from_table(table)
        .and_where(Expr::col(column).lt(before.value()));
    tx.conn.execute(&delete).await
}
