//! Usage figures from the per-minute rollups.

use std::time::Duration;

use gatewright_model::histogram::LatencyHistogram;
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, EntityId, PlanId, VersionId};
use gatewright_model::invalid::Invalid;
use gatewright_model::permission::Permission;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use gatewright_model::words;
use gatewright_store::{GroupKey, TrafficView, Tx, UsageFilter, UsageSum};
use uuid::Uuid;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::{apis, applications, versions};

words! {
    /// How wide a bucket is.
    UsageStep {
        /// `1m`
        Minute = "1m",
        /// `1h`
        Hour = "1h",
        /// `1d`
        Day = "1d",
    }
}

words! {
    /// By what figures are split.
    UsageGroup {
        /// By API.
        Api = "api",
        /// By version.
        Version = "version",
        /// By operation.
        Operation = "operation",
        /// By plan.
        Plan = "plan",
        /// By application.
        Application = "application",
        /// By credential.
        Credential = "credential",
        /// By status.
        Status = "status",
    }
}

impl UsageStep {
    /// The width of a bucket.
    #[must_use]
    pub const fn duration(self) -> Duration {
        match self {
            Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3_600),
            Self::Day => Duration::from_secs(86_400),
        }
    }
}

/// The most buckets that one answer holds in each group.
const MAX_BUCKETS: u64 = 10_000;

/// Use cases of usage figures.
#[derive(Debug, Clone, Copy)]
pub struct Usage<'c>(pub(crate) &'c Control);

/// Which figures are wanted.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// Of which API.
    pub api: Option<Ref<ApiId>>,
    /// Of which version of it.
    pub version: Option<VersionRef>,
    /// Of which operation, by its key.
    pub operation: Option<String>,
    /// Under which plan.
    pub plan: Option<PlanId>,
    /// Of which application.
    pub application: Option<Ref<ApplicationId>>,
    /// With which credential.
    pub credential: Option<CredentialId>,
    /// With which status.
    pub status: Option<u16>,
    /// From where; from everywhere when absent.
    pub source: Option<CallSource>,
    /// From when; a day before `to` when absent.
    pub from: Option<Timestamp>,
    /// Until when; now when absent.
    pub to: Option<Timestamp>,
    /// How wide a bucket is.
    pub step: UsageStep,
    /// By what figures are split.
    pub group_by: Option<UsageGroup>,
}

impl UsageQuery {
    /// All figures in steps of this width; the caller narrows them.
    #[must_use]
    pub const fn by(step: UsageStep) -> Self {
        Self {
            api: None,
            version: None,
            operation: None,
            plan: None,
            application: None,
            credential: None,
            status: None,
            source: None,
            from: None,
            to: None,
            step,
            group_by: None,
        }
    }
}

/// The figures of one bucket and one group.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRow {
    /// The start of the bucket.
    pub bucket: Timestamp,
    /// The group: an id, an operation's key or a status.
    pub group: Option<String>,
    /// How many calls.
    pub requests: u64,
    /// How many of them were made up for the demo.
    pub sample: u64,
    /// How many with a status of 400 or above.
    pub errors: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of answer bodies.
    pub bytes_out: u64,
    /// Half of the calls took at most this many milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 % of them.
    pub p95_ms: Option<f64>,
    /// 99 % of them.
    pub p99_ms: Option<f64>,
}

/// The groups of a split, over the whole time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsageGroups {
    /// Those with the most calls first; the bucket of each is the start of the time.
    pub rows: Vec<UsageRow>,
    /// How many there are.
    pub total: u64,
}

impl Control {
    /// Use cases of usage figures.
    #[must_use]
    pub const fn usage(&self) -> Usage<'_> {
        Usage(self)
    }
}

