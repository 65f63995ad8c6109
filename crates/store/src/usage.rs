//! Usage figures: the rollups of a range, added up by bucket and group.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::TryStreamExt;
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, PlanId, TenantId, VersionId};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallSource, RollupValue};
use sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

use crate::call::TrafficView;
use crate::column::Column;
use crate::conn::{Access, Scope};
use crate::error::StoreError;
use crate::row::{Row, is, is_some};
use crate::store::Store;

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

impl Store {
    /// The figures of a tenant, oldest bucket first. Rows are added up as they
    /// stream in: histograms are bytes that no database can add.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn usage(&self, tenant: TenantId, filter: &UsageFilter) -> Result<Vec<UsageSum>, StoreError> {
        let mut tx = self.traffic_tx(Scope::Tenant(tenant), Access::Read).await?;
        let mut select = Query::select();
        select
            .columns(COLUMNS)
            .from(TABLE)
            .and_where(is("tenant_id", &tenant))
            .and_where(Expr::col("minute").gte(minute(filter.from).value()))
            .and_where(Expr::col("minute").lt(filter.to.value()))
            .and_where_option(is_some("api_id", filter.api.as_ref()))
            .and_where_option(is_some("version_id", filter.version.as_ref()))
            .and_where_option(is_some("operation", filter.operation.as_ref()))
            .and_where_option(is_some("plan_id", filter.plan.as_ref()))
            .and_where_option(is_some("application_id", filter.application.as_ref()))
            .and_where_option(is_some("credential_id", filter.credential.as_ref()))
            .and_where_option(is_some("status", filter.status.as_ref()))
            .and_where_option(is_some("source", filter.source.as_ref()));
        if let Some(view) = &filter.view {
            select.cond_where(view.condition());
        }
        let step = Ord::max(i64::try_from(filter.step.as_millis()).unwrap_or(i64::MAX), 60_000);
        let mut sums: BTreeMap<(Timestamp, Option<GroupKey>), (RollupValue, u64)> = BTreeMap::new();
        let mut rows = tx.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let at: Timestamp = row.take(TABLE, "minute")?;
            let bucket = Timestamp::from_millis(at.as_millis().div_euclid(step) * step);
            let group = match filter.group_by {
                Some(group) => group_of(&row, group)?,
                None => None,
            };
            let value = value_of(&row)?;
            let (sum, sample) = sums.entry((bucket, group)).or_default();
            if row.take::<CallSource>(TABLE, "source")? == CallSource::Sample {
                *sample += value.requests;
            }
            add(sum, &value);
        }
        let sums = sums
            .into_iter()
            .map(|((bucket, group), (value, sample))| UsageSum {
                bucket,
                group,
                value,
                sample,
            });
        Ok(sums.collect())
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
