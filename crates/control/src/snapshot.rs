//! Turning what is in the store into the parts that gateways compile. Every
//! use case that touches traffic refreshes the parts it changed, in its own
//! transaction; the store drops a part that came out the same.

use std::collections::HashSet;

use gatewright_model::api::{Api, ApiVersion, Upstream, VersionState};
use gatewright_model::consumer::SubscriptionState;
use gatewright_model::id::{EntityId, PlanId};
use gatewright_model::plan::{Plan, PlanState};
use gatewright_model::snapshot::{
    ApiPart, DeprecationPart, OperationPart, PartKind, PlanLimits, PlanPart, SuccessorPart, TenantPart,
    VersionPart,
};
use gatewright_model::tenancy::{DEFAULT_TENANT, Tenant};
use gatewright_store::Tx;
use serde::Serialize;

use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::versions::{gateway_url, operations_of};

/// Writes the part of a tenant.
pub(crate) fn refresh_tenant(tx: &mut Tx, tenant: &Tenant) -> Result<()> {
    let part = TenantPart {
        id: tenant.id,
        slug: tenant.slug.clone(),
        state: tenant.state,
        hosts: tenant
            .settings
            .hosts
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
        private_upstreams: tenant.slug.as_str() == DEFAULT_TENANT,
        upstream_allow: tenant.settings.upstream_allow.clone(),
    };
    tx.put_part(PartKind::Tenant, tenant.id.uuid(), Some(body(&part)?));
    Ok(())
}

/// Writes the part of an API with its plans. An API that serves nothing has none.
pub(crate) async fn refresh_api(tx: &mut Tx, api: &Api) -> Result<()> {
    let routed = tx
        .versions()
        .of_api(api.id)
        .await?
        .iter()
        .any(|version| version.state.is_routed());
    if !routed {
        tx.put_part(PartKind::Api, api.id.uuid(), None);
        return Ok(());
    }
    let plans = tx.plans().of_api(api.id).await?;
    let going_on = plans_going_on(tx, api, &plans).await?;
    let mut parts = Vec::with_capacity(plans.len());
    for mut plan in plans {
        // To gateways a plan that goes on for those who have it is a deprecated one.
        if going_on.contains(&plan.id) {
            plan.state = PlanState::Deprecated;
        }
        if matches!(plan.state, PlanState::Published | PlanState::Deprecated) {
            parts.push(plan_part(tx, plan).await?);
        }
    }
    let part = ApiPart {
        id: api.id,
        tenant_id: api.tenant_id,
        slug: api.slug.clone(),
        context_path: api.context_path.clone(),
        plans: parts,
    };
    tx.put_part(PartKind::Api, api.id.uuid(), Some(body(&part)?));
    Ok(())
}

/// The closed plans under which subscriptions still work, until their own end.
async fn plans_going_on(tx: &mut Tx, api: &Api, plans: &[Plan]) -> Result<HashSet<PlanId>> {
    let closed: HashSet<PlanId> = plans
        .iter()
        .filter(|plan| plan.state == PlanState::Closed)
        .map(|plan| plan.id)
        .collect();
    if closed.is_empty() {
        return Ok(closed);
    }
    let live = tx.subscriptions().live_of_api(api.id).await?;
    let closing = live
        .into_iter()
        .filter(|subscription| subscription.state == SubscriptionState::Closing)
        .map(|subscription| subscription.plan_id);
    Ok(closing.filter(|plan| closed.contains(plan)).collect())
}

async fn plan_part(tx: &mut Tx, plan: Plan) -> Result<PlanPart> {
    let versions = tx.plans().limit_history(plan.id).await?;
    Ok(PlanPart {
        id: plan.id,
        slug: plan.slug,
        state: plan.state,
        security: plan.security,
        versions: plan.versions,
        limits: versions
            .into_iter()
            .map(|version| PlanLimits {
                id: version.id,
                limits: version.limits,
            })
            .collect(),
    })
}

/// Writes the part of a version, or takes it away when the version is not
/// routed, and refreshes its API beside it.
pub(crate) async fn refresh_version(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    version: &ApiVersion,
) -> Result<()> {
    let part = if version.state.is_routed() {
        Some(body(&version_part(control, tx, caller, api, version).await?)?)
    } else {
        None
    };
    tx.put_part(PartKind::Version, version.id.uuid(), part);
    refresh_api(tx, api).await
}

/// Writes every part of an API: its address is part of the links in each version.
pub(crate) async fn refresh_all(control: &Control, tx: &mut Tx, caller: &Caller, api: &Api) -> Result<()> {
    for version in tx.versions().of_api(api.id).await? {
        if version.state.is_routed() {
            let part = version_part(control, tx, caller, api, &version).await?;
            tx.put_part(PartKind::Version, version.id.uuid(), Some(body(&part)?));
        }
    }
    refresh_api(tx, api).await
}

async fn version_part(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    version: &ApiVersion,
) -> Result<VersionPart> {
    // A retired version only says where to go: it keeps no routes and no upstream.
    let retired = version.state == VersionState::Retired;
    let operations = if retired {
        Vec::new()
    } else {
        operations_of(tx, version).await?
    };
    let upstream: Option<Upstream> = if retired {
        None
    } else {
        tx.upstreams().find(version.id).await?
    };
    let deprecation = deprecation_part(control, tx, caller, api, version).await?;
    Ok(VersionPart {
        id: version.id,
        api_id: version.api_id,
        tenant_id: version.tenant_id,
        label: version.label.clone(),
        state: version.state,
        blocked_reason: version
            .blocked_reason
            .as_ref()
            .map(|reason| reason.as_str().to_owned()),
        deprecation,
        unmatched: version.unmatched,
        operations: operations
            .into_iter()
            .filter(|operation| operation.routable)
            .map(|operation| OperationPart {
                key: operation.key,
                method: operation.method,
                // Some documents tell operations apart by a query; routing knows paths alone.
                template: operation
                    .template
                    .split(['?', '#'])
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                deprecated: operation.deprecated,
            })
            .collect(),
        upstream,
    })
}

async fn deprecation_part(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    version: &ApiVersion,
) -> Result<Option<DeprecationPart>> {
    let Some(deprecation) = &version.deprecation else {
        return Ok(None);
    };
    let successor = match deprecation.successor {
        Some(id) => tx.versions().find(id).await?,
        None => None,
    };
    let planned = deprecation.sunset_at;
    Ok(Some(DeprecationPart {
        deprecated_at: deprecation.deprecated_at,
        // A version that was retired before its time ended then (RFC 8594, section 3).
        sunset_at: version.retired_at.map_or(planned, |ended| ended.min(planned)),
        info_url: Some(format!("{}/apis/{}", control.urls().portal, api.slug)),
        successor: successor.map(|next| SuccessorPart {
            url: gateway_url(control, caller, api, &next.label),
            label: next.label,
        }),
    }))
}

fn body(part: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(part)
        .map_err(|error| Error::Internal(format!("a snapshot part could not be written: {error}")))
}
