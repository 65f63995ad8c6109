//! Call records: written in batches by gateways, read one page at a time.

use std::net::IpAddr;

use gatewright_model::id::{
    ApiId, ApplicationId, CallId, CredentialId, EntityId, NodeId, PlanId, SubscriptionId, TenantId, VersionId,
};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallRecord, CallSource};
use sea_query::{Cond, Condition, Expr, ExprTrait, Order};

use crate::column::Column;
use crate::conn::{Access, Scope};
use crate::error::StoreError;
use crate::row::{is, is_in, is_some, record};
use crate::seen;
use crate::store::Store;

/// A call as it was recorded ([`CallRecord`] says what each field means).
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of CallRecord")]
pub struct StoredCall {
    pub id: CallId,
    pub at: Timestamp,
    pub tenant_id: Option<TenantId>,
    pub api_id: Option<ApiId>,
    pub version_id: Option<VersionId>,
    pub operation: Option<String>,
    pub plan_id: Option<PlanId>,
    pub subscription_id: Option<SubscriptionId>,
    pub application_id: Option<ApplicationId>,
    pub credential_id: Option<CredentialId>,
    pub source: CallSource,
    pub node_id: NodeId,
    pub snapshot_seq: i64,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub refusal: Option<String>,
    pub client: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub target: Option<String>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub duration_us: u64,
    pub upstream_us: u64,
    pub trace_id: String,
    pub complete: bool,
}

record! { StoredCall in "call_record" owned by Some("tenant_id") => {
    id, at, tenant_id, api_id, version_id, operation, plan_id, subscription_id, application_id, credential_id, source,
    node_id, snapshot_seq, method, path, status, refusal, client, user_agent, target, bytes_in, bytes_out,
    duration_us, upstream_us, trace_id, complete,
} }

impl From<&CallRecord> for StoredCall {
    fn from(call: &CallRecord) -> Self {
        let subject = &call.subject;
        Self {
            id: call.id,
            at: call.at,
            tenant_id: call.tenant_id,
            api_id: subject.api_id,
            version_id: subject.version_id,
            operation: subject.operation.as_deref().map(str::to_owned),
            plan_id: subject.plan_id,
            subscription_id: subject.subscription_id,
            application_id: subject.application_id,
            credential_id: subject.credential_id,
            source: call.source,
            node_id: call.node_id,
            snapshot_seq: call.snapshot_seq,
            method: call.method.clone().into_owned(),
            path: call.path.clone(),
            status: call.status,
            refusal: call.refusal.map(str::to_owned),
            client: call.client,
            user_agent: call.user_agent.clone(),
            target: call.target.as_deref().map(str::to_owned),
            bytes_in: call.bytes_in,
            bytes_out: call.bytes_out,
            duration_us: call.duration_us,
            upstream_us: call.upstream_us,
            trace_id: call.trace_id.as_str().to_owned(),
            complete: call.complete,
        }
    }
}

/// The part of a tenant's traffic that somebody may see: calls of these
/// applications, and calls to these APIs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrafficView {
    /// The applications whose calls are seen.
    pub applications: Vec<ApplicationId>,
    /// The APIs to which calls are seen.
    pub apis: Vec<ApiId>,
}

impl TrafficView {
    pub(crate) fn condition(&self) -> Condition {
        Cond::any()
            .add(is_in("application_id", &self.applications))
            .add(is_in("api_id", &self.apis))
    }

    /// Whether everything about this API and this application is seen.
    pub(crate) fn covers(&self, api: Option<ApiId>, application: Option<ApplicationId>) -> bool {
        api.is_some_and(|api| self.apis.contains(&api))
            || application.is_some_and(|application| self.applications.contains(&application))
    }
}

/// Which calls are wanted.
#[derive(Debug, Clone, Default)]
pub struct CallFilter {
    /// To this API.
    pub api: Option<ApiId>,
    /// To this version.
    pub version: Option<VersionId>,
    /// Of this application.
    pub application: Option<ApplicationId>,
    /// With this credential.
    pub credential: Option<CredentialId>,
    /// With this status.
    pub status: Option<u16>,
    /// From there.
    pub source: Option<CallSource>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Only what is seen from here; `None` for the whole tenant.
    pub view: Option<TrafficView>,
}

impl CallFilter {
    /// The calls that match, before it is asked what is seen.
    pub(crate) fn condition(&self) -> Condition {
        let narrowed = [
            is_some("api_id", self.api.as_ref()),
            is_some("version_id", self.version.as_ref()),
            is_some("application_id", self.application.as_ref()),
            is_some("credential_id", self.credential.as_ref()),
            is_some("status", self.status.as_ref()),
            is_some("source", self.source.as_ref()),
            self.from.map(|from| Expr::col("at").gte(from.value())),
            self.to.map(|to| Expr::col("at").lt(to.value())),
        ];
        narrowed.into_iter().flatten().fold(Cond::all(), Condition::add)
    }
}

impl Store {
    /// Calls of a tenant, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn calls(
        &self,
        tenant: TenantId,
        filter: &CallFilter,
        page: PageRequest,
    ) -> Result<Page<StoredCall>, StoreError> {
        let mut tx = self.traffic_tx(Scope::Tenant(tenant), Access::Read).await?;
        if let Some(view) = &filter.view
            && !view.covers(filter.api, filter.application)
        {
            return seen::page(&mut tx, tenant, filter, view, page).await;
        }
        let mut select = tx.select::<StoredCall>();
        select.cond_where(filter.condition());
        tx.page(select, page, Order::Desc, |call: &StoredCall| call.id.uuid())
            .await
    }

    /// One call of a tenant, when it is seen from `view`.
    ///
    /// # Errors
    /// As for every read.
    pub async fn call(
        &self,
        tenant: TenantId,
        id: CallId,
        view: Option<&TrafficView>,
    ) -> Result<Option<StoredCall>, StoreError> {
        let mut tx = self.traffic_tx(Scope::Tenant(tenant), Access::Read).await?;
        let mut select = tx.select::<StoredCall>();
        select.and_where(is("id", &id));
        if let Some(view) = view {
            select.cond_where(view.condition());
        }
        Ok(tx.all(&select).await?.pop())
    }
}
