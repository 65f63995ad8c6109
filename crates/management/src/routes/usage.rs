//! Usage figures from the per-minute rollups.

use axum::extract::State;
use gatewright_control::Control;
use gatewright_control::usage::{UsageGroup, UsageQuery, UsageRow, UsageStep};
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, PlanId};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use gatewright_webkit::authorized::Authorized;
use gatewright_webkit::permit::UsageRead;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::query::Query;

use crate::answer::Listed;
use crate::filters::filter;
use crate::operation::{Api, about};
use crate::output::output;

pub(crate) fn add(api: Api) -> Api {
    api.tag("usage").get(
        "/usage",
        about("get_usage", "Requests, errors, bytes and latencies over time."),
        query,
    )
}

filter! {
    /// Which calls are counted, and how they are split.
    UsageFilter {
        /// Of which API, by id or slug.
        api: Ref<ApiId>,
        /// Of which version, by id, or by label beside an API.
        version: VersionRef,
        /// Of which operation, by its key.
        operation: String,
        /// Under which plan.
        plan: PlanId,
        /// By which application, by id or slug.
        application: Ref<ApplicationId>,
        /// With which key.
        credential: CredentialId,
        /// With which status.
        status: u16,
        /// From where: a client, the try-it console, or sample data; from everywhere when absent.
        source: CallSource,
        /// From when on; a day before the end when absent.
        from: Timestamp,
        /// Until when; now when absent.
        to: Timestamp,
        /// The width of a bucket; 1h when absent.
        step: UsageStep,
        /// By what a bucket is split.
        group_by: UsageGroup,
    }
}

output! {
    /// The calls of one bucket, or of one group in it.
    UsageBody as "Usage" {
        /// The start of the bucket.
        bucket: Timestamp,
        /// The group: an id, an operation's key or a status; null without group_by.
        group: Option<String>,
        /// How many calls.
        requests: u64,
        /// How many of them were made up for the demo.
        sample: u64,
        /// How many with a status of 400 or above.
        errors: u64,
        /// Bytes of request bodies.
        bytes_in: u64,
        /// Bytes of answer bodies.
        bytes_out: u64,
        /// Half of the calls were faster, in milliseconds.
        p50_ms: Option<f64>,
        /// 95 % of the calls were faster.
        p95_ms: Option<f64>,
        /// 99 % of the calls were faster.
        p99_ms: Option<f64>,
    }
}

fn body(row: UsageRow) -> UsageBody {
    UsageBody {
        bucket: row.bucket,
        group: row.group,
        requests: row.requests,
        sample: row.sample,
        errors: row.errors,
        bytes_in: row.bytes_in,
        bytes_out: row.bytes_out,
        p50_ms: row.p50_ms,
        p95_ms: row.p95_ms,
        p99_ms: row.p99_ms,
    }
}

async fn query(
    caller: Authorized<UsageRead>,
    State(control): State<Control>,
    Query(filter): Query<UsageFilter>,
) -> Result<Listed<UsageBody>, Problem> {
    let query = UsageQuery {
        api: filter.api,
        version: filter.version,
        operation: filter.operation,
        plan: filter.plan,
        application: filter.application,
        credential: filter.credential,
        status: filter.status,
        source: filter.source,
        from: filter.from,
        to: filter.to,
        step: filter.step.unwrap_or(UsageStep::Hour),
        group_by: filter.group_by,
    };
    let rows = control.usage().query(&caller, &query).await?;
    Ok(Listed::whole(rows.into_iter().map(body).collect()))
}
