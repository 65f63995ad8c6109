//! Usage figures of a range: rollups, and what is added up of them already
//! (`usage_sum.rs`), by bucket and by group.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::TryStreamExt;
use gatewright_model::histogram::LatencyHistogram;
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, EntityId, PlanId, TenantId, VersionId};
use gatewright_model::state::Word;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallSource, RollupValue};
use sea_query::{Cond, Condition, Expr, ExprTrait, Order, Query, SelectStatement, UnionType};
use uuid::Uuid;

use crate::call::TrafficView;
use crate::column::Column;
use crate::conn::{Access, Scope};
use crate::error::StoreError;
use crate::row::{Row, is, is_in, is_some};
use crate::store::Store;
use crate::tx::Tx;
use crate::usage_sum::{Kind, Pieces, Span, TABLE as SUMS, within};

pub(crate) const TABLE: &str = "usage_rollup";

/// What is read of a rollup.
const COLUMNS: [&str; 14] = [
    "minute",
    "api_id",
    "version_id",
    "operation",
    "plan_id",
    "application_id",
    "credential_id",
    "status",
    "requests",
    "errors",
    "bytes_in",
    "bytes_out",
    "latency",
    "source",
];

/// What is added up by the database.
const COUNTS: [&str; 5] = ["requests", "sample", "errors", "bytes_in", "bytes_out"];

/// By what figures are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageGroup {
    /// By API.
    Api,
    /// By version.
    Version,
    /// By operation.
    Operation,
    /// By plan.
    Plan,
    /// By application.
    Application,
    /// By credential.
    Credential,
    /// By status.
    Status,
}

/// What a group is: the raw value of its column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKey {
    /// An id.
    Id(Uuid),
    /// An operation's key.
    Operation(String),
    /// A status.
    Status(u16),
}

/// Which rollups are wanted.
#[derive(Debug, Clone)]
pub struct UsageFilter {
    /// To this API.
    pub api: Option<ApiId>,
    /// To this version.
    pub version: Option<VersionId>,
    /// To this operation.
    pub operation: Option<String>,
    /// Under this plan.
    pub plan: Option<PlanId>,
    /// Of this application.
    pub application: Option<ApplicationId>,
    /// With this credential.
    pub credential: Option<CredentialId>,
    /// With this status.
    pub status: Option<u16>,
    /// From there.
    pub source: Option<CallSource>,
    /// From the minute of this time on.
    pub from: Timestamp,
    /// Before this time.
    pub to: Timestamp,
    /// How wide a bucket is; whole minutes.
    pub step: Duration,
    /// By what figures are split.
    pub group_by: Option<UsageGroup>,
    /// Only what is seen from here; `None` for the whole tenant.
    pub view: Option<TrafficView>,
}

/// The figures of one bucket and group.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSum {
    /// The start of the bucket.
    pub bucket: Timestamp,
    /// The group; `None` when nothing was split, and for calls that have no such thing.
    pub group: Option<GroupKey>,
    /// The sum.
    pub value: RollupValue,
    /// How many of the calls were made up for the demo.
    pub sample: u64,
}

/// Figures by group, over the whole range.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UsageGroups {
    /// The groups with the most calls; the bucket of each is the start of the range.
    pub groups: Vec<UsageSum>,
    /// How many groups there are.
    pub total: u64,
}

impl UsageFilter {
    /// The rows that match, before the range is looked at.
    fn condition(&self, tenant: TenantId) -> Condition {
        let mut all = Cond::all().add(is("tenant_id", &tenant));
        let narrowed = [
            is_some("api_id", self.api.as_ref()),
            is_some("version_id", self.version.as_ref()),
            is_some("operation", self.operation.as_ref()),
            is_some("plan_id", self.plan.as_ref()),
            is_some("application_id", self.application.as_ref()),
            is_some("credential_id", self.credential.as_ref()),
            is_some("status", self.status.as_ref()),
            is_some("source", self.source.as_ref()),
        ];
        for condition in narrowed.into_iter().flatten() {
            all = all.add(condition);
        }
        match &self.view {
            Some(view) => all.add(view.condition()),
            None => all,
        }
    }

