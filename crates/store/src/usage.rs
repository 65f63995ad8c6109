//! Usage figures of a range: rollups, and what is added up of them already
//! (`usage_sum.rs`), by bucket and by group.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::TryStreamExt;
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, EntityId, PlanId, TenantId, VersionId};
use gatewright_model::state::Word;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallSource, RollupValue};
use sea_query::{Cond, Condition, Expr, ExprTrait, Query};
use uuid::Uuid;

use crate::call::TrafficView;
use crate::conn::{Access, Scope};
use crate::error::StoreError;
use crate::row::{Row, is, is_in, is_some};
use crate::store::Store;
use crate::tx::Tx;
use crate::usage_split::Split;
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

/// What sums are about: these ids, under this label.
#[derive(Debug, Clone)]
struct Subjects {
    ids: Vec<Uuid>,
    label: String,
}

impl Subjects {
    const fn of(ids: Vec<Uuid>) -> Self {
        Self {
            ids,
            label: String::new(),
        }
    }

    fn called(label: String) -> Self {
        Self {
            ids: vec![Uuid::nil()],
            label,
        }
    }
}

/// A part of a question about figures.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The sums that answer it, when there are such.
    sums: Option<(Kind, Subjects)>,
    /// By what its calls are seen; `None` for all that match.
    pub(crate) seen: Option<Expr>,
}

impl Part {
    /// Where sums that are split so are found, and of which ids they are; `None` when they are not kept so.
    pub(crate) fn split(&self, by: Kind) -> Option<Option<Vec<Uuid>>> {
        match &self.sums {
            Some((Kind::All, _)) => Some(None),
            Some((kind, of)) if *kind == by && self.seen.is_some() => Some(Some(of.ids.clone())),
            _ => None,
        }
    }
}

impl UsageFilter {
    /// The same question without a view, where all of the API or of the
    /// application that it is about is seen.
    fn settled(&self) -> Self {
        let mut settled = self.clone();
        if let Some(view) = &self.view
            && view.covers(self.api, self.application)
        {
            settled.view = None;
        }
        settled
    }

    /// The rows that match, before the range is looked at and what is seen.
    pub(crate) fn condition(&self, tenant: TenantId) -> Condition {
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
        let all = Cond::all().add(is("tenant_id", &tenant));
        narrowed.into_iter().flatten().fold(all, Condition::add)
    }

    /// The question in parts that have no call in common and that an index answers each.
    fn parts(&self) -> Vec<Part> {
        let Some(view) = &self.view else {
            return vec![Part {
                sums: self.sums(),
                seen: None,
            }];
        };
        let bare = Self {
            view: None,
            ..self.clone()
        };
        let whole = matches!(bare.sums(), Some((Kind::All, _)));
        let of = |kind, ids: Vec<Uuid>| whole.then_some((kind, Subjects::of(ids)));
        let mut parts = Vec::new();
        if !view.apis.is_empty() {
            parts.push(Part {
                sums: of(Kind::Api, view.apis.iter().map(|id| id.uuid()).collect()),
                seen: Some(is_in("api_id", &view.apis)),
            });
        }
        if !view.applications.is_empty() {
            let own = is_in("application_id", &view.applications);
            let elsewhere = is_in("api_id", &view.apis)
                .not()
                .or(Expr::col("api_id").is_null());
            parts.push(if view.apis.is_empty() {
                Part {
                    sums: of(
                        Kind::Application,
                        view.applications.iter().map(|id| id.uuid()).collect(),
                    ),
                    seen: Some(own),
                }
            } else {
                Part {
                    sums: None,
                    seen: Some(own.and(elsewhere)),
                }
            });
        }
        parts
    }

    /// What sums tell of the figures, when they tell them: those of everything,
    /// or of one thing.
    fn sums(&self) -> Option<(Kind, Subjects)> {
        let id = |id: Uuid| Subjects::of(vec![id]);
        // A version that is asked for with an API is one of it.
        let api = self.api.filter(|_| self.version.is_none());
        let things = [
            api.map(|api| (Kind::Api, id(api.uuid()))),
            self.version.map(|version| (Kind::Version, id(version.uuid()))),
            self.plan.map(|plan| (Kind::Plan, id(plan.uuid()))),
            self.application
                .map(|application| (Kind::Application, id(application.uuid()))),
            self.credential
                .map(|credential| (Kind::Credential, id(credential.uuid()))),
            self.operation
                .clone()
                .map(|key| (Kind::Operation, Subjects::called(key))),
            self.status
                .map(|status| (Kind::Status, Subjects::called(status.to_string()))),
        ];
        let mut things = things.into_iter().flatten();
        let of = things.next().unwrap_or((Kind::All, id(Uuid::nil())));
        let one = things.next().is_none() && self.source.is_none() && self.view.is_none();
        one.then_some(of)
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
        let filter = filter.settled();
        let summed = match filter.widest() {
            Some(widest) if filter.group_by.is_none() => Some(tx.pieces(from, to, widest).await?),
            _ => None,
        };
        let single = Pieces::minutes(from, to);
        for part in filter.parts() {
            let pieces = match (&part.sums, &summed) {
                (Some(of), Some(pieces)) => {
                    series.add_sums(&mut tx, tenant, of, pieces).await?;
                    pieces
                }
                _ => &single,
            };
            series
                .add_rollups(&mut tx, tenant, &filter, &part, pieces)
                .await?;
        }
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
        let filter = &filter.settled();
        let split = Split {
            tenant,
            filter,
            kind: Kind::of(filter.group_by),
            parts: filter.parts(),
            summed: tx.pieces(from, to, Span::Day).await?,
            single: Pieces::minutes(from, to),
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
        (kind, of): &(Kind, Subjects),
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
                .and_where(is_in("subject", &of.ids))
                .and_where(is("label", &of.label))
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
        part: &Part,
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
            .and_where_option(part.seen.clone())
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