impl Usage<'_> {
    /// The figures that match. Who may read usage only in some teams sees the
    /// calls of their applications and to their APIs.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the range is empty or would give too many buckets.
    pub async fn query(&self, caller: &Caller, query: &UsageQuery) -> Result<Vec<UsageRow>> {
        caller.require_anywhere(Permission::UsageRead)?;
        let filter = self.filter(caller, query).await?;
        let sums = self.0.parts.store.usage(caller.tenant_id, &filter).await?;
        Ok(sums.into_iter().map(|sum| row(sum, query.group_by)).collect())
    }

    /// The figures of the groups that the query splits by, over its whole time:
    /// at most so many groups, those with the most calls.
    ///
    /// # Errors
    /// As for [`Self::query`].
    pub async fn groups(&self, caller: &Caller, query: &UsageQuery, limit: u16) -> Result<UsageGroups> {
        self.split(caller, query, None, u64::from(limit)).await
    }

    /// The figures of each of these APIs over the whole time of the query, those
    /// with the most calls first. APIs without calls are left out.
    ///
    /// # Errors
    /// As for [`Self::query`].
    pub async fn of_apis(
        &self,
        caller: &Caller,
        query: &UsageQuery,
        apis: impl IntoIterator<Item = ApiId>,
    ) -> Result<Vec<UsageRow>> {
        let query = UsageQuery {
            group_by: Some(UsageGroup::Api),
            ..query.clone()
        };
        let apis: Vec<Uuid> = apis.into_iter().map(EntityId::uuid).collect();
        let most = apis.len() as u64;
        Ok(self.split(caller, &query, Some(&apis), most).await?.rows)
    }

    async fn split(
        &self,
        caller: &Caller,
        query: &UsageQuery,
        among: Option<&[Uuid]>,
        limit: u64,
    ) -> Result<UsageGroups> {
        caller.require_anywhere(Permission::UsageRead)?;
        let filter = self.filter(caller, query).await?;
        let store = &self.0.parts.store;
        let found = store
            .usage_groups(caller.tenant_id, &filter, among, limit)
            .await?;
        Ok(UsageGroups {
            rows: found
                .groups
                .into_iter()
                .map(|sum| row(sum, query.group_by))
                .collect(),
            total: found.total,
        })
    }

    async fn filter(&self, caller: &Caller, query: &UsageQuery) -> Result<UsageFilter> {
        let to = query.to.unwrap_or_else(|| self.0.now());
        let from = query
            .from
            .unwrap_or_else(|| to.minus(Duration::from_secs(86_400)));
        check_range(from, to, query.step)?;
        let mut tx = self.0.read(caller).await?;
        let api = match &query.api {
            Some(api) => Some(apis::visible(&mut tx, caller, api).await?),
            None => None,
        };
        let version = match (&api, &query.version) {
            (_, None) => None,
            (Some(api), Some(version)) => Some(versions::find(&mut tx, api, version).await?.id),
            (None, Some(VersionRef::Id(id))) => Some(*id),
            (None, Some(VersionRef::Label(_))) => {
                let rule = "must come with the API that it belongs to, or be a version's id";
                return Err(Error::field(
                    "/version",
                    Invalid::new("version_without_api", rule),
                ));
            }
        };
        let application = match &query.application {
            Some(application) => Some(
                applications::find(&mut tx, caller, application, Permission::UsageRead)
                    .await?
                    .id,
            ),
            None => None,
        };
        let view = traffic_view(&mut tx, caller, Permission::UsageRead).await?;
        Ok(UsageFilter {
            api: api.map(|api| api.id),
            version,
            operation: query.operation.clone(),
            plan: query.plan,
            application,
            credential: query.credential,
            status: query.status,
            source: query.source,
            from,
            to,
            step: query.step.duration(),
            group_by: query.group_by.map(stored_group),
            view,
        })
    }
}

const fn stored_group(group: UsageGroup) -> gatewright_store::UsageGroup {
    match group {
        UsageGroup::Api => gatewright_store::UsageGroup::Api,
        UsageGroup::Version => gatewright_store::UsageGroup::Version,
        UsageGroup::Operation => gatewright_store::UsageGroup::Operation,
        UsageGroup::Plan => gatewright_store::UsageGroup::Plan,
        UsageGroup::Application => gatewright_store::UsageGroup::Application,
        UsageGroup::Credential => gatewright_store::UsageGroup::Credential,
        UsageGroup::Status => gatewright_store::UsageGroup::Status,
    }
}

fn check_range(from: Timestamp, to: Timestamp, step: UsageStep) -> Result<()> {
    if to <= from {
        return Err(Error::field(
            "/to",
            Invalid::new("empty_range", "must lie after from"),
        ));
    }
    if to.since(from).as_secs() / step.duration().as_secs() > MAX_BUCKETS {
        let rule = "makes more than 10,000 buckets; take a wider step or a shorter range";
        return Err(Error::field("/step", Invalid::new("range_too_wide", rule)));
    }
    Ok(())
}

/// What of the tenant's traffic the caller sees; `None` for all of it.
pub(crate) async fn traffic_view(
    tx: &mut Tx,
    caller: &Caller,
    permission: Permission,
) -> Result<Option<TrafficView>> {
    match caller.rights.teams_with(permission) {
        Some(teams) => Ok(Some(tx.traffic_view(&teams).await?)),
        None => Ok(None),
    }
}

pub(crate) fn row(sum: UsageSum, group_by: Option<UsageGroup>) -> UsageRow {
    UsageRow {
        bucket: sum.bucket,
        group: sum.group.map(|key| shown(key, group_by)),
        requests: sum.value.requests,
        sample: sum.sample,
        errors: sum.value.errors,
        bytes_in: sum.value.bytes_in,
        bytes_out: sum.value.bytes_out,
        p50_ms: percentile(&sum.value.latency, 0.5),
        p95_ms: percentile(&sum.value.latency, 0.95),
        p99_ms: percentile(&sum.value.latency, 0.99),
    }
}

/// A group as it stands on the wire.
fn shown(key: GroupKey, group_by: Option<UsageGroup>) -> String {
    match key {
        GroupKey::Operation(key) => key,
        GroupKey::Status(status) => status.to_string(),
        GroupKey::Id(id) => match group_by {
            Some(UsageGroup::Version) => VersionId::from_uuid(id).to_string(),
            Some(UsageGroup::Plan) => PlanId::from_uuid(id).to_string(),
            Some(UsageGroup::Application) => ApplicationId::from_uuid(id).to_string(),
            Some(UsageGroup::Credential) => CredentialId::from_uuid(id).to_string(),
            _ => ApiId::from_uuid(id).to_string(),
        },
    }
}

fn percentile(latency: &LatencyHistogram, share: f64) -> Option<f64> {
    latency.percentile(share).map(|micros| micros as f64 / 1_000.0)
}