    /// What sums tell of the figures, when they tell them: those of everything,
    /// or of one thing.
    fn sums(&self) -> Option<(Kind, Uuid, String)> {
        let id = |id: Uuid| (id, String::new());
        let things = [
            self.api.map(|api| (Kind::Api, id(api.uuid()))),
            self.version.map(|version| (Kind::Version, id(version.uuid()))),
            self.plan.map(|plan| (Kind::Plan, id(plan.uuid()))),
            self.application
                .map(|application| (Kind::Application, id(application.uuid()))),
            self.credential
                .map(|credential| (Kind::Credential, id(credential.uuid()))),
            self.operation
                .clone()
                .map(|key| (Kind::Operation, (Uuid::nil(), key))),
            self.status
                .map(|status| (Kind::Status, (Uuid::nil(), status.to_string()))),
        ];
        let mut things = things.into_iter().flatten();
        let (kind, (subject, label)) = things.next().unwrap_or((Kind::All, (Uuid::nil(), String::new())));
        let one = things.next().is_none() && self.source.is_none() && self.view.is_none();
        one.then_some((kind, subject, label))
    }

    /// The widest sums that fit into a bucket.
    fn widest(&self) -> Option<Span> {
        let step = i64::try_from(self.step.as_millis()).unwrap_or(i64::MAX);
        let fits = |span: &&Span| step % span.millis() == 0;
        Span::ALL.iter().rev().find(fits).copied()
    }
}

impl Store {
    /// The figures of a tenant, oldest bucket first. Rows are added up as they
    /// stream in: histograms are bytes that no database can add.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn usage(&self, tenant: TenantId, filter: &UsageFilter) -> Result<Vec<UsageSum>, StoreError> {
        let mut tx = self.traffic_tx(Scope::Tenant(tenant), Access::Read).await?;
        let mut series = Series {
            step: Ord::max(i64::try_from(filter.step.as_millis()).unwrap_or(i64::MAX), 60_000),
            sums: BTreeMap::new(),
        };
        let (from, to) = (minute(filter.from), filter.to);
        let pieces = match (filter.group_by, filter.sums(), filter.widest()) {
            (None, Some(of), Some(widest)) => {
                let pieces = tx.pieces(from, to, widest).await?;
                series.add_sums(&mut tx, tenant, &of, &pieces).await?;
                pieces
            }
            _ => Pieces::minutes(from, to),
        };
        series.add_rollups(&mut tx, tenant, filter, &pieces).await?;
        Ok(series.finish())
    }

    /// The figures of a tenant by group over the whole range, at most so many
    /// groups, those with the most calls first; only of `among`, where it is given.
    ///
    /// # Errors
    /// As for [`Store::usage`].
    pub async fn usage_groups(
        &self,
        tenant: TenantId,
        filter: &UsageFilter,
        among: Option<&[Uuid]>,
        limit: u64,
    ) -> Result<UsageGroups, StoreError> {
        let mut tx = self.traffic_tx(Scope::Tenant(tenant), Access::Read).await?;
        let (from, to) = (minute(filter.from), filter.to);
        // Sums are of one thing: what is split of something else is in the rollups alone.
        let pieces = match filter.sums() {
            Some((Kind::All, _, _)) => tx.pieces(from, to, Span::Day).await?,
            _ => Pieces::minutes(from, to),
        };
        let split = Split {
            tenant,
            filter,
            kind: Kind::of(filter.group_by),
            pieces,
        };
        split.read(&mut tx, among, limit).await
    }
}

/// Buckets that are being filled.
struct Series {
    step: i64,
    sums: BTreeMap<(Timestamp, Option<GroupKey>), (RollupValue, u64)>,
}

impl Series {
    fn add(&mut self, at: Timestamp, group: Option<GroupKey>, value: &RollupValue, sample: u64) {
        let bucket = Timestamp::from_millis(at.as_millis().div_euclid(self.step) * self.step);
        let (sum, samples) = self.sums.entry((bucket, group)).or_default();
        *samples += sample;
        add(sum, value);
    }

    async fn add_sums(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        (kind, subject, label): &(Kind, Uuid, String),
        pieces: &Pieces,
    ) -> Result<(), StoreError> {
        for span in Span::ALL {
            let stretches = pieces.sums(*span);
            if stretches.is_empty() {
                continue;
            }
            let mut select = Query::select();
            select
                .columns([
                    "start",
                    "requests",
                    "sample",
                    "errors",
                    "bytes_in",
                    "bytes_out",
                    "latency",
                ])
                .from(SUMS)
                .and_where(is("tenant_id", &tenant))
                .and_where(is("span", span))
                .and_where(is("kind", kind))
                .and_where(is("subject", subject))
                .and_where(is("label", label))
                .cond_where(within("start", stretches));
            let mut rows = tx.conn.stream(&select);
            while let Some(row) = rows.try_next().await? {
                let sample = row.take(SUMS, "sample")?;
                self.add(row.take(SUMS, "start")?, None, &value_of(&row)?, sample);
            }
        }
        Ok(())
    }

    async fn add_rollups(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        filter: &UsageFilter,
        pieces: &Pieces,
    ) -> Result<(), StoreError> {
        if pieces.minutes.is_empty() {
            return Ok(());
        }
        let mut select = Query::select();
        select
            .columns(COLUMNS)
            .from(TABLE)
            .cond_where(filter.condition(tenant))
            .cond_where(within("minute", &pieces.minutes));
        let mut rows = tx.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let group = match filter.group_by {
                Some(group) => group_of(&row, group)?,
                None => None,
            };
            let value = value_of(&row)?;
            let sample = match row.take(TABLE, "source")? {
                CallSource::Sample => value.requests,
                CallSource::Client | CallSource::Console => 0,
            };
            self.add(row.take(TABLE, "minute")?, group, &value, sample);
        }
        Ok(())
    }

    fn finish(self) -> Vec<UsageSum> {
        let sums = self.sums.into_iter();
        let shown = sums.map(|((bucket, group), (value, sample))| UsageSum {
            bucket,
            group,
            value,
            sample,
        });
        shown.collect()
    }
}

/// The sum of a column of whole numbers, which Postgres would make a decimal.
pub(crate) fn sum(column: &str) -> Expr {
    Expr::cust(format!("CAST(SUM({column}) AS bigint)"))
}

/// Figures that are split by group: counted by the database, which finds the
/// few groups with the most calls, and only their histograms are read.
struct Split<'f> {
    tenant: TenantId,
    filter: &'f UsageFilter,
    kind: Kind,
    pieces: Pieces,
}

impl Split<'_> {
    async fn read(&self, tx: &mut Tx, among: Option<&[Uuid]>, limit: u64) -> Result<UsageGroups, StoreError> {
        let mut found = UsageGroups::default();
        let Some(counts) = self.union(among, &COUNTS) else {
            return Ok(found);
        };
        let mut select = Query::select();
        select.columns(["subject", "label"]);
        for column in COUNTS {
            select.expr_as(sum(column), column);
        }
        select
            .expr_as(Expr::cust("COUNT(*) OVER ()"), "total")
            .from_subquery(counts, "part")
            .group_by_columns(["subject", "label"])
            .order_by("requests", Order::Desc)
            .order_by("subject", Order::Asc)
            .order_by("label", Order::Asc)
            .limit(limit);
        let mut keys = Vec::new();
        for row in tx.conn.fetch_all(&select).await? {
            let (subject, label): (Uuid, String) = (row.take(SUMS, "subject")?, row.take(SUMS, "label")?);
            found.total = row.take(SUMS, "total")?;
            found.groups.push(UsageSum {
                bucket: self.filter.from,
                group: self.kind.group(subject, label.clone()),
                value: RollupValue {
                    requests: row.take(SUMS, "requests")?,
                    errors: row.take(SUMS, "errors")?,
                    bytes_in: row.take(SUMS, "bytes_in")?,
                    bytes_out: row.take(SUMS, "bytes_out")?,
                    latency: LatencyHistogram::default(),
                },
                sample: row.take(SUMS, "sample")?,
            });
            keys.push((subject, label));
        }
        self.add_latency(tx, &keys, &mut found.groups).await?;
        Ok(found)
    }

    async fn add_latency(
        &self,
        tx: &mut Tx,
        keys: &[(Uuid, String)],
        groups: &mut [UsageSum],
    ) -> Result<(), StoreError> {
        let places: HashMap<(Uuid, String), usize> = keys.iter().cloned().zip(0..).collect();
        let subjects: Vec<Uuid> = keys.iter().map(|(subject, _)| *subject).collect();
        // Where the thing is no id, all of its few groups are read.
        let among = self.kind.column().map(|_| subjects.as_slice());
        let Some(select) = self.union(among, &["latency"]) else {
            return Ok(());
        };
        let mut rows = tx.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let key = (row.take(SUMS, "subject")?, row.take(SUMS, "label")?);
            if let Some(group) = places.get(&key).and_then(|place| groups.get_mut(*place)) {
                group.value.latency.merge(&row.take(SUMS, "latency")?);
            }
        }
        Ok(())
    }

    /// The same columns of sums and rollups, with what each row is about.
    fn union(&self, among: Option<&[Uuid]>, columns: &[&'static str]) -> Option<SelectStatement> {
        let mut parts = Vec::new();
        for span in Span::ALL {
            let stretches = self.pieces.sums(*span);
            if !stretches.is_empty() {
                parts.push(self.of_sums(*span, stretches, among, columns));
            }
        }
        if !self.pieces.minutes.is_empty() {
            parts.push(self.of_rollups(among, columns));
        }
        let mut parts = parts.into_iter();
        let mut select = parts.next()?;
        for part in parts {
            select.union(UnionType::All, part);
        }
        Some(select)
    }

    fn of_sums(
        &self,
        span: Span,
        stretches: &[(i64, i64)],
        among: Option<&[Uuid]>,
        columns: &[&'static str],
    ) -> SelectStatement {
        let mut select = Query::select();
        select
            .columns(["subject", "label"])
            .columns(columns.iter().copied())
            .from(SUMS)
            .and_where(is("tenant_id", &self.tenant))
            .and_where(is("span", &span))
            .and_where(is("kind", &self.kind))
            .cond_where(within("start", stretches))
            .and_where_option(among.map(|ids| is_in("subject", ids)));
        select
    }

    fn of_rollups(&self, among: Option<&[Uuid]>, columns: &[&'static str]) -> SelectStatement {
        let subject = match self.kind.column() {
            Some(column) => Expr::col(column).if_null(Uuid::nil().value()),
            None => Expr::val(Uuid::nil().value()),
        };
        let label = match self.kind {
            Kind::Operation => Expr::col("operation").if_null(""),
            Kind::Status => Expr::col("status").cast_as("text"),
            _ => Expr::val(""),
        };
        let mut select = Query::select();
        select
            .expr_as(subject, "subject")
            .expr_as(label, "label")
            .from(TABLE);
        for column in columns {
            match *column {
                "sample" => select.expr_as(
                    Expr::cust("CASE WHEN source = 'sample' THEN requests ELSE 0 END"),
                    "sample",
                ),
                column => select.column(column),
            };
        }
        let among = self.kind.column().zip(among);
        select
            .cond_where(self.filter.condition(self.tenant))
            .cond_where(within("minute", &self.pieces.minutes))
            .and_where_option(among.map(|(column, ids)| one_of(column, ids)));
        select
    }
}

/// The column of a rollup holds one of the ids; where it holds none that is nil.
fn one_of(column: &'static str, ids: &[Uuid]) -> Expr {
    let known = is_in(column, ids);
    if ids.iter().any(Uuid::is_nil) {
        known.or(Expr::col(column).is_null())
    } else {
        known
    }
}

const fn minute(at: Timestamp) -> Timestamp {
    gatewright_model::traffic::minute_of(at)
}

fn group_of(row: &Row, group: UsageGroup) -> Result<Option<GroupKey>, StoreError> {
    let id = |column| {
        row.take::<Option<Uuid>>(TABLE, column)
            .map(|id| id.map(GroupKey::Id))
    };
    match group {
        UsageGroup::Api => id("api_id"),
        UsageGroup::Version => id("version_id"),
        UsageGroup::Plan => id("plan_id"),
        UsageGroup::Application => id("application_id"),
        UsageGroup::Credential => id("credential_id"),
        UsageGroup::Operation => row
            .take::<Option<String>>(TABLE, "operation")
            .map(|key| key.map(GroupKey::Operation)),
        UsageGroup::Status => row
            .take::<u16>(TABLE, "status")
            .map(|status| Some(GroupKey::Status(status))),
    }
}

/// The figures of one row.
pub(crate) fn value_of(row: &Row) -> Result<RollupValue, StoreError> {
    Ok(RollupValue {
        requests: row.take(TABLE, "requests")?,
        errors: row.take(TABLE, "errors")?,
        bytes_in: row.take(TABLE, "bytes_in")?,
        bytes_out: row.take(TABLE, "bytes_out")?,
        latency: row.take(TABLE, "latency")?,
    })
}

/// Adds figures up.
pub(crate) fn add(sum: &mut RollupValue, more: &RollupValue) {
    sum.requests += more.requests;
    sum.errors += more.errors;
    sum.bytes_in += more.bytes_in;
    sum.bytes_out += more.bytes_out;
    sum.latency.merge(&more.latency);
}
